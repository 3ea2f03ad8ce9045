//! Runs of the nemesis with seeds that stay the same. `scripts/nemesis` makes up new ones.

use zephyrfs_tests::nemesis::Campaign;

/// Faults of each run: every kind once.
const FAULTS: usize = 11;

async fn run(seed: u64) {
    let report = Campaign { seed, faults: FAULTS }.run().await;
    println!("{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_can_tell_three_replicas_under_faults_from_one_without() {
    run(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_can_tell_that_replicas_under_faults_keep_little_of_the_log() {
    run(1).await;
}
