//! Every read can be had as fresh as the client wants it.

use std::time::Duration;

use tonic::{Code, Request, Status};
use zephyrfs_proto::coordinator as wire;

use crate::replica::Replica;

/// Every read over REST.
const READS: [&str; 11] = [
    "/files/f",
    "/files",
    "/chunks/c",
    "/chunks/c/locations",
    "/chunks/c/explain",
    "/nodes",
    "/nodes/active",
    "/nodes/n",
    "/network/status",
    "/network/stats",
    "/tasks",
];

/// Asks for each read over gRPC, with metadata.
async fn grpc_reads(replica: &Replica, metadata: &[(&'static str, &str)]) -> Vec<Result<(), Status>> {
    fn with<M>(message: M, metadata: &[(&'static str, &str)]) -> Request<M> {
        let mut request = Request::new(message);
        for (name, value) in metadata {
            request.metadata_mut().insert(*name, value.parse().unwrap());
        }
        request
    }
    let mut grpc = replica.grpc();
    let (file_id, node_id) = (|| "f".to_owned(), || "n".to_owned());
    let chunk_id = || "c".to_owned();
    let locations = wire::FindChunkLocationsRequest {
        chunk_id: chunk_id(),
        preferred_count: 0,
    };
    let file = wire::GetFileInfoRequest { file_id: file_id() };
    let chunk = wire::GetChunkRequest { chunk_id: chunk_id() };
    let explain = wire::ExplainChunkRequest { chunk_id: chunk_id() };
    let node = wire::GetNodeRequest { node_id: node_id() };
    macro_rules! asked {
        ($($rpc:ident($message:expr)),* $(,)?) => {
            vec![$(grpc.$rpc(with($message, metadata)).await.map(drop)),*]
        };
    }
    asked![
        get_file_info(file),
        list_files(wire::ListFilesRequest::default()),
        get_chunk(chunk),
        find_chunk_locations(locations),
        explain_chunk(explain),
        list_nodes(wire::ListNodesRequest::default()),
        get_active_nodes(wire::GetActiveNodesRequest::default()),
        get_node(node),
        get_network_status(wire::GetNetworkStatusRequest {}),
        list_tasks(wire::ListTasksRequest::default()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_leader_only_local_reads_are_answered() {
    let replica = Replica::start().await;
    replica.fill().await;
    for path in READS {
        for consistency in ["local", "leader", "linearizable"] {
            let answer = replica.get(&format!("{path}?consistency={consistency}")).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
    }
    replica.part.play(|script| script.leader = None);
    for path in READS {
        let local = replica
            .get(&format!("{path}?consistency=local&max_staleness=1h"))
            .await;
        assert_eq!(local.status, 200, "{path}: {local:?}");
        for query in ["", "?consistency=leader", "?consistency=linearizable"] {
            let answer = replica.get(&format!("{path}{query}")).await;
            assert_eq!(answer.status, 503, "{path}{query}: {answer:?}");
            assert_eq!(answer.details(), "there is no leader");
        }
    }
    for local in grpc_reads(&replica, &[("consistency", "local"), ("max-staleness", "1h")]).await {
        local.unwrap();
    }
    for metadata in [&[][..], &[("consistency", "leader")]] {
        for refused in grpc_reads(&replica, metadata).await {
            assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_does_not_come_is_waited_for_until_the_deadline() {
    let replica = Replica::start().await;
    replica.fill().await;
    let far = "this replica has applied index 2";
    for path in READS {
        let reached = replica.get(&format!("{path}?at_least=2")).await;
        assert_eq!(reached.status, 200, "{path}: {reached:?}");
        let waiting = replica.rest(reqwest::Method::GET, &format!("{path}?at_least=3"));
        let answer = crate::replica::send(waiting.header("request-timeout", "50ms")).await;
        assert_eq!(answer.status, 504, "{path}: {answer:?}");
        assert!(answer.details().ends_with(far), "{path}: {answer:?}");
    }
    let metadata = [("at-least", "3"), ("grpc-timeout", "50m")];
    for waited in grpc_reads(&replica, &metadata).await {
        let status = waited.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        assert!(status.message().ends_with(far), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_read_can_be_is_refused_by_name() {
    let replica = Replica::start().await;
    replica.fill().await;
    for path in READS {
        for (query, name) in [
            ("consistency=strong", "consistency: "),
            ("at_least=-1", "at_least: "),
            ("consistency=local&max_staleness=soon", "max_staleness: "),
        ] {
            let answer = replica.get(&format!("{path}?{query}")).await;
            assert_eq!(answer.status, 400, "{path}?{query}: {answer:?}");
            assert!(answer.details().starts_with(name), "{path}: {answer:?}");
        }
    }
    for (name, value) in [
        ("consistency", "strong"),
        ("at-least", "-1"),
        ("max-staleness", "soon"),
    ] {
        for refused in grpc_reads(&replica, &[(name, value)]).await {
            let status = refused.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().starts_with(&format!("{name}: ")), "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_waits_for_nobody_who_was_not_asked_for() {
    let replica = Replica::start().await;
    replica.fill().await;
    replica.part.play(|script| script.leader = None);
    let explained = replica.get("/chunks/c/explain?consistency=local");
    let explained = tokio::time::timeout(Duration::from_secs(10), explained)
        .await
        .unwrap();
    assert_eq!(explained.body["replicas"][0]["node_id"], "n", "{explained:?}");
    assert_eq!(explained.body["candidates"][0]["node_id"], "n", "{explained:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn local_answers_do_not_wait_behind_those_that_wait_for_a_quorum() {
    let replica = Replica::start().await;
    replica.fill().await;
    replica.part.play(|script| {
        script.leader = None;
        script.waits_for_leader = true;
    });
    let waiting = replica.rest(reqwest::Method::GET, "/repair");
    let waiting = tokio::spawn(crate::replica::send(waiting.header("request-timeout", "5s")));
    replica.part.until_someone_waits().await;
    for path in ["/repair", "/why/node/n", "/why/chunk/c"] {
        let local = replica.rest(reqwest::Method::GET, &format!("{path}?consistency=local"));
        let answer = crate::replica::send(local.header("request-timeout", "3s")).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    assert!(!waiting.is_finished(), "it asked for what cannot be had");
    assert_eq!(waiting.await.unwrap().status, 503);
}
