//! What the coordinator in memory knows, how it answers, and how tests make it misbehave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use tonic::{Code, Status};
use zephyrfs_proto::coordinator::heartbeat_result::Outcome;
use zephyrfs_proto::coordinator::{
    ChunkPlacement, FindChunkLocationsRequest, FindChunkLocationsResponse, HeartbeatResult, HeartbeatWindow,
    HeartbeatWindowAck, NodeHeartbeatRequest, NodeHeartbeatResponse, NodeStats, RegisterFileRequest,
    RegisterFileResponse, RegisterNodeRequest, RegisterNodeResponse, UpdateChunkLocationsRequest,
    UpdateChunkLocationsResponse,
};

use crate::operation::Operation;

const REPLICAS: usize = 3;

/// One call as it came in.
#[derive(Clone, Debug)]
pub(crate) struct CallRecord {
    pub(crate) operation: Operation,
    /// The node, file or chunk that it is about.
    pub(crate) subject: String,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) at: Instant,
}

#[derive(Debug)]
pub(crate) struct NodeState {
    pub(crate) registration: RegisterNodeRequest,
    pub(crate) stats: Option<NodeStats>,
    /// Unfinished tasks, as (chunk, operation that ends it, JSON): handed out with every heartbeat.
    tasks: Vec<(String, &'static str, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct ChunkState {
    pub(crate) assigned: BTreeSet<String>,
    pub(crate) stored: BTreeSet<String>,
}

/// The coordinator's memory, and the tests' orders.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) calls: Vec<CallRecord>,
    pub(crate) nodes: BTreeMap<String, NodeState>,
    pub(crate) files: BTreeMap<String, RegisterFileRequest>,
    pub(crate) chunks: BTreeMap<String, ChunkState>,
    /// The next so many calls of an operation fail with that code.
    pub(crate) failing: BTreeMap<Operation, (u32, Code)>,
    /// No node has room.
    pub(crate) full: bool,
    /// Lists a node that does not hold the chunk.
    pub(crate) lying: bool,
    /// The most beats that came in one window.
    pub(crate) largest_window: usize,
    placed: usize,
    tasks_made: usize,
}

impl State {
    /// Notes a call; an error if the next calls of its kind are to fail.
    pub(crate) fn arrive(&mut self, call: CallRecord) -> Result<(), Status> {
        let operation = call.operation;
        self.calls.push(call);
        match self.failing.get_mut(&operation) {
            Some((left @ 1.., code)) => {
                *left -= 1;
                Err(Status::new(*code, "as the test ordered"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The calls of one operation about one subject.
    pub(crate) fn calls_about(&self, operation: Operation, subject: &str) -> Vec<&CallRecord> {
        self.calls
            .iter()
            .filter(|call| call.operation == operation && call.subject == subject)
            .collect()
    }

    /// The calls of one operation.
    pub(crate) fn calls_of(&self, operation: Operation) -> Vec<&CallRecord> {
        self.calls
            .iter()
            .filter(|call| call.operation == operation)
            .collect()
    }

    /// Makes a node known before it registers.
    pub(crate) fn know(&mut self, node_id: &str) {
        let addresses = vec!["10.0.0.1:7000".to_owned()];
        let node_id = node_id.to_owned();
        self.register_node(RegisterNodeRequest {
            node_id,
            addresses,
            ..RegisterNodeRequest::default()
        });
    }

    /// Has the node fetch the chunk from those sources.
    pub(crate) fn order_replicate(&mut self, node: &str, chunk: &str, sources: &[&str]) {
        let sources: Vec<_> = sources
            .iter()
            .map(|id| serde_json::json!({"node_id": id, "address": format!("{id}:7000")}))
            .collect();
        let task = serde_json::json!({
            "id": self.next_task(), "type": "replicate", "chunk_id": chunk, "hash": chunk,
            "size": 4096, "sources": sources, "deadline": 4_000_000_000_u64,
        });
        self.hand(node, chunk, "add", &task);
    }

    /// Has the node drop the chunk.
    pub(crate) fn order_delete(&mut self, node: &str, chunk: &str) {
        let task = serde_json::json!({
            "id": self.next_task(), "type": "delete", "chunk_id": chunk, "hash": chunk, "size": 4096,
            "sources": [], "deadline": 4_000_000_000_u64,
        });
        self.hand(node, chunk, "remove", &task);
    }

    fn next_task(&mut self) -> String {
        self.tasks_made += 1;
        format!("task-{}", self.tasks_made)
    }

    fn hand(&mut self, node: &str, chunk: &str, ends_with: &'static str, task: &serde_json::Value) {
        let node = self.nodes.get_mut(node).unwrap();
        node.tasks.push((chunk.to_owned(), ends_with, task.to_string()));
    }

    pub(crate) fn register_node(&mut self, request: RegisterNodeRequest) -> RegisterNodeResponse {
        let assigned_node_id = request.node_id.clone();
        let node = NodeState {
            registration: request,
            stats: None,
            tasks: Vec::new(),
        };
        self.nodes.insert(assigned_node_id.clone(), node);
        RegisterNodeResponse {
            success: true,
            message: "registered".to_owned(),
            assigned_node_id,
            bootstrap_peers: Vec::new(),
        }
    }

    pub(crate) fn heartbeat(&mut self, request: &NodeHeartbeatRequest) -> NodeHeartbeatResponse {
        let Some(node) = self.nodes.get_mut(&request.node_id) else {
            let message = format!("no such node: {}", request.node_id);
            return NodeHeartbeatResponse {
                success: false,
                message,
                tasks: Vec::new(),
            };
        };
        node.stats = request.stats;
        let tasks = node.tasks.iter().map(|(_, _, task)| task.clone()).collect();
        NodeHeartbeatResponse {
            success: true,
            message: String::new(),
            tasks,
        }
    }

    /// A stream of heartbeats is opened; an error if streams are to fail.
    pub(crate) fn stream_opens(&mut self) -> Result<(), Status> {
        self.arrive(CallRecord {
            operation: Operation::HeartbeatStream,
            subject: "a stream".to_owned(),
            idempotency_key: None,
            at: Instant::now(),
        })
    }

    /// A window of heartbeats: each is noted as a call of its own.
    pub(crate) fn window(&mut self, window: HeartbeatWindow) -> Result<HeartbeatWindowAck, Status> {
        let HeartbeatWindow { sequence, beats } = window;
        self.largest_window = self.largest_window.max(beats.len());
        let mut results = Vec::new();
        for (position, beat) in (0..).zip(beats) {
            self.arrive(CallRecord {
                operation: Operation::HeartbeatStream,
                subject: beat.node_id.clone(),
                idempotency_key: None,
                at: Instant::now(),
            })?;
            let NodeHeartbeatResponse {
                success,
                message,
                tasks,
            } = self.heartbeat(&beat);
            let outcome = match (success, tasks.is_empty()) {
                (true, true) => continue,
                (true, false) => Outcome::Tasks,
                (false, _) => Outcome::Register,
            };
            results.push(HeartbeatResult {
                position,
                node_id: beat.node_id,
                outcome: outcome.into(),
                message,
                tasks,
            });
        }
        Ok(HeartbeatWindowAck {
            sequence,
            applied_index: 0,
            results,
        })
    }

    pub(crate) fn register_file(&mut self, request: RegisterFileRequest) -> RegisterFileResponse {
        if self.full {
            let message = "no node has room".to_owned();
            return RegisterFileResponse {
                success: false,
                message,
                chunk_placements: Vec::new(),
            };
        }
        let chunk_placements = request
            .chunks
            .iter()
            .map(|chunk| self.place(&chunk.chunk_id))
            .collect();
        self.files.insert(request.file_id.clone(), request);
        RegisterFileResponse {
            success: true,
            message: String::new(),
            chunk_placements,
        }
    }

    fn place(&mut self, chunk_id: &str) -> ChunkPlacement {
        self.placed += 1;
        let nodes: Vec<_> = self.nodes.keys().cloned().collect();
        let target_nodes: Vec<_> = nodes
            .iter()
            .cycle()
            .skip(self.placed)
            .take(REPLICAS.min(nodes.len()))
            .cloned()
            .collect();
        let chunk = self.chunks.entry(chunk_id.to_owned()).or_default();
        chunk.assigned.extend(target_nodes.iter().cloned());
        ChunkPlacement {
            chunk_id: chunk_id.to_owned(),
            target_nodes,
            replication_factor: i32::try_from(REPLICAS).unwrap(),
        }
    }

    pub(crate) fn update_locations(
        &mut self,
        request: &UpdateChunkLocationsRequest,
    ) -> UpdateChunkLocationsResponse {
        let UpdateChunkLocationsRequest {
            chunk_id,
            node_ids,
            operation,
        } = request;
        let Some(chunk) = self.chunks.get_mut(chunk_id) else {
            let message = format!("no such chunk: {chunk_id}");
            return UpdateChunkLocationsResponse {
                success: false,
                message,
            };
        };
        for id in node_ids {
            chunk.assigned.remove(id);
            match operation.as_str() {
                "add" => chunk.stored.insert(id.clone()),
                _ => chunk.stored.remove(id),
            };
            if let Some(node) = self.nodes.get_mut(id) {
                node.tasks
                    .retain(|(chunk, ends_with, _)| chunk != chunk_id || ends_with != operation);
            }
        }
        UpdateChunkLocationsResponse {
            success: true,
            message: String::new(),
        }
    }

    pub(crate) fn find_locations(&self, request: &FindChunkLocationsRequest) -> FindChunkLocationsResponse {
        let Some(chunk) = self.chunks.get(&request.chunk_id) else {
            return FindChunkLocationsResponse {
                success: false,
                message: format!("no such chunk: {}", request.chunk_id),
                ..FindChunkLocationsResponse::default()
            };
        };
        let mut node_ids: Vec<_> = chunk.stored.iter().chain(&chunk.assigned).cloned().collect();
        if self.lying {
            node_ids.extend(self.nodes.keys().find(|id| !node_ids.contains(id)).cloned());
        }
        let address = |id: &String| self.nodes[id].registration.addresses[0].clone();
        let node_addresses = node_ids.iter().map(address).collect();
        FindChunkLocationsResponse {
            success: true,
            message: String::new(),
            node_ids,
            node_addresses,
        }
    }
}
