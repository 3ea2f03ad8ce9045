//! Repair, while leaders come and go and writes fail.

use std::time::Duration;

use serde_json::json;
use zephyrfs_coordinator::service::Repair;
use zephyrfs_proto::coordinator as wire;

use crate::replica::Replica;

/// For how long the replica has led, so that it waits for no node to be heard.
const LONG: Duration = Duration::from_secs(86_400);

/// Shown by a leader that has looked.
const PRESENT: &str = "coordinator_repair_braked";

/// Shown once it has looked at everything.
const FOUND: [&str; 3] = [
    "coordinator_chunks_by_copies",
    "coordinator_chunks_without_source",
    "coordinator_patrol_pass_seconds",
];

fn lead(replica: &Replica, leader: &'static str, term: u64) {
    replica.part.play(|script| {
        script.leader = Some(leader);
        script.term = term;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_shows_only_what_it_found_since_it_leads() {
    let replica = Replica::start().await;
    replica.fill().await;
    let mut repair = Repair::default();
    let nothing = json!({"last_pass": null, "running_pass": null, "rebalancing": false});
    let seen = async || {
        let text = replica.metrics().await;
        let shows = |name: &str| text.contains(&format!("# TYPE {name} "));
        (shows(PRESENT), FOUND.map(shows))
    };
    for term in [4, 6] {
        lead(&replica, "a", term);
        assert_eq!(
            seen().await,
            (false, [false; 3]),
            "nobody has looked in term {term}"
        );
        assert_eq!(replica.get("/repair").await.body["report"], nothing);
        replica.service.repair(&mut repair, LONG).await.unwrap();
        assert_eq!(seen().await, (true, [true; 3]));
        let found = replica.get("/repair").await.body["report"]["last_pass"].clone();
        assert_eq!(found["chunks"], 1, "{found}");
        lead(&replica, "b", term + 1);
        assert_eq!(seen().await, (false, [false; 3]), "it does not lead");
        assert!(replica.get("/repair").await.body["report"].is_null());
    }

    // A brake keeps the pass from ending.
    replica.register("m", 1_000_000_000).await;
    replica.expire("n").await;
    replica.expire("m").await;
    lead(&replica, "a", 8);
    replica.service.repair(&mut repair, LONG).await.unwrap();
    assert_eq!(
        seen().await,
        (true, [false; 3]),
        "what it found in term 6 is over"
    );
    let text = replica.metrics().await;
    assert!(text.contains("\ncoordinator_repair_braked 1\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_plan_cannot_be_proposed_is_counted_once_and_takes_no_space() {
    let replica = Replica::start().await;
    replica.fill().await;
    let stored = wire::UpdateChunkLocationsRequest {
        chunk_id: "c".to_owned(),
        node_ids: vec!["n".to_owned()],
        operation: "add".to_owned(),
    };
    let stored = replica.grpc().update_chunk_locations(stored).await;
    assert!(stored.unwrap().into_inner().success);
    // There is room for one chunk, and not for another.
    replica.register("m", 1_900).await;
    lead(&replica, "a", 4);
    let mut repair = Repair::default();
    replica.part.play(|script| script.refuses_writes = true);
    for _ in 0..3 {
        replica
            .service
            .repair(&mut repair, LONG)
            .await
            .expect_err("a copy on m cannot be proposed");
        let candidates = replica.get("/chunks/c/explain").await.body["candidates"].clone();
        let of_m = candidates.as_array().unwrap().iter();
        let of_m: Vec<_> = of_m.filter(|candidate| candidate["node_id"] == "m").collect();
        assert_eq!(of_m[0]["eligible"], true, "{candidates}");
    }
    replica.part.play(|script| script.refuses_writes = false);
    replica.service.repair(&mut repair, LONG).await.unwrap();
    let found = replica.get("/repair").await.body["report"]["last_pass"].clone();
    assert_eq!(found["chunks"], 1, "{found}");
    assert_eq!(found["by_copies"], json!({"1": 1}));
    assert_eq!(found["waiting"]["last_copy"]["chunks"], 1, "{found}");
}
