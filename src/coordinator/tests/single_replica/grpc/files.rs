//! Files: registered, read, deleted.

use tonic::Code;
use zephyrfs_proto::coordinator as wire;

use super::messages::{chunk, file, index_of, refused, registration};
use crate::support::grpc::GrpcReplica;

fn file_info(file_id: &str) -> wire::GetFileInfoRequest {
    wire::GetFileInfoRequest {
        file_id: file_id.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_from_registration_to_deletion() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    for id in ["n1", "n2", "n3"] {
        client.register_node(registration(id)).await.unwrap();
    }
    let request = file("f", vec![chunk("c2", 1), chunk("c1", 0)]);
    let registered = client.register_file(request.clone()).await.unwrap();
    let index = index_of(&registered);
    let registered = registered.into_inner();
    assert!(registered.success, "{}", registered.message);
    let placements = registered.chunk_placements;
    let order: Vec<_> = placements
        .iter()
        .map(|placement| placement.chunk_id.as_str())
        .collect();
    assert_eq!(order, ["c1", "c2"]);
    for placement in &placements {
        assert_eq!(placement.replication_factor, 3);
        let mut nodes = placement.target_nodes.clone();
        nodes.sort();
        assert_eq!(nodes, ["n1", "n2", "n3"]);
    }
    let again = client.register_file(request).await.unwrap().into_inner();
    assert_eq!(again.chunk_placements, placements);

    let stored = wire::UpdateChunkLocationsRequest {
        chunk_id: "c1".to_owned(),
        node_ids: vec!["n3".to_owned()],
        operation: "add".to_owned(),
    };
    client.update_chunk_locations(stored).await.unwrap();
    let info = client.get_file_info(file_info("f")).await.unwrap();
    assert!(index_of(&info) >= index);
    let info = info.into_inner().file_info.unwrap();
    assert_eq!(info.chunks.len(), 2);
    assert_eq!(
        (info.chunks[0].chunk_id.as_str(), info.chunks[0].replication_count),
        ("c1", 3)
    );
    assert_eq!(info.chunks[0].stored_at_nodes[0], "n3");
    assert_eq!(
        (info.created_at, info.last_accessed),
        (1_700_000_000, 1_700_000_000)
    );

    let deletion = wire::DeleteFileRequest {
        file_id: "f".to_owned(),
    };
    let deleted = client.delete_file(deletion.clone()).await.unwrap();
    assert!(deleted.into_inner().success);
    let deleted = client.delete_file(deletion).await.unwrap();
    assert!(!deleted.into_inner().success);
    let info = client.get_file_info(file_info("f")).await.unwrap();
    assert!(!info.into_inner().success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_a_place_is_a_normal_reply_and_nothing_is_stored() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    let response = client
        .register_file(file("f", vec![chunk("c", 0)]))
        .await
        .unwrap();
    index_of(&response);
    let response = response.into_inner();
    assert!(!response.success);
    assert!(
        response
            .message
            .starts_with("no active node has room for chunk c"),
        "{}",
        response.message
    );
    let info = client.get_file_info(file_info("f")).await.unwrap();
    index_of(&info);
    assert!(!info.into_inner().success, "nothing was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_name_the_field_and_change_nothing() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    client.register_node(registration("n")).await.unwrap();
    let negative = wire::ChunkMetadata {
        size: -1,
        ..chunk("d", 1)
    };
    let negative = file("f", vec![chunk("c", 0), negative]);
    refused(client.register_file(negative).await, "chunks[1].size");
    let twice = file("f", vec![chunk("c", 0), chunk("c", 1)]);
    refused(client.register_file(twice).await, "chunks[1].chunk_id");
    let long = file_info(&"f".repeat(257));
    refused(client.get_file_info(long).await, "file_id");
    let list = wire::ListFilesRequest {
        limit: 0,
        page_token: "?".to_owned(),
    };
    refused(client.list_files(list).await, "page_token");
    let status = client
        .get_network_status(wire::GetNetworkStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(status.network_stats.unwrap().total_files, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_with_other_content_is_named_where_it_differs() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    client.register_node(registration("n")).await.unwrap();
    client
        .register_file(file("f", vec![chunk("c", 0)]))
        .await
        .unwrap();
    let other_hash = wire::ChunkMetadata {
        hash: "other".to_owned(),
        ..chunk("c", 1)
    };
    let other_size = wire::ChunkMetadata {
        size: 7,
        ..chunk("c", 1)
    };
    for (other, field) in [(other_hash, "chunks[0].hash: "), (other_size, "chunks[0].size: ")] {
        let status = client
            .register_file(file("g", vec![other, chunk("d", 0)]))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{status}");
        assert!(status.metadata().get("applied-index").is_some());
    }
    let files = client
        .list_files(wire::ListFilesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(files.items.len(), 1);
}
