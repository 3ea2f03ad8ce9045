//! Serves the state over gRPC on a free port, until it is dropped.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, StreamExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;

use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};
use zephyrfs_proto::coordinator as proto;
use zephyrfs_proto::coordinator::coordinator_service_server::{CoordinatorService, CoordinatorServiceServer};

use crate::operation::Operation;
use crate::testing::state::{CallRecord, State};

/// How long a test waits for something that should happen at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running coordinator.
pub(crate) struct FakeCoordinator {
    state: Arc<Mutex<State>>,
    changes: watch::Sender<u64>,
    endpoint: String,
    _stop: DropGuard,
}

struct Service {
    state: Arc<Mutex<State>>,
    changes: watch::Sender<u64>,
}

impl FakeCoordinator {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let changes = watch::Sender::new(0);
        let service = Service {
            state: Arc::clone(&state),
            changes: changes.clone(),
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(
            Server::builder()
                .add_service(CoordinatorServiceServer::new(service))
                .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), stopped),
        );
        FakeCoordinator {
            state,
            changes,
            endpoint,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Looks at the state, or gives an order.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.lock().unwrap())
    }

    /// Waits until the condition holds; it is looked at after every call.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&State) -> bool) {
        let mut changes = self.changes.subscribe();
        let wait = async {
            while !self.with(|state| condition(state)) {
                changes.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let calls = self.with(|state| state.calls.len());
            panic!("after {calls} calls, still not: {what}");
        }
    }
}

impl Service {
    fn answer<M, R>(
        &self,
        request: Request<M>,
        operation: Operation,
        subject: fn(&M) -> &str,
        act: impl FnOnce(&mut State, M) -> R,
    ) -> Result<Response<R>, Status> {
        let key = request
            .metadata()
            .get("idempotency-key")
            .map(|key| key.to_str().unwrap().to_owned());
        assert!(
            request.metadata().contains_key("grpc-timeout"),
            "{operation} has no deadline"
        );
        let message = request.into_inner();
        let call = CallRecord {
            operation,
            subject: subject(&message).to_owned(),
            idempotency_key: key,
            at: Instant::now(),
        };
        let reply = {
            let mut state = self.state.lock().unwrap();
            state.arrive(call).map(|()| act(&mut state, message))
        };
        self.changes.send_modify(|version| *version += 1);
        reply.map(Response::new)
    }
}

impl Service {
    fn open_stream(
        &self,
        windows: Streaming<proto::HeartbeatWindow>,
    ) -> Result<Response<BoxStream<'static, Result<proto::HeartbeatWindowAck, Status>>>, Status> {
        self.state.lock().unwrap().stream_opens()?;
        let (state, changes) = (Arc::clone(&self.state), self.changes.clone());
        let acks = windows.map(move |window| {
            let ack = state.lock().unwrap().window(window?);
            changes.send_modify(|version| *version += 1);
            ack
        });
        Ok(Response::new(acks.boxed()))
    }
}

/// The service as a whole: which RPCs are answered and how, and which the fleet has no use for.
macro_rules! serve {
    (
        answered { $($method:ident($request:ident, $subject:ident) -> $reply:ident: $operation:ident, $act:expr;)* }
        unused { $($other:ident($other_request:ident) -> $other_reply:ident;)* }
    ) => {
        #[tonic::async_trait]
        impl CoordinatorService for Service {
            type WatchStream = futures::stream::Empty<Result<proto::WatchEvent, Status>>;

            async fn watch(&self, _: Request<proto::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
                Err(Status::unimplemented("the fleet has no use for it"))
            }

            $(async fn $method(
                &self,
                request: Request<proto::$request>,
            ) -> Result<Response<proto::$reply>, Status> {
                self.answer(request, Operation::$operation, |message| &message.$subject, $act)
            })*

            type HeartbeatStreamStream = BoxStream<'static, Result<proto::HeartbeatWindowAck, Status>>;

            async fn heartbeat_stream(
                &self,
                request: Request<Streaming<proto::HeartbeatWindow>>,
            ) -> Result<Response<Self::HeartbeatStreamStream>, Status> {
                self.open_stream(request.into_inner())
            }

            async fn report_inventory(
                &self,
                _: Request<Streaming<proto::InventoryPage>>,
            ) -> Result<Response<proto::ReportInventoryResponse>, Status> {
                Err(Status::unimplemented("the fleet has no use for it"))
            }

            $(async fn $other(
                &self,
                _: Request<proto::$other_request>,
            ) -> Result<Response<proto::$other_reply>, Status> {
                Err(Status::unimplemented("the fleet has no use for it"))
            })*
        }
    };
}

serve! {
    answered {
        register_node(RegisterNodeRequest, node_id) -> RegisterNodeResponse:
            RegisterNode, State::register_node;
        node_heartbeat(NodeHeartbeatRequest, node_id) -> NodeHeartbeatResponse:
            NodeHeartbeat, |state, request| state.heartbeat(&request);
        register_file(RegisterFileRequest, file_id) -> RegisterFileResponse:
            RegisterFile, State::register_file;
        update_chunk_locations(UpdateChunkLocationsRequest, chunk_id) -> UpdateChunkLocationsResponse:
            UpdateChunkLocations, |state, request| state.update_locations(&request);
        find_chunk_locations(FindChunkLocationsRequest, chunk_id) -> FindChunkLocationsResponse:
            FindChunkLocations, |state, request| state.find_locations(&request);
    }
    unused {
        unregister_node(UnregisterNodeRequest) -> UnregisterNodeResponse;
        get_active_nodes(GetActiveNodesRequest) -> GetActiveNodesResponse;
        get_file_info(GetFileInfoRequest) -> GetFileInfoResponse;
        get_network_status(GetNetworkStatusRequest) -> GetNetworkStatusResponse;
        delete_file(DeleteFileRequest) -> DeleteFileResponse;
        list_files(ListFilesRequest) -> ListFilesResponse;
        get_node(GetNodeRequest) -> GetNodeResponse;
        list_nodes(ListNodesRequest) -> ListNodesResponse;
        drain_node(DrainNodeRequest) -> NodeStateResponse;
        activate_node(ActivateNodeRequest) -> NodeStateResponse;
        maintain_node(MaintainNodeRequest) -> NodeStateResponse;
        get_chunk(GetChunkRequest) -> GetChunkResponse;
        explain_chunk(ExplainChunkRequest) -> ExplainChunkResponse;
        list_tasks(ListTasksRequest) -> ListTasksResponse;
        get_cluster_status(GetClusterStatusRequest) -> GetClusterStatusResponse;
        transfer_leader(TransferLeaderRequest) -> ClusterChangeResponse;
        remove_member(RemoveMemberRequest) -> ClusterChangeResponse;
        resize_cluster(ResizeClusterRequest) -> ClusterChangeResponse;
        decommission_node(DecommissionNodeRequest) -> NodeStateResponse;
        cancel_drain(CancelDrainRequest) -> NodeStateResponse;
        get_drain_status(GetDrainStatusRequest) -> GetDrainStatusResponse;
        get_repair_status(GetRepairStatusRequest) -> GetRepairStatusResponse;
        release_repair(ReleaseRepairRequest) -> ReleaseRepairResponse;
        why(WhyRequest) -> WhyResponse;
    }
}
