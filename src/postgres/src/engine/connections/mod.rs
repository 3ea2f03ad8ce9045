//! Connections for requests: the one that was used last is used first.
//!
//! The library's own pool hands them out in turn, so that with few clients every request meets a server process whose plans and
//! caches have gone cold; and where the server takes no more of them it tries on without using those that there are. Here those
//! that work are kept on a stack, and those that may not are closed.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

use crate::connect;
use crate::error::StoreError;
use crate::options::Options;
use crate::schema;

#[cfg(test)]
mod tests;

/// A connection that was idle for so long may be broken.
const TRIED_OUT: Duration = Duration::from_secs(1);

/// Trying out whether it works takes no longer.
const TRYING_OUT: Duration = Duration::from_secs(1);

/// One that was idle for so long, or lived for so long, is let go of.
const IDLE: Duration = Duration::from_secs(60);
const LIFETIME: Duration = Duration::from_secs(1_800);

/// A server that takes no more connections is asked for another so often.
const CROWDED: Duration = Duration::from_secs(1);

/// And so soon after one was closed, which it takes a moment to notice.
const CLOSED: Duration = Duration::from_millis(20);

/// All connections for requests.
pub(super) struct Connections {
    connect: PgConnectOptions,
    statements: Duration,
    places: Semaphore,
    /// So many there may be.
    most: u32,
    acquire_timeout: Duration,
    warm: Mutex<Vec<Warm>>,
    /// Told when one comes back, or is closed.
    returned: Notify,
    /// Whoever waits for one to come back waits for this before.
    turns: tokio::sync::Mutex<()>,
    open: Arc<AtomicU32>,
    /// There while the server gives fewer than there may be.
    crowded: Mutex<Option<Crowded>>,
    /// Whether the server is being asked for one more beside those who wait.
    asking: AtomicBool,
    /// The service whose rows they are for, once that is known.
    serves: OnceLock<String>,
}

/// A server that gives no more connections.
struct Crowded {
    error: StoreError,
    /// When it is asked again.
    again: Instant,
}

/// Asks the server for one more, for as long as this lives.
struct Asking(Arc<Connections>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.store(false, Ordering::Release);
    }
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
            most: options.max_connections,
            acquire_timeout: options.acquire_timeout,
            warm: Mutex::default(),
            returned: Notify::new(),
            turns: tokio::sync::Mutex::default(),
            open: Arc::default(),
            crowded: Mutex::default(),
            asking: AtomicBool::new(false),
            serves: OnceLock::new(),
        }
    }

    /// From now on they are for the rows of this service alone: the address may lead to others later.
    pub(super) fn serve(&self, service_id: &str) {
        self.serves.get_or_init(|| service_id.to_owned());
    }

    fn warm(&self) -> MutexGuard<'_, Vec<Warm>> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn crowded(&self) -> MutexGuard<'_, Option<Crowded>> {
        self.crowded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if none is free in time, [`StoreError::Crowded`] if that is so since the server takes no more of them;
    /// [`StoreError::Unusable`] if they would lead to the rows of another service; the database's.
    pub(super) async fn acquire(self: &Arc<Self>) -> Result<Held<'_>, StoreError> {
        let deadline = Instant::now() + self.acquire_timeout;
        let place = match timeout_at(deadline, self.places.acquire()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(stopping()),
            Err(_) => return Err(self.why_none()),
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
    async fn find(self: &Arc<Self>, deadline: Instant) -> Result<(Open, Instant), StoreError> {
        if self.crowded().is_none() {
            let found = async {
                if let Some(warm) = self.one_that_works().await {
                    return Ok((warm.connection, warm.born));
                }
                self.connect().await
            };
            match timeout_at(deadline, found).await {
                Ok(Err(error @ StoreError::Crowded(_))) => self.note_crowded(error),
                Ok(found) => return found,
                Err(_) => return Err(StoreError::no_answer(self.acquire_timeout)),
            }
        }
        let in_turn = timeout_at(deadline, self.find_in_turn());
        in_turn.await.unwrap_or_else(|_| Err(self.why_none()))
    }

    /// The same while there are fewer than there may be: whoever came first is served first.
    async fn find_in_turn(self: &Arc<Self>) -> Result<(Open, Instant), StoreError> {
        let _turn = self.turns.lock().await;
        loop {
            if self.places.is_closed() {
                return Err(stopping());
            }
            if let Some(warm) = self.one_that_works().await {
                return Ok((warm.connection, warm.born));
            }
            let again = self.crowded().as_ref().map(|crowded| crowded.again);
            let again = again.filter(|again| *again > Instant::now()).unwrap_or_else(|| {
                self.ask_for_another();
                Instant::now() + CROWDED
            });
            // Nobody else waits for this. If nothing was told, it is time to ask again.
            let _told = timeout_at(again, self.returned.notified()).await;
        }
    }

    /// Asks the server for one more, beside whoever waits: one that is in use may come back before the server answers.
    fn ask_for_another(self: &Arc<Self>) {
        if self.asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let asking = Asking(Arc::clone(self));
        tokio::spawn(async move {
            match asking.0.connect().await {
                Ok((connection, born)) => asking.0.put(connection, born),
                Err(error) => asking.0.note_crowded(error),
            }
        });
    }

    /// A new one.
    async fn connect(&self) -> Result<(Open, Instant), StoreError> {
        let mut connection = connect::connect(&self.connect, self.statements).await?;
        if let Some(service_id) = self.serves.get() {
            let served = timeout(TRYING_OUT, schema::serves(&mut connection, service_id)).await;
            served.unwrap_or_else(|_| Err(StoreError::no_answer(TRYING_OUT)))?;
        }
        *self.crowded() = None;
        self.open.fetch_add(1, Ordering::Relaxed);
        let open = Arc::clone(&self.open);
        Ok((Open { connection, open }, Instant::now()))
    }

    /// Whoever waits first may have this.
    fn put(&self, connection: Open, born: Instant) {
        let mut warm = self.warm();
        // Whoever closes them sees what is here by then. One more was made than there may be if somebody else did not wait for it.
        if !self.places.is_closed() && self.open.load(Ordering::Relaxed) <= self.most {
            warm.push(Warm {
                connection,
                born,
                since: Instant::now(),
            });
        }
        drop(warm);
        self.returned.notify_one();
    }

    /// Why there was none in time.
    fn why_none(&self) -> StoreError {
        let crowded = self.crowded();
        crowded
            .as_ref()
            .map_or(StoreError::Busy, |crowded| crowded.error.clone())
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
            drop(warm);
            self.note_closed();
        }
    }

    fn note_crowded(&self, error: StoreError) {
        let mut crowded = self.crowded();
        if crowded.is_none() {
            tracing::warn!(%error, "Requests wait for the connections that there are");
        }
        let again = Instant::now() + CROWDED;
        *crowded = Some(Crowded { error, again });
    }

    /// One was closed: whoever waits may ask for another in its place.
    fn note_closed(&self) {
        if let Some(crowded) = &mut *self.crowded() {
            crowded.again = crowded.again.min(Instant::now() + CLOSED);
        }
        self.returned.notify_one();
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
        self.returned.notify_one();
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.connection.take().is_some() {
            self.from.note_closed();
        }
    }
}

impl Held<'_> {
    /// The connection works, and nothing is left half done on it: it is the first to be used again.
    pub(super) fn keep(mut self) {
        if self.born.elapsed() < LIFETIME
            && let Some(connection) = self.connection.take()
        {
            self.from.put(connection, self.born);
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

fn stopping() -> StoreError {
    StoreError::Unusable("this instance is stopping".to_owned())
}
