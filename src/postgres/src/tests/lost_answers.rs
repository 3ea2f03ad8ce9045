//! A connection that breaks when a commit was sent and not yet answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use zephyrfs_core::command::UnregisterNode;
use zephyrfs_core::engine::{At, Engine as _, EngineError};
use zephyrfs_core::id::{FileId, NodeId};
use zephyrfs_core::{Command, Rejection, Response};

use super::support::{
    PATIENCE, database, eventually, file, leader, options, proposal, register_nodes, sql, start, start_with,
};
use super::ways::{Held, unsteady_way};
use crate::Observer;

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_is_done_once_and_answered() {
    let (url, plan) = unsteady_way(&database("lost")).await;
    let engine = start(&url, "one").await;
    register_nodes(&engine).await;
    // The keeper commits too, so more are lost than this write sends.
    for number in 0..20 {
        if number % 2 == 0 {
            plan.answers_to_lose.store(1, Ordering::SeqCst);
        } else {
            plan.commits_to_lose.store(1, Ordering::SeqCst);
        }
        let id = format!("f{number}");
        // While the keeper is cut off for a moment, writes are refused at once: then nothing was lost.
        let began = std::time::Instant::now();
        loop {
            match engine.execute(file(&id, 2), PATIENCE).await {
                Ok(_) => break,
                Err(zephyrfs_core::engine::EngineError::Unavailable { .. }) => {
                    assert!(began.elapsed() < PATIENCE);
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert_eq!(sql("lost", "SELECT count(*) FROM files"), "20");
    let events = sql("lost", "SELECT count(*) FROM events WHERE NOT about_nodes");
    assert_eq!(events, "20", "each was written once");
    engine.stop().await;
}

/// Counts how often something is tried again.
#[derive(Default)]
struct Retries(AtomicU32);

impl Observer for Retries {
    fn ended(&self, _operation: &'static str, _took: Duration, _is_ok: bool) {}
    fn retried(&self, _operation: &'static str, _cause: &'static str) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn connections(&self, _open: u32, _idle: u32) {}
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
    let retries = Arc::new(Retries::default());
    let mut own = options(&way, "one");
    own.observer = Arc::<Retries>::clone(&retries);
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
    let before = retries.0.load(Ordering::SeqCst);
    eventually("it was tried again", || {
        registering.is_finished() || retries.0.load(Ordering::SeqCst) >= before + 2
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
