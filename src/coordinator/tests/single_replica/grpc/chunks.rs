//! Chunks: where they are, and why they are there.

use zephyrfs_proto::coordinator as wire;

use super::messages::{chunk, file, registration};
use crate::support::grpc::GrpcReplica;

#[tokio::test(flavor = "multi_thread")]
async fn locations_follow_what_nodes_say_until_the_file_is_deleted() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    for id in ["n1", "n2", "n3"] {
        client.register_node(registration(id)).await.unwrap();
    }
    client
        .register_file(file("f", vec![chunk("c", 0)]))
        .await
        .unwrap();
    let stored = wire::UpdateChunkLocationsRequest {
        chunk_id: "c".to_owned(),
        node_ids: vec!["n3".to_owned()],
        operation: "add".to_owned(),
    };
    let updated = client.update_chunk_locations(stored).await.unwrap();
    assert!(updated.into_inner().success);

    let find = |preferred_count| wire::FindChunkLocationsRequest {
        chunk_id: "c".to_owned(),
        preferred_count,
    };
    let found = client.find_chunk_locations(find(0)).await.unwrap().into_inner();
    assert_eq!((found.node_ids.len(), found.node_ids[0].as_str()), (3, "n3"));
    assert_eq!(found.node_addresses[0], "n3:9000");
    let found = client.find_chunk_locations(find(1)).await.unwrap().into_inner();
    assert_eq!(found.node_ids, ["n3"]);

    let deletion = wire::DeleteFileRequest {
        file_id: "f".to_owned(),
    };
    client.delete_file(deletion).await.unwrap();
    let found = client.find_chunk_locations(find(0)).await.unwrap();
    assert!(!found.into_inner().success);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_operation_is_a_normal_reply_that_says_so() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    let update = wire::UpdateChunkLocationsRequest {
        chunk_id: "c".to_owned(),
        node_ids: vec!["n".to_owned()],
        operation: "move".to_owned(),
    };
    let response = client.update_chunk_locations(update).await.unwrap().into_inner();
    assert!(!response.success);
    assert!(response.message.contains("\"move\""), "{}", response.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_where_a_chunk_is_and_why() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    for id in ["a", "b"] {
        client.register_node(registration(id)).await.unwrap();
    }
    let maintain = wire::MaintainNodeRequest {
        node_id: "a".to_owned(),
        r#for: "30m".to_owned(),
    };
    client.maintain_node(maintain).await.unwrap();
    client
        .register_file(file("f", vec![chunk("c", 0)]))
        .await
        .unwrap();

    let of_chunk = |chunk_id: &str| wire::GetChunkRequest {
        chunk_id: chunk_id.to_owned(),
    };
    let chunk = client
        .get_chunk(of_chunk("c"))
        .await
        .unwrap()
        .into_inner()
        .chunk
        .unwrap();
    assert_eq!(
        (chunk.file_id.as_str(), chunk.stored_at_nodes),
        ("f", vec!["b".to_owned()])
    );
    assert!(
        !client
            .get_chunk(of_chunk("d"))
            .await
            .unwrap()
            .into_inner()
            .success
    );
    let explain = wire::ExplainChunkRequest {
        chunk_id: "c".to_owned(),
    };
    let explained = client.explain_chunk(explain).await.unwrap().into_inner();
    assert_eq!(explained.wanted_replicas, 3);
    assert_eq!(explained.replicas.len(), 1);
    assert_eq!(explained.candidates.len(), 2);
    assert!(
        explained
            .candidates
            .iter()
            .all(|candidate| !candidate.eligible && !candidate.reason.is_empty())
    );
}
