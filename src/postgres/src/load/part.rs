//! What several commands ask for at once, and what was loaded of it apart again: each decides on no more than it asked for.

use std::collections::BTreeMap;

use zephyrfs_core::{ReadSet, View};

use super::Loaded;

impl Loaded {
    /// The part that was loaded for one of several read sets, none of which asks for releases, tasks or what lies on nodes.
    pub(crate) fn part_for(&self, reads: &ReadSet) -> View {
        let all = &self.view;
        let mut part = View::default();
        let files = reads.files.iter().map(|file| (file, 0));
        for (id, limit) in files.chain(reads.file_chunks.iter().map(|(file, limit)| (file, *limit))) {
            let Some(file) = all.files.get(id) else {
                continue;
            };
            for chunk in file.chunks.iter().take(limit) {
                copy(&all.chunks, &chunk.id, &mut part.chunks);
            }
            part.files.insert(id.clone(), file.clone());
        }
        for chunk in &reads.chunks {
            copy(&all.chunks, chunk, &mut part.chunks);
        }
        for node in &reads.nodes {
            copy(&all.nodes, node, &mut part.nodes);
        }
        if reads.replica_nodes {
            for replica in part.chunks.values().flat_map(|chunk| &chunk.replicas) {
                copy(&all.nodes, &replica.node, &mut part.nodes);
            }
        }
        for node in part.nodes.keys() {
            copy(&all.beats, node, &mut part.beats);
        }
        let shared = part.chunks.iter().filter(|(_, chunk)| chunk.sharers > 0);
        for (chunk, _) in shared.filter(|_| reads.sharers.is_some()) {
            if let Some((first, index)) = all.first_sharer(chunk) {
                part.sharers.insert((chunk.clone(), first.clone()), index);
            }
            for file in reads.sharers.iter().flatten() {
                copy(&all.sharers, &(chunk.clone(), file.clone()), &mut part.sharers);
            }
        }
        for key in &reads.requests {
            copy(&all.requests, key, &mut part.requests);
        }
        part
    }
}

fn copy<K: Ord + Clone, V: Clone>(from: &BTreeMap<K, V>, key: &K, to: &mut BTreeMap<K, V>) {
    if let Some(value) = from.get(key) {
        to.insert(key.clone(), value.clone());
    }
}

/// All that several commands ask for.
pub(crate) fn together(reads: &[ReadSet]) -> ReadSet {
    let mut all = ReadSet::default();
    for one in reads {
        all.nodes.extend_from_slice(&one.nodes);
        all.files.extend_from_slice(&one.files);
        all.file_chunks.extend_from_slice(&one.file_chunks);
        all.chunks.extend_from_slice(&one.chunks);
        all.requests.extend_from_slice(&one.requests);
        all.replica_nodes |= one.replica_nodes;
        if let Some(files) = &one.sharers {
            all.sharers.get_or_insert_default().extend_from_slice(files);
        }
    }
    all
}
