//! The transport between replicas, as a parameter of the engine.

use std::future::Future;

use openraft::error::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::type_config::AsyncRuntime;
use openraft::type_config::alias::{SnapshotOf, VoteOf};
use openraft::{AnyError, OptionalSend, RaftNetworkFactory, RaftNetworkV2};

use crate::machine::SnapshotView;
use crate::types::{Peer, Types};

/// No transport at all: for a replica that is alone. A sole voter sends nothing, so what is sent all the same is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

/// What every attempt to reach a peer comes to.
#[derive(Debug, thiserror::Error)]
#[error("this replica is alone and has no way to reach {peer}")]
struct NoTransport {
    peer: String,
}

/// The way to a peer that there is not.
pub struct NoPeer {
    name: String,
}

impl NoPeer {
    fn unreachable<R: AsyncRuntime>(&self) -> RPCError<Types<R>> {
        RPCError::Unreachable(Unreachable::new(&AnyError::new(&NoTransport {
            peer: self.name.clone(),
        })))
    }
}

impl<R: AsyncRuntime> RaftNetworkFactory<Types<R>> for Alone {
    type Network = NoPeer;

    async fn new_client(&mut self, _target: u64, node: &Peer) -> NoPeer {
        NoPeer {
            name: node.name.clone(),
        }
    }
}

impl<R: AsyncRuntime> RaftNetworkV2<Types<R>> for NoPeer {
    type SnapshotData = SnapshotView;

    async fn append_entries(
        &mut self,
        _rpc: AppendEntriesRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types<R>>, RPCError<Types<R>>> {
        Err(self.unreachable())
    }

    async fn vote(
        &mut self,
        _rpc: VoteRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types<R>>, RPCError<Types<R>>> {
        Err(self.unreachable())
    }

    // openraft's own answer would be a granted vote.
    async fn pre_vote(
        &mut self,
        _rpc: VoteRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types<R>>, RPCError<Types<R>>> {
        Err(self.unreachable())
    }

    async fn full_snapshot(
        &mut self,
        _vote: VoteOf<Types<R>>,
        _snapshot: SnapshotOf<Types<R>, SnapshotView>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types<R>>, StreamingError<Types<R>>> {
        let refused = NoTransport {
            peer: self.name.clone(),
        };
        Err(StreamingError::Unreachable(Unreachable::new(&AnyError::new(
            &refused,
        ))))
    }

    async fn transfer_leader(
        &mut self,
        _rpc: TransferLeaderRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types<R>>, RPCError<Types<R>>> {
        Err(self.unreachable())
    }
}
