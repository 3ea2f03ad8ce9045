//! A server that vanishes without a word: connections stay, and nothing comes over them any more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use zephyrfs_core::engine::{Engine as _, EngineError, EventsError, Freshness};
use zephyrfs_core::id::{FileId, NodeId};
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Command, Proposal, ReadSet};

use super::support::{
    PATIENCE, database, eventually, file, node, options, register_nodes, start, start_with,
};
use super::ways::{Plan, unsteady_way, way_with};
use crate::PostgresEngine;

type Outcome = Result<(), EngineError>;

/// A name that nothing has yet.
fn next() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("next-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A write that would have all the time there is.
async fn write(engine: &PostgresEngine, proposal: Proposal) -> Outcome {
    engine.execute(proposal, 2 * PATIENCE).await.map(drop)
}

/// Every read there is, and each way to write, by what it is called.
pub(super) fn asked(engine: &PostgresEngine) -> Vec<(&'static str, BoxFuture<'_, Outcome>)> {
    let fresh = Freshness::default;
    let some = |usage| ReadSet {
        nodes: vec![NodeId::from("n1")],
        usage,
        ..ReadSet::default()
    };
    let now = Timestamp::from_millis(1);
    let (first, second, alone) = (next(), next(), next());
    vec![
        (
            "file",
            Box::pin(async move { write(engine, file(&first, 1)).await }),
        ),
        (
            "another file",
            Box::pin(async move { write(engine, file(&second, 1)).await }),
        ),
        ("node", Box::pin(async move { write(engine, node(&alone)).await })),
        (
            "view of rows",
            Box::pin(async move { engine.view(some(Vec::new()), fresh()).await.map(drop) }),
        ),
        (
            "view of one state",
            Box::pin(async move {
                engine
                    .view(some(vec![NodeId::from("n1")]), fresh())
                    .await
                    .map(drop)
            }),
        ),
        (
            "nodes",
            Box::pin(async move { engine.nodes(fresh()).await.map(drop) }),
        ),
        (
            "beating",
            Box::pin(async move { engine.beating(&[NodeId::from("n1")]).await.map(drop) }),
        ),
        (
            "due_nodes",
            Box::pin(async move { engine.due_nodes(now, now).await.map(drop) }),
        ),
        (
            "files",
            Box::pin(async move { engine.files(None, 10, fresh()).await.map(drop) }),
        ),
        (
            "unreferenced_chunks",
            Box::pin(async move { engine.unreferenced_chunks(None, 10).await.map(drop) }),
        ),
        (
            "scan_chunks",
            Box::pin(async move { engine.scan_chunks(None, 10).await.map(drop) }),
        ),
        (
            "tasks",
            Box::pin(async move { engine.tasks(None, None, 10, fresh()).await.map(drop) }),
        ),
        (
            "requests",
            Box::pin(async move { engine.requests(None, 10).await.map(drop) }),
        ),
        (
            "releases",
            Box::pin(async move { engine.releases(10).await.map(drop) }),
        ),
        (
            "dump",
            Box::pin(async move { engine.dump(&mut |_| true).await.map(drop) }),
        ),
        (
            "storage",
            Box::pin(async move { engine.storage().await.map(drop) }),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_ever_for_a_server_that_says_nothing() {
    let (way, plan) = unsteady_way(&database("silent")).await;
    let mut own = options(&way, "one");
    own.max_connections = 16;
    own.statement_timeout = Duration::from_millis(500);
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    engine.execute(file("f", 2), PATIENCE).await.unwrap();
    eventually("there is something to tell of", || {
        engine.totals().index.get() > 1
    })
    .await;
    // Each has a connection that works afterwards, and one more: that of a dump is closed.
    let (once, twice) = tokio::join!(all(&engine), all(&engine));
    for (name, outcome) in once.into_iter().chain(twice) {
        assert_eq!(outcome, Ok(Ok(())), "{name}");
    }
    plan.is_silent.send_replace(true);
    let watching = async {
        let after = AppliedIndex::new(1);
        let told = engine.events(after, 10, Duration::ZERO).await;
        assert!(matches!(told, Err(EventsError::Engine(_))), "{told:?}");
    };
    let (watched, read) = tokio::join!(tokio::time::timeout(PATIENCE, watching), all(&engine));
    assert!(watched.is_ok(), "events");
    for (name, outcome) in read {
        assert!(matches!(outcome, Ok(Err(_))), "{name}: {outcome:?}");
    }
    plan.is_silent.send_replace(false);
    eventually("it is ready again", || engine.status().not_ready.is_none()).await;
    for (name, outcome) in all(&engine).await {
        assert_eq!(outcome, Ok(Ok(())), "{name}");
    }
    engine.stop().await;
}

/// All of it at once, and what becomes of them in a time that is long enough.
async fn all(engine: &PostgresEngine) -> Vec<(&'static str, Result<Outcome, tokio::time::error::Elapsed>)> {
    let each = asked(engine).into_iter().map(|(name, asked)| async move {
        let outcome = tokio::time::timeout(PATIENCE, asked).await;
        (name, outcome)
    });
    futures::future::join_all(each).await
}

/// A command has so much time: more than each step of it waits for an answer, and than it takes to see that none comes.
const TIME: Duration = Duration::from_secs(30);

/// What becomes of a command whose server goes silent after so many of its messages.
async fn silenced(url: &str, after: usize, command: Proposal) -> Result<(), EngineError> {
    let plan = Plan {
        silence_after: Some(after),
        ..Plan::default()
    };
    let (way, plan) = way_with(url, plan).await;
    let mut own = options(&way, &format!("after-{after}"));
    own.statement_timeout = Duration::from_millis(500);
    let engine = start_with(own).await;
    let began = Instant::now();
    let outcome = engine.execute(command, TIME).await.map(drop);
    // Where the last word was a commit, it is asked as long as there is time what became of it.
    if matches!(outcome, Err(EngineError::Unavailable { .. })) {
        assert!(
            began.elapsed() < TIME,
            "it waited after {after} messages: {outcome:?}"
        );
    }
    plan.is_silent.send_replace(false);
    engine.stop().await;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn no_step_of_a_command_waits_for_ever_for_a_server_that_says_nothing() {
    let url = database("silenced");
    let engine = start(&url, "one").await;
    register_nodes(&engine).await;
    engine.execute(file("f", 2), PATIENCE).await.unwrap();
    let attempts = (0..8).flat_map(|after| {
        // Of chunks that are known, which takes a transaction; and one that shares none.
        let mut shares = file("f", 2);
        if let Command::RegisterFile(register) = &mut shares.command {
            register.file = FileId::from(format!("shares-{after}"));
        }
        [shares, node(&format!("node-{after}"))].map(|command| silenced(&url, after, command))
    });
    let outcomes = futures::future::join_all(attempts).await;
    let (mut done, mut unknown, mut refused) = (0, 0, 0);
    for outcome in outcomes {
        match outcome {
            Ok(()) => done += 1,
            Err(EngineError::UnknownOutcome { .. }) => unknown += 1,
            Err(EngineError::Unavailable { .. }) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(
        done + unknown + refused == 16 && refused > 4,
        "{done} {unknown} {refused}"
    );
    engine.stop().await;
}
