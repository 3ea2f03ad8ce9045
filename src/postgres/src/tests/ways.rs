//! Ways to the server on which connections break, or go silent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of what passes.
#[derive(Default)]
pub(super) struct Plan {
    /// So many commits are handed over, and their answers are not.
    pub(super) answers_to_lose: AtomicUsize,
    /// So many are not even handed over.
    pub(super) commits_to_lose: AtomicUsize,
    /// So many are kept back, and the client hears that its connection broke.
    pub(super) commits_to_hold: AtomicUsize,
    /// So many are kept back.
    pub(super) held: AtomicUsize,
    /// What becomes of those.
    pub(super) held_are: watch::Sender<Held>,
    /// So many messages are handed over on each connection since it began a transaction for a command, and then there is silence.
    pub(super) silence_after: Option<usize>,
    /// Where new connections lead instead: another server.
    pub(super) leads_to: Mutex<Option<String>>,
    /// Nothing is handed over, in no direction, and no connection breaks.
    pub(super) is_silent: watch::Sender<bool>,
}

/// What becomes of commits that are kept back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Held {
    /// It is not known yet.
    #[default]
    Waiting,
    /// The server gets them after all.
    HandedOver,
    /// The server hears that the connection broke.
    Lost,
}

/// The end of what a client says.
const GOODBYE: &[u8] = b"X\0\0\0\x04";

/// What a client says on one connection, as far as it tells a commit.
#[derive(Default)]
struct Talk {
    is_in_transaction: bool,
    /// The names of statements that write an event, each between two zeros as whoever runs it names it.
    writing: Vec<Vec<u8>>,
}

impl Talk {
    /// Whether what is said makes something lasting: the end of a transaction, or an event that is written outside of any.
    fn commits(&mut self, said: &[u8]) -> bool {
        let has = |words: &[u8]| said.windows(words.len()).any(|here| here == words);
        let ends = has(b"COMMIT\0");
        if has(b"BEGIN") {
            self.is_in_transaction = true;
        }
        let adds = !self.is_in_transaction && self.writing.iter().any(|name| has(name));
        if ends || has(b"ROLLBACK\0") {
            self.is_in_transaction = false;
        }
        if has(b"INSERT INTO events")
            && let Some(start) = said.windows(7).position(|here| here == b"sqlx_s_")
        {
            let name = said[start..].split(|byte| *byte == 0).next().unwrap_or_default();
            self.writing.push([&[0], name, &[0]].concat());
        }
        ends || adds
    }
}

fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok()
}

/// Hands over what the server says, while there is no silence.
async fn hand_back(
    mut server_says: OwnedReadHalf,
    mut to_client: OwnedWriteHalf,
    plan: Arc<Plan>,
) -> std::io::Result<()> {
    let mut is_silent = plan.is_silent.subscribe();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = server_says.read(&mut buffer).await?;
        drop(is_silent.wait_for(|is_silent| !is_silent).await);
        if read == 0 {
            return Ok(());
        }
        to_client.write_all(&buffer[..read]).await?;
    }
}

/// Passes on what a client and the server say, and cuts the connection at a commit if the plan says so.
async fn pass(client: TcpStream, server: TcpStream, plan: Arc<Plan>) -> std::io::Result<()> {
    let (mut client_says, to_client) = client.into_split();
    let (server_says, mut to_server) = server.into_split();
    let mut is_silent = plan.is_silent.subscribe();
    let back = tokio::spawn(hand_back(server_says, to_client, Arc::clone(&plan)));
    let mut buffer = vec![0; 1 << 16];
    let mut talk = Talk::default();
    let mut said_in_commands = None;
    loop {
        let read = client_says.read(&mut buffer).await?;
        if buffer[..read].windows(15).any(|here| here == b"REPEATABLE READ") {
            said_in_commands = said_in_commands.or(Some(0));
        }
        if let (Some(said), Some(after)) = (&mut said_in_commands, plan.silence_after) {
            if *said == after {
                plan.is_silent.send_replace(true);
            }
            *said += 1;
        }
        drop(is_silent.wait_for(|is_silent| !is_silent).await);
        if read == 0 {
            break;
        }
        let is_commit = talk.commits(&buffer[..read]);
        if is_commit && take_one(&plan.commits_to_lose) {
            break;
        }
        if is_commit && take_one(&plan.commits_to_hold) {
            back.abort();
            drop(client_says);
            plan.held.fetch_add(1, Ordering::SeqCst);
            let mut held_are = plan.held_are.subscribe();
            let what = held_are
                .wait_for(|held| *held != Held::Waiting)
                .await
                .map(|held| *held);
            if matches!(what, Ok(Held::HandedOver)) {
                to_server.write_all(&buffer[..read]).await?;
                to_server.write_all(GOODBYE).await?;
            }
            return Ok(());
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

/// A way to the server that does as the plan says, and the URL of a database there.
pub(super) async fn unsteady_way(url: &str) -> (String, Arc<Plan>) {
    way_with(url, Plan::default()).await
}

/// A way with a plan that is made before.
pub(super) async fn way_with(url: &str, plan: Plan) -> (String, Arc<Plan>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (rest, database) = url.rsplit_once('/').unwrap();
    let (user, server) = rest.rsplit_once('@').unwrap();
    let own = format!("{user}@{}/{database}", listener.local_addr().unwrap());
    let plan = Arc::new(plan);
    let (server, passing) = (server.to_owned(), Arc::clone(&plan));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let other = passing.leads_to.lock().unwrap().clone();
            let server = TcpStream::connect(other.as_ref().unwrap_or(&server))
                .await
                .unwrap();
            let plan = Arc::clone(&passing);
            tokio::spawn(async move { drop(pass(client, server, plan).await) });
        }
    });
    (own, plan)
}
