//! A server that gives fewer connections than there may be, and what becomes of whoever waits.

use std::pin::{Pin, pin};
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{FutureExt as _, poll};
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use super::{CLOSED, Connections, Held};
use crate::error::StoreError;
use crate::options::{Options, Unobserved};
use crate::testing::Server;

const PATIENCE: Duration = Duration::from_secs(60);

fn connections(url: &str, most: u32, acquire_timeout: Duration) -> Arc<Connections> {
    let options = Options {
        url: url.to_owned(),
        password: None,
        name: "test".to_owned(),
        client_address: String::new(),
        max_connections: most,
        acquire_timeout,
        statement_timeout: PATIENCE,
        lease: PATIENCE,
        keep_events: PATIENCE,
        observer: Arc::new(Unobserved),
    };
    let connect = PgConnectOptions::from_str(url).unwrap();
    Arc::new(Connections::new(connect, &options))
}

/// A server that gives one connection.
fn server() -> (Server, String) {
    server_of(1)
}

/// A server that gives so many.
fn server_of(most: u32) -> (Server, String) {
    let most = format!("max_connections={}", most + 1);
    let server = Server::start(&["fsync=off", &most, "superuser_reserved_connections=1"]);
    server.sql("postgres", "CREATE ROLE tenant LOGIN").unwrap();
    let url = server.url("postgres").replace("coordinator@", "tenant@");
    (server, url)
}

/// The one connection there is. Whoever prepared the server may not be quite gone.
async fn the_one(connections: &Arc<Connections>) -> Held<'_> {
    let began = Instant::now();
    loop {
        match connections.acquire().await {
            Ok(held) => return held,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
    }
}

type Acquired<'c> = Result<Held<'c>, StoreError>;

/// Lets somebody hear that there are no more, so that he waits in turn, and nobody asks at the moment.
async fn waits<'c>(connections: &Connections, mut acquiring: Pin<&mut impl Future<Output = Acquired<'c>>>) {
    while connections.crowded().is_none() {
        assert!(poll!(acquiring.as_mut()).is_pending());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(poll!(acquiring.as_mut()).is_pending());
    while connections.asking.load(Ordering::Acquire) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_longest_is_served_first() {
    let (_server, url) = server();
    let connections = connections(&url, 8, PATIENCE);
    let held = the_one(&connections).await;
    let mut first = pin!(connections.acquire());
    waits(&connections, first.as_mut()).await;
    // Whoever goes away while it waits is in nobody's way.
    assert!(connections.acquire().now_or_never().is_none());
    held.keep();
    let mut second = pin!(connections.acquire());
    assert!(
        poll!(second.as_mut()).is_pending(),
        "one is free, and it is not his turn"
    );
    timeout(PATIENCE, first).await.unwrap().unwrap().keep();
    timeout(PATIENCE, second).await.unwrap().unwrap().keep();
    assert_eq!(connections.counts(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_what_the_server_lacks_also_who_does_not_get_to_ask_it() {
    let (_server, url) = server();
    let connections = connections(&url, 2, Duration::from_millis(500));
    let held = the_one(&connections).await;
    let mut next = pin!(connections.acquire());
    waits(&connections, next.as_mut()).await;
    // No more than two may wait or work.
    for error in [connections.acquire().await.err(), next.await.err()] {
        assert!(matches!(error, Some(StoreError::Crowded(_))), "{error:?}");
    }
    held.keep();
    connections.acquire().await.unwrap().keep();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_closed_makes_room_for_another() {
    let (_server, url) = server();
    let connections = connections(&url, 8, PATIENCE);
    let held = the_one(&connections).await;
    let mut next = pin!(connections.acquire());
    waits(&connections, next.as_mut()).await;
    // As when whoever asked goes away in the middle.
    drop(held);
    let again = connections.crowded().as_ref().unwrap().again;
    assert!(again <= Instant::now() + CLOSED, "the server is asked soon");
    timeout(PATIENCE, next).await.unwrap().unwrap().keep();
    assert_eq!(connections.counts(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_given_back_is_used_while_the_server_is_asked_for_another() {
    let (_server, url) = server();
    let connections = connections(&url, 8, PATIENCE);
    let held = the_one(&connections).await;
    let mut next = pin!(connections.acquire());
    waits(&connections, next.as_mut()).await;
    // Somebody asks, and gets no answer.
    connections.asking.store(true, Ordering::Release);
    held.keep();
    timeout(PATIENCE, next).await.unwrap().unwrap().keep();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_not_waited_for_any_longer_than_there_is_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://nobody@{}/nowhere", listener.local_addr().unwrap());
    let connections = connections(&url, 8, Duration::from_millis(500));
    let error = connections.acquire().await.err().unwrap();
    assert!(
        matches!(&error, StoreError::Gone(reason) if reason == "no answer within 0.5 s"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_than_there_may_be_is_not_kept() {
    let (_server, url) = server_of(4);
    let connections = connections(&url, 1, PATIENCE);
    let held = the_one(&connections).await;
    let (another, born) = connections.connect().await.unwrap();
    connections.put(another, born);
    assert_eq!(connections.counts(), (1, 0));
    held.keep();
    assert_eq!(connections.counts(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_given_out_or_kept_once_they_are_closed() {
    let (_server, url) = server();
    let connections = connections(&url, 8, PATIENCE);
    let held = the_one(&connections).await;
    let mut waiting = pin!(connections.acquire());
    waits(&connections, waiting.as_mut()).await;
    connections.close();
    held.keep();
    assert_eq!(connections.counts(), (0, 0));
    for outcome in [waiting.await, connections.acquire().await] {
        assert!(matches!(outcome.err(), Some(StoreError::Unusable(_))));
    }
}
