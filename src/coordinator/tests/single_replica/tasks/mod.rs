//! What nodes are told to do, from the moment it is needed until they say that they did it.

mod copies;
mod deletions;
mod list;
mod slots;

use std::time::Duration;

use serde_json::Value;
use zephyrfs_coordinator::service::{
    ChunkLocation, FileRegistration, HeartbeatReport, LocationUpdate, LocationsQuery, NodeRemoval, PageQuery,
    Policy, Repair, RequestContext, TaskDetails, TaskListQuery,
};

use crate::support::{Replica, file};

fn plain() -> RequestContext {
    RequestContext::default()
}

/// A replica whose time and repair only the test moves.
struct Scene {
    replica: Replica,
    repair: Repair,
}

impl Scene {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Policy)) -> Self {
        let replica = Replica::start_with(|_, policy| {
            policy.heartbeat_flush = Duration::from_secs(3_600);
            change(policy);
        });
        Self {
            replica: replica.await,
            repair: Repair::default(),
        }
    }

    /// Looks at everything, as one who has led for long. The picture of the nodes must be a new one, so it is asked until
    /// it is.
    async fn repair(&mut self) {
        self.repair_after(Duration::from_secs(86_400)).await;
    }

    /// Looks at everything after having led for so long.
    async fn repair_after(&mut self, led_for: Duration) {
        for _ in 0..2 {
            self.replica
                .service
                .repair(&mut self.repair, led_for)
                .await
                .unwrap();
        }
    }

    /// The tasks that a node gets in answer to a heartbeat.
    async fn beat(&self, node: &str) -> Vec<Value> {
        let report = HeartbeatReport {
            node_id: node.to_owned(),
            stats: None,
        };
        let tasks = self
            .replica
            .service
            .heartbeat(report, plain())
            .await
            .unwrap()
            .value;
        tasks
            .iter()
            .map(|task| serde_json::from_str(task).unwrap())
            .collect()
    }

    async fn report(&self, operation: &str, chunk: &str, node: &str) -> Result<(), String> {
        let update = LocationUpdate {
            chunk_id: chunk.to_owned(),
            node_ids: vec![node.to_owned()],
            operation: operation.to_owned(),
        };
        let result = self.replica.service.update_chunk_locations(update, plain()).await;
        result.map(drop).map_err(|error| error.to_string())
    }

    async fn store(&self, chunk: &str, nodes: &[&str]) {
        for node in nodes {
            self.report("add", chunk, node).await.unwrap();
        }
    }

    async fn locations(&self, chunk: &str) -> Vec<String> {
        let query = LocationsQuery {
            chunk_id: chunk.to_owned(),
            preferred_count: 0,
        };
        let found = self
            .replica
            .service
            .find_chunk_locations(query, plain())
            .await
            .unwrap();
        let mut nodes: Vec<String> = found
            .value
            .into_iter()
            .map(|ChunkLocation { node, .. }| node.into())
            .collect();
        nodes.sort();
        nodes
    }

    async fn unregister(&self, node: &str) {
        let removal = NodeRemoval {
            node_id: node.to_owned(),
            reason: "sold".to_owned(),
        };
        self.replica
            .service
            .unregister_node(removal, plain())
            .await
            .unwrap();
    }

    async fn tasks(&self, state: &str, limit: i64) -> Vec<TaskDetails> {
        let mut tasks = Vec::new();
        let mut token = String::new();
        loop {
            let query = TaskListQuery {
                node_id: String::new(),
                state: state.to_owned(),
                page: PageQuery { limit, token },
            };
            let page = self
                .replica
                .service
                .list_tasks(query, plain())
                .await
                .unwrap()
                .value;
            tasks.extend(page.items);
            match page.next_page_token {
                Some(next) => token = next,
                None => return tasks,
            }
        }
    }
}

/// A file of so many chunks, each with a name of its own.
fn large(id: &str, count: usize) -> FileRegistration {
    let names: Vec<_> = (0..count).map(|number| format!("{id}-{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    file(id, &names)
}

/// How many copies and how many deletions nodes are told.
async fn told(scene: &Scene) -> (usize, usize) {
    let tasks = scene.tasks("", 1_000).await;
    let copies = tasks.iter().filter(|task| task.kind == "replicate").count();
    (copies, tasks.len() - copies)
}
