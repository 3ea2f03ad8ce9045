//! Replicas of the coordinator.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};
use zephyrfs_proto::coordinator::coordinator_service_client::CoordinatorServiceClient;
use zephyrfs_proto::coordinator::{
    FindChunkLocationsRequest, GetClusterStatusRequest, NodeHeartbeatRequest, NodeStats, RegisterNodeRequest,
};

use crate::api::{Api, Content, Operation, Timers, View};
use crate::error::CompareError;
use crate::process::Launch;

const NAMES: [&str; 3] = ["a", "b", "c"];
const ZONES: usize = 3;
/// Nodes that chunks are placed on.
const NODES: usize = 12;
/// Nodes that beats speak for.
const BEATING_NODES: usize = 1000;
const FILES: usize = 500;
/// Far more than any measurement fills.
const CAPACITY: i64 = 1 << 50;
const PARALLEL: usize = 16;
/// A beat each 100 ms, an election after 1 to 2 s.
const SLOW_TIMERS: &str =
    "raft:\n  heartbeat_interval: 100ms\n  election_timeout_min: 1s\n  election_timeout_max: 2s\n";

/// A replica of the coordinator, over one connection.
#[derive(Clone, Debug)]
pub(crate) struct Coordinator {
    client: CoordinatorServiceClient<Channel>,
    port: u16,
}

impl Coordinator {
    async fn register_node(&self, number: usize) -> Result<(), Status> {
        let zone = format!("zone-{}", number % ZONES);
        let request = RegisterNodeRequest {
            node_id: node_id(number),
            addresses: vec![format!("10.0.{}.{}:7000", number / 250, number % 250 + 1)],
            storage_capacity: CAPACITY,
            capabilities: HashMap::from([("zone".to_owned(), zone)]),
        };
        let reply = self.client.clone().register_node(request).await?.into_inner();
        accepted(reply.success, reply.message)
    }

    async fn beat(&self, number: usize) -> Result<(), Status> {
        let stats = NodeStats {
            storage_used: 1 << 40,
            storage_available: CAPACITY - (1 << 40),
            chunks_stored: 1 << 18,
            bandwidth_up: 1 << 27,
            bandwidth_down: 1 << 27,
            cpu_usage: 12.5,
            memory_usage: 37.5,
            uptime_seconds: 86_400,
        };
        let request = NodeHeartbeatRequest {
            node_id: node_id(number),
            stats: Some(stats),
        };
        let reply = self.client.clone().node_heartbeat(request).await?.into_inner();
        accepted(reply.success, reply.message)
    }

    async fn find(&self, chunk_id: &str, consistency: &'static str) -> Result<(), Status> {
        let mut request = Request::new(FindChunkLocationsRequest {
            chunk_id: chunk_id.to_owned(),
            preferred_count: 0,
        });
        let consistency = MetadataValue::from_static(consistency);
        request.metadata_mut().insert("consistency", consistency);
        let reply = self
            .client
            .clone()
            .find_chunk_locations(request)
            .await?
            .into_inner();
        accepted(reply.success && !reply.node_ids.is_empty(), reply.message)
    }
}

impl Api for Coordinator {
    const SYSTEM: &'static str = "the coordinator";
    const PORTS: usize = 4;
    type Stock = Arc<[String]>;

    fn launch(
        program: &Path,
        folder: &Path,
        ports: &[Vec<u16>],
        member: usize,
        timers: Timers,
    ) -> Result<Launch, CompareError> {
        let peers: Vec<_> = ports
            .iter()
            .map(|ports| format!("127.0.0.1:{}", ports[3]))
            .collect();
        let own = &ports[member];
        let mut environment = vec![
            ("REPLICA_NAME", NAMES[member].to_owned()),
            ("CLUSTER_REPLICAS", ports.len().to_string()),
            ("CLUSTER_PEERS", peers.join(",")),
            ("PEER_ADVERTISE", peers[member].clone()),
            ("GRPC_PORT", own[0].to_string()),
            ("HTTP_PORT", own[1].to_string()),
            ("METRICS_PORT", own[2].to_string()),
            ("PEER_PORT", own[3].to_string()),
            ("DATA_PATH", folder.join("data").display().to_string()),
            ("LOG_FORMAT", "text".to_owned()),
        ];
        match timers {
            Timers::Default => {}
            Timers::Slow => {
                let file = folder.join("config.yaml");
                fs::create_dir_all(folder)
                    .and_then(|()| fs::write(&file, SLOW_TIMERS))
                    .map_err(CompareError::io(format!("write {}", file.display())))?;
                environment.push(("CONFIG_PATH", file.display().to_string()));
            }
        }
        Ok(Launch {
            program: program.to_owned(),
            arguments: vec!["serve".to_owned()],
            environment: environment
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            folder: folder.to_owned(),
        })
    }

    fn over(channel: Channel, port: u16) -> Self {
        Coordinator {
            client: CoordinatorServiceClient::new(channel),
            port,
        }
    }

    async fn view(&self) -> Result<View, Status> {
        let request = GetClusterStatusRequest {};
        let reply = self
            .client
            .clone()
            .get_cluster_status(request)
            .await?
            .into_inner();
        Ok(View {
            leads: reply.leader_address == format!("127.0.0.1:{}", self.port),
            has_leader: !reply.leader.is_empty(),
            term: reply.term,
        })
    }

    async fn keep_alive(&self) -> Result<(), Status> {
        for number in 0..NODES {
            match self.beat(number).await {
                Ok(()) => {}
                // Not known yet.
                Err(status) if status.code() == tonic::Code::FailedPrecondition => {
                    self.register_node(number).await?;
                    self.beat(number).await?;
                }
                Err(status) => return Err(status),
            }
        }
        Ok(())
    }

    async fn stock(&self, content: &mut Content) -> Result<Arc<[String]>, Status> {
        let files: Vec<_> = (0..FILES).map(|_| content.files.file(&node_id(0))).collect();
        let chunks = files.iter().flat_map(|file| &file.chunks);
        let chunks = chunks.map(|chunk| chunk.chunk_id.clone()).collect();
        futures::stream::iter(files)
            .map(|file| async {
                let reply = self.client.clone().register_file(file).await?.into_inner();
                accepted(reply.success, reply.message)
            })
            .buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
        Ok(chunks)
    }

    async fn stock_for_beats(&self) -> Result<(), Status> {
        futures::stream::iter(NODES..BEATING_NODES)
            .map(|number| self.register_node(number))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
    }

    async fn call(
        &self,
        operation: Operation,
        chunks: &Arc<[String]>,
        content: &mut Content,
    ) -> Result<(), Status> {
        match operation {
            Operation::Write => {
                let file = content.files.file(&node_id(0));
                let reply = self.client.clone().register_file(file).await?.into_inner();
                accepted(reply.success, reply.message)
            }
            Operation::Read => {
                self.find(&chunks[content.pick(0..chunks.len())], "linearizable")
                    .await
            }
            Operation::ReadLocal => self.find(&chunks[content.pick(0..chunks.len())], "local").await,
            Operation::Beat => self.beat(content.pick(0..BEATING_NODES)).await,
        }
    }
}

fn node_id(number: usize) -> String {
    format!("node-{number:04}")
}

/// A refusal is an error like any other here.
fn accepted(success: bool, message: String) -> Result<(), Status> {
    if success {
        Ok(())
    } else {
        Err(Status::failed_precondition(message))
    }
}
