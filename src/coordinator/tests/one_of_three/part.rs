//! An engine of one of three replicas, `a`, whose fellows `b` and `c` are only played: rows are those of the in-memory
//! model, and who leads and what becomes of requests is what the test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use zephyrfs_core::engine::{
    At, BeatingNode, ChunkScan, ClusterChange, ClusterError, Consistency, EngineError, EngineStatus, Events,
    EventsError, Freshness, Member, NodeWithBeat, Page, ScanCursor, StorageReport, TaskKey,
};
use zephyrfs_core::event::{Change, ClusterChanged, EventGroup};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::model::Model;
use zephyrfs_core::row::{BeatRow, ChunkRow, FileRow, RequestRow, Row, TaskRow};
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Engine, Envelope, Proposal, ReadSet, Response, Totals, View};

/// The time at which everything happens.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// What a test says of the replicas.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// Who leads.
    pub(crate) leader: Option<&'static str>,
    /// The term.
    pub(crate) term: u64,
    /// Where clients reach the leader.
    pub(crate) leader_address: Option<&'static str>,
    /// Why this replica should not be asked.
    pub(crate) not_ready: Option<&'static str>,
    /// Whether reads wait for a leader, for as long as anybody wants.
    pub(crate) waits_for_leader: bool,
    /// Whether writes are handed over and never answered.
    pub(crate) loses_writes: bool,
    /// Whether a scan of all chunks never comes to the second page.
    pub(crate) scans_forever: bool,
    /// Whether writes are refused at once.
    pub(crate) refuses_writes: bool,
    /// What changed up to this index is forgotten.
    pub(crate) forgotten: u64,
    /// Whether something changes at every index, and nobody ever has everything.
    pub(crate) chatters: bool,
    /// What becomes of a change of members.
    pub(crate) change: Result<&'static str, ClusterError>,
}

/// The engine.
pub(crate) struct Part {
    model: Mutex<(Model, u64)>,
    events: Mutex<Vec<Arc<EventGroup>>>,
    script: Mutex<Script>,
    /// Each change that was asked for, with the time it was given.
    changes: Mutex<Vec<(ClusterChange, Duration)>>,
    /// Notified by every read that waits for a leader.
    waits: Notify,
}

impl Part {
    /// A follower of `b` that has no rows yet.
    pub(crate) fn following() -> Self {
        Self {
            model: Mutex::default(),
            events: Mutex::default(),
            script: Mutex::new(Script {
                leader: Some("b"),
                term: 3,
                leader_address: Some("b.example:8080"),
                not_ready: None,
                waits_for_leader: false,
                loses_writes: false,
                scans_forever: false,
                refuses_writes: false,
                forgotten: 0,
                chatters: false,
                change: Ok("done"),
            }),
            changes: Mutex::default(),
            waits: Notify::new(),
        }
    }

    /// Returns when a read has begun to wait for a leader.
    pub(crate) async fn until_someone_waits(&self) {
        self.waits.notified().await;
    }

    /// Tells it another part of its role.
    pub(crate) fn play(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// The changes of members that were asked for.
    pub(crate) fn changes(&self) -> Vec<(ClusterChange, Duration)> {
        self.changes.lock().unwrap().clone()
    }

    fn script(&self) -> Script {
        self.script.lock().unwrap().clone()
    }

    fn read<T>(&self, read: impl FnOnce(&Model) -> T) -> At<T> {
        let model = self.model.lock().unwrap();
        At {
            index: AppliedIndex::new(model.1),
            value: read(&model.0),
        }
    }

    /// Refuses what needs a leader while there is none, and waits for an index that never comes.
    async fn freshen(&self, freshness: Freshness) -> Result<(), EngineError> {
        let script = self.script();
        if freshness.consistency != Consistency::Local && script.leader.is_none() {
            if script.waits_for_leader {
                self.waits.notify_one();
                std::future::pending::<()>().await;
            }
            return Err(no_leader());
        }
        if freshness
            .at_least
            .is_some_and(|index| index > self.totals().index)
        {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

fn group(index: AppliedIndex, changes: Vec<Change>) -> Arc<EventGroup> {
    Arc::new(EventGroup {
        index,
        at: NOW,
        changes: changes.into(),
    })
}

fn no_leader() -> EngineError {
    EngineError::Unavailable {
        reason: "there is no leader".to_owned(),
    }
}

#[async_trait]
impl Engine for Part {
    async fn execute(&self, proposal: Proposal, within: Duration) -> Result<At<Response>, EngineError> {
        let script = self.script();
        if script.refuses_writes {
            return Err(no_leader());
        }
        if script.loses_writes {
            tokio::time::sleep(within).await;
            return Err(EngineError::UnknownOutcome {
                reason: "the leader did not answer".to_owned(),
            });
        }
        if script.leader.is_none() {
            tokio::time::sleep(within).await;
            return Err(no_leader());
        }
        let mut model = self.model.lock().unwrap();
        model.1 += 1;
        let index = AppliedIndex::new(model.1);
        let envelope = Envelope {
            proposed_at: NOW,
            proposal,
        };
        let applied = model.0.apply(&envelope, index);
        if !model.0.changes().is_empty() {
            let changes = model.0.changes().to_vec();
            self.events.lock().unwrap().push(group(index, changes));
        }
        match applied {
            Ok(value) => Ok(At { index, value }),
            Err(rejection) => Err(EngineError::Rejected { rejection, index }),
        }
    }

    async fn view(&self, reads: ReadSet, freshness: Freshness) -> Result<At<View>, EngineError> {
        self.freshen(freshness).await?;
        Ok(self.read(|model| model.view(&reads)))
    }

    async fn nodes(&self, freshness: Freshness) -> Result<At<Vec<(NodeId, NodeWithBeat)>>, EngineError> {
        self.freshen(freshness).await?;
        let At { index, value: rows } = self.read(Model::rows);
        let beat_of = |id: &NodeId| -> Option<BeatRow> {
            rows.iter().find_map(|row| match row {
                Row::Beat(node, beat) if node == id => Some(*beat),
                _ => None,
            })
        };
        let nodes = rows.iter().filter_map(|row| match row {
            Row::Node(id, node) => Some((id.clone(), (Arc::new(node.clone()), beat_of(id)))),
            _ => None,
        });
        let value = nodes.collect();
        Ok(At { index, value })
    }

    async fn beating(&self, nodes: &[NodeId]) -> Result<At<Vec<Option<BeatingNode>>>, EngineError> {
        let reads = ReadSet {
            nodes: nodes.to_vec(),
            node_tasks: nodes.iter().map(|id| (id.clone(), usize::MAX)).collect(),
            ..ReadSet::default()
        };
        let At { index, value: view } = self.read(|model| model.view(&reads));
        let beating = |id: &NodeId| {
            view.nodes.get(id).map(|row| BeatingNode {
                row: Arc::clone(row),
                beat: view.beats.get(id).copied(),
                tasks: view.tasks.keys().filter(|(node, _)| node == id).count(),
            })
        };
        let value = nodes.iter().map(beating).collect();
        Ok(At { index, value })
    }

    async fn due_nodes(&self, _: Timestamp, _: Timestamp) -> Result<Vec<NodeId>, EngineError> {
        Ok(Vec::new())
    }

    async fn files(
        &self,
        _: Option<FileId>,
        limit: usize,
        freshness: Freshness,
    ) -> Result<At<Page<FileId, FileRow>>, EngineError> {
        self.freshen(freshness).await?;
        Ok(self.read(|model| {
            let files = model.rows().into_iter().filter_map(|row| match row {
                Row::File(id, file) => Some((id, file)),
                _ => None,
            });
            Page {
                items: files.take(limit).collect(),
                next: None,
            }
        }))
    }

    async fn unreferenced_chunks(
        &self,
        _: Option<ChunkId>,
        _: usize,
    ) -> Result<Page<ChunkId, ChunkRow>, EngineError> {
        let (items, next) = (Vec::new(), None);
        Ok(Page { items, next })
    }

    async fn scan_chunks(&self, cursor: Option<ScanCursor>, _: usize) -> Result<ChunkScan, EngineError> {
        if cursor.is_some() {
            std::future::pending::<()>().await;
        }
        let rows = self.read(Model::rows).value.into_iter();
        let items = rows.filter_map(|row| match row {
            Row::Chunk(id, chunk) => Some((id, chunk)),
            _ => None,
        });
        Ok(ChunkScan {
            items: items.collect(),
            next: self.script().scans_forever.then(|| ScanCursor::new(Vec::new())),
        })
    }

    async fn tasks(
        &self,
        _: Option<NodeId>,
        _: Option<TaskKey>,
        _: usize,
        freshness: Freshness,
    ) -> Result<At<Page<TaskKey, TaskRow>>, EngineError> {
        self.freshen(freshness).await?;
        let (items, next) = (Vec::new(), None);
        Ok(self.read(|_| Page { items, next }))
    }

    async fn requests(&self, _: Option<String>, _: usize) -> Result<Page<String, RequestRow>, EngineError> {
        let (items, next) = (Vec::new(), None);
        Ok(Page { items, next })
    }

    async fn releases(&self, _: usize) -> Result<Vec<RequestId>, EngineError> {
        Ok(Vec::new())
    }

    async fn events(
        &self,
        after: AppliedIndex,
        limit: usize,
        within: Duration,
    ) -> Result<Events, EventsError> {
        let until = tokio::time::Instant::now() + within;
        loop {
            let script = self.script();
            if after.get() < script.forgotten {
                let oldest = AppliedIndex::new(script.forgotten);
                return Err(EventsError::TooOld { oldest });
            }
            if script.chatters {
                let indexes = (after.get() + 1..).take(limit).map(AppliedIndex::new);
                let groups: Vec<_> = indexes
                    .map(|index| {
                        let term = index.get();
                        group(index, vec![Change::Cluster(ClusterChanged::TermBegan { term })])
                    })
                    .collect();
                let through = groups[groups.len() - 1].index;
                return Ok(Events { groups, through });
            }
            let index = self.totals().index;
            let mut groups = self.events.lock().unwrap().clone();
            groups.retain(|group| group.index > after);
            if !groups.is_empty() || tokio::time::Instant::now() >= until {
                let through = after.max(index);
                return Ok(Events { groups, through });
            }
            tokio::time::sleep(Duration::from_millis(5).min(within)).await;
        }
    }

    fn totals(&self) -> At<Totals> {
        self.read(|model| *model.totals())
    }

    fn registry_version(&self) -> u64 {
        self.totals().index.get()
    }

    fn status(&self) -> EngineStatus {
        let script = self.script();
        let applied = self.totals().index;
        let leads = script.leader == Some("a");
        let member = |name: &str, voter, healthy, lag| Member {
            name: name.to_owned(),
            raft_id: name.bytes().map(u64::from).sum(),
            voter,
            address: format!("{name}.example:8092"),
            healthy,
            lag,
        };
        EngineStatus {
            engine: "raft",
            cluster_id: "cluster".to_owned(),
            leader: script.leader.map(str::to_owned),
            leader_address: script.leader_address.map(str::to_owned),
            leads,
            term: script.term,
            committed: applied,
            applied,
            failure_tolerance: 1,
            members: vec![
                member("a", true, true, 0),
                member("b", true, true, 2),
                member("c", true, false, 40),
                member("d", false, true, 900),
            ],
            not_ready: script.not_ready.map(str::to_owned),
            failed: None,
        }
    }

    fn leader_address(&self) -> Option<Arc<str>> {
        self.script().leader_address.map(Arc::from)
    }

    async fn change_cluster(&self, change: ClusterChange, within: Duration) -> Result<String, ClusterError> {
        self.changes.lock().unwrap().push((change, within));
        self.script().change.map(str::to_owned)
    }

    async fn storage(&self) -> Result<StorageReport, EngineError> {
        Ok(StorageReport {
            bytes_on_disk: Vec::new(),
            rows: Vec::new(),
        })
    }

    async fn dump(&self, _: &mut (dyn FnMut(Row) -> bool + Send)) -> Result<AppliedIndex, EngineError> {
        Ok(self.totals().index)
    }

    fn now(&self) -> Timestamp {
        NOW
    }
}
