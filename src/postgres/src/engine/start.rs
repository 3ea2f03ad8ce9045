//! Starting and stopping.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use rand::Rng as _;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

use super::batch::Waiting;
use super::connections::{Connections, Held};
use super::events::Recent;
use super::own::OwnWrites;
use super::status::{Observed, Shared};
use crate::connect::{self, UrlError};
use crate::error::StoreError;
use crate::options::Options;
use crate::schema::SchemaError;

/// Why an engine cannot start, however long it waits.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The tables, or what the database lets this instance do.
    #[error("the database cannot be used: {0}")]
    Unusable(String),
}

impl StartError {
    /// Why, in words that others are put before.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Url(error) => error.to_string(),
            Self::Unusable(reason) => reason.clone(),
        }
    }

    /// Whether waiting may help: the database may come, or come back.
    pub(super) fn of(error: SchemaError) -> Result<StoreError, Self> {
        match error {
            SchemaError::Store(
                error @ (StoreError::Gone(_)
                | StoreError::Busy
                | StoreError::Conflict(_)
                | StoreError::TooSlow
                | StoreError::Full(_)
                | StoreError::Crowded(_)),
            ) => Ok(error),
            error => Err(Self::Unusable(error.to_string())),
        }
    }
}

/// How far an engine is with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It works.
    NotYet,
    /// It leads no more, and still takes requests.
    HandedOver,
    /// It takes nothing any more.
    Closed,
}

/// So many commands wait for a worker before others wait to wait.
const QUEUED: usize = 1_024;

/// An instance of the coordinator over a database. It keeps nothing of its own.
pub struct PostgresEngine {
    pub(super) options: Options,
    pub(super) connect: PgConnectOptions,
    pub(super) connections: Arc<Connections>,
    pub(super) shared: Shared,
    /// What the keeper saw last.
    pub(super) observed: watch::Sender<Observed>,
    /// Grows with every change of a node that this instance made or saw.
    pub(super) registry_version: AtomicU64,
    /// The last events, for all watchers.
    pub(super) recent: Mutex<Recent>,
    /// What it wrote itself and what is not counted yet.
    pub(super) own: OwnWrites,
    /// Commands that may share a transaction.
    pub(super) queue: mpsc::Sender<Waiting>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    ending: watch::Sender<Ending>,
}

impl PostgresEngine {
    /// Begins: what it needs of the database is waited for by [`PostgresEngine::recovered`].
    ///
    /// # Errors
    /// [`StartError::Url`].
    pub fn start(options: Options) -> Result<Arc<Self>, StartError> {
        let connect = connect::options(&options)?;
        let connections = Arc::new(Connections::new(connect.clone(), &options));
        let (queue, waiting) = mpsc::channel(QUEUED);
        let engine = Arc::new(Self {
            queue,
            own: OwnWrites::default(),
            shared: Shared::default(),
            observed: watch::Sender::new(Observed::default()),
            registry_version: AtomicU64::new(1),
            recent: Mutex::default(),
            keeper: Mutex::default(),
            ending: watch::Sender::new(Ending::NotYet),
            options,
            connect,
            connections,
        });
        let workers = Arc::clone(&engine);
        let mut ending = engine.ending.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = workers.work_off(waiting) => {}
                _ = ending.wait_for(|ending| *ending == Ending::Closed) => {}
            }
        });
        let keeper = Arc::clone(&engine);
        let ending = engine.ending.subscribe();
        let task = tokio::spawn(async move { keeper.keep(ending).await });
        if let Ok(mut slot) = engine.keeper.try_lock() {
            *slot = Some(task);
        }
        Ok(engine)
    }

    /// Waits until the database answered, and its tables are as this program needs them.
    ///
    /// # Errors
    /// [`StartError::Unusable`] if waiting does not help.
    pub async fn recovered(&self) -> Result<(), StartError> {
        let mut observed = self.observed.subscribe();
        let found = observed
            .wait_for(|seen| seen.unusable.is_some() || seen.is_ready())
            .await;
        match found.map(|seen| seen.unusable.clone()) {
            Ok(Some(reason)) => Err(StartError::Unusable(reason)),
            Ok(None) => Ok(()),
            Err(_) => Err(StartError::Unusable("this instance is stopping".to_owned())),
        }
    }

    /// Lets another instance lead at once. Requests are still taken.
    pub async fn hand_over(&self) {
        let was = self.ending.send_replace(Ending::HandedOver);
        if was != Ending::NotYet {
            self.ending.send_replace(was);
            return;
        }
        let done = self.shared.hand_over_done.notified();
        if tokio::time::timeout(Duration::from_secs(2), done).await.is_err() {
            tracing::warn!("The lease was not given back in time; another instance takes over when it ends");
        }
    }

    /// Closes the connections, once nothing is asked any more.
    pub async fn stop(&self) {
        self.hand_over().await;
        self.ending.send_replace(Ending::Closed);
        let keeper = self.keeper.lock().await.take();
        let closing = async {
            if let Some(keeper) = keeper {
                // It ends by itself; a panic in it was logged.
                let _ended = keeper.await;
            }
            self.connections.close();
        };
        if tokio::time::timeout(Duration::from_secs(2), closing)
            .await
            .is_err()
        {
            tracing::debug!("Connections to the database are cut off");
        }
    }

    /// One of the connections for requests, for as long as a test holds it.
    #[cfg(test)]
    pub(crate) async fn hold_connection(&self) -> impl Sized + '_ {
        self.connections.acquire().await.unwrap()
    }

    /// Why this instance never could begin. Once it has, it goes on whatever becomes of the database: it keeps nothing that could be
    /// lost.
    pub fn failure(&self) -> Option<String> {
        self.observed.borrow().unusable.clone()
    }

    /// A connection for a request. Nobody waits for one while the database is known to be gone.
    pub(super) async fn acquire(&self) -> Result<Held<'_>, StoreError> {
        let mut observed = self.observed.subscribe();
        let gone = async {
            let obstacle = |seen: &Observed| seen.obstacle().is_some();
            let seen = observed.wait_for(obstacle).await.ok()?;
            seen.obstacle()
        };
        tokio::select! {
            biased;
            Some(reason) = gone => Err(StoreError::Unusable(reason)),
            acquired = self.connections.acquire() => acquired,
        }
    }

    /// Tells the observer of an operation that began at a time.
    pub(super) fn ended<T, E>(&self, operation: &'static str, began: Instant, result: &Result<T, E>) {
        self.options
            .observer
            .ended(operation, began.elapsed(), result.is_ok());
    }
}

/// What a new service is called: 32 random hex digits.
pub(crate) fn new_service_id() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}
