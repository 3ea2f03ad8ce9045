//! A key has one effect and one answer, whoever takes it and whoever dies over it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use zephyrfs_tests::{Answer, ClusterPlan, Rest, TestCluster, until_told};

use super::files::listed;

/// Registrations on their way at any time: enough that some are between their commit and their answer when the leader dies.
const AT_ONCE: usize = 64;

/// A client's patience with a replica that may never answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// Registers a node without an id of its own, so that every effect mints another one.
async fn register(rest: &Rest, number: usize) -> Result<Answer, String> {
    let body = json!({"addresses": [format!("10.1.0.{number}:7000")], "storage_capacity": 1_000});
    let key = format!("key-{number}");
    let answer = rest
        .send_with("POST", "/api/v1/nodes/register", Some(&body), Some(&key))
        .await;
    answer.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_one_effect_though_the_leader_dies_between_commit_and_answer() {
    let plan = ClusterPlan::of(3).set("limits.request_timeout", "5s");
    let mut cluster = TestCluster::start(plan).await;
    let leader = cluster.until_leader().await;
    let at_leader = cluster.replica(&leader).place().rest_for(PATIENCE);
    // Each client goes on until the leader answers no more, so that there are always as many on their way.
    let clients: Vec<_> = (0..AT_ONCE)
        .map(|client| {
            let rest = at_leader.clone();
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for number in (client..).step_by(AT_ONCE) {
                    let answer = register(&rest, number).await;
                    let is_over = answer.is_err();
                    answers.push((number, answer));
                    if is_over {
                        break;
                    }
                }
                answers
            })
        })
        .collect();
    // The first effects are there.
    let survivors = cluster.others(&leader);
    let watcher = cluster.replica(&survivors[0]);
    until_told("the first registrations are applied", async || {
        let nodes = watcher.rest().get("/api/v1/nodes?consistency=local").await;
        let count = nodes.body["items"].as_array().map_or(0, Vec::len);
        if count > 0 {
            Ok(())
        } else {
            Err(format!("{nodes:?}"))
        }
    })
    .await;
    cluster.replica_mut(&leader).kill().await;
    let mut first = Vec::new();
    for client in clients {
        first.extend(client.await.unwrap());
    }
    let lost = first.iter().filter(|(_, answer)| answer.is_err()).count();
    println!("{lost} of {} answers were lost with the leader", first.len());
    assert!(lost > 0, "no answer was lost, so nothing was tried");

    cluster.until_leader_among(&survivors).await;
    let mut ids = BTreeSet::new();
    for (number, first) in &first {
        let number = *number;
        let again = register(cluster.replica(&survivors[number % 2]).rest(), number)
            .await
            .unwrap();
        assert_eq!(again.status, 200, "{again:?}");
        if let Ok(first) = first {
            assert_eq!(
                (first.status, &first.body),
                (again.status, &again.body),
                "another answer to key-{number}"
            );
        }
        let other = register(cluster.replica(&survivors[(number + 1) % 2]).rest(), number)
            .await
            .unwrap();
        assert_eq!(other.body, again.body, "another answer to key-{number}");
        let id = again.body["assigned_node_id"].as_str().unwrap().to_owned();
        assert!(ids.insert(id), "two keys have one effect: {again:?}");
    }
    cluster.replica_mut(&leader).start();
    cluster.until_agreed().await;
    cluster.until_same_rows().await;
    for replica in cluster.replicas() {
        let listed = listed(replica.rest(), "nodes", "node_id").await;
        assert_eq!(listed, ids, "each key has one effect, at {}", replica.name());
    }
    cluster.end().await;
}
