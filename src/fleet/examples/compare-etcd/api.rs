//! What is asked of both systems: the operations that are compared, and the one way in which the load calls them.

use std::future::Future;
use std::ops::Range;
use std::path::Path;

use bytesize::ByteSize;
use prost::Message as _;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tonic::Status;
use tonic::transport::Channel;
use zephyrfs_fleet::content::{FileFactory, FileShape};

use crate::error::CompareError;
use crate::process::Launch;

/// What files look like: as in every bench of the fleet.
const SHAPE: FileShape = FileShape {
    chunks: 8,
    chunk_size: ByteSize::mib(4),
};

/// An operation of the coordinator, and what is set beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// RegisterFile, beside a transaction of one comparison and nine puts.
    Write,
    /// FindChunkLocations, beside the range of one key, both linearizable.
    Read,
    /// The same from the state of the member that is asked.
    ReadLocal,
    /// NodeHeartbeat, beside LeaseKeepAlive of one message.
    Beat,
}

/// What a member says of its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) leads: bool,
    pub(crate) has_leader: bool,
    /// Rises with each election.
    pub(crate) term: u64,
}

/// How quickly a silent leader is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timers {
    /// The system's own defaults.
    Default,
    /// A beat each 100 ms, an election after 1 to 2 s: etcd's defaults.
    Slow,
}

/// A system under comparison, over one connection to one member.
pub(crate) trait Api: Clone + Send + Sync + 'static {
    /// Its name in messages.
    const SYSTEM: &'static str;
    /// How many ports a member needs. The first is the one where it is asked.
    const PORTS: usize;
    /// What reads ask for and beats speak for; written once, shared by all clients.
    type Stock: Clone + Send + Sync + 'static;

    /// How a member is started. `ports` are those of all members.
    fn launch(
        program: &Path,
        folder: &Path,
        ports: &[Vec<u16>],
        member: usize,
        timers: Timers,
    ) -> Result<Launch, CompareError>;

    /// The member that listens at `port`, over this connection.
    fn over(channel: Channel, port: u16) -> Self;

    fn view(&self) -> impl Future<Output = Result<View, Status>> + Send;

    /// Writes what writes need to be possible at all; repeated while a measurement lasts, each few seconds.
    fn keep_alive(&self) -> impl Future<Output = Result<(), Status>> + Send;

    /// Writes what reads ask for.
    fn stock(&self, content: &mut Content) -> impl Future<Output = Result<Self::Stock, Status>> + Send;

    /// Writes what beats speak for.
    fn stock_for_beats(&self) -> impl Future<Output = Result<(), Status>> + Send;

    fn call(
        &self,
        operation: Operation,
        stock: &Self::Stock,
        content: &mut Content,
    ) -> impl Future<Output = Result<(), Status>> + Send;
}

/// What one client writes, and its dice.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) files: FileFactory,
    pub(crate) rng: SmallRng,
    /// The bytes of a RegisterFile request: what a transaction beside it has to carry.
    pub(crate) registration_bytes: usize,
    filling: Vec<u8>,
}

impl Content {
    pub(crate) fn new() -> Self {
        let mut rng = SmallRng::seed_from_u64(rand::random());
        let filling = (0..4096).map(|_| rng.random::<u8>()).collect();
        let mut files = FileFactory::new(SHAPE, rng.random(), 0);
        Content {
            registration_bytes: files.file("node-0000").encoded_len(),
            files,
            rng,
            filling,
        }
    }

    /// So many random bytes, 4,096 at most.
    pub(crate) fn bytes(&self, count: usize) -> Vec<u8> {
        self.filling[..count.min(self.filling.len())].to_vec()
    }

    pub(crate) fn pick(&mut self, range: Range<usize>) -> usize {
        self.rng.random_range(range)
    }
}
