//! Nodes are taken out of service, and repair is stopped and let go on, over gRPC.

use tonic::Code;
use zephyrfs_coordinator::service::RequestContext;
use zephyrfs_proto::coordinator as wire;

use crate::support::file;
use crate::support::grpc::GrpcReplica;

/// A replica with nodes a, b and c, all of which have the chunk x of the file f.
async fn start() -> GrpcReplica {
    let replica = GrpcReplica::start().await;
    replica.replica.register_nodes(&["a", "b", "c"]).await;
    let registered = replica
        .replica
        .service
        .register_file(file("f", &["x"]), RequestContext::default())
        .await;
    registered.unwrap();
    let stored = wire::UpdateChunkLocationsRequest {
        chunk_id: "x".to_owned(),
        node_ids: ["a", "b", "c"].map(str::to_owned).to_vec(),
        operation: "add".to_owned(),
    };
    let stored = replica.client().update_chunk_locations(stored).await;
    assert!(stored.unwrap().into_inner().success);
    replica
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_refused_forced_looked_at_and_cancelled() {
    let replica = start().await;
    let mut client = replica.client();
    let node_id = || "a".to_owned();
    let drain = |force| wire::DrainNodeRequest {
        node_id: node_id(),
        force,
    };
    let decommission = |force| wire::DecommissionNodeRequest {
        node_id: node_id(),
        force,
    };
    let refused = client
        .decommission_node(decommission(false))
        .await
        .unwrap()
        .into_inner();
    assert!(
        !refused.success && refused.message.contains("2 would be left"),
        "{refused:?}"
    );
    let status = || wire::GetDrainStatusRequest {
        node_id: node_id(),
        chunks: 5,
    };
    let none = client.get_drain_status(status()).await.unwrap().into_inner();
    assert!(!none.success && none.message.contains("node a"), "{none:?}");

    let many = wire::GetDrainStatusRequest {
        chunks: 101,
        ..status()
    };
    let malformed = client.get_drain_status(many).await.unwrap_err();
    assert_eq!(malformed.code(), Code::InvalidArgument);
    assert_eq!(malformed.message(), "chunks: must be at most 100, got 101");

    let forced = client
        .decommission_node(decommission(true))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((forced.success, forced.status.as_str()), (true, "draining"));
    let found = client.get_drain_status(status()).await.unwrap().into_inner();
    assert_eq!(
        (
            found.progress_permille,
            found.copies_left,
            found.bytes_left,
            found.then.as_str()
        ),
        (0, 1, 1_000, "remove")
    );
    assert_eq!(
        (found.eta_seconds, found.drained, found.since),
        (None, false, 1_700_000_000)
    );
    assert!(
        found.chunks[0].reason.starts_with("no node can take a copy: "),
        "{found:?}"
    );
    let get = wire::GetNodeRequest { node_id: node_id() };
    let node = client.get_node(get).await.unwrap().into_inner().node.unwrap();
    assert_eq!(
        (node.drained, node.held_until, node.returns),
        (Some(false), None, None)
    );

    let cancel = || wire::CancelDrainRequest { node_id: node_id() };
    assert_eq!(
        client.cancel_drain(cancel()).await.unwrap().into_inner().status,
        "active"
    );
    assert!(!client.cancel_drain(cancel()).await.unwrap().into_inner().success);
    let begun = client.drain_node(drain(false)).await.unwrap().into_inner();
    let told = "node is draining; the drain cannot end before further nodes come: 3 copies of each chunk are wanted, each on \
                a node of its own, and the other nodes in service are 2";
    assert_eq!((begun.success, begun.message.as_str()), (true, told));
    let found = client.get_drain_status(status()).await.unwrap().into_inner();
    assert_eq!(found.then, "stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_repair_is_seen_explained_and_released() {
    let replica = start().await;
    let mut client = replica.client();
    let calm = client
        .get_repair_status(wire::GetRepairStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(calm.brake.is_none() && calm.report.is_some(), "{calm:?}");
    for node in ["a", "b"] {
        replica.replica.expire(node).await;
    }
    let stopped = client
        .get_repair_status(wire::GetRepairStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    let brake = stopped.brake.unwrap();
    assert_eq!(
        (brake.silent, brake.of),
        (vec!["a".to_owned(), "b".to_owned()], 3)
    );
    let why = |kind: &str, id: &str| wire::WhyRequest {
        kind: kind.to_owned(),
        id: id.to_owned(),
    };
    let chunk = client.why(why("chunk", "x")).await.unwrap().into_inner();
    assert_eq!(
        chunk.obstacles,
        ["repair is stopped: 2 of 3 nodes fell silent together"]
    );
    let facts = chunk.chunk.unwrap();
    assert_eq!(
        (facts.copies_wanted, facts.copies_sure, facts.class.as_str()),
        (3, 1, "last_copy")
    );
    assert_eq!(facts.replicas.len(), 3);
    let node = client.why(why("node", "a")).await.unwrap().into_inner();
    assert!(
        node.summary.starts_with("Node a is inactive, and 1 copies"),
        "{}",
        node.summary
    );
    let facts = node.node.unwrap();
    assert_eq!(
        (facts.in_brake, facts.silent_since, facts.copies),
        (true, 1_700_000_000, 1)
    );
    assert!(
        !client
            .why(why("task", &"0".repeat(32)))
            .await
            .unwrap()
            .into_inner()
            .success
    );
    let malformed = client.why(why("disk", "x")).await.unwrap_err();
    assert_eq!(malformed.code(), Code::InvalidArgument);
    assert_eq!(
        malformed.message(),
        "kind: must be chunk, node or task, got \"disk\""
    );
    let endless = client.why(why(&"x".repeat(100_000), "x")).await.unwrap_err();
    assert_eq!(endless.code(), Code::InvalidArgument);
    assert!(endless.message().len() < 200, "{} bytes", endless.message().len());

    let release = || wire::ReleaseRepairRequest {};
    assert_eq!(
        client.release_repair(release()).await.unwrap().into_inner().nodes,
        2
    );
    assert_eq!(
        client.release_repair(release()).await.unwrap().into_inner().nodes,
        0
    );
}
