//! Watches over the embedded engine: what is told, from where on, and to whom.

use std::time::Duration;

use zephyrfs_coordinator::service::{
    ChangeDetails, CutOff, LocationUpdate, RequestContext, ServiceError, Watch, WatchQuery,
};
use zephyrfs_core::engine::Engine as _;

use crate::support::{Replica, file};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(120);

fn query(after: u64, kinds: &[&str], ids: &[&str]) -> WatchQuery {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    WatchQuery {
        after: Some(after),
        kinds: texts(kinds),
        ids: texts(ids),
    }
}

/// What a watcher is given up to an index, each change with where to go on after it.
async fn told_up_to(replica: &Replica, query: WatchQuery, index: u64) -> Vec<(u64, ChangeDetails)> {
    let mut watch = replica.service.watch(query, None).await.unwrap();
    let mut told = Vec::new();
    let reading = async {
        loop {
            let item = watch.next().await.unwrap().unwrap();
            let resume_after = item.resume_after.get();
            told.extend(item.details.map(|details| (resume_after, *details)));
            if resume_after >= index {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    told
}

fn words(told: &[(u64, ChangeDetails)]) -> Vec<String> {
    let id = |details: &ChangeDetails| match details.kind {
        "node" => details.node.as_ref().unwrap().to_string(),
        "file" => details.file.as_ref().unwrap().to_string(),
        _ => details.chunk.as_ref().unwrap().to_string(),
    };
    told.iter()
        .map(|(_, details)| format!("{} {} {}", details.kind, id(details), details.change))
        .collect()
}

/// A short history; the index before it and the last of it.
async fn history(replica: &Replica) -> (u64, u64) {
    let begun = replica.engine.totals().index.get();
    let context = RequestContext::default;
    replica.register_nodes(&["n1", "n2"]).await;
    let service = &replica.service;
    service
        .register_file(file("f", &["a", "b"]), context())
        .await
        .unwrap();
    let stored = LocationUpdate {
        chunk_id: "a".to_owned(),
        node_ids: vec!["n1".to_owned()],
        operation: "add".to_owned(),
    };
    service.update_chunk_locations(stored, context()).await.unwrap();
    replica.expire("n2").await;
    let last = service.delete_file("f".to_owned(), context()).await.unwrap();
    (begun, last.index.get())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_taken_up_again_anywhere_goes_on_without_gap_or_double() {
    let replica = Replica::start().await;
    let (begun, last) = history(&replica).await;
    let all = told_up_to(&replica, query(begun, &[], &[]), last).await;
    assert_eq!(
        words(&all),
        [
            "node n1 registered",
            "node n2 registered",
            "file f registered",
            "chunk a created",
            "chunk b created",
            "chunk a replicas_changed",
            "node n2 status_changed",
            "file f deleted",
            "chunk a released",
            "chunk b released",
        ]
    );
    for (position, (resume_after, details)) in all.iter().enumerate() {
        let rest = told_up_to(&replica, query(*resume_after, &[], &[]), last.max(*resume_after)).await;
        let index = details.index.get();
        assert!(*resume_after == index || *resume_after == index - 1);
        // In the middle of an index it begins with that index again: nothing is left out.
        let from = if *resume_after == index {
            position + 1
        } else {
            all.iter()
                .position(|(_, other)| other.index.get() == index)
                .unwrap()
        };
        assert_eq!(rest, all[from..], "after {resume_after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_gets_only_what_it_asks_for() {
    let replica = Replica::start().await;
    let (begun, last) = history(&replica).await;
    for (kinds, ids, expected) in [
        (
            &["file"][..],
            &[][..],
            vec!["file f registered", "file f deleted"],
        ),
        (
            &[],
            &["a"],
            vec!["chunk a created", "chunk a replicas_changed", "chunk a released"],
        ),
        (
            &["node", "chunk"],
            &["n2", "f"],
            vec!["node n2 registered", "node n2 status_changed"],
        ),
    ] {
        // The last of these may not be at the last index, so what is wanted besides marks the end.
        let told = told_up_to(&replica, query(begun, kinds, ids), last).await;
        assert_eq!(words(&told), expected);
        assert!(
            told.iter()
                .all(|(resume_after, details)| *resume_after == details.index.get())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_yet_to_come_is_waited_for() {
    let replica = Replica::start().await;
    let now = replica.engine.totals().index.get();
    let waiting = told_up_to(&replica, query(now + 1, &[], &[]), now + 2);
    let (told, ()) = tokio::join!(waiting, replica.register_nodes(&["n1", "n2"]));
    assert_eq!(words(&told), ["node n2 registered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_so_many_watch_at_a_time() {
    let replica = Replica::start_with(|limits, _| limits.max_watchers = 1).await;
    let now = || WatchQuery::default();
    let first = replica.service.watch(now(), None).await.unwrap();
    let refused = replica.service.watch(now(), None).await.unwrap_err();
    assert_eq!(refused, ServiceError::TooManyWatchers { limit: 1 });
    drop(first);
    let freed = async {
        while replica.service.watchers().count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.unwrap();
    assert!(replica.service.watch(now(), None).await.is_ok());
}

/// Everything until a watch is cut off: how many changes, and why.
async fn to_the_end(watch: &mut Watch) -> (usize, ServiceError) {
    let mut count = 0;
    loop {
        match watch.next().await.unwrap() {
            Ok(item) => count += usize::from(item.details.is_some()),
            Err(error) => return (count, error),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_watcher_is_cut_off_when_its_place_is_forgotten_and_a_new_one_told_so() {
    let replica = Replica::start().await;
    replica.register_nodes(&["n1"]).await;
    let begun = replica.engine.totals().index;
    let mut slow = replica
        .service
        .watch(query(begun.get(), &[], &[]), None)
        .await
        .unwrap();
    // More changes than are kept.
    let (files, chunks) = (70, 1_000);
    for number in 0..files {
        let ids: Vec<String> = (0..chunks).map(|chunk| format!("{number}-{chunk}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let registered = replica
            .service
            .register_file(file(&format!("f{number}"), &ids), RequestContext::default());
        registered.await.unwrap();
    }
    let (count, error) = tokio::time::timeout(PATIENCE, to_the_end(&mut slow))
        .await
        .unwrap();
    let ServiceError::TooOld { after, oldest } = error else {
        panic!("{error}");
    };
    assert!(count <= 3 * (chunks + 1), "{count} changes were kept for it");
    assert!(begun < after && after < oldest);
    assert_eq!(replica.service.watchers().cut_off(CutOff::TooOld), 1);
    let refused = replica.service.watch(query(begun.get(), &[], &[]), None).await;
    assert_eq!(
        refused.unwrap_err(),
        ServiceError::TooOld { after: begun, oldest }
    );
    let last = replica.engine.totals().index.get();
    let rest = told_up_to(&replica, query(oldest.get(), &["file"], &[]), last).await;
    assert_eq!(rest.len() as u64, last - oldest.get(), "each index has one file");
}
