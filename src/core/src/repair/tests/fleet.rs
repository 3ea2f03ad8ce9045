//! A fleet of storage nodes over the model, with disks that really hold what they hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::{
    AbandonTasks, AssignReplicas, ChunkPlan, Command, DeleteCopies, DeleteFile, ExpireNodes, FinishDrains,
    ForgetReplicas, Heartbeat, LocationChange, NodeStateChange, RecordHeartbeats, RecordInventory,
    RegisterFile, RegisterNode, RenewTasks, SetNodeState, TaskName, TrimCopies, UnregisterNode,
    UpdateChunkLocations,
};
use crate::conformance::invariants;
use crate::envelope::{Envelope, Proposal};
use crate::id::{ChunkId, FileId, NodeId, RequestId};
use crate::model::Model;
use crate::placement::{Candidate, Topology};
use crate::repair::{
    Brake, BrakePolicy, Heard, Imbalance, Limits, Memory, Policy, Round, Tally, Workload, brake, deletable,
    plan,
};
use crate::response::Response;
use crate::row::{
    AfterDrain, BeatRow, ChunkRow, NodeRow, NodeStats, Observed, ReplicaState, Row, TaskKind, TaskReason,
    TaskRow,
};
use crate::units::{AppliedIndex, ByteSize, Millis, Timestamp};

const INACTIVE_AFTER: Millis = Millis::from_seconds(60);
const TASK_TIME: Millis = Millis::from_seconds(40);
pub(super) const CAPACITY: u64 = 1_000_000;
const CHUNK: ByteSize = ByteSize::new(100);
/// The picture's order of magnitude in real fleets matters little here: what matters is that there are several pages.
const PAGE: usize = 3;

/// What a fleet is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) nodes: usize,
    pub(super) zones: usize,
    pub(super) racks: usize,
    pub(super) wanted: usize,
    pub(super) seed: u64,
}

/// A node's own side.
pub(super) struct Machine {
    pub(super) alive: bool,
    pub(super) disk: BTreeSet<ChunkId>,
}

pub(super) struct Fleet {
    pub(super) shape: Shape,
    pub(super) model: Model,
    pub(super) machines: BTreeMap<NodeId, Machine>,
    pub(super) now: Timestamp,
    applied: u64,
    files: Vec<FileId>,
    chunks: usize,
    memory: Memory,
    pub(super) tally: Tally,
    /// Chunks of which a disk ever held a copy and not all such disks were lost.
    pub(super) kept: BTreeSet<ChunkId>,
}

impl Fleet {
    pub(super) fn new(shape: Shape) -> Self {
        let mut fleet = Self {
            shape,
            model: Model::default(),
            machines: BTreeMap::new(),
            now: Timestamp::from_millis(1_000_000_000),
            applied: 0,
            files: Vec::new(),
            chunks: 0,
            memory: Memory::default(),
            tally: Tally::default(),
            kept: BTreeSet::new(),
        };
        (0..shape.nodes).for_each(|_| fleet.new_node());
        fleet
    }

    pub(super) fn apply(&mut self, command: Command) -> Option<Response> {
        self.applied += 1;
        let envelope = Envelope {
            proposed_at: self.now,
            proposal: Proposal {
                id: RequestId::from_bytes(u128::from(self.applied).to_be_bytes()),
                idempotency: None,
                command,
            },
        };
        let outcome = self.model.apply(&envelope, AppliedIndex::new(self.applied));
        invariants::check(&self.model.rows()).unwrap();
        outcome.ok()
    }

    pub(super) fn nodes(&self) -> BTreeMap<NodeId, (NodeRow, Option<BeatRow>)> {
        let mut nodes = BTreeMap::new();
        for row in self.model.rows() {
            match row {
                Row::Node(id, node) => drop(nodes.insert(id, (node, None))),
                Row::Beat(id, beat) => {
                    if let Some(node) = nodes.get_mut(&id) {
                        node.1 = Some(beat);
                    }
                }
                _ => {}
            }
        }
        nodes
    }

    pub(super) fn chunk_rows(&self) -> Vec<(ChunkId, ChunkRow)> {
        let rows = self.model.rows().into_iter();
        rows.filter_map(|row| match row {
            Row::Chunk(id, chunk) => Some((id, chunk)),
            _ => None,
        })
        .collect()
    }

    pub(super) fn tasks(&self) -> Vec<(NodeId, ChunkId, TaskRow)> {
        let tasks = self.model.tasks();
        tasks
            .map(|(node, chunk, task)| (node.clone(), chunk.clone(), task.clone()))
            .collect()
    }

    fn pick(&self, number: usize) -> NodeId {
        let ids: Vec<&NodeId> = self.machines.keys().collect();
        ids[number % ids.len()].clone()
    }

    pub(super) fn new_node(&mut self) {
        let number = self.machines.len();
        let id = NodeId::from(format!("n{number:02}"));
        let machine = Machine {
            alive: true,
            disk: BTreeSet::new(),
        };
        self.machines.insert(id.clone(), machine);
        self.register(&id);
    }

    fn register(&mut self, id: &NodeId) {
        let number: usize = id.as_str()[1..].parse().unwrap();
        let zone = number % self.shape.zones;
        let rack = number / self.shape.zones % self.shape.racks;
        let capabilities = [("zone", zone), ("rack", rack)];
        self.apply(Command::RegisterNode(RegisterNode {
            node: id.clone(),
            addresses: vec![format!("{id}:1")],
            capacity: ByteSize::new(CAPACITY),
            capabilities: capabilities
                .map(|(level, name)| (level.to_owned(), name.to_string()))
                .into(),
            peers: Vec::new(),
            inactive_after: INACTIVE_AFTER,
        }));
    }

    pub(super) fn new_file(&mut self, chunks: usize, brought: bool) {
        let sizes = vec![CHUNK; chunks];
        let plan = self
            .topology()
            .plan(&sizes, self.shape.wanted, SPREAD, self.seed(), &BTreeMap::new());
        let ids: Vec<ChunkId> = (0..chunks)
            .map(|at| ChunkId::from(format!("c{}", self.chunks + at)))
            .collect();
        self.chunks += chunks;
        let file = FileId::from(format!("f{}", self.files.len()));
        let planned = ids.iter().zip(plan.targets).zip(0..);
        let command = RegisterFile {
            file: file.clone(),
            name: String::new(),
            size: ByteSize::new(1),
            hash: "h".into(),
            owner: None,
            chunks: planned
                .map(|((id, targets), index)| ChunkPlan {
                    id: id.clone(),
                    hash: "h".into(),
                    size: CHUNK,
                    index,
                    targets,
                })
                .collect(),
            nodes: plan.nodes,
            wanted: self.shape.wanted as u32,
            max_replicas: 10,
            task_time: TASK_TIME,
        };
        let Some(Response::FileRegistered { placements, .. }) = self.apply(Command::RegisterFile(command))
        else {
            return;
        };
        self.files.push(file);
        for placement in placements.into_iter().filter(|_| brought) {
            for node in placement.nodes {
                self.store(&node, &placement.chunk);
            }
        }
    }

    /// A copy comes to a live node, which says so.
    fn store(&mut self, node: &NodeId, chunk: &ChunkId) {
        let machine = self.machines.get_mut(node).unwrap();
        if !machine.alive {
            return;
        }
        machine.disk.insert(chunk.clone());
        self.kept.insert(chunk.clone());
        self.report(node, chunk, LocationChange::Add);
    }

    fn report(&mut self, node: &NodeId, chunk: &ChunkId, change: LocationChange) {
        self.apply(Command::UpdateChunkLocations(UpdateChunkLocations {
            chunk: chunk.clone(),
            nodes: vec![node.clone()],
            change,
            max_replicas: 10,
        }));
    }

    pub(super) fn delete_file(&mut self, pick: usize) {
        if !self.files.is_empty() {
            let file = self.files.remove(pick % self.files.len());
            self.apply(Command::DeleteFile(DeleteFile { file }));
        }
    }

    pub(super) fn die(&mut self, node: usize) {
        let id = self.pick(node);
        self.machines.get_mut(&id).unwrap().alive = false;
    }

    pub(super) fn come_back(&mut self, node: usize, empty: bool) {
        let id = self.pick(node);
        let machine = self.machines.get_mut(&id).unwrap();
        if machine.alive {
            return;
        }
        machine.alive = true;
        let lost = if empty {
            std::mem::take(&mut machine.disk)
        } else {
            BTreeSet::new()
        };
        // What a node was told to drop is given up, even if the others lose it before it is gone.
        let rows: BTreeMap<ChunkId, ChunkRow> = self.chunk_rows().into_iter().collect();
        for chunk in &lost {
            let is_given_up = |node: &NodeId| {
                let replica = rows.get(chunk).and_then(|row| row.replica_on(node));
                replica.is_none_or(|replica| replica.state == ReplicaState::Deleting)
            };
            let mut holders = self
                .machines
                .iter()
                .filter(|(_, machine)| machine.disk.contains(chunk));
            if holders.all(|(node, _)| is_given_up(node)) {
                self.kept.remove(chunk);
            }
        }
        self.register(&id);
        for missing in lost.into_iter().collect::<Vec<_>>().chunks(PAGE) {
            self.apply(Command::RecordInventory(RecordInventory {
                node: id.clone(),
                held: Vec::new(),
                missing: missing.to_vec(),
                quarantine: INACTIVE_AFTER,
                max_replicas: 10,
            }));
        }
    }

    pub(super) fn mass_failure(&mut self) {
        let count = self.machines.len();
        for machine in self.machines.values_mut().take(count / 2 + 1) {
            machine.alive = false;
        }
    }

    pub(super) fn drain(&mut self, node: usize) {
        self.set_state(
            node,
            NodeStateChange::Drain {
                then: AfterDrain::Stay,
            },
        );
    }

    pub(super) fn activate(&mut self, node: usize) {
        self.set_state(node, NodeStateChange::Activate);
    }

    /// Maintenance of so many seconds begins.
    pub(super) fn maintain(&mut self, node: usize, seconds: u64) {
        let span = Millis::from_seconds(seconds);
        self.set_state(node, NodeStateChange::Maintain { span });
    }

    fn set_state(&mut self, node: usize, change: NodeStateChange) {
        let node = self.pick(node);
        self.apply(Command::SetNodeState(SetNodeState { node, change }));
    }

    pub(super) fn unregister(&mut self, node: usize) {
        let node = self.pick(node);
        let reason = "sold".to_owned();
        self.apply(Command::UnregisterNode(UnregisterNode { node, reason }));
    }

    pub(super) fn new_leader(&mut self) {
        self.memory = Memory::default();
    }

    /// Time passes, ten seconds at a time; nodes that live send heartbeats, and the leader works.
    pub(super) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds.div_ceil(10).min(40) {
            self.now = self.now.plus(Millis::from_seconds(10));
            self.work();
        }
        // The rest in one go, as if nobody had looked.
        let rest = seconds.saturating_sub(400);
        self.now = self.now.plus(Millis::from_seconds(rest));
        self.work();
    }

    /// What happens between two looks: heartbeats, expiry, repair, and the nodes' own work.
    pub(super) fn work(&mut self) {
        self.beat();
        self.expire();
        let before = self.tasks();
        if self.brake().is_some() {
            assert_eq!(before, self.tasks());
            return;
        }
        self.settle();
        self.patrol();
        self.delete_unreferenced();
        self.finish_drains();
        self.do_tasks();
    }

    fn beat(&mut self) {
        let alive = self.machines.iter().filter(|(_, machine)| machine.alive);
        let beats = alive.map(|(node, machine)| Heartbeat {
            node: node.clone(),
            age: Millis::new(0),
            stats: NodeStats {
                storage_used: ByteSize::new(machine.disk.len() as u64 * CHUNK.get()),
                storage_available: ByteSize::new(CAPACITY - machine.disk.len() as u64 * CHUNK.get()),
                uptime_seconds: 1,
                ..NodeStats::default()
            },
        });
        let beats = beats.collect();
        self.apply(Command::RecordHeartbeats(RecordHeartbeats {
            beats,
            inactive_after: INACTIVE_AFTER,
        }));
    }

    fn expire(&mut self) {
        self.apply(Command::ExpireNodes(ExpireNodes {
            nodes: self.machines.keys().cloned().collect(),
            silent_since: self.now.minus(INACTIVE_AFTER),
        }));
    }

    pub(super) fn brake(&self) -> Option<Brake> {
        let nodes = self.nodes();
        let heard = nodes.iter().map(|(id, (row, beat))| Heard {
            id,
            row,
            last: beat.map(|beat| beat.at),
        });
        let policy = BrakePolicy {
            ratio_permille: 300,
            window: Millis::from_seconds(60),
            late_after: Millis::from_seconds(45),
        };
        brake(heard, self.now, &policy)
    }

    pub(super) fn topology(&self) -> Topology {
        Topology::new(self.candidates())
    }

    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let nodes = self.nodes();
        nodes
            .iter()
            .map(|(id, (row, beat))| Candidate::new(id.clone(), row, beat.as_ref(), ByteSize::ZERO, self.now))
            .collect()
    }

    fn seed(&self) -> u64 {
        self.shape.seed.wrapping_add(self.applied)
    }

    pub(super) fn policy(&self) -> Policy {
        Policy {
            wanted: self.shape.wanted,
            delay: Millis::from_seconds(900),
            delay_few: Millis::from_seconds(180),
            delay_last: Millis::from_seconds(60),
        }
    }

    fn settle(&mut self) {
        let nodes = self.nodes();
        let (mut renewed, mut abandoned) = (Vec::new(), Vec::new());
        for (node, chunk, task) in self.tasks() {
            let takes = nodes[&node].0.takes_replicas();
            let name = TaskName {
                node: node.clone(),
                chunk,
                id: task.id,
            };
            if task.deadline > self.now && !nodes[&node].0.is_removed() {
                continue;
            }
            if task.kind == TaskKind::Replicate && (task.attempt >= 3 || !takes) {
                if takes && task.reason != TaskReason::Unconfirmed {
                    self.memory.failed(&node, self.now, TASK_TIME);
                }
                abandoned.push(name);
            } else if nodes[&node].0.is_removed() {
                abandoned.push(name);
            } else {
                renewed.push(name);
            }
        }
        let time = TASK_TIME;
        self.apply(Command::RenewTasks(RenewTasks { tasks: renewed, time }));
        self.apply(Command::AbandonTasks(AbandonTasks { tasks: abandoned }));
    }

    fn patrol(&mut self) {
        let nodes: BTreeMap<NodeId, NodeRow> =
            self.nodes().into_iter().map(|(id, (row, _))| (id, row)).collect();
        let topology = self.topology();
        let candidates = self.candidates();
        let limits = Limits {
            per_target: 10,
            per_source: 10,
            ..Limits::default()
        };
        let mut workload = Workload::new(limits);
        for (node, chunk, task) in self.tasks() {
            workload.add(&node, &chunk, topology.failure_domain(&node), &task, true);
        }
        let rebalances = self.memory.rebalances && !self.tally.has_lack();
        let mut imbalance = if self.tally.has_lack() {
            Imbalance::default()
        } else {
            Imbalance::of(&candidates, rebalances)
        };
        self.memory.rebalances = !imbalance.is_even();
        let policy = self.policy();
        let mut tally = Tally::default();
        let mut promised = BTreeMap::new();
        let chunks = self.chunk_rows();
        for page in chunks.chunks(PAGE) {
            let round = Round {
                nodes: &nodes,
                topology: &topology,
                policy: &policy,
                placement: SPREAD,
                trim_after: Millis::from_seconds(3_600),
                now: self.now,
                seed: self.seed(),
                promised: &promised,
            };
            let plan = plan(page, &round, &mut workload, &mut self.memory, &mut imbalance);
            for (node, bytes) in &plan.promises {
                let sum: &mut ByteSize = promised.entry(node.clone()).or_default();
                *sum = sum.plus(*bytes);
            }
            tally.add(&plan.tally);
            let wanted = policy.wanted as u32;
            let time = TASK_TIME;
            self.apply(Command::AssignReplicas(AssignReplicas {
                copies: plan.copies,
                wanted,
                time,
            }));
            self.apply(Command::TrimCopies(TrimCopies {
                copies: plan.trims,
                wanted,
                not_after: self.now.plus(TASK_TIME),
                time,
            }));
            self.apply(Command::ForgetReplicas(ForgetReplicas {
                replicas: plan.forgettable,
                wanted,
                not_after: self.now.plus(TASK_TIME),
            }));
        }
        self.memory.end_pass();
        self.tally = tally;
    }

    fn delete_unreferenced(&mut self) {
        let nodes: BTreeMap<NodeId, NodeRow> =
            self.nodes().into_iter().map(|(id, (row, _))| (id, row)).collect();
        let unreferenced_since = self.now.minus(Millis::from_seconds(3_600));
        let mut copies = Vec::new();
        for (id, row) in self.chunk_rows() {
            if row.is_unreferenced_since_before(unreferenced_since) {
                copies.extend(deletable(&row, &nodes).map(|(node, _)| (id.clone(), node.clone())));
            }
        }
        self.apply(Command::DeleteCopies(DeleteCopies {
            copies,
            unreferenced_since,
            time: TASK_TIME,
        }));
    }

    fn finish_drains(&mut self) {
        let nodes = self.machines.keys().cloned().collect();
        self.apply(Command::FinishDrains(FinishDrains { nodes }));
    }

    /// Every live node does what it was told: fetches from a live source that really has the chunk, or drops its copy.
    fn do_tasks(&mut self) {
        let rows: BTreeMap<ChunkId, ChunkRow> = self.chunk_rows().into_iter().collect();
        for (node, chunk, task) in self.tasks() {
            if !self.machines[&node].alive {
                continue;
            }
            match task.kind {
                TaskKind::Replicate => {
                    let mut sources = rows[&chunk].replicas.iter().map(|replica| &replica.node);
                    let has_it = |source: &&NodeId| {
                        let machine = &self.machines[*source];
                        machine.alive && machine.disk.contains(&chunk)
                    };
                    if sources.any(|source| has_it(&source)) {
                        self.store(&node, &chunk);
                    }
                }
                TaskKind::Delete => {
                    self.check_deletion(&node, &chunk, &rows[&chunk]);
                    self.machines.get_mut(&node).unwrap().disk.remove(&chunk);
                    self.report(&node, &chunk, LocationChange::Remove);
                }
            }
        }
    }

    /// Everybody who can comes back, and nothing more happens until there is nothing to do.
    pub(super) fn heal(&mut self) {
        for machine in 0..self.machines.len() {
            self.come_back(machine, false);
        }
        let removed: Vec<NodeId> = self
            .nodes()
            .into_iter()
            .filter(|(_, (row, _))| row.is_removed())
            .map(|(id, _)| id)
            .collect();
        for node in removed {
            self.register(&node);
        }
        // Twice the hour for which surplus copies are kept, and the grace of what was deleted.
        for _ in 0..120 {
            self.now = self.now.plus(Millis::from_seconds(120));
            self.work();
        }
    }

    pub(super) fn is_silent(&self, node: &NodeRow) -> bool {
        matches!(node.observed, Observed::Inactive { .. })
    }
}

/// Copies are spread over failure domains.
pub(super) const SPREAD: crate::placement::Policy = crate::placement::Policy {
    geographic_spread: true,
};
