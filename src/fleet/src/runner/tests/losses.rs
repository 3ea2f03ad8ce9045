//! Chunks that are there first, and what is lost with nodes.

use std::time::Duration;

use crate::operation::Operation;
use crate::report::run::RunReport;
use crate::runner::tests::{complete, start};
use crate::testing::fake_coordinator::FakeCoordinator;

#[tokio::test]
async fn a_run_fills_loses_and_ends_when_all_is_whole_again() {
    let coordinator = FakeCoordinator::start().await;
    let options = [
        "--files-per-second",
        "0",
        "--chunks",
        "5",
        "--chunks-per-file",
        "2",
        "--fail",
        "1",
        "--fail-after",
        "1ms",
        "--until-whole",
    ];
    let (running, _shutdown) = start(&coordinator, &options);
    // Each chunk is on three of four nodes. Whichever fails, the fourth gets a copy; until one has failed nothing is lacking,
    // so the orders are given again and again.
    let repair = async {
        while !running.is_finished() {
            coordinator.with(|state| {
                let nodes: Vec<_> = state.nodes.keys().cloned().collect();
                let chunks: Vec<_> = state
                    .chunks
                    .iter()
                    .filter(|(_, chunk)| chunk.stored.len() >= 3)
                    .map(|(id, chunk)| (id.clone(), chunk.stored.iter().cloned().collect::<Vec<_>>()))
                    .collect();
                for (chunk, holders) in chunks {
                    let sources: Vec<_> = holders.iter().map(String::as_str).collect();
                    for node in &nodes {
                        state.order_replicate(node, &chunk, &sources);
                    }
                }
            });
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), repair)
        .await
        .expect("everything is whole again");
    let report = running.await.unwrap().unwrap();
    assert!(report.ok, "{report}");
    assert_eq!(
        report.counts.files_confirmed, 3,
        "five chunks are three files of two"
    );
    assert_eq!(report.counts.chunks_uploaded, 6 * 3);
    let losses = report.losses.unwrap();
    assert!(losses.copies_lost >= 4 && losses.copies_lost <= 6, "{losses:?}");
    assert_eq!(losses.copies_made, losses.copies_lost);
    assert!(losses.first_copy_seconds <= losses.whole_seconds);
    let phases: Vec<_> = report
        .phases
        .iter()
        .map(|phase| (phase.phase, phase.latency.count))
        .collect();
    assert_eq!(phases[0], ("filling", 3), "{phases:?}");
    let text = report.to_string();
    assert!(text.contains("whole again after"), "{text}");
    coordinator.with(|state| {
        let adding = state.calls_of(Operation::UpdateChunkLocations);
        assert!(
            adding.len() >= 6,
            "one confirmation for each chunk, and one for each copy"
        );
    });
}

/// A run with one chunk on three nodes, of which so many are lost.
async fn one_chunk(fail: &str, more: &[&str]) -> RunReport {
    let coordinator = FakeCoordinator::start().await;
    let options = [
        "--files-per-second",
        "0",
        "--chunks",
        "1",
        "--chunks-per-file",
        "1",
        "--nodes",
        "3",
        "--fail",
        fail,
        "--fail-after",
        "1ms",
        "--until-whole",
    ];
    complete(&coordinator, &[&options, more].concat()).await
}

#[tokio::test]
async fn what_nobody_has_any_more_is_beyond_repair() {
    let report = one_chunk("3", &[]).await;
    assert_eq!(report.losses.unwrap().copies_beyond_repair, 3, "{report}");
}

#[tokio::test]
async fn what_stays_lacking_is_a_failure_if_it_was_to_be_whole() {
    let report = one_chunk("2", &["--duration", "200ms"]).await;
    assert!(!report.ok, "{report}");
    assert!(report.to_string().contains("2 still lacking"), "{report}");
}
