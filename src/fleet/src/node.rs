//! One simulated storage node: whether it answers, what it stores, what it is busy with, and the statistics
//! it reports.
//!
//! Pure: no clock and no network. The scheduler tells it the time and talks to the coordinator on its behalf.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use zephyrfs_proto::coordinator::NodeStats;

use crate::chunk_id::ChunkId;
use crate::tasks::TaskId;

/// Whether a node takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has not registered yet, or has to do so again.
    Starting,
    /// Registered and beating.
    Active,
    /// It fails on purpose: says nothing and hears nothing.
    Silent,
    /// The coordinator would not have it.
    Rejected,
}

/// Counts a node's failures and returns. What was begun in an earlier life is not carried on in the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Life(u32);

/// A copy that would take longer takes so long: times stay within what a clock can hold.
const LONGEST_COPY: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How fast a node copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyRate {
    /// A copy takes no time.
    Instant,
    /// Bytes per second.
    PerSecond(ByteSize),
}

impl CopyRate {
    fn duration(self, size: ByteSize) -> Duration {
        match self {
            CopyRate::Instant => Duration::ZERO,
            CopyRate::PerSecond(rate) => {
                Duration::try_from_secs_f64(size.as_u64() as f64 / rate.as_u64() as f64)
                    .map_or(LONGEST_COPY, |duration| duration.min(LONGEST_COPY))
            }
        }
    }
}

/// What became of a chunk that a node was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is on the node now, or was there already.
    Stored,
    /// It does not fit.
    NoRoom,
    /// The node does not answer.
    Silent,
}

/// Unfinished tasks that a node keeps in mind. Those above are left for later: they are handed out again.
const OPEN_TASKS_LIMIT: usize = 1024;

/// One node's state.
#[derive(Debug)]
pub struct SimNode {
    capacity: ByteSize,
    presence: Presence,
    life: Life,
    chunks: HashMap<ChunkId, u64>,
    used: u64,
    started: Instant,
    copying_until: Instant,
    /// Chunks that it was chosen for and has not got yet.
    awaited: HashSet<ChunkId>,
    open_tasks: HashSet<TaskId>,
    refused_tasks: HashSet<TaskId>,
    /// Where in its cycle this node's load begins (radians), so that nodes do not all look alike.
    load_phase: f64,
}

impl SimNode {
    /// An empty node that has still to register.
    #[must_use]
    pub fn new(capacity: ByteSize, load_phase: f64, now: Instant) -> Self {
        SimNode {
            capacity,
            presence: Presence::Starting,
            life: Life::default(),
            chunks: HashMap::new(),
            used: 0,
            started: now,
            copying_until: now,
            awaited: HashSet::new(),
            open_tasks: HashSet::new(),
            refused_tasks: HashSet::new(),
            load_phase,
        }
    }

    /// Whether it takes part now.
    #[must_use]
    pub fn presence(&self) -> Presence {
        self.presence
    }

    /// Which life it is in.
    #[must_use]
    pub fn life(&self) -> Life {
        self.life
    }

    /// The coordinator knows it.
    pub fn registered(&mut self) {
        self.presence = Presence::Active;
    }

    /// The coordinator has forgotten it: it must register again.
    pub fn forgotten(&mut self) {
        self.presence = Presence::Starting;
    }

    /// The coordinator would not register it.
    pub fn rejected(&mut self) {
        self.presence = Presence::Rejected;
    }

    /// It falls silent. What is on its disk stays there; what it was doing is lost.
    pub fn fail(&mut self) {
        self.presence = Presence::Silent;
        self.life.0 += 1;
        self.open_tasks.clear();
        self.refused_tasks.clear();
    }

    /// It is back, with its chunks, and has to register.
    pub fn come_back(&mut self, now: Instant) {
        self.presence = Presence::Starting;
        self.life.0 += 1;
        self.started = now;
        self.copying_until = now;
    }

    /// Stores a chunk that was uploaded or copied to the node. Storing it again changes nothing.
    pub fn receive(&mut self, chunk: &ChunkId, size: ByteSize) -> Receipt {
        if self.chunks.contains_key(chunk) && self.presence != Presence::Silent {
            return Receipt::Stored;
        }
        self.awaited.insert(chunk.clone());
        if self.presence == Presence::Silent {
            return Receipt::Silent;
        }
        let used = self.used.saturating_add(size.as_u64());
        if used > self.capacity.as_u64() {
            return Receipt::NoRoom;
        }
        self.used = used;
        self.awaited.remove(chunk);
        self.chunks.insert(chunk.clone(), size.as_u64());
        Receipt::Stored
    }

    /// It was chosen to hold a chunk, and will get it later, or never.
    pub fn await_chunk(&mut self, chunk: &ChunkId) {
        self.awaited.insert(chunk.clone());
    }

    /// Drops a chunk; one it does not hold is no matter.
    pub fn discard(&mut self, chunk: &ChunkId) {
        self.awaited.remove(chunk);
        if let Some(size) = self.chunks.remove(chunk) {
            self.used -= size;
        }
    }

    /// Whether it was chosen to hold the chunk, and has not got it.
    #[must_use]
    pub fn awaits(&self, chunk: &ChunkId) -> bool {
        self.awaited.contains(chunk) && !self.holds(chunk)
    }

    /// Whether the chunk is on its disk.
    #[must_use]
    pub fn holds(&self, chunk: &ChunkId) -> bool {
        self.chunks.contains_key(chunk)
    }

    /// What is on its disk.
    pub fn chunks(&self) -> impl Iterator<Item = &ChunkId> {
        self.chunks.keys()
    }

    /// Takes a task on. False when it is at it already, or has too many others.
    pub fn take_on(&mut self, task: &TaskId) -> bool {
        self.open_tasks.len() < OPEN_TASKS_LIMIT && self.open_tasks.insert(task.clone())
    }

    /// A task is over, done or not.
    pub fn finish(&mut self, task: &TaskId) {
        self.open_tasks.remove(task);
        self.refused_tasks.remove(task);
    }

    /// Gives a task up that it cannot do. True the first time: the same task may be handed out again and
    /// again.
    pub fn refuse(&mut self, task: &TaskId) -> bool {
        self.open_tasks.remove(task);
        self.refused_tasks.len() < OPEN_TASKS_LIMIT && self.refused_tasks.insert(task.clone())
    }

    /// Queues a copy of `size` bytes behind those it is at, and says when it will be done.
    pub fn queue_copy(&mut self, size: ByteSize, rate: CopyRate, now: Instant) -> Instant {
        let begin = self.copying_until.max(now);
        self.copying_until = begin.checked_add(rate.duration(size)).unwrap_or(begin);
        self.copying_until
    }

    /// What it reports with a heartbeat.
    #[must_use]
    pub fn stats(&self, now: Instant) -> NodeStats {
        let uptime = now.saturating_duration_since(self.started);
        let wave = (uptime.as_secs_f64() / 20.0 + self.load_phase).sin();
        let copying = if self.copying_until > now { 1 } else { 0 };
        NodeStats {
            storage_used: signed(self.used),
            storage_available: signed(self.capacity.as_u64().saturating_sub(self.used)),
            chunks_stored: i64::try_from(self.chunks.len()).unwrap_or(i64::MAX),
            bandwidth_up: 125_000_000,
            bandwidth_down: 125_000_000,
            cpu_usage: 20.0 + 10.0 * wave + 30.0 * f64::from(copying),
            memory_usage: 40.0 + 5.0 * wave,
            uptime_seconds: signed(uptime.as_secs()),
        }
    }
}

/// The contract's sizes are signed.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytesize::ByteSize;

    use super::{CopyRate, Presence, Receipt, SimNode};
    use crate::chunk_id::ChunkId;
    use crate::tasks::{TaskId, parse};

    fn node(now: Instant) -> SimNode {
        let mut node = SimNode::new(ByteSize::kib(10), 0.0, now);
        node.registered();
        node
    }

    fn task(id: &str) -> TaskId {
        parse(&format!(r#"{{"id":"{id}","type":"delete","chunk_id":"c"}}"#))
            .unwrap()
            .id
    }

    #[test]
    fn used_space_follows_what_it_stores() {
        let now = Instant::now();
        let mut node = node(now);
        let (first, second) = (ChunkId::from("a"), ChunkId::from("b"));
        assert_eq!(node.receive(&first, ByteSize::kib(6)), Receipt::Stored);
        assert_eq!(node.receive(&first, ByteSize::kib(6)), Receipt::Stored);
        assert_eq!(node.receive(&second, ByteSize::kib(6)), Receipt::NoRoom);
        let stats = node.stats(now + Duration::from_secs(90));
        assert_eq!(
            (stats.storage_used, stats.storage_available, stats.chunks_stored),
            (6144, 4096, 1)
        );
        assert_eq!(stats.uptime_seconds, 90);
        node.discard(&first);
        node.discard(&first);
        assert_eq!(node.stats(now).storage_used, 0);
    }

    #[test]
    fn copies_queue_behind_each_other() {
        let now = Instant::now();
        let mut node = node(now);
        let rate = CopyRate::PerSecond(ByteSize::kib(1));
        assert_eq!(
            node.queue_copy(ByteSize::kib(2), rate, now),
            now + Duration::from_secs(2)
        );
        assert_eq!(
            node.queue_copy(ByteSize::kib(1), rate, now),
            now + Duration::from_secs(3)
        );
        let later = now + Duration::from_secs(60);
        assert_eq!(
            node.queue_copy(ByteSize::kib(1), rate, later),
            later + Duration::from_secs(1)
        );
        assert_eq!(
            node.queue_copy(ByteSize::kib(1), CopyRate::Instant, later),
            later + Duration::from_secs(1)
        );
    }

    #[test]
    fn a_task_handed_out_twice_is_taken_on_once() {
        let mut node = node(Instant::now());
        assert!(node.take_on(&task("t")));
        assert!(!node.take_on(&task("t")));
        node.finish(&task("t"));
        assert!(node.take_on(&task("t")));
        assert!(node.refuse(&task("t")));
        assert!(node.take_on(&task("t")), "a refused task may be tried again");
        assert!(!node.refuse(&task("t")), "it is reported once");
    }

    #[test]
    fn a_failed_node_hears_nothing_and_keeps_its_chunks() {
        let now = Instant::now();
        let mut node = node(now);
        let chunk = ChunkId::from("a");
        node.receive(&chunk, ByteSize::kib(1));
        let before = node.life();
        node.take_on(&task("t"));
        node.fail();
        assert_eq!(
            node.receive(&ChunkId::from("b"), ByteSize::kib(1)),
            Receipt::Silent
        );
        assert!(node.awaits(&ChunkId::from("b")));
        node.come_back(now + Duration::from_secs(5));
        assert_eq!(node.presence(), Presence::Starting);
        assert!(node.holds(&chunk));
        assert_ne!(node.life(), before);
        assert!(node.take_on(&task("t")), "what it was doing is lost");
        assert_eq!(node.stats(now + Duration::from_secs(6)).uptime_seconds, 1);
        assert_eq!(
            node.receive(&ChunkId::from("b"), ByteSize::kib(1)),
            Receipt::Stored
        );
        assert!(!node.awaits(&ChunkId::from("b")));
    }
}
