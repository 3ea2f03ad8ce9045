//! What lies on nodes is counted along, and a drain ends by that count.

use zephyrfs_core::command::{
    FinishDrains, LocationChange, NodeStateChange, SetNodeState, UpdateChunkLocations,
};
use zephyrfs_core::engine::{Engine as _, Freshness};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::row::{AfterDrain, Usage};
use zephyrfs_core::units::ByteSize;
use zephyrfs_core::{Command, ReadSet, Response};

use super::support::{PATIENCE, database, eventually, file, proposal, register_nodes, sql, start};
use crate::PostgresEngine;

/// What the rows say lies on nodes, and what is counted: lines that are in one and not in the other.
pub(super) const MISCOUNTED: &str = "WITH counted AS (SELECT node_id, copies, bytes FROM node_usage \
    WHERE (copies, bytes) <> (0, 0)), lies AS (SELECT node_id, count(*) AS copies, sum(size_bytes) AS bytes FROM chunk_replicas \
    JOIN chunks USING (chunk_id) WHERE state = 'stored' AND home_file_id IS NOT NULL GROUP BY node_id) \
    (TABLE counted EXCEPT TABLE lies) UNION ALL (TABLE lies EXCEPT TABLE counted)";

async fn change(engine: &PostgresEngine, chunk: &str, change: LocationChange) {
    let command = Command::UpdateChunkLocations(UpdateChunkLocations {
        chunk: ChunkId::from(chunk),
        change,
        nodes: vec![NodeId::from("n1")],
        max_replicas: 10,
    });
    engine.execute(proposal(command), PATIENCE).await.unwrap();
}

async fn usage(engine: &PostgresEngine) -> Usage {
    let reads = ReadSet {
        usage: vec![NodeId::from("n1"), NodeId::from("never")],
        ..ReadSet::default()
    };
    let view = engine.view(reads, Freshness::default()).await.unwrap().value;
    assert_eq!(view.usage.len(), 1, "one that is not registered has no answer");
    view.usage[&NodeId::from("n1")]
}

async fn drained(engine: &PostgresEngine) -> Vec<NodeId> {
    let nodes = vec![NodeId::from("n1")];
    let finish = proposal(Command::FinishDrains(FinishDrains { nodes }));
    match engine.execute(finish, PATIENCE).await.unwrap().value {
        Response::DrainsFinished { drained, .. } => drained,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_on_a_node_is_counted_before_and_after_events_have_their_places() {
    let url = database("usage");
    let engine = start(&url, "one").await;
    register_nodes(&engine).await;
    engine.execute(file("f", 2), PATIENCE).await.unwrap();
    // Nobody gives places while somebody else holds the row that says who leads.
    sql(
        "usage",
        "UPDATE coordinator SET leader_epoch = leader_epoch + 1, leader_until = 'infinity'",
    );
    for chunk in ["f-0", "f-1"] {
        change(&engine, chunk, LocationChange::Add).await;
    }
    let both = Usage {
        copies: 2,
        bytes: ByteSize::new(8 << 20),
    };
    assert_eq!(usage(&engine).await, both);
    let placed = "SELECT count(*) FROM events WHERE place IS NULL AND usage_nodes IS NOT NULL";
    assert_eq!(sql("usage", placed), "2", "they have no places yet");
    sql("usage", "UPDATE coordinator SET leader_until = now()");
    eventually("they have places", || sql("usage", placed) == "0").await;
    assert_eq!(usage(&engine).await, both);
    assert_eq!(sql("usage", MISCOUNTED), "");

    let drain = proposal(Command::SetNodeState(SetNodeState {
        node: NodeId::from("n1"),
        change: NodeStateChange::Drain {
            then: AfterDrain::Stay,
        },
    }));
    engine.execute(drain, PATIENCE).await.unwrap();
    assert_eq!(
        sql(
            "usage",
            "SELECT drain_copies, drain_bytes FROM nodes WHERE node_id = 'n1'"
        ),
        "2|8388608"
    );
    change(&engine, "f-0", LocationChange::Remove).await;
    assert_eq!(drained(&engine).await, []);
    change(&engine, "f-1", LocationChange::Remove).await;
    assert_eq!(drained(&engine).await, [NodeId::from("n1")]);
    engine.stop().await;
}
