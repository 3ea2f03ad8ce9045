//! Files and chunks, from placement to deletion.

use std::collections::BTreeSet;

use zephyrfs_coordinator::service::{
    LocationUpdate, LocationsQuery, NodeRegistration, NodeRemoval, PageQuery, RequestContext, ServiceError,
};
use zephyrfs_core::Rejection;
use zephyrfs_core::row::ReplicaState;

use crate::support::{Replica, beat, file, keyed, node};

fn plain() -> RequestContext {
    RequestContext::default()
}

fn update(chunk: &str, node: &str, operation: &str) -> LocationUpdate {
    LocationUpdate {
        chunk_id: chunk.to_owned(),
        node_ids: vec![node.to_owned()],
        operation: operation.to_owned(),
    }
}

fn find(chunk: &str) -> LocationsQuery {
    LocationsQuery {
        chunk_id: chunk.to_owned(),
        preferred_count: 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_placed_on_the_moment_it_has_registered() {
    let replica = Replica::start().await;
    let service = &replica.service;
    let refused = service
        .register_file(file("f", &["c"]), plain())
        .await
        .unwrap_err();
    let no_room = matches!(
        &refused,
        ServiceError::Rejected { rejection: Rejection::NoRoom { chunk, .. }, .. } if chunk.as_str() == "c"
    );
    assert!(no_room, "{refused:?}");
    for (count, id) in (1..).zip(["a", "b", "c", "d"]) {
        replica.register_nodes(&[id]).await;
        let registered = service
            .register_file(file(id, &[id]), plain())
            .await
            .unwrap()
            .value;
        assert_eq!(registered.wanted, 3);
        let nodes: BTreeSet<_> = registered.placements[0].nodes.iter().collect();
        assert_eq!(nodes.len(), count.min(3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_gone_is_not_placed_on() {
    let replica = Replica::start().await;
    let service = &replica.service;
    replica.register_nodes(&["a", "b"]).await;
    service.register_file(file("f", &["c"]), plain()).await.unwrap();
    replica.expire("a").await;
    let removal = NodeRemoval {
        node_id: "b".to_owned(),
        reason: String::new(),
    };
    service.unregister_node(removal, plain()).await.unwrap();
    let refused = service
        .register_file(file("g", &["d"]), plain())
        .await
        .unwrap_err();
    assert!(
        matches!(
            refused,
            ServiceError::Rejected {
                rejection: Rejection::NoRoom { .. },
                ..
            }
        ),
        "{refused:?}"
    );
    // The same file again needs no room.
    let again = service
        .register_file(file("f", &["c"]), plain())
        .await
        .unwrap()
        .value;
    assert_eq!(again.placements.len(), 1);
    assert!(again.placements[0].nodes.is_empty(), "neither node is there");
    assert!(
        service
            .find_chunk_locations(find("c"), plain())
            .await
            .unwrap()
            .value
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn space_that_was_promised_is_not_promised_twice() {
    let replica = Replica::start().await;
    let service = &replica.service;
    let small = NodeRegistration {
        storage_capacity: 10_000,
        ..node("small")
    };
    service.register_node(small, plain()).await.unwrap();
    let full = |result: &Result<_, ServiceError>| {
        matches!(
            result,
            Err(ServiceError::Rejected {
                rejection: Rejection::NoRoom { .. },
                ..
            })
        )
    };
    let mut placed = 0;
    loop {
        let name = format!("c{placed}");
        let result = service.register_file(file(&name, &[&name]), plain()).await;
        if full(&result) {
            break;
        }
        // Again and again: it takes no more space than once.
        for _ in 0..20 {
            service
                .register_file(file(&name, &[&name]), plain())
                .await
                .unwrap();
        }
        placed += 1;
        assert!(placed <= 10, "ten chunks are all that fits");
    }
    assert!(placed >= 8, "only {placed} of ten chunks were placed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_is_repeated_with_its_key_has_one_answer() {
    let replica = Replica::start().await;
    let service = &replica.service;
    let ids: Vec<String> = (0..20).map(|n| format!("n{n}")).collect();
    replica
        .register_nodes(&ids.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let first = service
        .register_file(file("f", &["c", "d"]), keyed("k"))
        .await
        .unwrap();
    service.delete_file("f".to_owned(), keyed("l")).await.unwrap();
    let again = service
        .register_file(file("f", &["c", "d"]), keyed("k"))
        .await
        .unwrap();
    assert_eq!(again.value, first.value);
    service.delete_file("f".to_owned(), keyed("l")).await.unwrap();

    let other = service
        .register_file(file("f", &["c"]), keyed("k"))
        .await
        .unwrap_err();
    assert!(matches!(
        other,
        ServiceError::Rejected {
            rejection: Rejection::IdempotencyKeyReused { .. },
            ..
        }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn locations_follow_what_nodes_say() {
    let replica = Replica::start().await;
    let service = &replica.service;
    replica.register_nodes(&["a", "b", "c", "d"]).await;
    service.register_file(file("f", &["x"]), plain()).await.unwrap();
    let nodes = || async {
        let found = service
            .find_chunk_locations(find("x"), plain())
            .await
            .unwrap()
            .value;
        found
            .into_iter()
            .map(|location| location.node.to_string())
            .collect::<Vec<_>>()
    };
    let told = nodes().await;
    assert_eq!(told.len(), 3);
    service
        .update_chunk_locations(update("x", &told[2], "add"), plain())
        .await
        .unwrap();
    assert_eq!(nodes().await, [&told[2], &told[0], &told[1]].map(String::as_str));
    service
        .update_chunk_locations(update("x", &told[0], "remove"), plain())
        .await
        .unwrap();
    assert_eq!(nodes().await, [&told[2], &told[1]].map(String::as_str));

    let explained = service
        .explain_chunk("x".to_owned(), plain())
        .await
        .unwrap()
        .value;
    let states: BTreeSet<_> = explained.replicas.iter().map(|replica| replica.state).collect();
    assert_eq!(states, [ReplicaState::Assigned, ReplicaState::Stored].into());
    let eligible: BTreeSet<_> = explained
        .candidates
        .iter()
        .filter(|candidate| candidate.exclusion.is_none())
        .map(|candidate| candidate.node.to_string())
        .collect();
    let holders: BTreeSet<_> = nodes().await.into_iter().collect();
    assert_eq!(explained.candidates.len(), 4);
    assert!(
        eligible.is_disjoint(&holders) && eligible.len() == 2,
        "{eligible:?} {holders:?}"
    );

    for (update, expected) in [
        (update("ghost", "a", "add"), "chunk ghost is not known"),
        (update("x", "ghost", "add"), "node ghost is not registered"),
        (
            update("x", "a", "move"),
            "unknown operation \"move\": use \"add\" or \"remove\"",
        ),
    ] {
        let error = service
            .update_chunk_locations(update, plain())
            .await
            .expect_err(expected);
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_listed_page_by_page() {
    let replica = Replica::start().await;
    let service = &replica.service;
    replica.register_nodes(&["n"]).await;
    for id in ["d", "a", "c", "b", "e"] {
        service.register_file(file(id, &[id]), plain()).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = service
            .list_files(PageQuery { limit: 2, token }, plain())
            .await
            .unwrap()
            .value;
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|file| file.id.to_string()));
        match page.next_page_token {
            Some(next) => token = next,
            None => break,
        }
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_names_the_position_the_client_used() {
    let replica = Replica::start().await;
    let service = &replica.service;
    replica.register_nodes(&["n"]).await;
    service.heartbeat(beat("n", 1), plain()).await.unwrap();
    service.register_file(file("f", &["x"]), plain()).await.unwrap();
    let mut other = file("g", &["y", "z", "x"]);
    other.chunks[2].hash = "other".to_owned();
    other.chunks.reverse();
    let error = service.register_file(other, plain()).await.unwrap_err();
    let ServiceError::Conflict { field, .. } = error else {
        panic!("not a conflict: {error:?}");
    };
    assert_eq!(field.field, "chunks[0].hash");
    assert!(field.problem.contains("hash of x"), "{}", field.problem);
    assert_eq!(
        replica
            .service
            .network_stats(plain())
            .await
            .unwrap()
            .value
            .stats
            .total_chunks,
        1
    );
}
