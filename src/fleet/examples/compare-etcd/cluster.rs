//! Three members of one system on this machine, from a first start on fresh data to the last kill.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::{Channel, Endpoint};

use crate::api::{Api, Operation, Timers};
use crate::api::{Content, View};
use crate::error::CompareError;
use crate::process::{Launch, Process, free_ports};

const MEMBERS: usize = 3;
const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long a look may take: a member that was stopped does not answer at all.
const LOOK_WITHIN: Duration = Duration::from_secs(2);
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// What happens to a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// SIGKILL.
    Crash,
    /// SIGTERM.
    Leave,
    /// SIGSTOP.
    Hang,
}

/// Three members, which end with this.
#[derive(Debug)]
pub(crate) struct Cluster<A> {
    members: Vec<Member<A>>,
    // Dropped after the members, which write into it.
    _folder: TempDir,
}

#[derive(Debug)]
struct Member<A> {
    process: Process,
    launch: Launch,
    port: u16,
    /// For looking at it, apart from the load.
    probe: A,
}

impl<A: Api> Cluster<A> {
    /// Starts three members with fresh data below `folder`. Not yet ready.
    pub(crate) fn start(program: &Path, folder: &Path, timers: Timers) -> Result<Self, CompareError> {
        let folder = tempfile::Builder::new()
            .prefix("members-")
            .tempdir_in(folder)
            .map_err(CompareError::io(format!("make a folder in {}", folder.display())))?;
        let ports = free_ports(MEMBERS * A::PORTS)?;
        let ports: Vec<_> = ports.chunks(A::PORTS).map(<[u16]>::to_vec).collect();
        let member = |number: usize| {
            let own = folder.path().join(number.to_string());
            let launch = A::launch(program, &own, &ports, number, timers)?;
            let port = ports[number][0];
            Ok(Member {
                process: launch.start()?,
                launch,
                port,
                probe: connect(port),
            })
        };
        let members: Result<_, CompareError> = (0..MEMBERS).map(member).collect();
        Ok(Cluster {
            members: members?,
            _folder: folder,
        })
    }

    /// Connections, dealt out to these members in turn.
    pub(crate) fn connections(&self, members: &[usize], count: usize) -> Vec<A> {
        let ports = members.iter().cycle().map(|member| self.members[*member].port);
        ports.take(count).map(connect).collect()
    }

    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.members.len()).collect()
    }

    /// Waits until all members know one leader, and gives it with its term.
    pub(crate) async fn leader(&self) -> Result<(usize, u64), CompareError> {
        let until = Instant::now() + READY_WITHIN;
        loop {
            let mut views = vec![];
            for member in &self.members {
                views.push(timeout(LOOK_WITHIN, member.probe.view()).await);
            }
            let known: Vec<View> = views
                .iter()
                .filter_map(|view| view.as_ref().ok()?.as_ref().ok().copied())
                .collect();
            let leading: Vec<_> = (0..known.len()).filter(|member| known[*member].leads).collect();
            if let ([leader], true) = (leading.as_slice(), known.len() == MEMBERS && agree(&known)) {
                return Ok((*leader, known[*leader].term));
            }
            self.check_time(until, || format!("{views:?}"))?;
            sleep(LOOK_AGAIN_AFTER).await;
        }
    }

    /// Waits until all members agree on a leader, write, and have caught up; gives what reads may ask for.
    pub(crate) async fn settle(&self) -> Result<A::Stock, CompareError> {
        let until = Instant::now() + READY_WITHIN;
        let (leader, _) = self.leader().await?;
        let mut content = Content::new();
        loop {
            match self.members[leader].probe.keep_alive().await {
                Ok(()) => break,
                Err(status) => self.check_time(until, || format!("{status:?}"))?,
            }
            sleep(LOOK_AGAIN_AFTER).await;
        }
        let stock = loop {
            match self.members[leader].probe.stock(&mut content).await {
                Ok(stock) => break stock,
                Err(status) => self.check_time(until, || format!("{status:?}"))?,
            }
            sleep(LOOK_AGAIN_AFTER).await;
        };
        for member in &self.members {
            for operation in [Operation::Write, Operation::Read] {
                loop {
                    let call = member.probe.call(operation, &stock, &mut content);
                    match timeout(LOOK_WITHIN, call).await {
                        Ok(Ok(())) => break,
                        failure => self.check_time(until, || format!("{failure:?}"))?,
                    }
                    sleep(LOOK_AGAIN_AFTER).await;
                }
            }
        }
        Ok(stock)
    }

    /// What all members have used of the processors.
    pub(crate) fn cpu(&self) -> Result<Duration, CompareError> {
        self.members.iter().map(|member| member.process.cpu()).sum()
    }

    pub(crate) fn strike(&self, member: usize, blow: Blow) -> Result<(), CompareError> {
        self.members[member].process.signal(match blow {
            Blow::Crash => Signal::KILL,
            Blow::Leave => Signal::TERM,
            Blow::Hang => Signal::STOP,
        })
    }

    fn check_time(&self, until: Instant, last: impl FnOnce() -> String) -> Result<(), CompareError> {
        if Instant::now() < until {
            return Ok(());
        }
        Err(CompareError::NotReady {
            system: A::SYSTEM,
            seconds: READY_WITHIN.as_secs(),
            last: last(),
            log: self.members[0].launch.last_lines(),
        })
    }
}

fn agree(views: &[View]) -> bool {
    views
        .iter()
        .all(|view| view.has_leader && view.term == views[0].term)
}

fn connect<A: Api>(port: u16) -> A {
    A::over(channel(port), port)
}

#[expect(clippy::expect_used, reason = "a number is always a valid port in a URL")]
fn channel(port: u16) -> Channel {
    Endpoint::from_shared(format!("http://127.0.0.1:{port}"))
        .expect("a valid URL")
        .connect_timeout(CONNECT_WITHIN)
        .connect_lazy()
}
