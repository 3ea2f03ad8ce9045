//! The RPCs as types: which request goes with which reply, and how a reply says no.

use std::future::Future;

use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use zephyrfs_proto::coordinator::coordinator_service_client::CoordinatorServiceClient;
use zephyrfs_proto::coordinator::{
    FindChunkLocationsRequest, FindChunkLocationsResponse, NodeHeartbeatRequest, NodeHeartbeatResponse,
    RegisterFileRequest, RegisterFileResponse, RegisterNodeRequest, RegisterNodeResponse,
    UpdateChunkLocationsRequest, UpdateChunkLocationsResponse,
};

use crate::operation::Operation;

/// A request that can be sent.
pub trait Rpc: Send + Sized {
    /// What comes back.
    type Reply: Send;
    /// Its name.
    const OPERATION: Operation;

    /// Sends it.
    fn send(
        client: CoordinatorServiceClient<Channel>,
        request: Request<Self>,
    ) -> impl Future<Output = Result<Response<Self::Reply>, Status>> + Send;

    /// The message of a reply with `success = false`.
    fn refusal(reply: &Self::Reply) -> Option<&str>;
}

macro_rules! rpc {
    ($operation:ident, $request:ty, $reply:ty, $method:ident) => {
        impl Rpc for $request {
            type Reply = $reply;
            const OPERATION: Operation = Operation::$operation;

            async fn send(
                mut client: CoordinatorServiceClient<Channel>,
                request: Request<Self>,
            ) -> Result<Response<$reply>, Status> {
                client.$method(request).await
            }

            fn refusal(reply: &$reply) -> Option<&str> {
                (!reply.success).then_some(reply.message.as_str())
            }
        }
    };
}

rpc!(
    RegisterNode,
    RegisterNodeRequest,
    RegisterNodeResponse,
    register_node
);
rpc!(
    NodeHeartbeat,
    NodeHeartbeatRequest,
    NodeHeartbeatResponse,
    node_heartbeat
);
rpc!(
    RegisterFile,
    RegisterFileRequest,
    RegisterFileResponse,
    register_file
);
rpc!(
    UpdateChunkLocations,
    UpdateChunkLocationsRequest,
    UpdateChunkLocationsResponse,
    update_chunk_locations
);
rpc!(
    FindChunkLocations,
    FindChunkLocationsRequest,
    FindChunkLocationsResponse,
    find_chunk_locations
);
