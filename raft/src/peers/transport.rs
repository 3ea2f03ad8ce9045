//! The ways to reach a peer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zephyrfs_proto::peer::{
    AppendReply, AppendRequest, ChangeClusterReply, ChangeClusterRequest, DescribeReply, DescribeRequest,
    FormReply, FormRequest, ForwardReply, ForwardRequest, GreetReply, GreetRequest, InstallReply,
    InstallRequest, JoinReply, JoinRequest, ReadIndexReply, ReadIndexRequest, TransferLeaderReply,
    TransferLeaderRequest, VoteReply, VoteRequest,
};

use super::api::{PeerError, PeerService, Replies, Requests};

/// What a connection is for. Each kind has its own, so that none waits behind another's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// The log, votes, and transfers of leadership.
    Log,
    /// Heartbeats.
    Heartbeats,
    /// Whole states.
    Snapshots,
    /// Commands and questions of clients, and whatever concerns membership.
    Requests,
}

/// Reaches peers by their addresses.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// A way to the replica at `address` (`host:port`). It connects when it is used, and again after a connection broke;
    /// a peer that is silent for `patience` is given up.
    fn reach(&self, address: &str, lane: Lane, patience: Duration) -> Arc<dyn PeerService>;

    /// Every address that a name stands for, `host:port` each. Fails as unreachable while the name is not known.
    ///
    /// # Errors
    /// [`PeerError::Unreachable`].
    async fn resolve(&self, name: &str) -> Result<Vec<String>, PeerError>;
}

/// No transport at all, for a replica that is alone: whatever it sends is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

#[async_trait]
impl Transport for Alone {
    fn reach(&self, address: &str, _lane: Lane, _patience: Duration) -> Arc<dyn PeerService> {
        Arc::new(Nowhere(alone(address)))
    }

    async fn resolve(&self, name: &str) -> Result<Vec<String>, PeerError> {
        Err(PeerError::Unreachable(alone(name)))
    }
}

fn alone(address: &str) -> String {
    format!("this replica is alone and has no way to reach {address}")
}

/// The way to a peer that cannot be reached, for this reason.
pub(crate) struct Nowhere(pub(crate) String);

impl Nowhere {
    fn refusal(&self) -> PeerError {
        PeerError::Unreachable(self.0.clone())
    }
}

#[async_trait]
impl PeerService for Nowhere {
    async fn append(&self, _: Requests<AppendRequest>) -> Result<Replies<AppendReply>, PeerError> {
        Err(self.refusal())
    }

    async fn vote(&self, _: VoteRequest) -> Result<VoteReply, PeerError> {
        Err(self.refusal())
    }

    async fn pre_vote(&self, _: VoteRequest) -> Result<VoteReply, PeerError> {
        Err(self.refusal())
    }

    async fn transfer_leader(&self, _: TransferLeaderRequest) -> Result<TransferLeaderReply, PeerError> {
        Err(self.refusal())
    }

    async fn install(&self, _: Requests<InstallRequest>) -> Result<Replies<InstallReply>, PeerError> {
        Err(self.refusal())
    }

    async fn read_index(&self, _: ReadIndexRequest) -> Result<ReadIndexReply, PeerError> {
        Err(self.refusal())
    }

    async fn forward(&self, _: Requests<ForwardRequest>) -> Result<Replies<ForwardReply>, PeerError> {
        Err(self.refusal())
    }

    async fn greet(&self, _: GreetRequest) -> Result<GreetReply, PeerError> {
        Err(self.refusal())
    }

    async fn form(&self, _: FormRequest) -> Result<FormReply, PeerError> {
        Err(self.refusal())
    }

    async fn join(&self, _: JoinRequest) -> Result<JoinReply, PeerError> {
        Err(self.refusal())
    }

    async fn describe(&self, _: DescribeRequest) -> Result<DescribeReply, PeerError> {
        Err(self.refusal())
    }

    async fn change_cluster(&self, _: ChangeClusterRequest) -> Result<ChangeClusterReply, PeerError> {
        Err(self.refusal())
    }
}
