//! Files that clients register, whatever is in the way.

use std::collections::BTreeSet;

use tokio::net::TcpListener;
use tonic::Code;

use crate::operation::Operation;
use crate::runner::run;
use crate::runner::tests::{args, complete};
use crate::shutdown::Shutdown;
use crate::testing::fake_coordinator::FakeCoordinator;

#[tokio::test]
async fn files_are_registered_stored_confirmed_and_verified() {
    let coordinator = FakeCoordinator::start().await;
    let options = [
        "--files-per-second",
        "500",
        "--total-files",
        "5",
        "--chunks-per-file",
        "3",
        "--verify",
    ];
    let report = complete(&coordinator, &options).await;
    assert!(report.ok, "{report}");
    assert_eq!(
        (report.counts.files_registered, report.counts.files_confirmed),
        (5, 5)
    );
    assert_eq!(report.counts.chunks_uploaded, 5 * 3 * 3);
    let verification = report.verification.unwrap();
    assert_eq!((verification.asked, verification.right), (15, 15));
    coordinator.with(|state| {
        assert_eq!((state.files.len(), state.chunks.len()), (5, 15));
        assert!(
            state
                .chunks
                .values()
                .all(|chunk| chunk.stored.len() == 3 && chunk.assigned.is_empty())
        );
        let updates = state.calls_of(Operation::UpdateChunkLocations);
        let keys: BTreeSet<_> = updates
            .iter()
            .map(|call| call.idempotency_key.as_ref().unwrap())
            .collect();
        assert_eq!(keys.len(), 45, "each write has a key of its own");
    });
}

#[tokio::test]
async fn a_write_is_retried_with_the_key_it_had() {
    let coordinator = FakeCoordinator::start().await;
    coordinator.with(|state| {
        state
            .failing
            .insert(Operation::RegisterFile, (2, Code::Unavailable));
        state
            .failing
            .insert(Operation::UpdateChunkLocations, (1, Code::DeadlineExceeded));
        state
            .failing
            .insert(Operation::RegisterNode, (3, Code::Unavailable));
    });
    let options = [
        "--files-per-second",
        "500",
        "--total-files",
        "1",
        "--chunks-per-file",
        "1",
        "--clients",
        "1",
    ];
    let report = complete(&coordinator, &options).await;
    assert!(report.ok, "{report}");
    assert_eq!(report.counts.files_confirmed, 1);
    let errors: Vec<_> = report
        .errors
        .iter()
        .map(|line| (line.operation, line.code.name(), line.count))
        .collect();
    assert_eq!(
        errors,
        [
            (Operation::RegisterNode, "UNAVAILABLE", 3),
            (Operation::RegisterFile, "UNAVAILABLE", 2),
            (Operation::UpdateChunkLocations, "DEADLINE_EXCEEDED", 1),
        ]
    );
    coordinator.with(|state| {
        let distinct_keys = |operation| {
            let calls = state.calls_of(operation);
            let keys: BTreeSet<_> = calls
                .iter()
                .map(|call| call.idempotency_key.clone().unwrap())
                .collect();
            (calls.len(), keys.len())
        };
        assert_eq!(distinct_keys(Operation::RegisterFile), (3, 1));
        assert_eq!(distinct_keys(Operation::UpdateChunkLocations), (4, 3));
        assert_eq!(distinct_keys(Operation::RegisterNode), (7, 4));
    });
}

#[tokio::test]
async fn a_dead_endpoint_is_passed_over() {
    let coordinator = FakeCoordinator::start().await;
    // Bound and dropped: nobody listens there any more.
    let dead = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let dead = format!("http://{dead}");
    let options = [
        "--endpoint",
        &dead,
        "--files-per-second",
        "500",
        "--total-files",
        "4",
        "--verify",
    ];
    let report = complete(&coordinator, &options).await;
    assert!(report.ok, "{report}");
    assert_eq!(report.counts.files_confirmed, 4);
    assert!(
        report.errors.iter().any(|line| line.last_message.contains(&dead)),
        "{report}"
    );
}

#[tokio::test]
async fn a_full_network_is_a_failure() {
    let coordinator = FakeCoordinator::start().await;
    coordinator.with(|state| state.full = true);
    let report = complete(&coordinator, &["--files-per-second", "500", "--total-files", "2"]).await;
    assert!(!report.ok);
    assert_eq!(
        (report.counts.files_failed, report.counts.files_registered),
        (2, 0)
    );
    coordinator.with(|state| assert_eq!(state.calls_of(Operation::RegisterFile).len(), 2, "no is no"));
}

#[tokio::test]
async fn options_that_contradict_each_other_are_refused() {
    for options in [
        &["--files-per-second", "0", "--verify"][..],
        &["--fail-zone", "zone-9"],
        &["--fail", "9"],
    ] {
        let error = run(&args("http://127.0.0.1:1", options), &Shutdown::default())
            .await
            .unwrap_err();
        assert!(error.is_usage(), "{error}");
    }
}
