//! What operators ask of the data as a whole.

use std::fs;
use std::time::{Duration, Instant};

use zephyrfs_coordinator::service::{RequestContext, ServiceError};
use zephyrfs_core::Dumper;
use zephyrfs_core::engine::Engine as _;

use crate::support::{Replica, file, keyed};

fn plain() -> RequestContext {
    RequestContext::default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_holds_every_row_and_leaves_nothing_else() {
    let replica = Replica::start().await;
    replica.register_nodes(&["a", "b"]).await;
    replica
        .service
        .register_file(file("f", &["x", "y"]), keyed("k"))
        .await
        .unwrap();
    let backup = replica.service.backup(plain()).await.unwrap();
    let mut expected = Dumper::default();
    let index = replica
        .engine
        .dump(&mut |row| {
            expected.add(&row).unwrap();
            true
        })
        .await
        .unwrap();
    assert_eq!(backup.index, index);
    assert_eq!(
        (backup.value.rows, backup.value.digest),
        (expected.rows(), expected.digest())
    );
    assert_eq!(
        fs::metadata(&backup.value.path).unwrap().len(),
        backup.value.bytes
    );
    let directory = replica.directory.path().join("backups");
    assert!(backup.value.path.starts_with(&directory));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    // Time stands still here: another one has a name of its own.
    let another = replica.service.backup(plain()).await.unwrap();
    assert_ne!(another.value.path, backup.value.path);
    assert_eq!(another.value.digest, backup.value.digest);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_nobody_waits_for_is_given_up() {
    let replica = Replica::start().await;
    let late = RequestContext {
        deadline: Some(Instant::now()),
        ..plain()
    };
    let error = replica.service.backup(late).await.unwrap_err();
    assert!(
        matches!(error, ServiceError::DeadlineExceeded { .. }),
        "{error:?}"
    );
    // Whatever it had begun is gone once the next one may begin.
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = replica.service.backup(plain()).await {
        assert!(matches!(error, ServiceError::Overloaded { .. }), "{error:?}");
        assert!(Instant::now() < deadline, "the abandoned backup never ended");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_forgets_what_is_over_and_nothing_else() {
    let replica = Replica::start().await;
    let service = &replica.service;
    replica.register_nodes(&["a"]).await;
    service
        .register_file(file("f", &["x"]), keyed("old"))
        .await
        .unwrap();
    replica.pass(Duration::from_secs(25 * 60 * 60));
    service
        .register_file(file("g", &["y"]), keyed("new"))
        .await
        .unwrap();
    let reclaimed = service.cleanup(plain()).await.unwrap();
    assert_eq!(reclaimed.value.requests, 1);
    assert_eq!(reclaimed.index, replica.engine.totals().index);
    let again = service.cleanup(plain()).await.unwrap().value;
    assert_eq!(again.requests, 0);
    let remembered = replica.engine.requests(None, 10).await.unwrap();
    assert_eq!(remembered.items.len(), 1);
    assert_eq!(remembered.items[0].0, "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_finishes_the_release_of_a_large_file() {
    let replica = Replica::start().await;
    let service = &replica.service;
    replica.register_nodes(&["a"]).await;
    let names: Vec<String> = (0..2_500).map(|n| format!("c{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    service.register_file(file("f", &names), plain()).await.unwrap();
    service.delete_file("f".to_owned(), plain()).await.unwrap();
    assert_eq!(replica.engine.totals().value.chunks, 1_500);
    let reclaimed = service.cleanup(plain()).await.unwrap().value;
    assert_eq!(reclaimed.releases, 1);
    let totals = replica.engine.totals().value;
    assert_eq!((totals.chunks, totals.unreferenced_chunks), (0, 2_500));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_the_data_is_told() {
    let replica = Replica::start().await;
    replica.register_nodes(&["a", "b"]).await;
    replica
        .service
        .register_file(file("f", &["x"]), plain())
        .await
        .unwrap();
    let stats = replica.service.database_stats(plain()).await.unwrap().value;
    assert_eq!(
        (stats.totals.nodes(), stats.totals.files, stats.totals.chunks),
        (2, 1, 1)
    );
    assert!(!stats.storage.rows.is_empty());
}
