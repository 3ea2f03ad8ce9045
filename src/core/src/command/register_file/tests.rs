use crate::command::{Command, LocationChange};
use crate::id::{ContentHash, NodeId};
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{ReplicaState, TaskKind, TaskReason};
use crate::testing::{NewFile, World, assign, delete, locations, set_state, silence, unregister};
use crate::units::{ByteSize, Millis};

fn placed(response: Response) -> Vec<Vec<String>> {
    let Response::FileRegistered { placements, .. } = response else {
        panic!("{response:?}");
    };
    let text = |nodes: Vec<NodeId>| nodes.into_iter().map(String::from).collect();
    placements
        .into_iter()
        .map(|placement| text(placement.nodes))
        .collect()
}

/// The same chunk id with other content.
fn other_content(file: &str, chunk: &str) -> NewFile {
    NewFile::new(file, [chunk])
        .on(["n1", "n2", "n3"])
        .with(|file| file.chunks[0].hash = ContentHash::from("other"))
}

#[test]
fn a_new_file_is_told_where_its_chunks_go_and_shown_at_once() {
    let mut world = World::with_nodes(["n1", "n2", "n3"]);
    let response = world
        .apply(NewFile::new("f", ["a", "b"]).on(["n2", "n1", "n3"]))
        .unwrap();
    assert_eq!(placed(response), [["n2", "n1", "n3"], ["n2", "n1", "n3"]]);
    assert_eq!(world.replicas("b"), ["n2", "n1", "n3"]);
    assert_eq!(world.chunk("b").unwrap().index, 1);
    assert_eq!(world.file("f").unwrap().created_at, world.now());
    assert_eq!(world.model().totals().chunks, 2);
}

#[test]
fn nodes_that_are_gone_by_now_are_left_out() {
    let mut world = World::with_nodes(["silent", "draining", "gone", "n1", "n2"]);
    world.apply(silence(["silent"])).unwrap();
    world.apply(set_state("draining", crate::testing::DRAIN)).unwrap();
    world.apply(unregister("gone")).unwrap();
    let file = NewFile::new("f", ["a"]).on(["silent", "draining", "gone", "never", "n1", "n2"]);
    assert_eq!(placed(world.apply(file).unwrap()), [["n1", "n2"]]);
}

#[test]
fn no_more_nodes_are_taken_than_wanted_nor_one_twice() {
    let mut world = World::with_nodes(["n1", "n2", "n3", "n4"]);
    let file = NewFile::new("f", ["a"])
        .on(["n1", "n1", "n2", "n3", "n4"])
        .with(|file| file.chunks[0].targets.insert(0, 99));
    assert_eq!(placed(world.apply(file).unwrap()), [["n1", "n2", "n3"]]);
}

#[test]
fn a_chunk_that_finds_no_node_refuses_the_whole_file() {
    let mut world = World::with_nodes(["n1"]);
    let no_room = world.apply(NewFile::new("f", ["a"])).unwrap_err();
    assert_eq!(
        no_room,
        Rejection::NoRoom {
            chunk: "a".into(),
            size: ByteSize::new(100)
        }
    );
    let stale = world.apply(NewFile::new("f", ["a"]).on(["never"])).unwrap_err();
    assert_eq!(stale, Rejection::PlacementStale { chunk: "a".into() });
    assert_eq!(world.file("f"), None);
}

#[test]
fn a_known_chunk_whose_nodes_are_all_silent_is_no_place_to_store_a_file() {
    let mut world = World::with_nodes(["n1", "n2"]);
    world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
    world.apply(silence(["n1"])).unwrap();
    let refused = world.apply(NewFile::new("g", ["a"])).unwrap_err();
    assert!(matches!(refused, Rejection::NoRoom { .. }), "{refused:?}");
    let placed = placed(world.apply(NewFile::new("g", ["a"]).on(["n2"])).unwrap());
    assert_eq!(placed, [["n2"]], "clients are not sent to a silent node");
    assert_eq!(
        world.replicas("a"),
        ["n1", "n2"],
        "which may yet come back with its copy"
    );
}

#[test]
fn at_the_limit_a_new_replica_takes_the_place_of_an_unregistered_nodes() {
    let mut world = World::with_nodes(["n1", "n2", "n3"]);
    let two = |id, nodes| {
        NewFile::new(id, ["a"])
            .on(nodes)
            .with(|file| file.max_replicas = 2)
    };
    world.apply(two("f", ["n1", "n2"])).unwrap();
    world.apply(unregister("n1")).unwrap();
    world.apply(two("g", ["n3", "n3"])).unwrap();
    assert_eq!(world.replicas("a"), ["n2", "n3"]);

    world.apply(silence(["n2", "n3"])).unwrap();
    world.apply(crate::testing::register("n1")).unwrap();
    let refused = world.apply(two("h", ["n1", "n1"])).unwrap_err();
    assert_eq!(
        refused,
        Rejection::TooManyReplicas {
            chunk: "a".into(),
            limit: 2
        }
    );
}

#[test]
fn the_same_file_again_answers_with_the_placements_it_has() {
    let mut world = World::with_nodes(["n1", "n2", "n3", "n4"]);
    world
        .apply(NewFile::new("f", ["a"]).on(["n1", "n2", "n3"]))
        .unwrap();
    let registered_at = world.now();
    world.pass(Millis::new(5));
    let again = NewFile::new("f", ["a"])
        .on(["n4"])
        .with(|file| file.name = "new name".to_owned());
    assert_eq!(placed(world.apply(again).unwrap()), [["n1", "n2", "n3"]]);
    let file = world.file("f").unwrap();
    assert_eq!((file.name.as_str(), file.created_at), ("new name", registered_at));

    world.apply(silence(["n2"])).unwrap();
    let again = world.apply(NewFile::new("f", ["a"])).unwrap();
    assert_eq!(placed(again), [["n1", "n3"]]);
}

#[test]
fn the_same_file_again_finds_new_nodes_for_chunks_that_nobody_can_bring_anywhere() {
    let mut world = World::with_nodes(["n1", "n2", "n3"]);
    world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
    let first = world.file("f").unwrap().created_at;
    world.pass(Millis::new(5));
    for node in ["n1", "n2"] {
        world.apply(unregister(node)).unwrap();
    }
    let nowhere = world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
    assert_eq!(placed(nowhere), [[""; 0]]);
    let again = world.apply(NewFile::new("f", ["a"]).on(["n3"])).unwrap();
    assert_eq!(placed(again), [["n3"]]);
    assert_eq!(world.file("f").unwrap().created_at, first);
}

#[test]
fn replacing_a_file_lets_go_of_what_only_its_old_version_used() {
    let mut world = World::with_nodes(["n1"]);
    world
        .apply(NewFile::new("f", ["a", "b", "c"]).on(["n1"]))
        .unwrap();
    world.pass(Millis::new(7));
    world.apply(NewFile::new("f", ["c", "d"]).on(["n1"])).unwrap();
    let old = world.chunk("a").unwrap();
    assert_eq!((old.home, old.unreferenced_since), (None, Some(world.now())));
    assert_eq!(world.chunk("c").unwrap().index, 0, "it moved within its home");
    assert_eq!(world.file("f").unwrap().created_at, world.now());
    assert_eq!(world.model().totals().unreferenced_chunks, 2);
}

#[test]
fn the_same_chunks_at_other_indexes_are_other_content() {
    let mut world = World::with_nodes(["n1"]);
    let file = || NewFile::new("f", ["a"]).on(["n1"]);
    world.apply(file()).unwrap();
    world.apply(file().with(|file| file.chunks[0].index = 4)).unwrap();
    assert_eq!(world.file("f").unwrap().chunks[0].index, 4);
    assert_eq!(world.chunk("a").unwrap().index, 4);
}

#[test]
fn a_shared_chunk_keeps_its_home_and_counts_its_sharers() {
    let mut world = World::with_nodes(["n1"]);
    for file in ["f", "g", "h"] {
        world.apply(NewFile::new(file, ["a"]).on(["n1"])).unwrap();
    }
    assert_eq!(world.holders("a"), (Some("f".to_owned()), 2));
    world.apply(NewFile::new("g", ["b", "a"]).on(["n1"])).unwrap();
    assert_eq!(
        world.holders("a"),
        (Some("f".to_owned()), 2),
        "holding it twice counts once"
    );
    world.apply(delete("f")).unwrap();
    assert_eq!(world.holders("a"), (Some("g".to_owned()), 1));
    assert_eq!(
        world.chunk("a").unwrap().index,
        1,
        "with its index in its new home"
    );
}

#[test]
fn a_chunk_id_with_other_content_conflicts_while_another_file_needs_the_old() {
    let mut world = World::with_nodes(["n1", "n2", "n3"]);
    world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
    let conflict = world.apply(other_content("g", "a")).unwrap_err();
    assert_eq!(
        conflict.to_string(),
        "chunk a is known with hash a, not other; the same chunk id must mean the same content"
    );
    world.apply(NewFile::new("g", ["a"]).on(["n1"])).unwrap();
    world.apply(other_content("f", "a")).unwrap_err();
    world.apply(delete("g")).unwrap();
    world.apply(locations("a", LocationChange::Add, ["n1"])).unwrap();

    world.apply(other_content("f", "a")).unwrap();
    let replaced = world.chunk("a").unwrap();
    assert_eq!(replaced.hash, ContentHash::from("other"));
    let stored = |state| state == ReplicaState::Stored;
    assert!(
        !replaced.replicas.iter().any(|replica| stored(replica.state)),
        "those were of the old content"
    );
}

#[test]
fn nodes_with_replaced_content_drop_it_unless_they_get_the_new() {
    let mut world = World::with_nodes(["n1", "n2", "n3", "n4"]);
    world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
    world
        .apply(locations("a", LocationChange::Add, ["n1", "n2"]))
        .unwrap();
    world.apply(assign("a", "n4")).unwrap();
    let new = || {
        NewFile::new("f", ["a"])
            .on(["n2", "n3", "n4"])
            .with(|file| file.chunks[0].hash = ContentHash::from("other"))
    };
    assert_eq!(placed(world.apply(new()).unwrap()), [["n2", "n3", "n4"]]);
    let states: Vec<_> = world
        .chunk("a")
        .unwrap()
        .replicas
        .into_iter()
        .map(|replica| (String::from(replica.node), replica.state))
        .collect();
    let (assigned, deleting) = (ReplicaState::Assigned, ReplicaState::Deleting);
    let expected = [
        ("n2", assigned),
        ("n3", assigned),
        ("n4", assigned),
        ("n1", deleting),
    ];
    assert_eq!(states, expected.map(|(node, state)| (node.to_owned(), state)));
    let task = world.task("n1", "a").unwrap();
    assert_eq!((task.kind, task.reason), (TaskKind::Delete, TaskReason::Replaced));
    assert_eq!(
        world.task("n4", "a"),
        None,
        "what it was to fetch is not the content any more"
    );
    world
        .apply(locations("a", LocationChange::Remove, ["n1"]))
        .unwrap();
    assert_eq!(world.replicas("a"), ["n2", "n3", "n4"]);
}

#[test]
fn a_chunk_that_nobody_holds_is_taken_up_again() {
    let mut world = World::with_nodes(["n1", "n2"]);
    world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
    world.apply(locations("a", LocationChange::Add, ["n1"])).unwrap();
    world.apply(delete("f")).unwrap();
    world
        .apply(NewFile::new("g", ["a"]).on(["n2"]).with(|file| file.wanted = 1))
        .unwrap();
    let chunk = world.chunk("a").unwrap();
    assert_eq!((chunk.home, chunk.unreferenced_since), (Some("g".into()), None));
    assert_eq!(world.replicas("a"), ["n1"], "the copy there is will do");
}

#[test]
fn a_chunk_or_an_index_named_twice_is_refused() {
    let mut world = World::with_nodes(["n1"]);
    let duplicate = Rejection::DuplicateChunk { chunk: "a".into() };
    let twice = NewFile::new("f", ["a", "b", "a"]).on(["n1"]);
    assert_eq!(world.apply(twice), Err(duplicate.clone()));
    let same_index = NewFile::new("f", ["b", "a"])
        .on(["n1"])
        .with(|file| file.chunks[1].index = 0);
    assert_eq!(world.apply(same_index), Err(duplicate));
}

#[test]
fn a_file_without_chunks_needs_no_node() {
    let mut world = World::with_nodes([]);
    let response = world.apply(NewFile::new::<&str>("f", [])).unwrap();
    assert_eq!(placed(response), Vec::<Vec<String>>::new());
    assert!(world.file("f").is_some());
}

#[test]
fn what_it_reads_is_bounded_however_large_the_file_was() {
    let Command::RegisterFile(file) = NewFile::new("f", ["a"]).on(["n1"]).into() else {
        panic!("not a file");
    };
    assert_eq!(file.reads().file_chunks, [("f".into(), crate::command::PAGE)]);
}
