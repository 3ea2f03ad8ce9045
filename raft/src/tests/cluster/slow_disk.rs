//! Workers whose disk takes its time: what is handed to one lies in memory for a while, where a crash loses it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use openraft::type_config::AsyncRuntime;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::process::ProcessRuntime;
use crate::workers::{Work, Workers};

/// Starts workers that run a while after they are woken.
pub(super) struct SlowDisk(Mutex<SmallRng>);

impl SlowDisk {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(SmallRng::seed_from_u64(seed)))
    }
}

impl Workers for SlowDisk {
    fn start(&self, _name: &'static str, work: Work) -> io::Result<()> {
        let random = SmallRng::from_rng(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(ProcessRuntime::spawn(Slow {
            work,
            random,
            wait: None,
        }));
        Ok(())
    }
}

struct Slow {
    work: Work,
    random: SmallRng,
    wait: Option<Pin<Box<<ProcessRuntime as AsyncRuntime>::Sleep>>>,
}

impl Slow {
    /// Nearly always a millisecond or two, as a good disk; now and then as long as one that is busy.
    fn pause(&mut self) -> Duration {
        let micros = if self.random.random_bool(0.02) {
            self.random.random_range(10_000..80_000)
        } else {
            self.random.random_range(100..2_500)
        };
        Duration::from_micros(micros)
    }
}

impl Future for Slow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let pause = this.wait.is_none().then(|| this.pause());
        let wait = this
            .wait
            .get_or_insert_with(|| Box::pin(ProcessRuntime::sleep(pause.unwrap_or_default())));
        std::task::ready!(wait.as_mut().poll(context));
        this.wait = None;
        this.work.as_mut().poll(context)
    }
}
