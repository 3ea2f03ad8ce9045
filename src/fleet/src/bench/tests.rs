//! Whole benches against a coordinator in memory: what they report is what the coordinator saw.

use clap::Parser as _;

use crate::bench::error::BenchError;
use crate::bench::run;
use crate::cli::{Cli, Command};
use crate::operation::Operation;
use crate::report::bench::BenchReport;
use crate::shutdown::Shutdown;
use crate::testing::fake_coordinator::FakeCoordinator;

async fn bench(
    coordinator: &FakeCoordinator,
    shutdown: &Shutdown,
    options: &[&str],
) -> Result<BenchReport, BenchError> {
    let common = ["--endpoint", coordinator.endpoint(), "--clients", "4"];
    let arguments = ["fleet", "bench"]
        .into_iter()
        .chain(options.iter().copied())
        .chain(common);
    match Cli::try_parse_from(arguments).unwrap().command {
        Some(Command::Bench(command)) => run(&command, shutdown).await,
        other => panic!("{other:?} is no bench"),
    }
}

const WINDOW: [&str; 4] = ["--warm-up", "0s", "--duration", "300ms"];

#[tokio::test]
async fn register_file_counts_what_was_registered() {
    let coordinator = FakeCoordinator::start().await;
    let options = [&["register-file", "--chunks-per-file", "2"][..], &WINDOW].concat();
    let report = bench(&coordinator, &Shutdown::default(), &options).await.unwrap();
    assert!(report.ok && report.operations > 0, "{report}");
    assert_eq!(report.chunks, Some(2 * report.operations));
    coordinator.with(|state| {
        let files = state.files.len() as u64;
        // Each client may end one more, outside the window.
        assert!(
            (report.operations..=report.operations + 4).contains(&files),
            "{files} files, {report}"
        );
        assert!(state.files.values().all(|file| file.chunks.len() == 2));
        assert!(
            state
                .calls_of(Operation::RegisterFile)
                .iter()
                .all(|call| call.idempotency_key.is_none())
        );
    });
}

#[tokio::test]
async fn register_file_sends_keys_when_it_is_told_to() {
    let coordinator = FakeCoordinator::start().await;
    let options = [&["register-file", "--idempotency-keys"][..], &WINDOW].concat();
    bench(&coordinator, &Shutdown::default(), &options).await.unwrap();
    coordinator.with(|state| {
        let calls = state.calls_of(Operation::RegisterFile);
        let keys: std::collections::BTreeSet<_> = calls
            .iter()
            .filter_map(|call| call.idempotency_key.as_ref())
            .collect();
        assert_eq!(keys.len(), calls.len());
    });
}

#[tokio::test]
async fn errors_are_counted_and_make_the_bench_fail() {
    let coordinator = FakeCoordinator::start().await;
    coordinator.with(|state| state.full = true);
    let options = [&["register-file"][..], &WINDOW].concat();
    let report = bench(&coordinator, &Shutdown::default(), &options).await.unwrap();
    assert!(!report.ok);
    assert_eq!(report.operations, 0);
    assert_eq!(report.errors[0].code.name(), "REFUSED");
}

#[tokio::test]
async fn find_chunk_asks_for_chunks_it_registered() {
    let coordinator = FakeCoordinator::start().await;
    let options = [
        &["find-chunk", "--prepare", "3", "--chunks-per-file", "2"][..],
        &WINDOW,
    ]
    .concat();
    let report = bench(&coordinator, &Shutdown::default(), &options).await.unwrap();
    assert!(report.ok && report.operations > 0, "{report}");
    coordinator.with(|state| {
        assert_eq!(state.files.len(), 3);
        assert!(
            state
                .chunks
                .values()
                .all(|chunk| chunk.stored.len() == 3 && chunk.assigned.is_empty())
        );
        assert!(state.calls_of(Operation::FindChunkLocations).len() as u64 >= report.operations);
    });
}

#[tokio::test]
async fn heartbeat_speaks_for_every_node() {
    let coordinator = FakeCoordinator::start().await;
    let options = [&["heartbeat", "--nodes", "30"][..], &WINDOW].concat();
    let report = bench(&coordinator, &Shutdown::default(), &options).await.unwrap();
    assert!(report.ok && report.operations > 0, "{report}");
    coordinator.with(|state| {
        assert_eq!(state.nodes.len(), 30);
        assert!(state.nodes.values().all(|node| node.stats.is_some()));
    });
}

#[tokio::test]
async fn heartbeat_stream_counts_the_beats_of_its_windows() {
    let coordinator = FakeCoordinator::start().await;
    let options = [
        &[
            "heartbeat-stream",
            "--nodes",
            "30",
            "--window-beats",
            "50",
            "--streams",
            "1",
        ][..],
        &WINDOW,
    ]
    .concat();
    let report = bench(&coordinator, &Shutdown::default(), &options).await.unwrap();
    assert!(report.ok && report.operations > 0, "{report}");
    assert_eq!(report.beats, Some(50 * report.operations));
    coordinator.with(|state| {
        assert!(state.nodes.values().all(|node| node.stats.is_some()));
        assert_eq!(state.largest_window, 50);
        assert!(state.calls_of(Operation::NodeHeartbeat).is_empty());
    });
}

#[tokio::test]
async fn fill_registers_exactly_so_many_chunks() {
    let coordinator = FakeCoordinator::start().await;
    let options = [
        "fill",
        "--chunks-total",
        "50",
        "--chunks-per-file",
        "8",
        "--confirm",
    ];
    let report = bench(&coordinator, &Shutdown::default(), &options).await.unwrap();
    assert!(report.ok, "{report}");
    assert_eq!((report.operations, report.chunks), (7, Some(50)));
    coordinator.with(|state| {
        assert_eq!((state.files.len(), state.chunks.len()), (7, 50));
        assert!(
            state
                .chunks
                .values()
                .all(|chunk| chunk.stored.len() == 3 && chunk.assigned.is_empty())
        );
    });
}

#[tokio::test]
async fn a_fill_that_cannot_be_completed_is_a_failure() {
    let coordinator = FakeCoordinator::start().await;
    coordinator.with(|state| state.full = true);
    let options = ["fill", "--chunks-total", "1000000"];
    let report = bench(&coordinator, &Shutdown::default(), &options).await.unwrap();
    assert!(!report.ok);
    assert_eq!(report.chunks, Some(0));
    assert!(
        report.errors[0].count <= 4,
        "each client gives up at the first refusal"
    );
}

#[tokio::test]
async fn a_bench_that_cannot_begin_says_why() {
    let coordinator = FakeCoordinator::start().await;
    coordinator.with(|state| {
        state
            .failing
            .insert(Operation::RegisterNode, (12, tonic::Code::InvalidArgument))
    });
    let options = [&["heartbeat", "--nodes", "12"][..], &WINDOW].concat();
    let error = bench(&coordinator, &Shutdown::default(), &options)
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("12 of 12 nodes could not be registered: "),
        "{message}"
    );
    assert!(message.contains("as the test ordered"), "{message}");
}
