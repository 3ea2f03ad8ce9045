//! What operators are told of repair, and of nodes that it waits for.

use std::time::Duration;

use zephyrfs_coordinator::service::{
    BrakeReleased, DrainStatus, LocationUpdate, NodeStateRequest, Policy, RequestContext,
};

use crate::support::{Replica, beat, file};

fn plain() -> RequestContext {
    RequestContext::default()
}

/// A replica with nodes n0, n1, ...
async fn with_nodes(count: usize, change: impl FnOnce(&mut Policy)) -> Replica {
    let replica = Replica::start_with(|_, policy| {
        policy.heartbeat_flush = Duration::from_millis(5);
        change(policy);
    })
    .await;
    let ids: Vec<String> = (0..count).map(|number| format!("n{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    replica.register_nodes(&ids).await;
    replica
}

async fn release(replica: &Replica) -> BrakeReleased {
    replica.service.release_brake(plain()).await.unwrap().value
}

/// Each node sends a heartbeat, and all are recorded.
async fn hear(replica: &mut Replica, nodes: &[&str]) {
    for node in nodes {
        replica.service.heartbeat(beat(node, 1), plain()).await.unwrap();
    }
    replica.stop_recording().await;
}

/// The chunk x of the file f is stored on nodes.
async fn store(replica: &Replica, nodes: &[&str]) {
    let registered = replica.service.register_file(file("f", &["x"]), plain()).await;
    registered.unwrap();
    let stored = LocationUpdate {
        chunk_id: "x".to_owned(),
        node_ids: nodes.iter().map(|node| (*node).to_owned()).collect(),
        operation: "add".to_owned(),
    };
    let stored = replica.service.update_chunk_locations(stored, plain()).await;
    stored.unwrap();
}

async fn set_state(replica: &Replica, node: &str, request: NodeStateRequest) {
    let set = replica.service.set_node_state(node.to_owned(), request, plain());
    set.await.unwrap();
}

async fn obstacles(replica: &Replica, kind: &str, id: &str) -> Vec<String> {
    let why = replica.service.why(kind, id.to_owned(), plain()).await;
    why.unwrap().value.obstacles
}

#[tokio::test(flavor = "multi_thread")]
async fn releasing_repair_writes_off_all_that_stops_it() {
    let replica = with_nodes(10, |_| {}).await;
    // Two racks, ten minutes apart, each too many at once.
    for node in ["n0", "n1", "n2", "n3"] {
        replica.expire(node).await;
    }
    replica.pass(Duration::from_secs(600));
    for node in ["n4", "n5", "n6"] {
        replica.expire(node).await;
    }
    replica.pass(Duration::from_secs(120));
    let status = replica.service.repair_status(plain()).await.unwrap().value;
    assert_eq!(status.brake.unwrap().silent.len(), 4, "the first ones");
    let released = release(&replica).await;
    assert_eq!((released.nodes, &released.brake), (7, &None));
    assert_eq!(
        released.to_string(),
        "Repair goes on; 7 silent nodes are not waited for"
    );
    let status = replica.service.repair_status(plain()).await.unwrap().value;
    assert_eq!(status.brake, None);
    let again = release(&replica).await;
    assert_eq!(again.to_string(), "Repair is not stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn releasing_repair_says_what_may_stop_it_again() {
    let mut replica = with_nodes(10, |_| {}).await;
    replica.pass(Duration::from_secs(55));
    hear(&mut replica, &["n4", "n5", "n6", "n7", "n8", "n9"]).await;
    replica.expire("n0").await;
    let status = replica.service.repair_status(plain()).await.unwrap().value;
    assert_eq!(status.brake.unwrap().silent.len(), 4, "one silent, three late");
    let released = release(&replica).await;
    assert_eq!((released.nodes, released.late, &released.brake), (1, 3, &None));
    assert_eq!(
        released.to_string(),
        "Repair goes on; 1 silent nodes are not waited for. 3 others are about to be found silent, which may stop it \
         again: then release it again"
    );
    replica.pass(Duration::from_secs(10));
    for node in ["n1", "n2", "n3"] {
        replica.expire(node).await;
    }
    let status = replica.service.repair_status(plain()).await.unwrap().value;
    assert_eq!(status.brake.unwrap().silent.len(), 3, "as was said");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_waits_for_a_silent_node_until_its_maintenance_is_over() {
    let replica = with_nodes(3, |_| {}).await;
    store(&replica, &["n0", "n1", "n2"]).await;
    set_state(
        &replica,
        "n0",
        NodeStateRequest::Maintain {
            span: "2h".to_owned(),
        },
    )
    .await;
    replica.expire("n0").await;
    replica.pass(Duration::from_secs(1_200));
    let expected = "a silent node that has a copy is expected back, for 6000 s more";
    assert_eq!(obstacles(&replica, "chunk", "x").await, [expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_node_that_drains_is_not_said_to_be_told_anything() {
    let replica = with_nodes(4, |policy| policy.replication_factor = 2).await;
    store(&replica, &["n0", "n1", "n2"]).await;
    set_state(&replica, "n0", NodeStateRequest::Drain { force: true }).await;
    let reason = async || {
        let status = replica.service.drain_status("n0".to_owned(), 5, plain()).await;
        let DrainStatus { left, .. } = status.unwrap().value;
        left[0].reason.clone()
    };
    let told = "enough copies are stored elsewhere; the node is about to be told to drop its own";
    assert_eq!(reason().await, told);
    replica.expire("n0").await;
    let forgotten =
        "enough copies are stored elsewhere; the node is silent, and its own is about to be forgotten";
    assert_eq!(reason().await, forgotten);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_called_flapping_only_while_it_is_held_down() {
    let replica = with_nodes(1, |_| {}).await;
    for _ in 0..2 {
        replica.pass(Duration::from_secs(1));
        replica.expire("n0").await;
        replica.service.heartbeat(beat("n0", 1), plain()).await.unwrap();
    }
    let flapping = async || {
        let node = replica.service.node("n0".to_owned(), plain()).await.unwrap();
        node.value.flapping.map(|(_, returns)| returns)
    };
    let came_back = "it came back 2 times in a row and did not stay; held down until ";
    assert_eq!(flapping().await, Some(2));
    assert!(obstacles(&replica, "node", "n0").await[0].starts_with(came_back));
    replica.pass(Duration::from_secs(60));
    assert_eq!(flapping().await, None, "its hold is over");
    let left = obstacles(&replica, "node", "n0").await;
    assert!(
        left.iter().all(|obstacle| !obstacle.starts_with("it came back")),
        "{left:?}"
    );
}
