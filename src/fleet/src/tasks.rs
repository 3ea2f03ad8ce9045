//! Tasks as they come in heartbeat replies: one JSON object each, read into a type. Pure; nothing is carried
//! out here.

use bytesize::ByteSize;
use serde::Deserialize;

use crate::chunk_id::ChunkId;

/// A task's id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct TaskId(String);

/// Something a node is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Tells the same task handed out again from another one.
    pub id: TaskId,
    /// The chunk it is about.
    pub chunk: ChunkId,
    /// What to do with the chunk.
    pub action: Action,
}

/// What a task asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Fetch the chunk from a source and store it.
    Replicate {
        /// The chunk's length.
        size: ByteSize,
        /// The nodes said to hold it.
        sources: Vec<Source>,
    },
    /// Drop the local copy.
    Delete,
}

/// A node that a chunk can be fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Source {
    /// The node's id.
    #[serde(default)]
    pub node_id: String,
    /// Where it listens; empty when it told no address.
    #[serde(default)]
    pub address: String,
}

/// Why a task could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Not the JSON object that was agreed on.
    #[error("not a task: {source}: {text}")]
    Malformed {
        /// What the JSON reader objects to.
        source: serde_json::Error,
        /// The task as it came.
        text: String,
    },
    /// A type other than `replicate` and `delete`.
    #[error("unknown task type {0:?}")]
    UnknownType(String),
}

#[derive(Deserialize)]
struct Wire {
    id: TaskId,
    #[serde(rename = "type")]
    kind: String,
    chunk_id: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    sources: Vec<Source>,
}

/// Reads one entry of `NodeHeartbeatResponse.tasks`. Keys it does not need are skipped, so that new ones do
/// no harm.
///
/// # Errors
/// When the text is no task object, or its type is unknown.
pub fn parse(text: &str) -> Result<Task, TaskError> {
    let Wire {
        id,
        kind,
        chunk_id,
        size,
        sources,
    } = serde_json::from_str(text).map_err(|source| TaskError::Malformed {
        source,
        text: text.chars().take(200).collect(),
    })?;
    let action = match kind.as_str() {
        "replicate" => Action::Replicate {
            size: ByteSize::b(size),
            sources,
        },
        "delete" => Action::Delete,
        _ => return Err(TaskError::UnknownType(kind)),
    };
    Ok(Task {
        id,
        chunk: ChunkId::from(chunk_id.as_str()),
        action,
    })
}

#[cfg(test)]
mod tests {
    use super::{Action, Source, TaskError, parse};

    #[test]
    fn a_replicate_task_is_read() {
        let task = parse(
            r#"{"id":"t1","type":"replicate","chunk_id":"c1","hash":"h1","size":4096,
                "sources":[{"node_id":"n1","address":"10.0.0.1:7000"}],"deadline":1700000000,"added":true}"#,
        )
        .unwrap();
        assert_eq!(task.chunk.to_string(), "c1");
        let source = Source {
            node_id: "n1".to_owned(),
            address: "10.0.0.1:7000".to_owned(),
        };
        assert_eq!(
            task.action,
            Action::Replicate {
                size: bytesize::ByteSize::b(4096),
                sources: vec![source]
            }
        );
    }

    #[test]
    fn a_delete_task_needs_no_sources() {
        let task = parse(r#"{"id":"t2","type":"delete","chunk_id":"c1","deadline":1}"#).unwrap();
        assert_eq!(task.action, Action::Delete);
    }

    #[test]
    fn what_is_no_task_is_refused() {
        assert!(matches!(parse("{"), Err(TaskError::Malformed { .. })));
        assert!(matches!(
            parse(r#"{"type":"delete","chunk_id":"c"}"#),
            Err(TaskError::Malformed { .. })
        ));
        let negative = r#"{"id":"t","type":"replicate","chunk_id":"c","size":-1}"#;
        assert!(matches!(parse(negative), Err(TaskError::Malformed { .. })));
        let unknown = r#"{"id":"t","type":"verify","chunk_id":"c"}"#;
        assert!(matches!(parse(unknown), Err(TaskError::UnknownType(kind)) if kind == "verify"));
    }
}
