//! Two instances over one PostgreSQL, and everything that can be lost of them.

use std::time::Duration;

use zephyrfs_tests::{Attempt, Load, PostgresServer, Rest, TestNode, run_to_end, until};

/// A client waits longer than the coordinator does.
const PATIENCE: Duration = Duration::from_secs(20);

/// The deadline of every request.
const DEADLINE: Duration = Duration::from_secs(5);

async fn instance(url: &str, name: &str) -> TestNode {
    let environment = [("DATABASE_URL", url), ("REPLICA_NAME", name)];
    let deadline = format!("limits.request_timeout={}s", DEADLINE.as_secs());
    TestNode::start_with(&environment, &["--set", &deadline, "--set", "database.lease=1s"]).await
}

fn apis(instances: &[&TestNode]) -> Vec<(String, Rest)> {
    let named = instances.iter().zip(["one", "other"]);
    named
        .map(|(node, name)| (name.to_owned(), node.rest_for(PATIENCE)))
        .collect()
}

fn names(instances: &[(String, Rest)]) -> Vec<String> {
    instances.iter().map(|(name, _)| name.clone()).collect()
}

fn acknowledged(attempts: &[Attempt]) -> Vec<&str> {
    let acknowledged = attempts.iter().filter(|attempt| attempt.is_acknowledged());
    acknowledged.map(|attempt| attempt.file.as_str()).collect()
}

/// Every file that was acknowledged is registered with its chunk, as `psql` sees it.
fn assert_none_is_lost(server: &PostgresServer, files: &[&str]) {
    let registered = "SELECT file_id FROM files JOIN chunks ON home_file_id = file_id JOIN chunk_replicas USING (chunk_id) \
        GROUP BY file_id HAVING count(*) = 3";
    let registered = server.sql("zephyrfs", registered).unwrap();
    let registered: std::collections::BTreeSet<&str> = registered.lines().collect();
    let lost: Vec<_> = files.iter().filter(|file| !registered.contains(*file)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged files are lost: {lost:?}",
        lost.len(),
        files.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_instances_cost_no_acknowledged_write_and_no_request_to_others() {
    let server = PostgresServer::start(&[]);
    let url = server.url("zephyrfs");
    let (mut one, mut other) = (instance(&url, "one").await, instance(&url, "other").await);
    one.register_nodes(4).await;
    let mut files = Vec::new();
    for _ in 0..2 {
        let both = apis(&[&one, &other]);
        let load = Load::start(&format!("round-{}", files.len()), &both, 4);
        load.until_acknowledged(50, &names(&both)).await;
        one.kill().await;
        load.until_acknowledged(50, &names(&both[1..])).await;
        until("another instance leads", async || {
            let status = other.rest().get("/api/v1/cluster").await.body;
            (status["leader"] == "other").then_some(())
        })
        .await;
        let attempts = load.stop().await;
        let of_other = |attempt: &&Attempt| attempt.replica == "other" && !attempt.is_acknowledged();
        let failed = attempts.iter().find(of_other);
        assert!(
            failed.is_none(),
            "a request to the other instance failed: {failed:?}"
        );
        files.extend(acknowledged(&attempts).into_iter().map(str::to_owned));
        one.start_again().await;
        // The other one is lost as well, so that the next round begins as this one did.
        other.kill().await;
        until("the first leads", async || {
            let status = one.rest().get("/api/v1/cluster").await.body;
            (status["leader"] == "one").then_some(())
        })
        .await;
        other.start_again().await;
    }
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    assert_none_is_lost(&server, &files);
    assert_eq!((one.stop().await, other.stop().await), (Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immediate_shutdown_of_the_database_loses_nothing_and_all_goes_on_when_it_is_back() {
    let mut server = PostgresServer::start(&[]);
    let url = server.url("zephyrfs");
    let (mut one, mut other) = (instance(&url, "one").await, instance(&url, "other").await);
    one.register_nodes(4).await;
    let both = apis(&[&one, &other]);
    let load = Load::start("f", &both, 4);
    for _ in 0..2 {
        load.until_acknowledged(100, &names(&both)).await;
        server.kill();
        for node in [&one, &other] {
            until("it is not ready", async || {
                (node.health().get("/ready").await.status == 503).then_some(())
            })
            .await;
            let live = node.health().get("/live").await;
            assert_eq!(live.status, 200, "a restart would mend nothing: {live:?}");
            let refused = node.rest().get("/api/v1/files/f").await;
            assert_eq!(refused.status, 503, "{refused:?}");
        }
        server.run();
        load.until_acknowledged(20, &names(&both)).await;
        for node in [&one, &other] {
            until("it is ready again", async || {
                (node.health().get("/ready").await.status == 200).then_some(())
            })
            .await;
        }
    }
    let attempts = load.stop().await;
    let bound = DEADLINE + Duration::from_secs(3);
    let slow = attempts
        .iter()
        .find(|attempt| attempt.ended - attempt.sent > bound);
    assert!(
        slow.is_none(),
        "a request took longer than its deadline: {slow:?}"
    );
    // 504 says that nobody knows whether a write was done that was under way when the database went.
    let answered = |attempt: &&Attempt| {
        let answer = attempt.answer.as_ref();
        answer.is_ok_and(|answer| ![201, 503, 504].contains(&answer.status))
    };
    let odd = attempts.iter().find(answered);
    assert!(odd.is_none(), "{odd:?}");
    assert_none_is_lost(&server, &acknowledged(&attempts));
    assert_eq!((one.stop().await, other.stop().await), (Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_to_the_cluster_are_not_applicable_and_say_what_to_do_instead() {
    let server = PostgresServer::start(&[]);
    let url = server.url("zephyrfs");
    let mut one = instance(&url, "one").await;
    let endpoint = one.rest().base().to_owned();
    for (command, instead) in [
        (&["cluster", "transfer-leader"][..], "stop"),
        (&["cluster", "remove", "other"], "stop"),
        (&["cluster", "resize", "3"], "start"),
    ] {
        let words = [command, &["--endpoint", &endpoint]].concat();
        let refused = run_to_end("coordinator", &words, &[]).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        for told in ["not applicable: engine postgres; ", instead] {
            assert!(refused.stderr.contains(told), "{command:?}: {refused:?}");
        }
    }
    let words = ["recover", "--accept-data-loss"];
    let refused = run_to_end("coordinator", &words, &[("DATABASE_URL", &url)]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("not applicable: engine postgres; restore the database"),
        "{refused:?}"
    );
    // And what can be shown is shown.
    let shown = run_to_end(
        "coordinator",
        &["cluster", "status", "--endpoint", &endpoint],
        &[],
    )
    .await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("\"one\""), "{shown:?}");
    assert_eq!(one.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_of_one_name_are_warned_of() {
    let server = PostgresServer::start(&["fsync=off"]);
    let url = server.url("zephyrfs");
    let (mut one, mut other) = (instance(&url, "same").await, instance(&url, "same").await);
    until("one of them says so", async || {
        let mut lines = one.log().into_iter().chain(other.log());
        lines.any(|line| line.contains("has the same name")).then_some(())
    })
    .await;
    assert_eq!(one.stop().await, Some(0));
    assert_eq!(other.stop().await, Some(0));
}
