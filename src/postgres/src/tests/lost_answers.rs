//! A connection that breaks when a commit was sent and not yet answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use zephyrfs_core::command::DeleteFile;
use zephyrfs_core::engine::{Engine as _, EngineError};
use zephyrfs_core::id::FileId;
use zephyrfs_core::{Command, Proposal, Response};

use super::support::{PATIENCE, counted, database, file, node, proposal, register_nodes, sql, start_with};
use crate::PostgresEngine;

/// What becomes of the next commits that pass.
#[derive(Default)]
struct Plan {
    /// So many are handed over, and their answers are not.
    answers_to_lose: AtomicUsize,
    /// So many are not even handed over.
    commits_to_lose: AtomicUsize,
}

impl Plan {
    /// Each second time an answer is lost. The keeper commits too, so the plan is not always for whom it was made.
    fn lose_one(&self, number: usize) {
        let commits = if number.is_multiple_of(2) {
            &self.answers_to_lose
        } else {
            &self.commits_to_lose
        };
        commits.store(1, Ordering::SeqCst);
    }
}

fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok()
}

/// Passes on what a client and the server say, and cuts the connection at a commit if the plan says so.
async fn pass(client: TcpStream, server: TcpStream, plan: Arc<Plan>) -> std::io::Result<()> {
    let (mut client_says, mut to_client) = client.into_split();
    let (mut server_says, mut to_server) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut server_says, &mut to_client).await });
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = client_says.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        let is_commit = buffer[..read].windows(7).any(|words| words == b"COMMIT\0");
        if is_commit && take_one(&plan.commits_to_lose) {
            break;
        }
        if is_commit && take_one(&plan.answers_to_lose) {
            // The client hears nothing any more, and the server ends as it would have.
            back.abort();
            to_server.write_all(&buffer[..read]).await?;
            drop(client_says);
            tokio::time::sleep(Duration::from_millis(200)).await;
            return Ok(());
        }
        to_server.write_all(&buffer[..read]).await?;
    }
    back.abort();
    Ok(())
}

/// A way to the server that may lose commits, and the URL of a database there.
async fn unsteady_way(url: &str) -> (String, Arc<Plan>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (rest, database) = url.rsplit_once('/').unwrap();
    let (user, server) = rest.rsplit_once('@').unwrap();
    let own = format!("{user}@{}/{database}", listener.local_addr().unwrap());
    let plan = Arc::new(Plan::default());
    let (server, passing) = (server.to_owned(), Arc::clone(&plan));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            let plan = Arc::clone(&passing);
            tokio::spawn(async move { drop(pass(client, server, plan).await) });
        }
    });
    (own, plan)
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
        plan.lose_one(number);
        done(&engine, || file(&id, 2)).await;
        // Had this been done and were it decided anew, there would be no such file.
        plan.lose_one(number);
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
        plan.lose_one(number);
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
