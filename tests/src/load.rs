//! Clients that register files without a pause, and note what became of every request.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;

use crate::rest::{Answer, Rest};
use crate::wait::until;

/// Between two requests of a client that was not answered: whoever is gone need not be asked a thousand times a second.
const PAUSE: Duration = Duration::from_millis(20);

/// One request of a client.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The file that was to be registered.
    pub file: String,
    /// The replica that was asked.
    pub replica: String,
    /// When it was sent, since the load began.
    pub sent: Duration,
    /// When the answer came, or the client gave up.
    pub ended: Duration,
    /// The answer, or why there was none.
    pub answer: Result<Answer, String>,
}

impl Attempt {
    /// Whether the file is registered, as far as the client was told.
    pub fn is_acknowledged(&self) -> bool {
        self.answer.as_ref().is_ok_and(|answer| answer.status == 201)
    }
}

/// Clients at work.
pub struct Load {
    began: Instant,
    is_over: Arc<AtomicBool>,
    /// Acknowledged registrations by replica.
    acknowledged: Arc<Mutex<BTreeMap<String, u64>>>,
    clients: Vec<JoinHandle<Vec<Attempt>>>,
}

impl Load {
    /// Starts so many clients at each of some replicas. Their files are called after the load, the replica, the client and
    /// a number.
    pub fn start(name: &str, replicas: &[(String, Rest)], clients: usize) -> Self {
        let mut load = Self {
            began: Instant::now(),
            is_over: Arc::default(),
            acknowledged: Arc::default(),
            clients: Vec::new(),
        };
        for (replica, rest) in replicas {
            for client in 0..clients {
                let prefix = format!("{name}-{replica}-{client}");
                let work = load.work(prefix, replica.clone(), rest.clone());
                load.clients.push(tokio::spawn(work));
            }
        }
        load
    }

    fn work(
        &self,
        prefix: String,
        replica: String,
        rest: Rest,
    ) -> impl Future<Output = Vec<Attempt>> + use<> {
        let (began, is_over) = (self.began, Arc::clone(&self.is_over));
        let acknowledged = Arc::clone(&self.acknowledged);
        async move {
            let mut attempts = Vec::new();
            for number in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let file = format!("{prefix}-{number}");
                let body = json!({"file_id": file, "file_name": file, "file_size": 1_000, "file_hash": file,
                    "chunks": [{"chunk_id": file, "hash": file, "size": 1_000, "index": 0}]});
                let sent = began.elapsed();
                let answer = rest.send("POST", "/api/v1/files/register", Some(&body)).await;
                let attempt = Attempt {
                    file,
                    replica: replica.clone(),
                    sent,
                    ended: began.elapsed(),
                    answer: answer.map_err(|error| error.to_string()),
                };
                if attempt.is_acknowledged() {
                    let mut counts = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                    *counts.entry(replica.clone()).or_default() += 1;
                } else {
                    tokio::time::sleep(PAUSE).await;
                }
                attempts.push(attempt);
            }
            attempts
        }
    }

    /// The time since the load began.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until each of some replicas has acknowledged so many more registrations.
    pub async fn until_acknowledged(&self, more: u64, replicas: &[String]) {
        let count = |replica: &String| {
            let counts = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
            counts.get(replica).copied().unwrap_or(0)
        };
        let before: Vec<u64> = replicas.iter().map(count).collect();
        until(
            &format!("{replicas:?} acknowledge {more} registrations each"),
            async || {
                let mut pairs = replicas.iter().zip(&before);
                pairs
                    .all(|(replica, before)| count(replica) >= before + more)
                    .then_some(())
            },
        )
        .await;
    }

    /// Lets the clients finish their requests, and gives all of them.
    ///
    /// # Panics
    /// If a client did.
    #[allow(clippy::panic, reason = "a client that fails is a failed test")]
    pub async fn stop(self) -> Vec<Attempt> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut attempts = Vec::new();
        for client in self.clients {
            attempts.extend(
                client
                    .await
                    .unwrap_or_else(|error| panic!("a client failed: {error}")),
            );
        }
        attempts
    }
}

/// The longest time after `since` in which no registration was acknowledged.
pub fn longest_gap(attempts: &[Attempt], since: Duration) -> Duration {
    let acknowledged = attempts.iter().filter(|attempt| attempt.is_acknowledged());
    let mut times: Vec<_> = acknowledged
        .map(|attempt| attempt.ended)
        .filter(|ended| *ended > since)
        .collect();
    times.sort_unstable();
    let starts = std::iter::once(since).chain(times.iter().copied());
    let gaps = starts.zip(&times).map(|(start, end)| *end - start);
    gaps.max().unwrap_or(Duration::MAX)
}
