//! One function for each RPC: convert, call, convert.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming, async_trait};
use zephyrfs_core::engine::At;
use zephyrfs_proto::coordinator as wire;
use zephyrfs_proto::coordinator::coordinator_service_server::CoordinatorService;

use super::context::{accept, accept_stream};
use super::heartbeat_streams::{Acks, HeartbeatStreams};
use super::inventories::Inventories;
use super::status::{Reply, reply, status, with_index};
use super::stream::{WatchStream, events};
use crate::service::{NodeStateRequest, Service};

/// The RPCs of `CoordinatorService`.
pub(super) struct Handlers {
    service: Arc<Service>,
    streams: HeartbeatStreams,
    inventories: Inventories,
}

impl Handlers {
    /// Over a service, with streams of heartbeats and inventories over the same.
    pub(super) const fn new(
        service: Arc<Service>,
        streams: HeartbeatStreams,
        inventories: Inventories,
    ) -> Self {
        Self {
            service,
            streams,
            inventories,
        }
    }
}

#[async_trait]
impl CoordinatorService for Handlers {
    async fn register_node(
        &self,
        request: Request<wire::RegisterNodeRequest>,
    ) -> Reply<wire::RegisterNodeResponse> {
        let (context, message) = accept(request)?;
        reply(self.service.register_node(message.into(), context).await)
    }

    async fn unregister_node(
        &self,
        request: Request<wire::UnregisterNodeRequest>,
    ) -> Reply<wire::UnregisterNodeResponse> {
        let (context, message) = accept(request)?;
        reply(self.service.unregister_node(message.into(), context).await)
    }

    async fn get_active_nodes(
        &self,
        request: Request<wire::GetActiveNodesRequest>,
    ) -> Reply<wire::GetActiveNodesResponse> {
        let (context, message) = accept(request)?;
        reply(self.service.active_nodes(message.into(), context).await)
    }

    async fn node_heartbeat(
        &self,
        request: Request<wire::NodeHeartbeatRequest>,
    ) -> Reply<wire::NodeHeartbeatResponse> {
        let (context, message) = accept(request)?;
        reply(self.service.heartbeat(message.into(), context).await)
    }

    async fn register_file(
        &self,
        request: Request<wire::RegisterFileRequest>,
    ) -> Reply<wire::RegisterFileResponse> {
        let (context, message) = accept(request)?;
        reply(self.service.register_file(message.into(), context).await)
    }

    async fn get_file_info(
        &self,
        request: Request<wire::GetFileInfoRequest>,
    ) -> Reply<wire::GetFileInfoResponse> {
        let (context, wire::GetFileInfoRequest { file_id }) = accept(request)?;
        reply(self.service.file(file_id, context).await)
    }

    async fn update_chunk_locations(
        &self,
        request: Request<wire::UpdateChunkLocationsRequest>,
    ) -> Reply<wire::UpdateChunkLocationsResponse> {
        let (context, message) = accept(request)?;
        reply(self.service.update_chunk_locations(message.into(), context).await)
    }

    async fn find_chunk_locations(
        &self,
        request: Request<wire::FindChunkLocationsRequest>,
    ) -> Reply<wire::FindChunkLocationsResponse> {
        let (context, message) = accept(request)?;
        reply(self.service.find_chunk_locations(message.into(), context).await)
    }

    async fn get_network_status(
        &self,
        request: Request<wire::GetNetworkStatusRequest>,
    ) -> Reply<wire::GetNetworkStatusResponse> {
        let (context, wire::GetNetworkStatusRequest {}) = accept(request)?;
        reply(self.service.network_status(context).await)
    }

    async fn delete_file(
        &self,
        request: Request<wire::DeleteFileRequest>,
    ) -> Reply<wire::DeleteFileResponse> {
        let (context, wire::DeleteFileRequest { file_id }) = accept(request)?;
        reply(self.service.delete_file(file_id, context).await)
    }

    async fn list_files(&self, request: Request<wire::ListFilesRequest>) -> Reply<wire::ListFilesResponse> {
        let (context, message) = accept(request)?;
        reply(self.service.list_files(message.into(), context).await)
    }

    async fn get_node(&self, request: Request<wire::GetNodeRequest>) -> Reply<wire::GetNodeResponse> {
        let (context, wire::GetNodeRequest { node_id }) = accept(request)?;
        reply(self.service.node(node_id, context).await)
    }

    async fn list_nodes(&self, request: Request<wire::ListNodesRequest>) -> Reply<wire::ListNodesResponse> {
        let (context, message) = accept(request)?;
        reply(self.service.list_nodes(message.into(), context).await)
    }

    async fn drain_node(&self, request: Request<wire::DrainNodeRequest>) -> Reply<wire::NodeStateResponse> {
        let (context, wire::DrainNodeRequest { node_id, force }) = accept(request)?;
        let drain = NodeStateRequest::Drain { force };
        reply(self.service.set_node_state(node_id, drain, context).await)
    }

    async fn activate_node(
        &self,
        request: Request<wire::ActivateNodeRequest>,
    ) -> Reply<wire::NodeStateResponse> {
        let (context, wire::ActivateNodeRequest { node_id }) = accept(request)?;
        let activate = NodeStateRequest::Activate;
        reply(self.service.set_node_state(node_id, activate, context).await)
    }

    async fn maintain_node(
        &self,
        request: Request<wire::MaintainNodeRequest>,
    ) -> Reply<wire::NodeStateResponse> {
        let (context, wire::MaintainNodeRequest { node_id, r#for }) = accept(request)?;
        let maintain = NodeStateRequest::Maintain { span: r#for };
        reply(self.service.set_node_state(node_id, maintain, context).await)
    }

    async fn get_chunk(&self, request: Request<wire::GetChunkRequest>) -> Reply<wire::GetChunkResponse> {
        let (context, wire::GetChunkRequest { chunk_id }) = accept(request)?;
        reply(self.service.chunk(chunk_id, context).await)
    }

    async fn explain_chunk(
        &self,
        request: Request<wire::ExplainChunkRequest>,
    ) -> Reply<wire::ExplainChunkResponse> {
        let (context, wire::ExplainChunkRequest { chunk_id }) = accept(request)?;
        reply(self.service.explain_chunk(chunk_id, context).await)
    }

    async fn list_tasks(&self, request: Request<wire::ListTasksRequest>) -> Reply<wire::ListTasksResponse> {
        let (context, message) = accept(request)?;
        reply(self.service.list_tasks(message.into(), context).await)
    }

    type WatchStream = WatchStream;

    async fn watch(&self, request: Request<wire::WatchRequest>) -> Reply<WatchStream> {
        let (deadline, message) = accept_stream(request);
        let watch = self.service.watch(message.into(), deadline).await;
        let watch = watch.map_err(status)?;
        let after = watch.after;
        Ok(with_index(events(watch), Some(after)))
    }

    async fn get_cluster_status(
        &self,
        request: Request<wire::GetClusterStatusRequest>,
    ) -> Reply<wire::GetClusterStatusResponse> {
        let (_, wire::GetClusterStatusRequest {}) = accept(request)?;
        let status = self.service.cluster_status();
        reply(Ok(At {
            index: status.applied,
            value: status,
        }))
    }

    async fn transfer_leader(
        &self,
        request: Request<wire::TransferLeaderRequest>,
    ) -> Reply<wire::ClusterChangeResponse> {
        let (context, wire::TransferLeaderRequest { to }) = accept(request)?;
        let to = Some(to).filter(|to| !to.is_empty());
        reply(self.service.transfer_leader(to, context).await)
    }

    async fn remove_member(
        &self,
        request: Request<wire::RemoveMemberRequest>,
    ) -> Reply<wire::ClusterChangeResponse> {
        let (context, wire::RemoveMemberRequest { name }) = accept(request)?;
        reply(self.service.remove_member(name, context).await)
    }

    async fn resize_cluster(
        &self,
        request: Request<wire::ResizeClusterRequest>,
    ) -> Reply<wire::ClusterChangeResponse> {
        let (context, wire::ResizeClusterRequest { replicas }) = accept(request)?;
        reply(self.service.resize_cluster(replicas.into(), context).await)
    }

    async fn report_inventory(
        &self,
        request: Request<Streaming<wire::InventoryPage>>,
    ) -> Reply<wire::ReportInventoryResponse> {
        self.inventories.take(request).await
    }

    type HeartbeatStreamStream = Acks;

    async fn heartbeat_stream(
        &self,
        request: Request<Streaming<wire::HeartbeatWindow>>,
    ) -> Result<Response<Acks>, Status> {
        self.streams.open(request)
    }

    async fn decommission_node(
        &self,
        request: Request<wire::DecommissionNodeRequest>,
    ) -> Reply<wire::NodeStateResponse> {
        let (context, wire::DecommissionNodeRequest { node_id, force }) = accept(request)?;
        let decommission = NodeStateRequest::Decommission { force };
        reply(self.service.set_node_state(node_id, decommission, context).await)
    }

    async fn cancel_drain(
        &self,
        request: Request<wire::CancelDrainRequest>,
    ) -> Reply<wire::NodeStateResponse> {
        let (context, wire::CancelDrainRequest { node_id }) = accept(request)?;
        let cancel = NodeStateRequest::CancelDrain;
        reply(self.service.set_node_state(node_id, cancel, context).await)
    }

    async fn get_drain_status(
        &self,
        request: Request<wire::GetDrainStatusRequest>,
    ) -> Reply<wire::GetDrainStatusResponse> {
        let (context, wire::GetDrainStatusRequest { node_id, chunks }) = accept(request)?;
        reply(self.service.drain_status(node_id, chunks, context).await)
    }

    async fn get_repair_status(
        &self,
        request: Request<wire::GetRepairStatusRequest>,
    ) -> Reply<wire::GetRepairStatusResponse> {
        let (context, wire::GetRepairStatusRequest {}) = accept(request)?;
        reply(self.service.repair_status(context).await)
    }

    async fn release_repair(
        &self,
        request: Request<wire::ReleaseRepairRequest>,
    ) -> Reply<wire::ReleaseRepairResponse> {
        let (context, wire::ReleaseRepairRequest {}) = accept(request)?;
        reply(self.service.release_brake(context).await)
    }

    async fn why(&self, request: Request<wire::WhyRequest>) -> Reply<wire::WhyResponse> {
        let (context, wire::WhyRequest { kind, id }) = accept(request)?;
        reply(self.service.why(&kind, id, context).await)
    }
}
