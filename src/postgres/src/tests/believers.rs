//! Two instances that both believe to lead, and do the same work at the same time.

use std::sync::Arc;

use futures::future::join_all;
use zephyrfs_core::command::{
    AssignReplicas, CopyPlan, ExpireNodes, LocationChange, TrimCopies, TrimPlan, UpdateChunkLocations,
};
use zephyrfs_core::engine::{Engine as _, Freshness};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::row::{ChunkRow, ReplicaState, TaskReason};
use zephyrfs_core::units::{Millis, Timestamp};
use zephyrfs_core::{Command, ReadSet, Response};

use super::support::{PATIENCE, database, file, node, proposal, start};
use crate::PostgresEngine;

/// So many chunks are fought over: some by the one first, some by the other.
const CHUNKS: u32 = 20;

async fn both(engines: &[Arc<PostgresEngine>; 2], commands: [Command; 2]) -> Vec<Response> {
    let work = engines.iter().zip(commands).map(|(engine, command)| async move {
        engine.execute(proposal(command), PATIENCE).await.unwrap().value
    });
    join_all(work).await
}

async fn chunk(engine: &PostgresEngine, id: &ChunkId) -> ChunkRow {
    let reads = ReadSet {
        chunks: vec![id.clone()],
        ..ReadSet::default()
    };
    let view = engine.view(reads, Freshness::default()).await.unwrap();
    view.value.chunks[id].clone()
}

fn stored(row: &ChunkRow) -> usize {
    let stored = row
        .replicas
        .iter()
        .filter(|replica| replica.state == ReplicaState::Stored);
    stored.count()
}

async fn say(engine: &PostgresEngine, chunk: &ChunkId, nodes: &[&str], change: LocationChange) {
    let command = Command::UpdateChunkLocations(UpdateChunkLocations {
        chunk: chunk.clone(),
        nodes: nodes.iter().map(|node| NodeId::from(*node)).collect(),
        change,
        max_replicas: 10,
    });
    engine.execute(proposal(command), PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_leaders_do_no_more_than_one_would() {
    let url = database("believers");
    let engines = [start(&url, "one").await, start(&url, "other").await];
    for id in ["n1", "n2", "n3", "n4", "n5"] {
        engines[0].execute(node(id), PATIENCE).await.unwrap();
    }
    engines[0].execute(file("f", CHUNKS), PATIENCE).await.unwrap();
    for number in 0..CHUNKS {
        let id = ChunkId::from(format!("f-{number}"));
        // Two copies are stored and three are wanted: each chooses another node for the third.
        say(&engines[0], &id, &["n1", "n2"], LocationChange::Add).await;
        say(&engines[0], &id, &["n3"], LocationChange::Remove).await;
        let copy = |target: &str| {
            Command::AssignReplicas(AssignReplicas {
                copies: vec![CopyPlan {
                    chunk: id.clone(),
                    target: NodeId::from(target),
                    reason: TaskReason::UnderTarget,
                    source: None,
                    instead_of: None,
                }],
                wanted: 3,
                time: Millis::from_seconds(30),
            })
        };
        let started = both(&engines, [copy("n3"), copy("n4")]).await;
        let count = |response: &Response| match response {
            Response::TasksStarted { started } => *started,
            other => panic!("{other:?}"),
        };
        assert_eq!(started.iter().map(count).sum::<u64>(), 1, "{started:?}");

        // Four are stored: each chooses another one to drop.
        say(&engines[1], &id, &["n3", "n4"], LocationChange::Add).await;
        assert_eq!(stored(&chunk(&engines[0], &id).await), 4);
        let trim = |from: &str| {
            Command::TrimCopies(TrimCopies {
                copies: vec![TrimPlan {
                    chunk: id.clone(),
                    node: NodeId::from(from),
                    reason: TaskReason::Surplus,
                }],
                wanted: 3,
                not_after: Timestamp::from_millis(u64::MAX),
                time: Millis::from_seconds(30),
            })
        };
        let trimmed = both(&engines, [trim("n1"), trim("n2")]).await;
        let count = |response: &Response| match response {
            Response::CopiesTrimmed { trimmed } => *trimmed,
            other => panic!("{other:?}"),
        };
        assert_eq!(trimmed.iter().map(count).sum::<u64>(), 1, "{trimmed:?}");
        assert_eq!(stored(&chunk(&engines[1], &id).await), 3);
    }
    // Both find the same node silent: it is so once.
    let expire = || {
        Command::ExpireNodes(ExpireNodes {
            nodes: vec![NodeId::from("n5")],
            silent_since: Timestamp::from_millis(u64::MAX),
        })
    };
    let expired = both(&engines, [expire(), expire()]).await;
    let count = |response: &Response| match response {
        Response::NodesExpired { inactive, .. } => inactive.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(expired.iter().map(count).sum::<usize>(), 1, "{expired:?}");
    for engine in &engines {
        engine.stop().await;
    }
}
