//! Clients that are slow, many, or still there at the end do no harm.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{PATIENCE, Server, exchange, rest_of};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// Reads one answer without a body of unknown length, and leaves the connection open.
async fn answer(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    loop {
        let mut buffer = [0; 4_096];
        let length = tokio::time::timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert!(length > 0, "closed after {:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..length]);
        if seen.ends_with(b"}") {
            return String::from_utf8(seen).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_ends_the_connection() {
    let server = Server::start_with(|settings| {
        settings.rest.server.header_timeout = Duration::from_millis(200);
        settings.rest.server.idle_timeout = Duration::from_secs(3_600);
    })
    .await;
    // Nothing at all, half a head, and half a second head on a connection that was fine before.
    rest_of(&mut server.connect().await).await;
    exchange(server.connect().await, &GET[..20]).await;
    let mut kept = server.connect().await;
    kept.write_all(GET).await.unwrap();
    answer(&mut kept).await;
    exchange(kept, &GET[..20]).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_outlives_the_time_for_a_head() {
    let server = Server::start_with(|settings| {
        settings.rest.server.header_timeout = Duration::from_millis(100);
        settings.rest.server.idle_timeout = Duration::from_millis(1_500);
    })
    .await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    answer(&mut stream).await;
    let idle_since = Instant::now();
    rest_of(&mut stream).await;
    let idle = idle_since.elapsed();
    assert!(idle > Duration::from_millis(1_000), "closed after {idle:?}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_ends_with_the_request() {
    let server =
        Server::start_with(|settings| settings.rest.request_timeout = Duration::from_millis(300)).await;
    let head = b"POST /api/v1/nodes/register HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                 content-length: 100\r\n\r\n{";
    let answer = exchange(server.connect().await, head).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn further_clients_wait_until_one_leaves() {
    let server = Server::start_with(|settings| settings.rest.server.max_connections = 2).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for stream in [&mut first, &mut second] {
        stream.write_all(GET).await.unwrap();
        answer(stream).await;
    }
    let mut third = server.connect().await;
    third.write_all(GET).await.unwrap();
    let mut buffer = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(300), third.read(&mut buffer)).await;
    assert!(early.is_err(), "the third was served beside the other two");
    drop(first);
    answer(&mut third).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_no_answer_is_given_up() {
    let server = Server::start_with(|settings| {
        settings.rest.server.max_connections = 1;
        settings.rest.server.write_timeout = Duration::from_millis(300);
    })
    .await;
    let mut greedy = server.connect().await;
    // Far more than the kernel keeps for a client that reads nothing.
    let many = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: a\r\n\r\n".repeat(60);
    greedy.write_all(&many).await.unwrap();
    let mut other = server.connect().await;
    other.write_all(GET).await.unwrap();
    answer(&mut other).await;
    drop((greedy, other));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_that_hang_do_not_keep_small_ones_out() {
    let server = Server::start_with(|settings| settings.rest.max_body_size = 64 << 10).await;
    let mut hanging = Vec::new();
    let body = vec![b' '; (64 << 10) - 1];
    for _ in 0..40 {
        let mut stream = server.connect().await;
        let head = "POST /api/v1/nodes/register HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                    content-length: 65536\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        hanging.push(stream);
    }
    // Some of those do not fit into the budget, and are told so.
    let mut refused = None;
    for stream in &mut hanging {
        let mut buffer = [0; 12];
        let read = tokio::time::timeout(Duration::from_millis(50), stream.read_exact(&mut buffer));
        if read.await.is_ok() {
            refused = Some(String::from_utf8_lossy(&buffer).into_owned());
            break;
        }
    }
    assert_eq!(refused.as_deref(), Some("HTTP/1.1 503"));
    let registered = server.register_node("small").await;
    assert_eq!(registered.status, 200);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_is_refused() {
    let server = Server::start().await;
    let mut head = b"GET / HTTP/1.1\r\nhost: a\r\n".to_vec();
    head.extend(format!("x-filler: {}\r\n", "x".repeat(100_000)).bytes());
    let mut stream = server.connect().await;
    // The server may close before it has read everything.
    let _ = stream.write_all(&head).await;
    let answer = rest_of(&mut stream).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_lets_requests_finish_and_closes_idle_connections() {
    let server = Server::start().await;
    let mut idle = server.connect().await;
    idle.write_all(GET).await.unwrap();
    answer(&mut idle).await;
    let mut busy = server.connect().await;
    let body = br#"{"node_id": "n1", "addresses": ["a:1"], "storage_capacity": 5}"#;
    let head = format!(
        "POST /api/v1/nodes/register HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    busy.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body: the request is being handled.
    let mut go_on = [0; 25];
    tokio::time::timeout(PATIENCE, busy.read_exact(&mut go_on))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.stop.cancel();
    assert_eq!(
        rest_of(&mut idle).await,
        "",
        "an idle connection is closed at once"
    );
    let finished = exchange(busy, body).await;
    assert!(finished.starts_with("HTTP/1.1 200 "), "{finished}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_nobody_for_ever() {
    let server =
        Server::start_with(|settings| settings.rest.server.drain_timeout = Duration::from_millis(200)).await;
    let mut hanging = server.connect().await;
    hanging
        .write_all(b"POST /api/v1/nodes/register HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n")
        .await
        .unwrap();
    let mut go_on = [0; 25];
    tokio::time::timeout(PATIENCE, hanging.read_exact(&mut go_on))
        .await
        .unwrap()
        .unwrap();
    server.end().await;
    rest_of(&mut hanging).await;
}
