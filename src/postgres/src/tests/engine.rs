//! Instances over one database: what they answer, and how often they ask.

use zephyrfs_core::command::{DeleteFile, ExpireNodes, NodeStateChange, SetNodeState};
use zephyrfs_core::engine::{Engine as _, EngineError, Freshness};
use zephyrfs_core::id::{FileId, NodeId};
use zephyrfs_core::row::NodeStatus;
use zephyrfs_core::units::{Millis, Timestamp};
use zephyrfs_core::{Command, Idempotency, ReadSet, Rejection, Response};

use super::support::{
    PATIENCE, database, eventually, file, leader, log_of, node, proposal, register_nodes, sql, start,
};

fn one_file(id: &str) -> ReadSet {
    ReadSet {
        file_chunks: vec![(FileId::from(id), 100)],
        replica_nodes: true,
        ..ReadSet::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_instance_answers_from_what_any_of_them_wrote() {
    let url = database("shared");
    let (one, other) = (start(&url, "one").await, start(&url, "other").await);
    register_nodes(&one).await;
    let before = other.registry_version();
    one.execute(node("n4"), PATIENCE).await.unwrap();
    other.execute(file("f", 8), PATIENCE).await.unwrap();
    let view = one.view(one_file("f"), Freshness::default()).await.unwrap().value;
    assert_eq!((view.chunks.len(), view.nodes.len()), (8, 3));
    assert_eq!(one.nodes(Freshness::default()).await.unwrap().value.len(), 4);
    let missing = file("f", 8).command;
    assert_eq!(missing.name(), "register_file");
    for engine in [&one, &other] {
        eventually("all is counted", || {
            let totals = engine.totals().value;
            totals.chunks == 8 && totals.nodes_with(NodeStatus::Active) == 4
        })
        .await;
        let members: Vec<_> = engine
            .status()
            .members
            .into_iter()
            .map(|member| member.name)
            .collect();
        assert_eq!(members.first().map(String::as_str), Some("one"), "{members:?}");
    }
    eventually("the other notices the node", || other.registry_version() > before).await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_rules_is_one_and_a_key_has_one_effect() {
    let url = database("rules");
    let engine = start(&url, "one").await;
    let refused = engine.execute(file("f", 1), PATIENCE).await.unwrap_err();
    assert!(
        matches!(
            &refused,
            EngineError::Rejected {
                rejection: Rejection::PlacementStale { .. },
                ..
            }
        ),
        "{refused:?}"
    );
    register_nodes(&engine).await;
    let mut keyed = file("f", 1);
    keyed.idempotency = Some(Idempotency {
        key: "k".to_owned(),
        fingerprint: zephyrfs_core::row::Fingerprint::from_bytes([1; 32]),
        keep_for: zephyrfs_core::units::Millis::from_seconds(60),
    });
    let first = engine.execute(keyed.clone(), PATIENCE).await.unwrap().value;
    keyed.id = file("f", 1).id;
    let again = engine.execute(keyed.clone(), PATIENCE).await.unwrap().value;
    assert_eq!(first, again);
    assert_eq!(
        sql("rules", "SELECT count(*) FROM events WHERE NOT about_nodes"),
        "1"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_a_file_takes_few_statements() {
    let url = database("statements");
    let engine = start(&url, "one").await;
    register_nodes(&engine).await;
    engine.stop().await;
    sql("postgres", "ALTER DATABASE statements SET log_statement = 'all'");
    let engine = start(&url, "one").await;
    leader(&[&engine]).await;
    // The keeper's own statements come in between: they are told by what they speak of.
    let is_ours = |line: &&String| {
        let of_keeper = [
            "coordinator SET",
            "FROM coordinator\n",
            "instances",
            "WHERE place IS NULL",
            "service_id",
            "leader_epoch",
            "SHOW",
            "statement: SET ",
            "events SET place",
            "count(*) FROM files",
        ];
        // It begins and ends transactions as well, of another kind.
        let is_plain = line.ends_with("statement: BEGIN") || line.ends_with("statement: COMMIT");
        !is_plain
            && (line.contains("statement:") || line.contains("execute "))
            && !of_keeper.iter().any(|words| line.contains(words))
    };
    let of_writing = async |proposal| {
        let before = log_of("statements").len();
        engine.execute(proposal, PATIENCE).await.unwrap();
        let log = || log_of("statements").split_off(before);
        // The server writes its log a moment later.
        eventually("the statements are in the log", || {
            let told = |line: &String| line.contains("INSERT INTO events");
            log().iter().any(told) && sql("statements", "SELECT count(*) FROM files").len() == 1
        })
        .await;
        log().iter().filter(is_ours).cloned().collect::<Vec<_>>()
    };
    let of_new_chunks = of_writing(file("f", 8)).await;
    assert_eq!(of_new_chunks.len(), 2, "{of_new_chunks:#?}");
    // Its chunks are those of the file above.
    let mut shared = file("f", 8);
    if let Command::RegisterFile(register) = &mut shared.command {
        register.file = FileId::from("g");
    }
    let of_known_chunks = of_writing(shared).await;
    // And the commit.
    assert!((5..=9).contains(&of_known_chunks.len()), "{of_known_chunks:#?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_can_read_the_tables() {
    let url = database("people");
    let engine = start(&url, "one").await;
    register_nodes(&engine).await;
    engine.execute(file("f", 2), PATIENCE).await.unwrap();
    let where_is = "SELECT c.chunk_id, string_agg(r.node_id || ' ' || r.state, ', ' ORDER BY position) \
        FROM chunks c JOIN chunk_replicas r USING (chunk_id) WHERE home_file_id = 'f' GROUP BY 1 ORDER BY 1";
    assert_eq!(
        sql("people", where_is),
        "f-0|n1 assigned, n2 assigned, n3 assigned\nf-1|n1 assigned, n2 assigned, n3 assigned"
    );
    let zones = "SELECT capabilities->>'zone', count(*) FROM nodes WHERE wanted = 'in_service' GROUP BY 1";
    assert_eq!(sql("people", zones), "z1|3");
    let response = engine.execute(node("n1"), PATIENCE).await.unwrap().value;
    assert!(
        matches!(&response, Response::NodeRegistered { node, known: true, .. } if *node == NodeId::from("n1")),
        "{response:?}"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_replaced_and_deleted_by_itself() {
    let url = database("together_or_alone");
    let engine = start(&url, "one").await;
    register_nodes(&engine).await;
    for (id, chunks) in [("small", 64), ("large", 65), ("goes", 64), ("stays", 65)] {
        engine.execute(file(id, chunks), PATIENCE).await.unwrap();
    }
    let delete = |id: &str| {
        proposal(Command::DeleteFile(DeleteFile {
            file: FileId::from(id),
        }))
    };
    let batch = vec![
        file("new", 100),
        file("small", 1),
        file("large", 1),
        delete("goes"),
        delete("stays"),
    ];
    assert_eq!(
        engine.leaves_alone(batch).await,
        [false, false, true, false, true]
    );
    let sizes = "SELECT file_id, cardinality(chunk_ids) FROM files ORDER BY 1";
    assert_eq!(
        sql("together_or_alone", sizes),
        "large|65\nnew|100\nsmall|1\nstays|65"
    );
    for alone in [file("large", 1), delete("stays")] {
        engine.execute(alone, PATIENCE).await.unwrap();
    }
    assert_eq!(sql("together_or_alone", sizes), "large|1\nnew|100\nsmall|1");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_due_that_are_silent_or_done_with_maintenance() {
    let url = database("due");
    let engine = start(&url, "one").await;
    let maintain = |id: &str| {
        proposal(Command::SetNodeState(SetNodeState {
            node: NodeId::from(id),
            change: NodeStateChange::Maintain { span: Millis::new(0) },
        }))
    };
    for id in ["both", "heard", "rested", "silent", "silent-before"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
    for id in ["both", "rested"] {
        engine.execute(maintain(id), PATIENCE).await.unwrap();
    }
    sql(
        "due",
        "UPDATE heartbeats SET beat_at = now() - interval '1 hour' WHERE node_id ~ 'both|silent'",
    );
    let minute_ago = Timestamp::from_millis(engine.now().as_millis() - 60_000);
    let silence = Command::ExpireNodes(ExpireNodes {
        nodes: vec![NodeId::from("silent-before")],
        silent_since: minute_ago,
    });
    engine.execute(proposal(silence), PATIENCE).await.unwrap();
    let after = Timestamp::from_millis(engine.now().as_millis() + 60_000);
    let due = engine.due_nodes(minute_ago, after).await.unwrap();
    assert_eq!(due, ["both", "rested", "silent"].map(NodeId::from));
    let later = engine.due_nodes(minute_ago, Timestamp::EPOCH).await.unwrap();
    assert_eq!(
        later,
        ["both", "silent"].map(NodeId::from),
        "while maintenance goes on"
    );
    engine.stop().await;
}
