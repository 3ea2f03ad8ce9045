//! Nodes, from registration to removal, over a real engine.

use std::time::{Duration, Instant};

use crate::support::{Replica, START, beat, keyed, node};
use zephyrfs_coordinator::service::{
    ActiveNodesQuery, Consistency, Freshness, HeartbeatReport, NodeListQuery, NodeRegistration, NodeRemoval,
    NodeStateRequest, PageQuery, RequestContext, ServiceError,
};
use zephyrfs_core::Rejection;
use zephyrfs_core::engine::Engine as _;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::NodeStatus;
use zephyrfs_core::units::{AppliedIndex, Timestamp};

fn plain() -> RequestContext {
    RequestContext::default()
}

fn anonymous() -> NodeRegistration {
    NodeRegistration {
        node_id: String::new(),
        ..node("n")
    }
}

fn rejection<T>(result: Result<T, ServiceError>) -> Rejection {
    match result.err() {
        Some(ServiceError::Rejected { rejection, index }) => {
            assert!(index > AppliedIndex::new(0));
            rejection
        }
        other => panic!("not a rejection: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_an_id_is_given_one_and_a_retry_the_same() {
    let replica = Replica::start().await;
    let service = &replica.service;
    let first = service.register_node(anonymous(), keyed("k")).await.unwrap();
    let id = first.value.node.as_str();
    assert!(
        id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{id}"
    );
    let again = service.register_node(anonymous(), keyed("k")).await.unwrap();
    assert_eq!(again.value, first.value);
    let other = service.register_node(anonymous(), keyed("l")).await.unwrap();
    assert_ne!(other.value.node, first.value.node);

    let reused = service.register_node(node("n"), keyed("k")).await;
    assert!(matches!(
        rejection(reused),
        Rejection::IdempotencyKeyReused { .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_idempotency_key_is_named() {
    let replica = Replica::start().await;
    for key in ["", "a\nb", &"k".repeat(257)] {
        let error = replica
            .service
            .register_node(node("n"), keyed(key))
            .await
            .expect_err(key);
        assert!(error.to_string().starts_with("idempotency-key: must"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_learns_of_up_to_five_others_the_moment_they_are_there() {
    let replica = Replica::start().await;
    let service = &replica.service;
    let ids = ["a", "b", "c", "d", "e", "f", "g"];
    for (known, id) in ids.iter().enumerate() {
        let registered = service.register_node(node(id), plain()).await.unwrap().value;
        assert_eq!(registered.peers.len(), known.min(5), "{id}");
        assert!(!registered.peers.contains(&format!("{id}:9000")));
        assert!(!registered.known);
    }
    assert!(
        service
            .register_node(node("a"), plain())
            .await
            .unwrap()
            .value
            .known
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_is_read_back_at_once_and_recorded_before_the_end() {
    let mut replica = Replica::start().await;
    replica.register_nodes(&["n"]).await;
    replica.pass(Duration::from_secs(20));
    let taken = replica.service.heartbeat(beat("n", 77), plain()).await.unwrap();
    assert_eq!(taken.value, Vec::<String>::new());

    let seen = replica.service.node("n".to_owned(), plain()).await.unwrap().value;
    let shown = seen.beat.unwrap();
    assert_eq!(shown.stats.uptime_seconds, 77);
    assert!(
        shown.at.since(Timestamp::from_millis(START)).get() > 15_000,
        "{shown:?}"
    );
    let status = replica.service.network_status(plain()).await.unwrap().value;
    assert_eq!(status.active_nodes[0].beat.unwrap().stats.uptime_seconds, 77);
    assert!((status.summary.stats.average_node_uptime - 77.0).abs() < f64::EPSILON);
    assert_eq!(status.summary.stats.network_uptime_seconds, 20);

    let recorded = |beats: Vec<(NodeId, zephyrfs_core::engine::NodeWithBeat)>| beats[0].1.1.unwrap();
    let before = replica.engine.nodes(Freshness::default()).await.unwrap();
    assert_eq!(
        recorded(before.value).stats.uptime_seconds,
        0,
        "nothing is written for one heartbeat"
    );
    replica.stop_recording().await;
    let after = replica.engine.nodes(Freshness::default()).await.unwrap();
    assert_eq!(recorded(after.value).stats.uptime_seconds, 77);

    let late = replica.service.heartbeat(beat("n", 78), plain()).await;
    assert!(
        late.is_ok(),
        "an active node's beat is taken to the very end: {late:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_are_recorded_together_at_intervals() {
    let replica = Replica::start_with(|_, policy| policy.heartbeat_flush = Duration::from_millis(5)).await;
    let ids: Vec<String> = (0..50).map(|n| format!("n{n:02}")).collect();
    replica
        .register_nodes(&ids.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    replica.pass(Duration::from_secs(20));
    let before = replica.engine.totals().index;
    for id in &ids {
        replica.service.heartbeat(beat(id, 5), plain()).await.unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let nodes = replica.engine.nodes(Freshness::default()).await.unwrap().value;
        if nodes
            .iter()
            .all(|(_, (_, beat))| beat.unwrap().stats.uptime_seconds == 5)
        {
            break;
        }
        assert!(Instant::now() < deadline, "the heartbeats were never recorded");
        tokio::task::yield_now().await;
    }
    assert!(replica.engine.totals().index < AppliedIndex::new(before.get() + 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_of_an_inactive_node_makes_it_active_at_once() {
    let replica = Replica::start().await;
    replica.register_nodes(&["a", "b"]).await;
    replica.expire("a").await;
    let active = || async {
        let active = replica
            .service
            .active_nodes(ActiveNodesQuery::default(), plain())
            .await;
        active
            .unwrap()
            .value
            .into_iter()
            .map(|node| node.id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(active().await, ["b"]);
    replica.service.heartbeat(beat("a", 9), plain()).await.unwrap();
    assert_eq!(active().await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_without_statistics_keeps_those_before() {
    let replica = Replica::start().await;
    replica.register_nodes(&["n"]).await;
    replica.service.heartbeat(beat("n", 9), plain()).await.unwrap();
    let bare = HeartbeatReport {
        node_id: "n".to_owned(),
        stats: None,
    };
    replica.service.heartbeat(bare, plain()).await.unwrap();
    let seen = replica.service.node("n".to_owned(), plain()).await.unwrap().value;
    assert_eq!(seen.beat.unwrap().stats.uptime_seconds, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_removed_nodes_are_told_so() {
    let replica = Replica::start().await;
    let service = &replica.service;
    let heartbeat = service.heartbeat(beat("ghost", 1), plain()).await;
    assert!(matches!(rejection(heartbeat), Rejection::NodeNotFound { .. }));
    let looked_up = service.node("ghost".to_owned(), plain()).await;
    assert!(matches!(rejection(looked_up), Rejection::NodeNotFound { .. }));

    replica.register_nodes(&["n"]).await;
    let removal = NodeRemoval {
        node_id: "n".to_owned(),
        reason: "sold".to_owned(),
    };
    service.unregister_node(removal.clone(), plain()).await.unwrap();
    service.unregister_node(removal, plain()).await.unwrap();
    let heartbeat = service.heartbeat(beat("n", 1), plain()).await;
    assert!(matches!(rejection(heartbeat), Rejection::NodeRemoved { .. }));
    let gone = service.node("n".to_owned(), plain()).await.unwrap().value;
    assert_eq!(gone.status(), NodeStatus::Inactive);
    let drained = service
        .set_node_state("n".to_owned(), NodeStateRequest::Drain { force: false }, plain())
        .await;
    assert!(matches!(rejection(drained), Rejection::NodeRemoved { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn active_nodes_are_ranked_limited_and_excluded() {
    let replica = Replica::start().await;
    let service = &replica.service;
    replica.register_nodes(&["a", "b", "c", "d"]).await;
    for (id, uptime) in [("a", 10), ("b", 30), ("c", 20), ("d", 40)] {
        service.heartbeat(beat(id, uptime), plain()).await.unwrap();
    }
    let drain = service
        .set_node_state("d".to_owned(), NodeStateRequest::Drain { force: false }, plain())
        .await;
    assert_eq!(drain.unwrap().value.status, NodeStatus::Draining);
    for (limit, exclude, expected) in [
        (0, vec![], vec!["b", "c", "a"]),
        (2, vec![], vec!["b", "c"]),
        (0, vec!["b".to_owned()], vec!["c", "a"]),
    ] {
        let query = ActiveNodesQuery { limit, exclude };
        let active = service.active_nodes(query, plain()).await.unwrap().value;
        let ids: Vec<_> = active.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(ids, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_listed_page_by_page() {
    let replica = Replica::start().await;
    replica.register_nodes(&["a", "b", "c", "d", "e"]).await;
    replica.expire("b").await;
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let query = NodeListQuery {
            status: "active".to_owned(),
            page: PageQuery { limit: 2, token },
        };
        let page = replica.service.list_nodes(query, plain()).await.unwrap().value;
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|node| node.id.to_string()));
        match page.next_page_token {
            Some(next) => token = next,
            None => break,
        }
    }
    assert_eq!(seen, ["a", "c", "d", "e"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passed_deadline_stops_a_request_before_it_does_anything() {
    let replica = Replica::start().await;
    let late = RequestContext {
        deadline: Some(Instant::now()),
        ..plain()
    };
    let error = replica
        .service
        .register_node(node("n"), late.clone())
        .await
        .unwrap_err();
    assert!(
        matches!(error, ServiceError::DeadlineExceeded { .. }),
        "{error:?}"
    );
    assert_eq!(replica.engine.totals().value.nodes(), 0);
    let error = replica.service.node("n".to_owned(), late).await.unwrap_err();
    assert!(
        matches!(error, ServiceError::DeadlineExceeded { .. }),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_the_index_it_must_see_until_its_deadline() {
    let replica = Replica::start().await;
    replica.register_nodes(&["n"]).await;
    let context = |index: u64| RequestContext {
        freshness: Freshness {
            consistency: Consistency::Local,
            at_least: Some(AppliedIndex::new(index)),
            max_staleness: None,
        },
        deadline: Some(Instant::now() + Duration::from_millis(50)),
        ..plain()
    };
    let error = replica
        .service
        .node("n".to_owned(), context(u64::MAX))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ServiceError::DeadlineExceeded { .. }),
        "{error:?}"
    );
    let now = replica.engine.totals().index.get();
    assert!(replica.service.node("n".to_owned(), context(now)).await.is_ok());
}
