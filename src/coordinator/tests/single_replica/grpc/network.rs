//! The storage network and the replicas.

use zephyrfs_proto::coordinator as wire;

use super::messages::{chunk, file, index_of, registration};
use crate::support::grpc::GrpcReplica;

#[tokio::test(flavor = "multi_thread")]
async fn the_network_s_status_counts_nodes_files_and_chunks() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    for id in ["n1", "n2", "n3"] {
        client.register_node(registration(id)).await.unwrap();
    }
    client
        .register_file(file("f", vec![chunk("c1", 0), chunk("c2", 1)]))
        .await
        .unwrap();
    let status = client
        .get_network_status(wire::GetNetworkStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    let stats = status.network_stats.unwrap();
    assert_eq!((stats.total_nodes, stats.active_nodes), (3, 3));
    assert_eq!((stats.total_files, stats.total_chunks), (1, 2));
    assert_eq!(stats.total_storage_capacity, 3_000_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_is_one_voter_that_leads() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    let cluster = client
        .get_cluster_status(wire::GetClusterStatusRequest {})
        .await
        .unwrap();
    assert_eq!(index_of(&cluster), cluster.get_ref().applied_index);
    let cluster = cluster.into_inner();
    assert_eq!(
        (cluster.engine.as_str(), cluster.leader.as_str()),
        ("raft", "alone")
    );
    assert_eq!(
        (cluster.members.len(), cluster.members[0].role.as_str()),
        (1, "voter")
    );
}
