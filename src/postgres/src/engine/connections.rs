//! Connections for requests: the one that was used last is used first.
//!
//! The library's own pool hands them out in turn, so that with few clients every request meets a server process whose plans and
//! caches have gone cold. Here those that work are kept on a stack; the pool below makes them, and mends those that may be broken.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, Postgres};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::StoreError;

/// A connection that was idle for so long may be broken.
const TRIED_OUT: Duration = Duration::from_secs(1);

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

/// A connection in use.
pub(super) struct Held<'c> {
    connection: PoolConnection<Postgres>,
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
        let place = tokio::time::timeout(self.acquire_timeout, self.places.acquire()).await;
        let place = match place {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(StoreError::Unusable("this instance is stopping".to_owned())),
            Err(_) => return Err(StoreError::Busy),
        };
        loop {
            let Some(warm) = self.warm().pop() else {
                break;
            };
            let mut connection = warm.connection;
            if warm.since.elapsed() < TRIED_OUT || connection.ping().await.is_ok() {
                return Ok(Held {
                    connection,
                    born: warm.born,
                    from: self,
                    _place: place,
                });
            }
            // Broken ones are closed, and the next is tried.
            connection.close_on_drop();
        }
        Ok(Held {
            connection: self.pool.acquire().await?,
            born: Instant::now(),
            from: self,
            _place: place,
        })
    }

    /// Lets go of connections that nobody has used for long.
    pub(super) fn tidy(&self) {
        self.warm().retain(|warm| warm.since.elapsed() < IDLE);
    }

    /// How many there are, and how many of them nobody uses.
    pub(super) fn counts(&self) -> (u32, u32) {
        let idle = self.warm().len() + self.pool.num_idle();
        (self.pool.size(), u32::try_from(idle).unwrap_or(u32::MAX))
    }

    /// Closes all of them.
    pub(super) async fn close(&self) {
        self.places.close();
        self.warm().clear();
        self.pool.close().await;
    }
}

impl Held<'_> {
    /// The connection works, and nothing is left half done on it: it is the first to be used again.
    pub(super) fn keep(self) {
        if self.born.elapsed() < LIFETIME && !self.from.places.is_closed() {
            self.from.warm().push(Warm {
                connection: self.connection,
                born: self.born,
                since: Instant::now(),
            });
        }
    }
}

impl Deref for Held<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
