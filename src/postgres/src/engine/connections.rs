//! Connections for requests: the one that was used last is used first.
//!
//! The library's own pool hands them out in turn, so that with few clients every request meets a server process whose plans and
//! caches have gone cold; and where the server takes no more of them it tries on without using those that there are. Here those
//! that work are kept on a stack, and those that may not are closed.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

use crate::connect;
use crate::error::StoreError;
use crate::options::Options;

/// A connection that was idle for so long may be broken.
const TRIED_OUT: Duration = Duration::from_secs(1);

/// Trying out whether it works takes no longer.
const TRYING_OUT: Duration = Duration::from_secs(1);

/// One that was idle for so long, or lived for so long, is let go of.
const IDLE: Duration = Duration::from_secs(60);
const LIFETIME: Duration = Duration::from_secs(1_800);

/// A server that takes no more connections is asked for another so often.
const CROWDED: Duration = Duration::from_secs(1);

/// All connections for requests.
pub(super) struct Connections {
    connect: PgConnectOptions,
    statements: Duration,
    places: Semaphore,
    acquire_timeout: Duration,
    warm: Mutex<Vec<Warm>>,
    /// Told when one comes back.
    returned: Notify,
    /// Whoever waits for one to come back waits for this before.
    turns: tokio::sync::Mutex<()>,
    open: Arc<AtomicU32>,
    /// When the server last took no more of them, and its words.
    crowded: Mutex<Option<(Instant, StoreError)>>,
}

/// A connection that counts among those that are open until it is dropped.
struct Open {
    connection: PgConnection,
    open: Arc<AtomicU32>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that nobody uses.
struct Warm {
    connection: Open,
    born: Instant,
    since: Instant,
}

/// A connection in use. One that is not given back with [`Held::keep`] is closed: whoever dropped it may have left a transaction
/// open on it, which the library does not see while that begins.
pub(super) struct Held<'c> {
    /// There is one until the end.
    connection: Option<Open>,
    born: Instant,
    from: &'c Connections,
    _place: SemaphorePermit<'c>,
}

impl Connections {
    /// Connections as the options say, none of which is made yet.
    pub(super) fn new(connect: PgConnectOptions, options: &Options) -> Self {
        let most = usize::try_from(options.max_connections).unwrap_or(usize::MAX);
        Self {
            connect,
            statements: options.statement_timeout,
            places: Semaphore::new(most.min(Semaphore::MAX_PERMITS)),
            acquire_timeout: options.acquire_timeout,
            warm: Mutex::default(),
            returned: Notify::new(),
            turns: tokio::sync::Mutex::default(),
            open: Arc::default(),
            crowded: Mutex::default(),
        }
    }

    fn warm(&self) -> MutexGuard<'_, Vec<Warm>> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn crowded(&self) -> MutexGuard<'_, Option<(Instant, StoreError)>> {
        self.crowded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if none is free in time, [`StoreError::Crowded`] if that is so since the server takes no more of them;
    /// the database's.
    pub(super) async fn acquire(&self) -> Result<Held<'_>, StoreError> {
        let deadline = Instant::now() + self.acquire_timeout;
        let place = match timeout_at(deadline, self.places.acquire()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(StoreError::Unusable("this instance is stopping".to_owned())),
            Err(_) => return Err(StoreError::Busy),
        };
        let (connection, born) = self.find(deadline).await?;
        Ok(Held {
            connection: Some(connection),
            born,
            from: self,
            _place: place,
        })
    }

    /// One that works: of those that there are, or a new one.
    async fn find(&self, deadline: Instant) -> Result<(Open, Instant), StoreError> {
        if self.crowded().is_none() {
            if let Some(warm) = self.one_that_works().await {
                return Ok((warm.connection, warm.born));
            }
            match self.connect().await {
                Err(StoreError::Crowded(_)) => {}
                connected => return connected,
            }
        }
        self.find_in_turn(deadline).await
    }

    /// The same while there are fewer than there may be: whoever came first is served first.
    async fn find_in_turn(&self, deadline: Instant) -> Result<(Open, Instant), StoreError> {
        let Ok(_turn) = timeout_at(deadline, self.turns.lock()).await else {
            return Err(self.why_none());
        };
        loop {
            if let Some(warm) = self.one_that_works().await {
                return Ok((warm.connection, warm.born));
            }
            let since = self.crowded().as_ref().map(|(since, _)| *since);
            let next = since.map(|since| since + CROWDED);
            match next.filter(|next| *next > Instant::now()) {
                None => match self.connect().await {
                    Err(StoreError::Crowded(_)) => {}
                    connected => return connected,
                },
                Some(next) => {
                    // Nobody else waits for this.
                    let returned = timeout_at(deadline.min(next), self.returned.notified()).await;
                    if returned.is_err() && Instant::now() >= deadline {
                        return Err(self.why_none());
                    }
                }
            }
        }
    }

    /// A new one.
    async fn connect(&self) -> Result<(Open, Instant), StoreError> {
        match connect::connect(&self.connect, self.statements).await {
            Ok(connection) => {
                *self.crowded() = None;
                self.open.fetch_add(1, Ordering::Relaxed);
                let open = Arc::clone(&self.open);
                Ok((Open { connection, open }, Instant::now()))
            }
            Err(error) => {
                if matches!(error, StoreError::Crowded(_)) {
                    self.note_crowded(&error);
                }
                Err(error)
            }
        }
    }

    /// Why there was none in time.
    fn why_none(&self) -> StoreError {
        let crowded = self.crowded();
        crowded
            .as_ref()
            .map_or(StoreError::Busy, |(_, error)| error.clone())
    }

    async fn one_that_works(&self) -> Option<Warm> {
        loop {
            let mut warm = self.warm().pop()?;
            let works = warm.since.elapsed() < TRIED_OUT || {
                let trying = timeout(TRYING_OUT, warm.connection.connection.ping());
                matches!(trying.await, Ok(Ok(())))
            };
            if works {
                return Some(warm);
            }
        }
    }

    fn note_crowded(&self, error: &StoreError) {
        let was = self.crowded().replace((Instant::now(), error.clone()));
        if was.is_none() {
            tracing::warn!(%error, "Requests wait for the connections that there are");
        }
    }

    /// Closes those that nobody uses: the server is not what it was.
    pub(super) fn forget(&self) {
        let warm = std::mem::take(&mut *self.warm());
        drop(warm);
    }

    /// Lets go of connections that nobody has used for long.
    pub(super) fn tidy(&self) {
        let mut warm = self.warm();
        let (old, kept) = std::mem::take(&mut *warm)
            .into_iter()
            .partition::<Vec<_>, _>(|warm| warm.since.elapsed() >= IDLE);
        *warm = kept;
        drop(warm);
        drop(old);
    }

    /// How many there are, and how many of them nobody uses.
    pub(super) fn counts(&self) -> (u32, u32) {
        let idle = u32::try_from(self.warm().len()).unwrap_or(u32::MAX);
        (self.open.load(Ordering::Relaxed), idle)
    }

    /// Closes all that nobody uses, and gives out no more.
    pub(super) fn close(&self) {
        self.places.close();
        self.forget();
    }
}

impl Held<'_> {
    /// The connection works, and nothing is left half done on it: it is the first to be used again.
    pub(super) fn keep(mut self) {
        if self.born.elapsed() < LIFETIME
            && !self.from.places.is_closed()
            && let Some(connection) = self.connection.take()
        {
            self.from.warm().push(Warm {
                connection,
                born: self.born,
                since: Instant::now(),
            });
            self.from.returned.notify_one();
        }
    }

    /// The same unless it is lost. A transaction that failed is taken back before the connection is used again.
    pub(super) fn keep_unless_gone<T>(self, result: &Result<T, StoreError>) {
        if !matches!(result, Err(error) if error.is_gone()) {
            self.keep();
        }
    }

    /// The connection to the server.
    pub(super) fn server(&mut self) -> Result<&mut PgConnection, StoreError> {
        let open = self.connection.as_mut();
        open.map(|open| &mut open.connection)
            .ok_or_else(|| StoreError::Gone("the connection is closed".to_owned()))
    }
}
