//! A connection that breaks when a commit was sent and not yet answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use zephyrfs_core::command::{DeleteFile, UnregisterNode};
use zephyrfs_core::engine::{At, Engine as _, EngineError};
use zephyrfs_core::id::{FileId, NodeId};
use zephyrfs_core::{Command, Proposal, Rejection, Response};

use super::support::{
    PATIENCE, counted, database, eventually, file, leader, node, proposal, register_nodes, sql, start,
    start_with,
};
use super::ways::{Held, Plan, unsteady_way};
use crate::PostgresEngine;

/// Each second time an answer is lost. The keeper commits too, so the plan is not always for whom it was made.
fn lose_one(plan: &Plan, number: usize) {
    let commits = if number.is_multiple_of(2) {
        &plan.answers_to_lose
    } else {
        &plan.commits_to_lose
    };
    commits.store(1, Ordering::SeqCst);
}

/// Does something over an unsteady way. While the instance is cut off for a moment, writes are refused at once: then nothing was
/// lost, and it is done again.
async fn done(engine: &PostgresEngine, command: impl Fn() -> Proposal) -> Response {
    let began = Instant::now();
    loop {
        match engine.execute(command(), PATIENCE).await {
            Ok(answer) => return answer.value,
            Err(EngineError::Unavailable { .. }) => {
                assert!(began.elapsed() < PATIENCE);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_is_done_once_and_answered() {
    let (url, plan) = unsteady_way(&database("lost")).await;
    let (own, counts) = counted(&url, "one");
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    for number in 0..20 {
        let id = format!("f{number}");
        lose_one(&plan, number);
        done(&engine, || file(&id, 2)).await;
        // Had this been done and were it decided anew, there would be no such file.
        lose_one(&plan, number);
        let delete = || {
            let file = FileId::from(id.as_str());
            proposal(Command::DeleteFile(DeleteFile { file }))
        };
        assert_eq!(done(&engine, delete).await, Response::FileDeleted);
    }
    // Otherwise nothing was shown.
    assert!(counts.lost_connections() > 0, "no commit of a file was cut");
    assert_eq!(sql("lost", "SELECT count(*) FROM files"), "0");
    let events = sql("lost", "SELECT count(*) FROM events WHERE NOT about_nodes");
    assert_eq!(events, "40", "each was written once");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_shares_no_transaction_is_done_once_and_answered_as_well() {
    let (url, plan) = unsteady_way(&database("lost_alone")).await;
    let (own, counts) = counted(&url, "one");
    let engine = start_with(own).await;
    for number in 0..20 {
        lose_one(&plan, number);
        let id = format!("n{number}");
        let registered = done(&engine, || node(&id)).await;
        // Had this been done and were it decided anew, the node would be known.
        assert!(
            matches!(registered, Response::NodeRegistered { known: false, .. }),
            "{registered:?}"
        );
    }
    assert!(counts.lost_connections() > 0, "no commit of a node was cut");
    let events = sql("lost_alone", "SELECT count(*) FROM events WHERE about_nodes");
    assert_eq!(events, "20", "each was written once");
    engine.stop().await;
}

/// Registers a file, and answers what is told in the end when the commit is kept back, the nodes for the file go meanwhile, and
/// then the commit becomes what is `held`.
async fn register_while_nodes_go(name: &str, held: Held) -> Result<At<Response>, EngineError> {
    let url = database(name);
    // Only who leads commits of its own accord: the one whose commits are kept back does not.
    let other = start(&url, "other").await;
    leader(&[&other]).await;
    register_nodes(&other).await;
    // A file of chunks of which one is known takes a transaction, which keeps its rows locked until its end is known.
    let mut first = file("f", 1);
    if let Command::RegisterFile(register) = &mut first.command {
        register.file = FileId::from("first");
    }
    other.execute(first, PATIENCE).await.unwrap();
    let (way, plan) = unsteady_way(&url).await;
    let (own, counts) = counted(&way, "one");
    let retries = || counts.conflicts() + counts.lost_connections();
    let engine = start_with(own).await;

    plan.commits_to_hold.store(1, Ordering::SeqCst);
    let registering = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.execute(file("f", 2), PATIENCE).await }
    });
    eventually("the commit is kept back", || {
        plan.held.load(Ordering::SeqCst) == 1
    })
    .await;
    for node in ["n1", "n2", "n3"] {
        let gone = proposal(Command::UnregisterNode(UnregisterNode {
            node: NodeId::from(node),
            reason: "gone".to_owned(),
        }));
        other.execute(gone, PATIENCE).await.unwrap();
    }
    // From here on the rules refuse the file; an attempt that began before may still come to its end.
    let before = retries();
    eventually("it was tried again", || {
        registering.is_finished() || retries() >= before + 2
    })
    .await;
    assert!(
        !registering.is_finished(),
        "nothing can be said while the first commit may still be done: {:?}",
        registering.await
    );
    plan.held_are.send_replace(held);
    let answer = registering.await.unwrap();
    engine.stop().await;
    other.stop().await;
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn no_refusal_is_told_while_an_earlier_commit_may_still_be_done() {
    let answer = register_while_nodes_go("late", Held::HandedOver).await;
    assert!(
        matches!(
            &answer,
            Ok(At {
                value: Response::FileRegistered { .. },
                ..
            })
        ),
        "{answer:?}"
    );
    assert_eq!(sql("late", "SELECT count(*) FROM files"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_once_the_earlier_commit_can_not_be_done_any_more() {
    let answer = register_while_nodes_go("never", Held::Lost).await;
    assert!(
        matches!(
            &answer,
            Err(EngineError::Rejected {
                rejection: Rejection::PlacementStale { .. },
                ..
            })
        ),
        "{answer:?}"
    );
    assert_eq!(sql("never", "SELECT count(*) FROM files"), "1");
    let ruled_out = "SELECT count(*) FROM events WHERE totals_delta = '{}'";
    assert_eq!(sql("never", ruled_out), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_ruled_out_stays_so_and_what_was_written_cannot_be() {
    let engine = start(&database("ruled_out"), "one").await;
    register_nodes(&engine).await;
    let never = file("never", 1);
    // The second finds what the first did, as after a lost answer.
    assert!(engine.rules_out(never.id).await);
    assert!(engine.rules_out(never.id).await);
    let written = file("written", 1);
    let id = written.id;
    engine.execute(written, PATIENCE).await.unwrap();
    assert!(!engine.rules_out(id).await);
    engine.stop().await;
}
