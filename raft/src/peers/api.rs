//! What one replica asks of another: implemented by the replica that answers, and by every way to reach one.

use async_trait::async_trait;
use futures::stream::BoxStream;
use zephyrfs_proto::peer::{
    AppendReply, AppendRequest, ChangeClusterReply, ChangeClusterRequest, DescribeReply, DescribeRequest,
    FormReply, FormRequest, ForwardReply, ForwardRequest, GreetReply, GreetRequest, InstallReply,
    InstallRequest, JoinReply, JoinRequest, ReadIndexReply, ReadIndexRequest, TransferLeaderReply,
    TransferLeaderRequest, VoteReply, VoteRequest,
};

/// Requests that follow one another; the stream ends when nothing more comes.
pub type Requests<T> = BoxStream<'static, T>;

/// Replies that follow one another; after an error nothing more comes.
pub type Replies<T> = BoxStream<'static, Result<T, PeerError>>;

/// Why a peer gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// It was not reached, so it was asked nothing.
    #[error("{0}")]
    Unreachable(String),
    /// It may have been asked, and no answer came.
    #[error("{0}")]
    Broken(String),
    /// What was sent is meant for another replica, or comes from another cluster.
    #[error("{0}")]
    Stranger(String),
    /// What was sent cannot be read.
    #[error("a message between replicas cannot be read: {0}")]
    Malformed(String),
    /// The replica that was asked is stopping.
    #[error("{0}")]
    Stopped(String),
}

/// A replica, as its peers see it. The messages are described in `proto/zephyrfs/peer.proto`.
#[async_trait]
pub trait PeerService: Send + Sync + 'static {
    /// Takes entries of the leader's log, in order.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn append(&self, requests: Requests<AppendRequest>) -> Result<Replies<AppendReply>, PeerError>;

    /// Votes.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn vote(&self, request: VoteRequest) -> Result<VoteReply, PeerError>;

    /// Says whether it would vote; nothing changes.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn pre_vote(&self, request: VoteRequest) -> Result<VoteReply, PeerError>;

    /// Follows the leader as the next one.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn transfer_leader(&self, request: TransferLeaderRequest)
    -> Result<TransferLeaderReply, PeerError>;

    /// Takes a whole state.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn install(&self, requests: Requests<InstallRequest>) -> Result<Replies<InstallReply>, PeerError>;

    /// Says up to where a linearizable read must have applied the log.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn read_index(&self, request: ReadIndexRequest) -> Result<ReadIndexReply, PeerError>;

    /// Puts commands of another replica into the log.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn forward(&self, requests: Requests<ForwardRequest>) -> Result<Replies<ForwardReply>, PeerError>;

    /// Says who it is.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn greet(&self, request: GreetRequest) -> Result<GreetReply, PeerError>;

    /// Becomes a founding member of a cluster.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn form(&self, request: FormRequest) -> Result<FormReply, PeerError>;

    /// Takes a replica into the cluster, or notes its new address.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn join(&self, request: JoinRequest) -> Result<JoinReply, PeerError>;

    /// Says how the members are, as the leader.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn describe(&self, request: DescribeRequest) -> Result<DescribeReply, PeerError>;

    /// Changes who the replicas are.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn change_cluster(&self, request: ChangeClusterRequest) -> Result<ChangeClusterReply, PeerError>;
}
