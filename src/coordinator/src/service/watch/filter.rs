//! Which changes a watcher wants.

use std::collections::BTreeSet;

use zephyrfs_core::event::{Change, ChangeKind, TaskChanged};
use zephyrfs_core::id::TaskId;

use crate::service::error::{InvalidField, ServiceError};
use crate::service::limits::Limits;
use crate::service::validate;

/// Which changes a watcher wants.
#[derive(Debug)]
pub(super) struct Filter {
    /// None: all.
    kinds: BTreeSet<ChangeKind>,
    /// None: all.
    ids: BTreeSet<String>,
    /// Those of the ids that tasks may have.
    tasks: BTreeSet<TaskId>,
}

impl Filter {
    /// As the watcher says it.
    pub(super) fn new(limits: &Limits, kinds: &[String], ids: Vec<String>) -> Result<Self, ServiceError> {
        let kinds = kinds.iter().enumerate().map(|(position, word)| {
            let known = ChangeKind::ALL.into_iter().find(|kind| kind.as_str() == word);
            known.ok_or_else(|| {
                let word = validate::quoted(word);
                let problem = format!("must be node, file, chunk, task or cluster, got {word:?}");
                ServiceError::Invalid(InvalidField::new(format!("kinds[{position}]"), problem))
            })
        });
        let kinds = kinds.collect::<Result<_, _>>()?;
        let max = limits.max_ids_per_watch;
        if ids.len() > max {
            let problem = format!("must be at most {max}, got {}", ids.len());
            return Err(ServiceError::TooLarge(InvalidField::new("ids", problem)));
        }
        let ids: BTreeSet<String> = ids
            .into_iter()
            .enumerate()
            .map(|(position, id)| validate::id(limits, format!("ids[{position}]"), id))
            .collect::<Result<_, _>>()?;
        let tasks = ids.iter().filter_map(|id| id.parse().ok()).collect();
        Ok(Self { kinds, ids, tasks })
    }

    /// Whether the watcher wants a change.
    pub(super) fn passes(&self, change: &Change) -> bool {
        let is_kind = self.kinds.is_empty() || self.kinds.contains(&change.kind());
        is_kind && (self.ids.is_empty() || self.names(change))
    }

    fn names(&self, change: &Change) -> bool {
        match change {
            Change::Cluster(_) => false,
            Change::Node(id, _) => self.ids.contains(id.as_str()),
            Change::File(id, _) => self.ids.contains(id.as_str()),
            Change::Chunk(id, _) => self.ids.contains(id.as_str()),
            Change::Task(node, chunk, change) => {
                let (TaskChanged::Made { id, .. }
                | TaskChanged::Renewed { id, .. }
                | TaskChanged::Ended { id, .. }) = change;
                self.ids.contains(node.as_str())
                    || self.ids.contains(chunk.as_str())
                    || self.tasks.contains(id)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::event::{Change, ChunkChanged, ClusterChanged, FileChanged, NodeChanged, TaskChanged};
    use zephyrfs_core::id::TaskId;
    use zephyrfs_core::row::TaskKind;

    use super::Filter;
    use crate::service::error::ServiceError;
    use crate::service::limits::Limits;

    const TASK: &str = "30313233343536373839616263646566";

    fn changes() -> [Change; 5] {
        let ended = TaskChanged::Ended {
            id: TaskId::from_bytes(*b"0123456789abcdef"),
            kind: TaskKind::Delete,
        };
        [
            Change::Cluster(ClusterChanged::TermBegan { term: 2 }),
            Change::Node("n".into(), NodeChanged::Updated),
            Change::File("f".into(), FileChanged::Deleted),
            Change::Chunk("c".into(), ChunkChanged::Deleted),
            Change::Task("n".into(), "c".into(), ended),
        ]
    }

    fn filter(kinds: &[&str], ids: &[&str]) -> Result<Filter, ServiceError> {
        let texts = |texts: &[&str]| -> Vec<String> { texts.iter().map(|text| (*text).to_owned()).collect() };
        Filter::new(&Limits::default(), &texts(kinds), texts(ids))
    }

    #[test]
    fn a_watcher_gets_the_kinds_and_ids_that_it_wants() {
        for (kinds, ids, wanted) in [
            (&[][..], &[][..], "cluster node file chunk task"),
            (&["file", "task"], &[], "file task"),
            (&[], &["n"], "node task"),
            (&[], &["c"], "chunk task"),
            (&[], &["f", TASK], "file task"),
            (&["chunk"], &["c", "n"], "chunk"),
            (&["cluster"], &["c"], ""),
            (&[], &["nobody"], ""),
        ] {
            let filter = filter(kinds, ids).unwrap();
            let passed = changes().into_iter().filter(|change| filter.passes(change));
            let words: Vec<&str> = passed.map(|change| change.kind().as_str()).collect();
            assert_eq!(words.join(" "), wanted, "{kinds:?} {ids:?}");
        }
    }

    #[test]
    fn what_cannot_be_wanted_is_refused_by_name() {
        let refused = |kinds, ids| filter(kinds, ids).unwrap_err().to_string();
        assert!(refused(&["node", "disk"], &[]).starts_with("kinds[1]: must be node, file"));
        let endless = filter(&[&"x".repeat(4 << 20)], &[]).unwrap_err().to_string();
        assert!(endless.len() < 200, "{} bytes", endless.len());
        assert!(
            filter(&["node"; 6], &[]).is_ok(),
            "to name one twice changes nothing"
        );
        assert!(refused(&[], &["a", ""]).starts_with("ids[1]: must not be empty"));
        let many = vec!["x"; Limits::default().max_ids_per_watch + 1];
        assert!(matches!(filter(&[], &many), Err(ServiceError::TooLarge(field)) if field.field == "ids"));
    }
}
