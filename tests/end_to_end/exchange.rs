//! Moving a service from one engine to the other and back.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use zephyrfs_tests::{Ended, PostgresServer, TestNode, run_to_end, run_unread, until};

const NAME: &str = "coordinator-0";

async fn register(node: &TestNode, id: &str, chunks: &[&str]) {
    let chunks: Vec<Value> = (0..)
        .zip(chunks)
        .map(|(index, chunk): (u32, _)| json!({"chunk_id": chunk, "hash": chunk, "size": 1_000, "index": index}))
        .collect();
    let body = json!({"file_id": id, "file_name": id, "file_size": 1_000, "file_hash": id, "chunks": chunks});
    let answer = node.rest().post("/api/v1/files/register", &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// What clients see of the service.
async fn seen(node: &TestNode) -> Vec<(&'static str, Value)> {
    let mut seen = Vec::new();
    for path in [
        "/api/v1/files?limit=1000",
        "/api/v1/nodes",
        "/api/v1/chunks/shared/locations",
        "/api/v1/files/f7",
    ] {
        let answer = node.rest().get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        seen.push((path, answer.body));
    }
    seen
}

fn assert_same(now: &[(&str, Value)], before: &[(&str, Value)], place: &str) {
    for ((path, now), (_, before)) in now.iter().zip(before) {
        assert_eq!(now, before, "{path} {place}");
    }
}

/// Runs `coordinator export` or `import`; with `place` it knows where the data is.
async fn exchange(command: &str, file: &Path, place: (&str, &str)) -> Ended {
    let environment = [("REPLICA_NAME", NAME), place];
    run_to_end(
        "coordinator",
        &[command, &file.display().to_string()],
        &environment,
    )
    .await
}

/// The digest of all rows, as it is told.
fn digest(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let digest = ended
        .stdout
        .lines()
        .find_map(|line| line.trim().strip_prefix("digest  "));
    &digest.unwrap()[..64]
}

fn assert_refused(ended: &Ended, code: i32, reason: &str) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert!(ended.stderr.contains(reason), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_moves_to_postgresql_and_back_with_every_row() {
    let scratch = TempDir::new().unwrap();
    let dump = |name: &str| scratch.path().join(name);
    let mut first = TestNode::start_with(&[("REPLICA_NAME", NAME)], &[]).await;
    first.register_nodes(5).await;
    for number in 0..30 {
        let own = format!("c{number}");
        register(&first, &format!("f{number}"), &[&own, "shared"]).await;
    }
    let deleted = first
        .rest()
        .send("DELETE", "/api/v1/files/f3", None)
        .await
        .unwrap();
    assert_eq!(deleted.status, 200, "{deleted:?}");
    let before = seen(&first).await;
    let backup = first
        .rest()
        .post("/api/v1/admin/database/backup", &json!({}))
        .await;
    assert_eq!(backup.status, 200, "{backup:?}");
    let data = first.data().display().to_string();
    let at_first = ("DATA_PATH", data.as_str());
    let running = exchange("export", &dump("one"), at_first).await;
    assert_refused(&running, 2, "another coordinator is running on this data");
    assert!(
        running.stderr.contains("/api/v1/admin/database/backup"),
        "{running:?}"
    );
    // What its state lacks is in its log.
    first.kill().await;
    let exported = exchange("export", &dump("one"), at_first).await;
    let rows = digest(&exported).to_owned();
    assert!(exported.stdout.contains(&data), "{exported:?}");
    let again = exchange("export", &dump("one"), at_first).await;
    assert_refused(&again, 1, "not written over");
    // Whoever takes what went through a pipe for a dump must learn that it is none.
    let cut_off = run_unread("coordinator", &["export", "-"], &[at_first]).await;
    assert_refused(&cut_off, 1, "nothing was exported");

    let server = PostgresServer::start(&[]);
    let url = server.url("zephyrfs");
    let over_postgres = ("DATABASE_URL", url.as_str());
    let mut bytes = std::fs::read(dump("one")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(dump("damaged"), &bytes).unwrap();
    let damaged = exchange("import", &dump("damaged"), over_postgres).await;
    assert_refused(&damaged, 1, "take another copy of it");
    let imported = exchange("import", &dump("one"), over_postgres).await;
    assert_eq!(digest(&imported), rows);
    let place = format!("PostgreSQL at {}", url.rsplit_once('@').unwrap().1);
    assert!(imported.stdout.contains(&place), "{imported:?}");
    let again = exchange("import", &dump("one"), over_postgres).await;
    assert_refused(&again, 2, &format!("{place}: the database has nodes already"));

    let mut instance = TestNode::start_with(&[over_postgres, ("REPLICA_NAME", NAME)], &[]).await;
    assert_same(&seen(&instance).await, &before, "over PostgreSQL");
    register(&instance, "new", &["cn", "shared"]).await;
    let live = exchange("export", &dump("two"), over_postgres).await;
    let with_new = digest(&live).to_owned();
    assert_ne!(with_new, rows);
    let before = seen(&instance).await;
    until("an instance leads", async || {
        let status = instance.rest().get("/api/v1/cluster").await.body;
        (status["leader"] == NAME).then_some(())
    })
    .await;
    let in_use = exchange("import", &dump("two"), over_postgres).await;
    assert_refused(&in_use, 2, "stop every instance");
    assert_eq!(instance.stop().await, Some(0));

    let back = TempDir::new().unwrap();
    let data = back.path().display().to_string();
    let at_last = ("DATA_PATH", data.as_str());
    let imported = exchange("import", &dump("two"), at_last).await;
    assert_eq!(digest(&imported), with_new);
    let exported = exchange("export", &dump("three"), at_last).await;
    assert_eq!(digest(&exported), with_new, "nothing was lost on the way");
    let mut last = TestNode::start_at(back.path()).await;
    assert_same(&seen(&last).await, &before, "in the embedded engine again");
    register(&last, "newest", &["cx"]).await;
    assert_eq!(last.stop().await, Some(0));

    // A backup that a running replica wrote is a dump like any other.
    assert_eq!(backup.body["digest"], rows.as_str());
    let backup = backup.body["path"].as_str().unwrap();
    let restored = TempDir::new().unwrap();
    let data = restored.path().display().to_string();
    let restored = exchange("import", Path::new(backup), ("DATA_PATH", &data)).await;
    assert_eq!(digest(&restored), rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_exported_or_imported_is_said() {
    let scratch = TempDir::new().unwrap();
    let file = scratch.path().join("dump");
    let nowhere = scratch.path().join("nothing").display().to_string();
    let nothing = exchange("export", &file, ("DATA_PATH", &nowhere)).await;
    assert_refused(&nothing, 2, "nothing to export");
    assert!(!file.exists());
    let missing = exchange("import", &file, ("DATA_PATH", &nowhere)).await;
    assert_refused(&missing, 1, "cannot read");
    std::fs::write(&file, "no dump at all").unwrap();
    let foreign = exchange("import", &file, ("DATA_PATH", &nowhere)).await;
    assert_refused(&foreign, 1, "is no dump of a coordinator");
    let secret = "postgres://coordinator:swordfish@127.0.0.1:1/zephyrfs";
    for command in ["export", "import"] {
        let gone = exchange(command, &file, ("DATABASE_URL", secret)).await;
        assert_ne!(gone.code, Some(0), "{gone:?}");
        assert!(!format!("{gone:?}").contains("swordfish"), "{gone:?}");
    }
}
