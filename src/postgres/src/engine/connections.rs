//! Connections for requests: the one that was used last is used first.
//!
//! The library's own pool hands them out in turn, so that with few clients every request meets a server process whose plans and
//! caches have gone cold. Here those that work are kept on a stack, and those that may not are closed; the pool below makes new ones.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, Postgres};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::connect::why_none;
use crate::error::StoreError;

/// A connection that was idle for so long may be broken.
const TRIED_OUT: Duration = Duration::from_secs(1);

/// Trying out whether it works takes no longer.
const TRYING_OUT: Duration = Duration::from_secs(1);

/// One that was idle for so long, or lived for so long, is let go of.
const IDLE: Duration = Duration::from_secs(60);
const LIFETIME: Duration = Duration::from_secs(1_800);

/// All connections for requests.
pub(super) struct Connections {
    pool: PgPool,
    places: Semaphore,
    acquire_timeout: Duration,
    warm: Mutex<Vec<Warm>>,
}

/// A connection that nobody uses.
struct Warm {
    connection: PoolConnection<Postgres>,
    born: Instant,
    since: Instant,
}

/// A connection in use. One that is not given back with [`Held::keep`] is closed: whoever dropped it may have left a transaction
/// open on it, which the library does not see while that begins.
pub(super) struct Held<'c> {
    /// There is one until the end.
    connection: Option<PoolConnection<Postgres>>,
    born: Instant,
    from: &'c Connections,
    _place: SemaphorePermit<'c>,
}

impl Connections {
    /// So many at most, made by `pool`.
    pub(super) fn new(pool: PgPool, most: u32, acquire_timeout: Duration) -> Self {
        Self {
            pool,
            places: Semaphore::new(
                usize::try_from(most)
                    .unwrap_or(usize::MAX)
                    .min(Semaphore::MAX_PERMITS),
            ),
            acquire_timeout,
            warm: Mutex::default(),
        }
    }

    fn warm(&self) -> MutexGuard<'_, Vec<Warm>> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if none is free in time; the database's.
    pub(super) async fn acquire(&self) -> Result<Held<'_>, StoreError> {
        let place = timeout(self.acquire_timeout, self.places.acquire()).await;
        let place = match place {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(StoreError::Unusable("this instance is stopping".to_owned())),
            Err(_) => return Err(StoreError::Busy),
        };
        let mut held = Held {
            connection: None,
            born: Instant::now(),
            from: self,
            _place: place,
        };
        loop {
            let Some(warm) = self.warm().pop() else {
                break;
            };
            held.born = warm.born;
            let connection = held.connection.insert(warm.connection);
            let works = warm.since.elapsed() < TRIED_OUT
                || matches!(timeout(TRYING_OUT, connection.ping()).await, Ok(Ok(())));
            if works {
                return Ok(held);
            }
            held.close();
        }
        held.born = Instant::now();
        let connected = self.pool.acquire().await;
        let connected = connected.map_err(|error| why_none(&self.pool.connect_options(), error))?;
        held.connection = Some(connected);
        Ok(held)
    }

    /// Closes those that nobody uses: the server is not what it was.
    pub(super) fn forget(&self) {
        let warm = std::mem::take(&mut *self.warm());
        warm.into_iter().for_each(|warm| drop(warm.connection.detach()));
    }

    /// Lets go of connections that nobody has used for long.
    pub(super) fn tidy(&self) {
        let mut warm = self.warm();
        let (old, kept) = std::mem::take(&mut *warm)
            .into_iter()
            .partition::<Vec<_>, _>(|warm| warm.since.elapsed() >= IDLE);
        *warm = kept;
        drop(warm);
        old.into_iter().for_each(|warm| drop(warm.connection.detach()));
    }

    /// How many there are, and how many of them nobody uses.
    pub(super) fn counts(&self) -> (u32, u32) {
        let idle = self.warm().len() + self.pool.num_idle();
        (self.pool.size(), u32::try_from(idle).unwrap_or(u32::MAX))
    }

    /// Closes all of them.
    pub(super) async fn close(&self) {
        self.places.close();
        self.forget();
        self.pool.close().await;
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
        let connection = self.connection.as_deref_mut();
        connection.ok_or_else(|| StoreError::Gone("the connection is closed".to_owned()))
    }

    fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.close();
    }
}
