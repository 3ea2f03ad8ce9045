//! Who should be asked: the probe and the standard gRPC health service say the same.

use std::time::Duration;

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use zephyrfs_coordinator::health::Phase;

use crate::replica::Replica;

/// Waits until the health service says it.
async fn says(replica: &Replica, expected: ServingStatus) {
    let request = HealthCheckRequest {
        service: "zephyrfs.coordinator.CoordinatorService".to_owned(),
    };
    let mut health = HealthClient::new(replica.channel.clone());
    let mut watch = health.watch(request).await.unwrap().into_inner();
    let wait = async { while watch.message().await.unwrap().unwrap().status() != expected {} };
    let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
    waited.unwrap_or_else(|_| panic!("the health service never says {expected:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_asked_from_when_it_serves_until_it_stops() {
    let replica = Replica::starting().await;
    let (status, report) = replica.probe("/ready").await;
    assert_eq!(
        (status, &report["checks"]["lifecycle"]["status"]),
        (503, &"unhealthy".into())
    );
    let everything = HealthCheckRequest {
        service: String::new(),
    };
    let mut health = HealthClient::new(replica.channel.clone());
    let check = health.check(everything).await.unwrap().into_inner();
    assert_eq!(check.status(), ServingStatus::NotServing, "before it serves");

    replica.lifecycle.enter(Phase::Serving);
    assert_eq!(replica.probe("/ready").await.0, 200);
    says(&replica, ServingStatus::Serving).await;

    // It still answers, so that clients can turn away from it in peace.
    replica.lifecycle.enter(Phase::Stopping);
    assert_eq!(replica.probe("/ready").await.0, 503);
    says(&replica, ServingStatus::NotServing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_s_reason_is_shown_and_passes() {
    let replica = Replica::start().await;
    says(&replica, ServingStatus::Serving).await;
    replica
        .part
        .play(|script| script.not_ready = Some("this replica does not vote yet"));
    let (status, report) = replica.probe("/ready").await;
    assert_eq!(status, 503);
    assert_eq!(
        report["checks"]["consensus"]["detail"],
        "this replica does not vote yet"
    );
    let cluster = replica.get("/cluster").await.body;
    assert_eq!(cluster["not_ready"], "this replica does not vote yet");
    assert_eq!(replica.probe("/live").await.0, 200, "a restart would not mend it");
    says(&replica, ServingStatus::NotServing).await;
    replica.part.play(|script| script.not_ready = None);
    says(&replica, ServingStatus::Serving).await;
}
