//! What commands are said to have changed.

use super::{Change, ChangeKind, ChunkChanged, FileChanged, FileContent, NodeChanged, TaskChanged};
use crate::command::{LocationChange, NodeStateChange};
use crate::id::NodeId;
use crate::row::{NodeStats, NodeStatus, Replica, ReplicaState, TaskKind, TaskReason};
use crate::testing::{
    NewFile, TASK_TIME, World, assign, beats, delete, locations, register, set_state, silence, unregister,
};
use crate::units::{ByteSize, Millis};

fn node(id: &str, change: NodeChanged) -> Change {
    Change::Node(id.into(), change)
}

fn file(id: &str, change: FileChanged) -> Change {
    Change::File(id.into(), change)
}

fn chunk(id: &str, change: ChunkChanged) -> Change {
    Change::Chunk(id.into(), change)
}

fn replicas<const N: usize>(replicas: [(&str, ReplicaState); N]) -> Box<[Replica]> {
    let replica = |(node, state): (&str, ReplicaState)| Replica {
        node: NodeId::from(node),
        state,
    };
    replicas.map(replica).into()
}

fn content(name: &str, chunks: usize) -> FileContent {
    FileContent {
        name: name.to_owned(),
        size: ByteSize::new(1_000),
        chunks,
    }
}

#[test]
fn a_node_is_told_of_when_its_status_changes_and_not_when_it_beats() {
    use NodeStatus::{Active, Draining, Inactive};

    let mut world = World::with_nodes(["n1"]);
    let status = |from, to| [node("n1", NodeChanged::Status { from, to })];
    assert_eq!(
        world.changes(),
        [node("n1", NodeChanged::Registered { status: Active })]
    );
    world.apply(register("n1")).unwrap();
    assert_eq!(world.changes(), [], "nothing is new about it");
    world.apply(silence(["n1"])).unwrap();
    assert_eq!(world.changes(), status(Active, Inactive));
    world
        .apply(beats([("n1", Millis::new(0), NodeStats::default())]))
        .unwrap();
    assert_eq!(world.changes(), status(Inactive, Active));
    world
        .apply(beats([("n1", Millis::new(0), NodeStats::default())]))
        .unwrap();
    assert_eq!(world.changes(), [], "a beat is no event");
    world.apply(set_state("n1", crate::testing::DRAIN)).unwrap();
    assert_eq!(world.changes(), status(Active, Draining));
    world.apply(set_state("n1", NodeStateChange::Activate)).unwrap();
    assert_eq!(world.changes(), status(Draining, Active));
    world.apply(unregister("n1")).unwrap();
    let reason = "sold".to_owned();
    assert_eq!(
        world.changes(),
        [node("n1", NodeChanged::Unregistered { reason })]
    );
    world.apply(register("n1")).unwrap();
    assert_eq!(
        world.changes(),
        [node("n1", NodeChanged::Registered { status: Active })]
    );
}

#[test]
fn what_changes_about_a_node_besides_its_status_is_an_update() {
    let mut world = World::with_nodes(["n1"]);
    let crate::Command::RegisterNode(mut moved) = register("n1") else {
        unreachable!("it registers");
    };
    moved.addresses = vec!["elsewhere:9000".to_owned()];
    world.apply(crate::Command::RegisterNode(moved)).unwrap();
    assert_eq!(world.changes(), [node("n1", NodeChanged::Updated)]);
    world.apply(silence(["n1"])).unwrap();
    // A silent node that is to drain is as inactive as before.
    world.apply(set_state("n1", crate::testing::DRAIN)).unwrap();
    assert_eq!(world.changes(), [node("n1", NodeChanged::Updated)]);
}

#[test]
fn a_file_and_its_chunks_are_told_of_from_coming_to_going() {
    use ReplicaState::{Assigned, Stored};

    let mut world = World::with_nodes(["n1", "n2"]);
    world
        .apply(NewFile::new("f", ["a", "b"]).on(["n1", "n2"]))
        .unwrap();
    let created = |id| {
        let created = ChunkChanged::Created {
            file: Some("f".into()),
            size: ByteSize::new(100),
            replicas: replicas([("n1", Assigned), ("n2", Assigned)]),
        };
        chunk(id, created)
    };
    assert_eq!(
        world.changes(),
        [
            file("f", FileChanged::Registered(content("f.bin", 2))),
            created("a"),
            created("b")
        ]
    );
    world.apply(locations("a", LocationChange::Add, ["n2"])).unwrap();
    let now = replicas([("n1", Assigned), ("n2", Stored)]);
    assert_eq!(
        world.changes(),
        [chunk("a", ChunkChanged::Replicas { replicas: now })]
    );
    world.apply(locations("a", LocationChange::Add, ["n2"])).unwrap();
    assert_eq!(world.changes(), [], "it was known");
    let named = |name: &str| {
        NewFile::new("f", ["a", "b"])
            .on(["n1", "n2"])
            .with(|file| name.clone_into(&mut file.name))
    };
    world.apply(named("new")).unwrap();
    let name = "new".to_owned();
    assert_eq!(world.changes(), [file("f", FileChanged::Updated { name })]);
    world.apply(named("new")).unwrap();
    assert_eq!(world.changes(), [], "the same again");
    world
        .apply(
            NewFile::new("f", ["b"])
                .on(["n1", "n2"])
                .with(|file| file.hash = "other".into()),
        )
        .unwrap();
    assert_eq!(
        world.changes(),
        [
            file("f", FileChanged::Replaced(content("f.bin", 1))),
            chunk("a", ChunkChanged::Released)
        ]
    );
    world.apply(NewFile::new("g", ["a"]).on(["n1", "n2"])).unwrap();
    assert_eq!(
        world.changes(),
        [
            file("g", FileChanged::Registered(content("g.bin", 1))),
            chunk("a", ChunkChanged::Held { file: "g".into() })
        ]
    );
    world.apply(delete("g")).unwrap();
    assert_eq!(
        world.changes(),
        [
            file("g", FileChanged::Deleted),
            chunk("a", ChunkChanged::Released)
        ]
    );
    for node in ["n1", "n2"] {
        world
            .apply(locations("a", LocationChange::Remove, [node]))
            .unwrap();
    }
    assert_eq!(world.changes(), [chunk("a", ChunkChanged::Deleted)]);
    world.apply(delete("g")).unwrap_err();
    assert_eq!(world.changes(), [], "what is refused changes nothing");
}

#[test]
fn a_task_is_told_of_when_it_is_made_and_when_it_ends() {
    use ReplicaState::{Assigned, Stored};

    let mut world = World::with_nodes(["n1", "n2"]);
    world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
    world.apply(locations("a", LocationChange::Add, ["n1"])).unwrap();
    world.apply(assign("a", "n2")).unwrap();
    let task = world.task("n2", "a").unwrap();
    let of_it = |change| Change::Task("n2".into(), "a".into(), change);
    let (id, kind) = (task.id, TaskKind::Replicate);
    assert_eq!(
        world.changes(),
        [
            chunk(
                "a",
                ChunkChanged::Replicas {
                    replicas: replicas([("n1", Stored), ("n2", Assigned)])
                }
            ),
            of_it(TaskChanged::Made {
                id,
                kind,
                reason: TaskReason::UnderTarget,
                deadline: world.now().plus(TASK_TIME),
            })
        ]
    );
    world.apply(locations("a", LocationChange::Add, ["n2"])).unwrap();
    let replicas = replicas([("n1", Stored), ("n2", Stored)]);
    assert_eq!(
        world.changes(),
        [
            chunk("a", ChunkChanged::Replicas { replicas }),
            of_it(TaskChanged::Ended { id, kind })
        ]
    );
}

#[test]
fn kinds_are_in_the_order_of_a_group() {
    assert!(ChangeKind::ALL.is_sorted());
    let words = ChangeKind::ALL.map(ChangeKind::as_str);
    assert_eq!(words, ["cluster", "node", "file", "chunk", "task"]);
}
