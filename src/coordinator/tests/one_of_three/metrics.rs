//! What Prometheus is told of the replicas.

use crate::replica::Replica;

#[track_caller]
fn assert_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            text.lines().any(|found| found == *line),
            "no line {line:?} in:\n{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_shows_the_others_and_no_lag() {
    let replica = Replica::start().await;
    let text = replica.metrics().await;
    assert_lines(
        &text,
        &[
            "coordinator_is_leader 0",
            "coordinator_has_leader 1",
            "coordinator_term 3",
            "coordinator_members{role=\"voter\"} 3",
            "coordinator_members{role=\"learner\"} 1",
            "coordinator_healthy_members 3",
            "coordinator_failure_tolerance 1",
            "coordinator_leader_changes_total 0",
        ],
    );
    assert!(!text.contains("coordinator_replication_lag_entries{"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_shows_how_far_the_others_are() {
    let replica = Replica::start().await;
    replica.metrics().await;
    replica.part.play(|script| {
        script.leader = Some("a");
        script.term = 4;
    });
    let text = replica.metrics().await;
    assert_lines(
        &text,
        &[
            "coordinator_is_leader 1",
            "coordinator_leader_changes_total 1",
            "coordinator_replication_lag_entries{member=\"a\"} 0",
            "coordinator_replication_lag_entries{member=\"b\"} 2",
            "coordinator_replication_lag_entries{member=\"c\"} 40",
            "coordinator_replication_lag_entries{member=\"d\"} 900",
        ],
    );
    replica.part.play(|script| script.leader = None);
    let text = replica.metrics().await;
    assert_lines(
        &text,
        &[
            "coordinator_is_leader 0",
            "coordinator_has_leader 0",
            "coordinator_leader_changes_total 1",
        ],
    );
    // What was true once is not shown any more.
    assert!(!text.contains("coordinator_replication_lag_entries{"), "{text}");
}
