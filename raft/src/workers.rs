//! Where work that waits for a disk runs: on threads of its own, or as tasks in a simulation.

use std::future::Future;
use std::io;
use std::pin::Pin;

use openraft::type_config::AsyncRuntime;

/// A piece of work that runs until it is done or told to stop.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts workers.
pub trait Workers: Send + Sync + 'static {
    /// Starts one.
    ///
    /// # Errors
    /// If the system has no thread to give.
    fn start(&self, name: &'static str, work: Work) -> io::Result<()>;
}

/// Each worker on a thread of its own: a slow disk then holds up nothing but the worker that waits for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Threads;

impl Workers for Threads {
    fn start(&self, name: &'static str, work: Work) -> io::Result<()> {
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || futures::executor::block_on(work))?;
        Ok(())
    }
}

/// Each worker as a task of the runtime: for simulations, where threads would make a run depend on the scheduler.
#[derive(Debug)]
pub struct Tasks<R>(std::marker::PhantomData<fn() -> R>);

impl<R> Default for Tasks<R> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<R: AsyncRuntime> Workers for Tasks<R> {
    fn start(&self, _name: &'static str, work: Work) -> io::Result<()> {
        drop(R::spawn(work));
        Ok(())
    }
}
