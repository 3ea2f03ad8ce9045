//! The client against real listeners: who is asked, how often, and what is made of silence.

use std::time::Duration;

use super::{Answer, Client, Endpoints, IdempotencyKey, Repetition, Request};
use crate::cli::exit::CliError;
use crate::cli::testing::{FakeServer, Reaction};

const DONE: &str = r#"{"success":true}"#;
const NO_LEADER: &str = r#"{"error":"unavailable","details":"there is no leader"}"#;

fn done() -> Reaction {
    Reaction::reply(200, DONE)
}

fn no_leader() -> Reaction {
    Reaction::reply(503, NO_LEADER)
}

fn keyed() -> Request<'static> {
    let key: IdempotencyKey = "key-1".parse().unwrap();
    Request::post(["files", "register"], &"body", Repetition::Keyed(key)).unwrap()
}

fn read() -> Request<'static> {
    Request::get(["cluster"])
}

async fn send(urls: &[String], timeout_ms: u64, request: &Request<'_>) -> Result<Answer, CliError> {
    let endpoints: Endpoints = urls.join(",").parse().unwrap();
    let mut client = Client::new(endpoints, Duration::from_millis(timeout_ms)).unwrap();
    client.send(request, |_| {}).await
}

#[tokio::test]
async fn the_next_endpoint_is_asked_when_one_is_gone() {
    let server = FakeServer::start([done()]);
    for request in [read(), keyed()] {
        send(&[FakeServer::gone(), server.url()], 5000, &request)
            .await
            .unwrap();
    }
    let received = server.received();
    assert_eq!(
        server.lines(),
        ["GET /api/v1/cluster", "POST /api/v1/files/register"]
    );
    assert_eq!(
        (received[0].key.as_deref(), received[0].body.as_str()),
        (None, "")
    );
    assert_eq!(
        (received[1].key.as_deref(), received[1].body.as_str()),
        (Some("key-1"), r#""body""#)
    );
}

#[tokio::test]
async fn the_next_endpoint_is_asked_when_one_has_no_leader() {
    let (first, second) = (FakeServer::start([no_leader()]), FakeServer::start([done()]));
    for request in [read(), keyed()] {
        send(&[first.url(), second.url()], 5000, &request).await.unwrap();
    }
    assert_eq!((first.lines().len(), second.lines().len()), (2, 2));
}

#[tokio::test]
async fn the_round_begins_again_while_there_is_time() {
    let server = FakeServer::start([no_leader(), no_leader(), done()]);
    send(&[server.url(), FakeServer::gone()], 10_000, &keyed())
        .await
        .unwrap();
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn a_replica_that_hangs_leaves_time_for_the_next() {
    let (first, second) = (FakeServer::start([Reaction::Hang]), FakeServer::start([done()]));
    for request in [read(), keyed()] {
        send(&[first.url(), second.url()], 1000, &request).await.unwrap();
    }
    let (hanging, answered) = (&first.received()[1], &second.received()[1]);
    assert_eq!(
        (&hanging.line, &hanging.key, &hanging.body),
        (&answered.line, &answered.key, &answered.body)
    );
}

#[tokio::test]
async fn who_answered_is_asked_first_the_next_time() {
    let (first, second) = (
        FakeServer::start([Reaction::Close]),
        FakeServer::start([done(), done(), Reaction::Close]),
    );
    let endpoints: Endpoints = [first.url(), second.url()].join(",").parse().unwrap();
    let mut client = Client::new(endpoints, Duration::from_millis(1000)).unwrap();
    for _ in 0..2 {
        client.send(&read(), |_| {}).await.unwrap();
    }
    assert_eq!((first.lines().len(), second.lines().len()), (1, 2));
    client.send(&read(), |_| {}).await.unwrap_err();
    assert!(
        first.lines().len() > 1,
        "the others are asked again when it fails"
    );
}

#[tokio::test]
async fn the_coordinator_is_told_how_long_it_has() {
    let (first, second) = (FakeServer::start([no_leader()]), FakeServer::start([done()]));
    send(&[first.url(), second.url()], 1000, &keyed()).await.unwrap();
    for (server, longest) in [(first, 500), (second, 1000)] {
        let told = server.received()[0].timeout.clone().unwrap();
        let millis: u64 = told.strip_suffix("ms").unwrap().parse().unwrap();
        assert!((250..=longest).contains(&millis), "{told}");
    }
}

#[tokio::test]
async fn nobody_there_means_nothing_was_done() {
    let gone = FakeServer::gone();
    for request in [read(), keyed()] {
        let error = send(std::slice::from_ref(&gone), 500, &request)
            .await
            .unwrap_err();
        assert_eq!(error.code(), 4);
        assert!(
            error.to_string().contains(&format!("{gone} (Connection refused")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn no_leader_all_the_time_means_nothing_was_done() {
    let server = FakeServer::start([no_leader()]);
    let error = send(&[server.url()], 500, &keyed()).await.unwrap_err();
    assert_eq!(error.code(), 4);
    assert!(
        error.to_string().contains("unavailable: there is no leader"),
        "{error}"
    );
    assert!(server.lines().len() > 1);
}

#[tokio::test]
async fn a_write_without_an_answer_has_an_unknown_outcome() {
    for reaction in [
        Reaction::Hang,
        Reaction::Close,
        Reaction::reply(504, "{}"),
        Reaction::reply(502, ""),
    ] {
        let server = FakeServer::start([reaction.clone()]);
        let error = send(&[server.url()], 500, &keyed()).await.unwrap_err();
        assert_eq!(error.code(), 5, "{reaction:?}");
        assert!(
            error.to_string().contains("--idempotency-key key-1 is safe"),
            "{error}"
        );
        let error = send(&[server.url()], 500, &read()).await.unwrap_err();
        assert_eq!(error.code(), 4, "{reaction:?}");
    }
}

#[tokio::test]
async fn a_definite_answer_with_the_same_key_settles_a_lost_one() {
    let server = FakeServer::start([Reaction::Close, Reaction::reply(504, "{}"), done()]);
    send(&[server.url()], 10_000, &keyed()).await.unwrap();
    let keys: Vec<_> = server.received().into_iter().map(|request| request.key).collect();
    assert_eq!(keys, vec![Some("key-1".to_owned()); 3]);
}

#[tokio::test]
async fn nothing_happened_later_does_not_unsay_that_it_may_have_happened_before() {
    let server = FakeServer::start([Reaction::Close, no_leader()]);
    assert_eq!(send(&[server.url()], 500, &keyed()).await.unwrap_err().code(), 5);
}

#[tokio::test]
async fn a_write_that_cannot_be_repeated_is_sent_once() {
    let request = || Request::post(["cluster", "resize"], &"body", Repetition::Unsafe).unwrap();
    let server = FakeServer::start([Reaction::Close, done()]);
    let error = send(&[server.url(), server.url()], 5000, &request())
        .await
        .unwrap_err();
    assert_eq!((error.code(), server.lines().len()), (5, 1));
    assert!(error.to_string().contains("cluster status"), "{error}");
    // What certainly had no effect is sent again all the same.
    let server = FakeServer::start([no_leader(), done()]);
    send(&[FakeServer::gone(), server.url()], 5000, &request())
        .await
        .unwrap();
    assert_eq!(server.received()[1].key, None);
}

#[tokio::test]
async fn a_write_that_is_the_same_twice_is_repeated_without_a_key() {
    let shown_by = "coordinator repair status";
    let repetition = || Repetition::Harmless { shown_by };
    let request = || Request::post(["repair", "release"], &"body", repetition()).unwrap();
    let server = FakeServer::start([Reaction::Close, Reaction::reply(504, "{}"), done()]);
    send(&[server.url()], 10_000, &request()).await.unwrap();
    let keys: Vec<_> = server.received().into_iter().map(|request| request.key).collect();
    assert_eq!(keys, [None, None, None]);

    let server = FakeServer::start([Reaction::Close]);
    let error = send(&[server.url()], 500, &request()).await.unwrap_err();
    assert_eq!(error.code(), 5);
    assert!(
        error.to_string().ends_with(
            "may not have been done: `coordinator repair status` shows it, and repeating the command is safe"
        ),
        "{error}"
    );
    let server = FakeServer::start([no_leader()]);
    let error = send(&[server.url()], 500, &request()).await.unwrap_err();
    assert_eq!(error.code(), 4, "nothing was done");
}

#[tokio::test]
async fn a_refusal_is_final() {
    for (status, code) in [(400, 2), (404, 3), (409, 2), (500, 2), (307, 2)] {
        let server = FakeServer::start([Reaction::reply(status, r#"{"error":"e","details":"d"}"#)]);
        let error = send(&[server.url(), server.url()], 5000, &keyed())
            .await
            .unwrap_err();
        assert_eq!((error.code(), server.lines().len()), (code, 1), "{status}");
        assert!(
            error
                .to_string()
                .contains(&format!("e: d (HTTP {status} from {}", server.url())),
            "{error}"
        );
    }
}

#[tokio::test]
async fn who_waits_long_is_told_why() {
    let server = FakeServer::start([no_leader()]);
    let mut client = Client::new(server.url().parse().unwrap(), Duration::from_secs(3)).unwrap();
    let mut notices = Vec::new();
    let error = client
        .send(&read(), |notice| notices.push(notice.to_owned()))
        .await
        .unwrap_err();
    assert_eq!(error.code(), 4);
    assert_eq!(notices.len(), 1);
    assert!(notices[0].contains("there is no leader"), "{notices:?}");
}
