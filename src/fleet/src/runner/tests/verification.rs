//! Coordinators that do not tell the truth.

use crate::runner::tests::{complete, start};
use crate::testing::fake_coordinator::FakeCoordinator;

#[tokio::test]
async fn a_lying_coordinator_is_found_out() {
    let coordinator = FakeCoordinator::start().await;
    coordinator.with(|state| state.lying = true);
    let verify = ["--verify", "--verify-within", "1s"];
    let options = [&verify[..], &["--files-per-second", "500", "--total-files", "1"]].concat();
    let report = complete(&coordinator, &options).await;
    assert!(!report.ok);
    let verification = report.verification.unwrap();
    assert_eq!(
        (verification.asked, verification.right, verification.wrong.len()),
        (8, 0, 8)
    );
    assert!(
        verification.wrong[0]
            .problem
            .ends_with("is listed and does not hold it"),
        "{verification:?}"
    );
}

#[tokio::test]
async fn chunks_that_got_lost_are_found_out() {
    let coordinator = FakeCoordinator::start().await;
    let verify = ["--verify", "--verify-within", "1s"];
    let (running, shutdown) = start(
        &coordinator,
        &[
            &verify[..],
            &["--files-per-second", "0.001", "--chunks-per-file", "2"],
        ]
        .concat(),
    );
    coordinator
        .until("the file is stored", |state| {
            state.chunks.len() == 2 && state.chunks.values().all(|chunk| chunk.stored.len() == 3)
        })
        .await;
    coordinator.with(|state| {
        state.chunks.pop_first();
        state.chunks.values_mut().for_each(|chunk| chunk.stored.clear());
    });
    shutdown.finish.cancel();
    let report = running.await.unwrap().unwrap();
    let mut problems: Vec<_> = report
        .verification
        .unwrap()
        .wrong
        .into_iter()
        .map(|wrong| wrong.problem)
        .collect();
    problems.sort();
    assert!(!report.ok);
    assert!(problems[0].starts_with("it is not found"), "{problems:?}");
    assert_eq!(problems[1], "no node that holds it is listed, and there are some");
}

#[tokio::test]
async fn a_node_that_missed_its_chunk_is_no_lie() {
    let coordinator = FakeCoordinator::start().await;
    coordinator.with(|state| state.know("fleet-0002"));
    // The zone is gone before the first file, and nobody has noticed: its node is chosen, and gets nothing.
    let failing = ["--nodes", "3", "--fail-zone", "zone-2", "--fail-after", "1ms"];
    let files = ["--files-per-second", "0.001", "--verify", "--verify-within", "1s"];
    let (running, shutdown) = start(&coordinator, &[&failing[..], &files].concat());
    coordinator
        .until("the file is on the nodes that are left", |state| {
            state.chunks.len() == 8 && state.chunks.values().all(|chunk| chunk.stored.len() == 2)
        })
        .await;
    shutdown.finish.cancel();
    let report = running.await.unwrap().unwrap();
    assert!(report.ok, "{report}");
    let verification = report.verification.unwrap();
    assert_eq!((verification.asked, verification.unfinished), (8, 8));
}
