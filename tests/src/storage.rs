//! Storage nodes that really hold what they say they hold, over nothing but what existing nodes speak: they send
//! heartbeats to any replica, do what they are told, and say so. Whoever would drop a copy that is still needed is found
//! out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::rest::Rest;

/// How often a node sends a heartbeat.
const BEAT: Duration = Duration::from_millis(200);

/// The nodes, as long as this lives.
pub struct StorageNodes {
    world: Arc<Mutex<World>>,
    _running: JoinSet<()>,
}

/// What is true, whatever the coordinator believes.
#[derive(Default)]
struct World {
    nodes: BTreeMap<String, Machine>,
    /// Chunks that files hold.
    needed: BTreeSet<String>,
    wanted: usize,
    copies_made: u64,
    wrongs: Vec<String>,
}

struct Machine {
    zone: String,
    alive: bool,
    disk: BTreeSet<String>,
}

impl StorageNodes {
    /// Registers nodes, dealt out to zones, and lets them live. `wanted` copies of each chunk are wanted.
    pub async fn start(apis: Vec<Rest>, count: usize, zones: usize, wanted: usize) -> Self {
        let mut world = World {
            wanted,
            ..World::default()
        };
        let mut running = JoinSet::new();
        for number in 0..count {
            let machine = Machine {
                zone: format!("z{}", number % zones),
                alive: true,
                disk: BTreeSet::new(),
            };
            world.nodes.insert(format!("s{number:02}"), machine);
        }
        let registrations: Vec<(String, Value)> = world
            .nodes
            .iter()
            .map(|(id, machine)| {
                let body = json!({"node_id": id, "addresses": [format!("{id}:7000")],
                                  "storage_capacity": 1_000_000_000_i64,
                                  "capabilities": {"zone": machine.zone}});
                (id.clone(), body)
            })
            .collect();
        let world = Arc::new(Mutex::new(world));
        for (id, body) in registrations {
            let (world, apis) = (Arc::clone(&world), apis.clone());
            call(&apis, 0, "POST", "/api/v1/nodes/register", &body).await;
            running.spawn(live(world, apis, id));
        }
        Self {
            world,
            _running: running,
        }
    }

    /// Registers a file of so many chunks, which its client brings to the nodes that it is told.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn put_file(&self, apis: &[Rest], id: &str, chunks: usize) {
        let chunk = |index: usize| {
            let name = format!("{id}-{index}");
            json!({"chunk_id": name, "hash": name, "size": 1_000, "index": index})
        };
        let chunks: Vec<Value> = (0..chunks).map(chunk).collect();
        let body =
            json!({"file_id": id, "file_name": id, "file_size": 1_000, "file_hash": id, "chunks": chunks});
        let answer = call(apis, 0, "POST", "/api/v1/files/register", &body).await;
        let placements = answer["chunk_placements"].as_array().cloned().unwrap_or_default();
        assert_eq!(placements.len(), chunks.len(), "{answer}");
        for placement in placements {
            let name = text(&placement["chunk_id"]);
            self.world().needed.insert(name.clone());
            for node in placement["target_nodes"].as_array().into_iter().flatten() {
                let node = text(node);
                let stores = self.world().store(&node, &name);
                if stores {
                    report(apis, &node, &name, "add").await;
                }
            }
        }
    }

    /// Deletes a file: its chunks are no longer needed.
    pub async fn delete_file(&self, apis: &[Rest], id: &str) {
        self.world()
            .needed
            .retain(|chunk| !chunk.starts_with(&format!("{id}-")));
        call(apis, 0, "DELETE", &format!("/api/v1/files/{id}"), &Value::Null).await;
    }

    /// The nodes that live.
    pub fn alive(&self) -> Vec<String> {
        let world = self.world();
        let alive = world.nodes.iter().filter(|(_, machine)| machine.alive);
        alive.map(|(id, _)| id.clone()).collect()
    }

    /// The nodes of a zone.
    pub fn of_zone(&self, zone: &str) -> Vec<String> {
        let world = self.world();
        let of_it = world.nodes.iter().filter(|(_, machine)| machine.zone == zone);
        of_it.map(|(id, _)| id.clone()).collect()
    }

    /// Nodes fall silent together, or are back with what they had.
    pub fn set_alive(&self, nodes: &[String], alive: bool) {
        let mut world = self.world();
        for node in nodes {
            if let Some(machine) = world.nodes.get_mut(node) {
                machine.alive = alive;
            }
        }
    }

    /// How many copies nodes made because they were told to.
    pub fn copies_made(&self) -> u64 {
        self.world().copies_made
    }

    /// What a node has on its disk.
    pub fn held_by(&self, node: &str) -> usize {
        self.world()
            .nodes
            .get(node)
            .map_or(0, |machine| machine.disk.len())
    }

    /// Whether every chunk that is needed is on as many live nodes as wanted.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check_whole(&self) -> Result<(), String> {
        let world = self.world();
        for chunk in &world.needed {
            let live = world.holders(chunk).filter(|(_, machine)| machine.alive).count();
            if live < world.wanted {
                return Err(format!("{chunk} is on {live} live nodes"));
            }
        }
        Ok(())
    }

    /// Whether nobody holds what is not needed.
    ///
    /// # Errors
    /// The first that is.
    pub fn check_tidy(&self) -> Result<(), String> {
        let world = self.world();
        for (node, machine) in &world.nodes {
            if let Some(chunk) = machine.disk.iter().find(|chunk| !world.needed.contains(*chunk)) {
                return Err(format!("{node} still has {chunk}"));
            }
        }
        Ok(())
    }

    /// What must never happen, and happened.
    pub fn wrongs(&self) -> Vec<String> {
        self.world().wrongs.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn holders(&self, chunk: &str) -> impl Iterator<Item = (&String, &Machine)> {
        let holds = move |(_, machine): &(&String, &Machine)| machine.disk.contains(chunk);
        self.nodes.iter().filter(holds)
    }

    /// A copy comes to a live node. Tells whether it did.
    fn store(&mut self, node: &str, chunk: &str) -> bool {
        let Some(machine) = self.nodes.get_mut(node).filter(|machine| machine.alive) else {
            return false;
        };
        machine.disk.insert(chunk.to_owned());
        true
    }

    /// A live node fetches a chunk from one of these, if one lives and has it.
    fn fetch(&mut self, node: &str, chunk: &str, sources: &[String]) -> bool {
        let has_it = |source: &String| {
            let machine = self.nodes.get(source);
            machine.is_some_and(|machine| machine.alive && machine.disk.contains(chunk))
        };
        let done = sources.iter().any(has_it) && self.store(node, chunk);
        self.copies_made += u64::from(done);
        done
    }

    /// A live node drops its copy.
    fn drop_copy(&mut self, node: &str, chunk: &str) -> bool {
        let others = self.holders(chunk).filter(|(id, _)| *id != node).count();
        if self.needed.contains(chunk) && others < self.wanted {
            self.wrongs.push(format!(
                "{node} was told to drop {chunk}, of which {others} others have a copy"
            ));
        }
        let Some(machine) = self.nodes.get_mut(node).filter(|machine| machine.alive) else {
            return false;
        };
        machine.disk.remove(chunk);
        true
    }
}

/// A node's life: heartbeats to one replica after another, and what it is told in answer.
async fn live(world: Arc<Mutex<World>>, apis: Vec<Rest>, id: String) {
    let path = format!("/api/v1/nodes/{id}/heartbeat");
    for turn in 0.. {
        tokio::time::sleep(BEAT).await;
        let Some(held) = alive_with(&world, &id) else {
            continue;
        };
        let stats = json!({"stats": {"storage_used": held * 1_000, "storage_available": 1_000_000_000_i64 - held * 1_000,
                                     "chunks_stored": held, "uptime_seconds": 1}});
        let api = &apis[turn % apis.len()];
        let Ok(answer) = api.send("POST", &path, Some(&stats)).await else {
            continue;
        };
        for task in answer.body["tasks"].as_array().into_iter().flatten() {
            let task: Value = serde_json::from_str(task.as_str().unwrap_or_default()).unwrap_or_default();
            perform(&world, &apis, &id, &task).await;
        }
    }
}

fn alive_with(world: &Mutex<World>, id: &str) -> Option<i64> {
    let world = lock(world);
    let machine = world.nodes.get(id).filter(|machine| machine.alive)?;
    i64::try_from(machine.disk.len()).ok()
}

async fn perform(world: &Mutex<World>, apis: &[Rest], node: &str, task: &Value) {
    let chunk = text(&task["chunk_id"]);
    let (done, operation) = if task["type"] == "replicate" {
        let sources = task["sources"].as_array().into_iter().flatten();
        let sources: Vec<String> = sources.map(|source| text(&source["node_id"])).collect();
        (lock(world).fetch(node, &chunk, &sources), "add")
    } else {
        (lock(world).drop_copy(node, &chunk), "remove")
    };
    if done {
        report(apis, node, &chunk, operation).await;
    }
}

async fn report(apis: &[Rest], node: &str, chunk: &str, operation: &str) {
    let body = json!({"node_ids": [node], "operation": operation});
    let path = format!("/api/v1/chunks/{chunk}/locations");
    call(apis, node.len() + chunk.len(), "PUT", &path, &body).await;
}

/// Asks one replica after another until one answers with more than that it cannot.
async fn call(apis: &[Rest], from: usize, method: &str, path: &str, body: &Value) -> Value {
    for turn in from.. {
        let api = &apis[turn % apis.len()];
        match api
            .send(method, path, Some(body).filter(|body| !body.is_null()))
            .await
        {
            Ok(answer) if answer.status < 500 => return answer.body,
            Ok(_) | Err(_) => tokio::time::sleep(BEAT).await,
        }
    }
    Value::Null
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
