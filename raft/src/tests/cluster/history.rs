//! Whether what clients were told can be true: every answer against the log that the replicas agree on.
//!
//! Every answer carries the index where it took effect or was read, so that nothing has to be searched: the log is the one
//! order, and real time must agree with it. So must what those are told who watch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::storage::RaftLogStorage;
use openraft::{EntryPayload, RaftLogReader};
use zephyrfs_core::engine::{Consistency, Engine};
use zephyrfs_core::id::{FileId, RequestId};
use zephyrfs_core::model::Model;
use zephyrfs_core::row::{FileRow, Row};
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{Envelope, ReadSet, Rejection, Response};

use super::replicas::{Replica, World};
use super::told::Told;
use super::workload::{Call, Done, Written};

/// Replicas that are not disturbed are equally far after so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The committed log of a replica, and the rows that it made of it.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) index: AppliedIndex,
    /// By index: term, and the command if it is one.
    pub(super) log: BTreeMap<u64, (u64, Option<Envelope>)>,
    /// Every row, encoded, in no order.
    pub(super) rows: BTreeSet<Vec<u8>>,
    told: Told,
}

fn encode(row: &Row) -> Vec<u8> {
    bincode::serde::encode_to_vec(row, bincode::config::standard()).unwrap()
}

impl Outcome {
    /// Of a replica that nobody writes to.
    async fn of(replica: &Replica) -> Self {
        let mut rows = BTreeSet::new();
        let index = replica.dump(&mut |row| rows.insert(encode(&row))).await.unwrap();
        let mut log = replica.log.clone();
        let mut reader = log.get_log_reader().await;
        let entries = reader.try_get_log_entries(0..=index.get()).await.unwrap();
        let log = entries.into_iter().map(|entry| {
            let command = match &entry.payload {
                EntryPayload::Normal(command) => Some(command.envelope().clone()),
                EntryPayload::Blank | EntryPayload::Membership(_) => None,
            };
            (entry.log_id.index, (entry.log_id.leader_id.term, command))
        });
        Self {
            index,
            log: log.collect(),
            rows,
            told: Told::by(replica).await,
        }
    }

    /// What all replicas that run agree on, once they are equally far.
    pub(super) async fn of_all(world: &World) -> Self {
        let names = world.running();
        world
            .until("all replicas have applied the same", PATIENCE, |world| {
                let applied = |name: &String| world.status(name).applied;
                names.iter().all(|name| applied(name) == applied(&names[0]))
            })
            .await;
        let mut outcomes = Vec::new();
        for name in names {
            let outcome = world.on(&name, |engine| Box::pin(async move { Self::of(&engine).await }));
            outcomes.push(outcome.await.unwrap());
        }
        Self::agreed(outcomes)
    }

    /// What replicas have come to, which must be the same. A log may begin later than another: a replica that lost the end of
    /// its log, and not the rows that it made of it, begins anew after them.
    fn agreed(outcomes: Vec<Self>) -> Self {
        let mut outcomes = outcomes.into_iter();
        let mut agreed = outcomes.next().unwrap();
        for other in outcomes {
            assert_eq!(other.index, agreed.index, "two replicas are not equally far");
            assert!(other.rows == agreed.rows, "two replicas have other rows");
            for (index, entry) in other.log {
                let known = agreed.log.entry(index).or_insert_with(|| entry.clone());
                assert_eq!(*known, entry, "two replicas have something else at {index}");
            }
            agreed.told = agreed.told.agreed(other.told);
        }
        let known = agreed.log.keys().copied();
        assert!(
            known.eq(0..=agreed.index.get()),
            "no replica has the whole log, so there is no verdict"
        );
        agreed
    }

    /// Holds what clients were told against what became of it.
    pub(super) fn explain(&self, calls: &[Call]) {
        self.assert_once(calls);
        let mut replay = Replay::new(self);
        self.assert_answers(calls, &mut replay);
        assert_real_time(calls);
        assert_eq!(
            replay.rows(),
            self.rows,
            "the rows are not those that the log makes"
        );
    }

    /// No command is in the log twice, unless the rules themselves see to it; none that was refused is there at all.
    fn assert_once(&self, calls: &[Call]) {
        let mut found: BTreeMap<RequestId, u64> = BTreeMap::new();
        for (index, envelope) in self.commands() {
            let id = envelope.proposal.id;
            if envelope.proposal.idempotency.is_some() {
                found.insert(id, index);
                continue;
            }
            let before = found.insert(id, index);
            assert_eq!(before, None, "{id:?} took effect twice, again at {index}");
        }
        for call in calls {
            if let Done::Wrote {
                id,
                outcome: Written::Refused(reason),
                ..
            } = &call.done
            {
                assert!(
                    !found.contains_key(id),
                    "{id:?} was refused ({reason}) and took effect: {call:?}"
                );
            }
        }
    }

    fn assert_answers(&self, calls: &[Call], replay: &mut Replay<'_>) {
        let mut by_index: Vec<(AppliedIndex, &Call)> = calls
            .iter()
            .filter_map(|call| match &call.done {
                Done::Wrote {
                    outcome: Written::Decided(index, _),
                    ..
                } => Some((*index, call)),
                Done::Read { index, .. } => Some((*index, call)),
                Done::Wrote { .. } => None,
            })
            .collect();
        by_index.sort_by_key(|(index, _)| *index);
        for (index, call) in by_index {
            assert!(
                index <= self.index,
                "an answer of {index}, and the log ends at {}: {call:?}",
                self.index
            );
            replay.to(index);
            match &call.done {
                Done::Wrote {
                    id,
                    outcome: Written::Decided(_, result),
                    ..
                } => {
                    let (there, came) = replay
                        .last
                        .as_ref()
                        .unwrap_or_else(|| panic!("nothing at {index}: {call:?}"));
                    assert_eq!((there, came), (id, result), "at {index} stands something else");
                }
                Done::Read {
                    freshness, file, row, ..
                } => {
                    assert_eq!(&replay.file(file), row, "read at {index}: {call:?}");
                    assert!(
                        freshness.at_least <= Some(index),
                        "older than asked for: {call:?}"
                    );
                }
                Done::Wrote { .. } => {}
            }
        }
    }

    pub(super) fn commands(&self) -> impl Iterator<Item = (u64, &Envelope)> {
        self.log
            .iter()
            .filter_map(|(index, (_, command))| Some((*index, command.as_ref()?)))
    }
}

/// What began after something ended comes after it in the log.
fn assert_real_time(calls: &[Call]) {
    let mut ended: Vec<(&Call, AppliedIndex)> = Vec::new();
    let mut begun: Vec<(&Call, AppliedIndex)> = Vec::new();
    for call in calls {
        match &call.done {
            Done::Wrote {
                outcome: Written::Decided(index, _),
                ..
            } => {
                ended.push((call, *index));
                begun.push((call, *index));
            }
            Done::Read { freshness, index, .. } if freshness.consistency != Consistency::Local => {
                ended.push((call, *index));
                begun.push((call, *index));
            }
            Done::Read { .. } | Done::Wrote { .. } => {}
        }
    }
    ended.sort_by_key(|(call, _)| call.ended);
    begun.sort_by_key(|(call, _)| call.began);
    let mut ended = ended.into_iter().peekable();
    let mut newest: Option<(&Call, AppliedIndex)> = None;
    for (call, index) in begun {
        while let Some(before) = ended.next_if(|(before, _)| before.ended < call.began) {
            if newest.is_none_or(|(_, index)| index < before.1) {
                newest = Some(before);
            }
        }
        let Some((before, at_least)) = newest else {
            continue;
        };
        let is_write = matches!(call.done, Done::Wrote { .. });
        let is_in_order = if is_write {
            index > at_least
        } else {
            index >= at_least
        };
        assert!(
            is_in_order,
            "{call:?}\n comes before \n{before:?}\n which had ended when it began"
        );
    }
}

/// The log, applied by the rules alone.
struct Replay<'a> {
    outcome: &'a Outcome,
    model: Model,
    at: u64,
    /// The command at this index, and what came of it.
    last: Option<(RequestId, Result<Response, Rejection>)>,
}

impl<'a> Replay<'a> {
    fn new(outcome: &'a Outcome) -> Self {
        Self {
            outcome,
            model: Model::default(),
            at: 0,
            last: None,
        }
    }

    fn to(&mut self, index: AppliedIndex) {
        let to = index.get();
        if to <= self.at {
            return;
        }
        for (index, (term, command)) in self.outcome.log.range(self.at + 1..=to) {
            self.last = command.as_ref().map(|envelope| {
                let result = self.model.apply(envelope, AppliedIndex::new(*index));
                (envelope.proposal.id, result)
            });
            let (before, _) = self.outcome.log[&(index - 1)];
            let began = (before != *term).then_some(*term);
            let changes = self.last.as_ref().map(|_| self.model.changes().to_vec());
            self.outcome
                .told
                .explain(*index, began, changes.unwrap_or_default());
        }
        self.at = to;
    }

    fn file(&self, id: &FileId) -> Option<FileRow> {
        let mut view = self.model.view(&ReadSet {
            files: vec![id.clone()],
            ..ReadSet::default()
        });
        view.files.remove(id)
    }

    fn rows(&mut self) -> BTreeSet<Vec<u8>> {
        self.to(self.outcome.index);
        self.model.rows().iter().map(encode).collect()
    }
}
