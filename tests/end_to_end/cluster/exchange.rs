//! A cluster out of a dump.

use serde_json::json;
use tempfile::TempDir;
use zephyrfs_tests::{ClusterPlan, TestCluster};

use super::files::{assert_all_registered, assert_present, register};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_lost_every_disk_comes_back_from_a_backup_and_its_replicas_join() {
    let mut cluster = TestCluster::start(ClusterPlan::of(3)).await;
    cluster.register_nodes(4).await;
    let mut files: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
    for file in &files {
        register(cluster.replica("a").rest(), file).await;
    }
    let old = cluster.until_agreed().await;
    let backup = cluster
        .replica("b")
        .rest()
        .post("/api/v1/admin/database/backup", &json!({}))
        .await;
    assert_eq!(backup.status, 200, "{backup:?}");
    // Kept where no replica's disk is.
    let kept = TempDir::new().unwrap();
    let dump = kept.path().join("dump");
    std::fs::copy(backup.body["path"].as_str().unwrap(), &dump).unwrap();
    for name in cluster.names() {
        cluster.replica_mut(&name).kill().await;
        cluster.replica_mut(&name).wipe();
    }

    let dump = dump.display().to_string();
    let imported = cluster.replica("a").command(&["import", &dump]).await;
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let digest = backup.body["digest"].as_str().unwrap();
    assert!(imported.stdout.contains(digest), "{imported:?}");
    cluster.replica_mut("a").start();
    assert_eq!(cluster.until_leader().await, "a");
    assert_present(cluster.replica("a").rest(), &files, "").await;
    for name in ["b", "c"] {
        cluster.replica_mut(name).start();
    }
    let whole = cluster.until_agreed().await;
    assert_ne!(whole.cluster_id, old.cluster_id);
    assert_eq!(whole.members.len(), 3, "{whole:?}");
    files.push("afterwards".to_owned());
    register(cluster.replica("c").rest(), "afterwards").await;
    assert_all_registered(&cluster, &files).await;
    cluster.end().await;
}
