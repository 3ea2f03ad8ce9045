//! Connections that are encrypted, to a server that shows who it is; or none.

use std::path::Path;

use zephyrfs_core::engine::{Engine as _, EngineError};

use super::support::{PATIENCE, eventually, file, options, register_nodes, start};
use crate::PostgresEngine;
use crate::testing::Server;

/// What the server writes down of each connection that it lets in.
const LET_IN: &str =
    "connection authorized: user=coordinator database=secure application_name=zephyrfs-coordinator";

fn server() -> Server {
    Server::start(&["fsync=off", "log_connections=on"])
}

/// The same database, for who believes one authority alone about the server called `localhost`. The password is not asked for.
fn verified(url: &str, authority: &Path) -> String {
    let named = url.replace("coordinator@127.0.0.1", "coordinator:hunter2@localhost");
    format!("{named}?sslmode=verify-full&sslrootcert={}", authority.display())
}

/// Why an instance cannot begin.
async fn refusal(url: &str) -> String {
    let engine = PostgresEngine::start(options(url, "one")).unwrap();
    let recovered = tokio::time::timeout(PATIENCE, engine.recovered()).await;
    let refusal = recovered.unwrap().unwrap_err().to_string();
    let asked = engine.execute(file("f", 1), PATIENCE).await.unwrap_err();
    assert!(
        matches!(&asked, EngineError::Unavailable { reason } if *reason == refusal),
        "{asked:?}"
    );
    let status = engine.status();
    assert_eq!(status.not_ready.as_ref(), Some(&refusal));
    assert!(!format!("{status:?}").contains("hunter2"));
    engine.stop().await;
    refusal
}

#[tokio::test(flavor = "multi_thread")]
async fn with_verify_full_everything_goes_over_tls() {
    let server = server();
    let authority = server.offer_tls("localhost");
    let url = verified(&server.url("secure"), &authority);
    let engine = start(&url, "one").await;
    register_nodes(&engine).await;
    engine.execute(file("f", 8), PATIENCE).await.unwrap();
    let connections = "SELECT ssl, count(*) > 1 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = 'secure' \
        AND application_name LIKE 'zephyrfs-coordinator%' GROUP BY ssl";
    assert_eq!(server.sql("postgres", connections).unwrap(), "t|t");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_verify_full_a_server_that_does_not_show_who_it_is_gets_no_connection_and_nothing_in_the_clear()
{
    let server = server();
    let plain = server.url("secure");
    let (strange, known) = (server.offer_tls("localhost"), server.offer_tls("localhost"));
    let of_nobody = known.with_extension("missing");
    let mut refusals = vec![
        (refusal(&verified(&plain, &strange)).await, "UnknownIssuer"),
        (refusal(&verified(&plain, &of_nobody)).await, "certificate or key"),
    ];
    let elsewhere = server.offer_tls("elsewhere.example");
    let other_name = refusal(&verified(&plain, &elsewhere)).await;
    refusals.push((other_name, "not valid for name"));
    server.offer_no_tls();
    let without = refusal(&verified(&plain, &known)).await;
    refusals.push((without, "does not support TLS"));
    for (refusal, why) in refusals {
        assert!(refusal.contains("no secure connection"), "{why}: {refusal}");
        assert!(refusal.contains(why), "{why}: {refusal}");
        assert!(!refusal.contains("hunter2"), "{why}: {refusal}");
    }
    assert!(!server.log().contains(LET_IN), "{}", server.log());
    // The way without TLS was open all the time.
    start(&plain, "one").await.stop().await;
    assert!(server.log().contains(LET_IN), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_becomes_wrong_is_waited_out_with_its_reason() {
    let server = server();
    let authority = server.offer_tls("localhost");
    let engine = start(&verified(&server.url("secure"), &authority), "one").await;
    register_nodes(&engine).await;
    let renewed = server.offer_tls("localhost");
    // The instance's own connection is the oldest: while it holds, requests find out by themselves.
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'secure'";
    let oldest = "SELECT min(backend_start) FROM pg_stat_activity WHERE datname = 'secure'";
    server
        .sql("postgres", &format!("{cut} AND backend_start > ({oldest})"))
        .unwrap();
    let refused = engine.execute(file("f", 8), PATIENCE).await.unwrap_err();
    assert!(
        matches!(&refused, EngineError::Unavailable { reason } if reason.contains("no secure connection")),
        "{refused:?}"
    );
    assert_eq!(engine.status().not_ready, None);
    server.sql("postgres", cut).unwrap();
    eventually("it says that it does not believe the certificate", || {
        let reason = engine.status().not_ready;
        reason
            .is_some_and(|reason| reason.contains("no secure connection") && reason.contains("UnknownIssuer"))
    })
    .await;
    assert_eq!(engine.failure(), None, "a restart would mend nothing");
    // The authority is read again with each connection.
    std::fs::copy(renewed, authority).unwrap();
    eventually("it is ready again", || engine.status().not_ready.is_none()).await;
    engine.execute(file("f", 8), PATIENCE).await.unwrap();
    engine.stop().await;
}
