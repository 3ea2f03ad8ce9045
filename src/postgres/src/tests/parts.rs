//! What is loaded for several commands at once: each is given what it would have loaded by itself.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest::{option, prop_assert_eq};
use zephyrfs_core::conformance::{Sequence, sequences};
use zephyrfs_core::id::{ChunkId, FileId, NodeId};
use zephyrfs_core::model::Model;
use zephyrfs_core::{Command, ReadSet};

use crate::load::{Loaded, together};

/// As many as small files and their chunks are, or nearly.
const FEW: usize = 8;

/// More than the chunks of a page, which no command asks for at once.
const FAR: usize = 3_000;

/// What there may be, by what commands spoke of: some of it was refused, replaced or deleted since.
#[derive(Debug, Clone, Default)]
struct Named {
    nodes: Vec<NodeId>,
    files: Vec<FileId>,
    chunks: Vec<ChunkId>,
    keys: Vec<String>,
}

impl Named {
    fn of(sequence: &Sequence) -> Self {
        // Of each something that nobody spoke of.
        let mut named = Self {
            nodes: vec![NodeId::from("nobody")],
            files: vec![FileId::from("nothing")],
            chunks: vec![ChunkId::from("nothing")],
            keys: vec!["nothing".to_owned()],
        };
        for (_, envelope) in sequence.steps() {
            let reads = envelope.proposal.reads();
            named.nodes.extend(reads.nodes);
            named.files.extend(reads.files);
            named
                .files
                .extend(reads.file_chunks.into_iter().map(|(file, _)| file));
            named.chunks.extend(reads.chunks);
            named.keys.extend(reads.requests);
        }
        named.nodes.sort();
        named.nodes.dedup();
        named.files.sort();
        named.files.dedup();
        named.chunks.sort();
        named.chunks.dedup();
        named.keys.sort();
        named.keys.dedup();
        named
    }

    /// What a command might ask for that shares its transaction.
    fn reads(&self) -> impl Strategy<Value = ReadSet> + use<> {
        let some = |most: usize, of: usize| 0..=most.min(of);
        let limit = || select(vec![0, 1, 2, 3, 1_000, FAR]);
        (
            subsequence(self.nodes.clone(), some(4, self.nodes.len())),
            subsequence(self.files.clone(), some(3, self.files.len())),
            vec((select(self.files.clone()), limit()), 0..3),
            subsequence(self.chunks.clone(), some(FEW, self.chunks.len())),
            option::weighted(0.8, subsequence(self.files.clone(), some(FEW, self.files.len()))),
            any::<bool>(),
            subsequence(self.keys.clone(), some(2, self.keys.len())),
        )
            .prop_map(
                |(nodes, files, file_chunks, chunks, sharers, replica_nodes, requests)| ReadSet {
                    nodes,
                    files,
                    file_chunks,
                    chunks,
                    sharers,
                    replica_nodes,
                    requests,
                    ..ReadSet::default()
                },
            )
    }
}

/// Commands, and what further ones might ask for at once.
fn batches() -> impl Strategy<Value = (Sequence, Vec<ReadSet>)> {
    sequences().prop_flat_map(|sequence| {
        let named = Named::of(&sequence);
        // Chunks that several files share are rare: somebody asks for all that there is to ask of them.
        let everything = ReadSet {
            chunks: named.chunks.clone(),
            sharers: Some(named.files.clone()),
            ..ReadSet::default()
        };
        vec(named.reads(), 1..6).prop_map(move |made| {
            let batch = std::iter::once(everything.clone()).chain(made).collect();
            (sequence.clone(), batch)
        })
    })
}

/// What the next commands ask for that really share transactions.
fn of_next(sequence: &Sequence, come: usize) -> Vec<ReadSet> {
    let next = sequence
        .steps()
        .skip(come)
        .map(|(_, envelope)| &envelope.proposal);
    let sharing = next.filter(|proposal| {
        matches!(
            proposal.command,
            Command::RegisterFile(_) | Command::UpdateChunkLocations(_) | Command::DeleteFile(_)
        )
    });
    sharing.take(4).map(|proposal| proposal.reads()).collect()
}

#[test]
fn each_command_of_a_batch_is_given_what_it_would_have_loaded_by_itself() {
    let config = Config::default();
    // No database is asked, so that many take little time.
    let mut runner = TestRunner::new(Config {
        cases: config.cases.saturating_mul(4),
        failure_persistence: None,
        max_shrink_time: 30_000,
        ..config
    });
    let outcome = runner.run(&batches(), |(sequence, made)| {
        let mut model = Model::default();
        for (come, (index, envelope)) in (1..).zip(sequence.steps()) {
            // A refused command is part of the sequence, too.
            let _refused = model.apply(envelope, index);
            for batch in [&made, &of_next(&sequence, come)] {
                let loaded = Loaded {
                    view: model.view(&together(batch)),
                    ..Loaded::default()
                };
                for reads in batch {
                    let (part, alone) = (loaded.part_for(reads), model.view(reads));
                    prop_assert_eq!(part, alone, "{:?} among {:?}", reads, batch);
                }
            }
        }
        Ok::<(), TestCaseError>(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
