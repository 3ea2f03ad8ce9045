//! Chunks.

use zephyrfs_core::row::{ChunkRow, NodeStatus};
use zephyrfs_proto::coordinator as wire;

use super::super::status::FromAnswer;
use crate::api::saturate::to_i32;
use crate::service::{
    ChunkDetails, ChunkExplanation, ChunkLocation, ExplainedCandidate, ExplainedReplica, LocationUpdate,
    LocationsQuery,
};

impl From<wire::UpdateChunkLocationsRequest> for LocationUpdate {
    fn from(request: wire::UpdateChunkLocationsRequest) -> Self {
        let wire::UpdateChunkLocationsRequest {
            chunk_id,
            node_ids,
            operation,
        } = request;
        Self {
            chunk_id,
            node_ids,
            operation,
        }
    }
}

impl FromAnswer<()> for wire::UpdateChunkLocationsResponse {
    fn done((): ()) -> Self {
        Self {
            success: true,
            message: "chunk locations updated".to_owned(),
        }
    }

    fn refused(message: String) -> Option<Self> {
        let success = false;
        Some(Self { success, message })
    }
}

impl From<wire::FindChunkLocationsRequest> for LocationsQuery {
    fn from(request: wire::FindChunkLocationsRequest) -> Self {
        let wire::FindChunkLocationsRequest {
            chunk_id,
            preferred_count,
        } = request;
        Self {
            chunk_id,
            preferred_count: preferred_count.into(),
        }
    }
}

impl FromAnswer<Vec<ChunkLocation>> for wire::FindChunkLocationsResponse {
    fn done(locations: Vec<ChunkLocation>) -> Self {
        let message = if locations.is_empty() {
            "no node that has the chunk is active now"
        } else {
            "chunk found"
        };
        let (node_ids, node_addresses) = locations
            .into_iter()
            .map(|ChunkLocation { node, address }| (String::from(node), address))
            .unzip();
        Self {
            success: true,
            message: message.to_owned(),
            node_ids,
            node_addresses,
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            success: false,
            message,
            node_ids: Vec::new(),
            node_addresses: Vec::new(),
        })
    }
}

impl FromAnswer<ChunkDetails> for wire::GetChunkResponse {
    fn done(details: ChunkDetails) -> Self {
        Self {
            success: true,
            message: "chunk found".to_owned(),
            chunk: Some(chunk_details(details)),
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            success: false,
            message,
            chunk: None,
        })
    }
}

fn chunk_details(ChunkDetails { id, chunk }: ChunkDetails) -> wire::ChunkDetails {
    let stored_at_nodes = chunk
        .nodes_stored_first()
        .map(|node| node.as_str().to_owned())
        .collect();
    let ChunkRow {
        hash,
        size,
        created_at,
        home,
        index,
        sharers: _,
        unreferenced_since: _,
        replicas: _,
    } = chunk;
    wire::ChunkDetails {
        chunk_id: id.into(),
        hash: hash.into(),
        size: size.to_wire(),
        index: to_i32(index.into()),
        file_id: home.map_or_else(String::new, String::from),
        stored_at_nodes,
        created_at: created_at.as_unix_seconds(),
    }
}

impl FromAnswer<ChunkExplanation> for wire::ExplainChunkResponse {
    fn done(explanation: ChunkExplanation) -> Self {
        let ChunkExplanation {
            chunk,
            wanted,
            replicas,
            candidates,
        } = explanation;
        Self {
            success: true,
            message: "chunk found".to_owned(),
            chunk_id: chunk.into(),
            wanted_replicas: to_i32(wanted.into()),
            replicas: replicas.into_iter().map(replica_details).collect(),
            candidates: candidates.into_iter().map(candidate_details).collect(),
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            success: false,
            message,
            chunk_id: String::new(),
            wanted_replicas: 0,
            replicas: Vec::new(),
            candidates: Vec::new(),
        })
    }
}

fn replica_details(replica: ExplainedReplica) -> wire::ReplicaDetails {
    let ExplainedReplica {
        node,
        state,
        node_status,
    } = replica;
    wire::ReplicaDetails {
        node_id: node.into(),
        state: state.as_str().to_owned(),
        node_status: node_status.map_or("unknown", NodeStatus::as_str).to_owned(),
    }
}

fn candidate_details(candidate: ExplainedCandidate) -> wire::CandidateDetails {
    let ExplainedCandidate { node, exclusion } = candidate;
    wire::CandidateDetails {
        node_id: node.into(),
        eligible: exclusion.is_none(),
        reason: exclusion.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::id::{ChunkId, ContentHash, FileId, NodeId};
    use zephyrfs_core::row::{ChunkRow, NodeStatus, Replica, ReplicaState};
    use zephyrfs_core::units::{ByteSize, Timestamp};
    use zephyrfs_proto::coordinator as wire;

    use super::super::super::status::FromAnswer as _;
    use crate::service::{
        ChunkDetails, ChunkExplanation, ChunkLocation, ExplainedCandidate, ExplainedReplica,
    };

    #[test]
    fn locations_keep_nodes_and_addresses_in_step() {
        let location = |node: &str, address: &str| ChunkLocation {
            node: NodeId::from(node),
            address: address.to_owned(),
        };
        let response = wire::FindChunkLocationsResponse::done(vec![location("a", "a:1"), location("b", "")]);
        assert!(response.success);
        assert_eq!(response.node_ids, ["a", "b"]);
        assert_eq!(response.node_addresses, ["a:1", ""]);
        let nobody = wire::FindChunkLocationsResponse::done(Vec::new());
        assert!(nobody.success);
        assert_eq!(nobody.message, "no node that has the chunk is active now");
    }

    #[test]
    fn a_chunk_names_the_nodes_that_store_it_first() {
        let replica = |node: &str, state| Replica {
            node: NodeId::from(node),
            state,
        };
        let chunk = ChunkRow {
            hash: ContentHash::from("h"),
            size: ByteSize::new(9),
            created_at: Timestamp::from_millis(4_500),
            home: Some(FileId::from("f")),
            index: 2,
            sharers: 7,
            unreferenced_since: None,
            replicas: vec![
                replica("told", ReplicaState::Assigned),
                replica("has", ReplicaState::Stored),
            ],
        };
        let id = ChunkId::from("c");
        let response = wire::GetChunkResponse::done(ChunkDetails { id, chunk });
        let expected = wire::ChunkDetails {
            chunk_id: "c".to_owned(),
            hash: "h".to_owned(),
            size: 9,
            index: 2,
            file_id: "f".to_owned(),
            stored_at_nodes: vec!["has".to_owned(), "told".to_owned()],
            created_at: 4,
        };
        assert_eq!(response.chunk, Some(expected));
    }

    #[test]
    fn an_explanation_says_who_is_eligible_and_why_not() {
        let response = wire::ExplainChunkResponse::done(ChunkExplanation {
            chunk: ChunkId::from("c"),
            wanted: 3,
            replicas: vec![
                ExplainedReplica {
                    node: NodeId::from("a"),
                    state: ReplicaState::Stored,
                    node_status: Some(NodeStatus::Inactive),
                },
                ExplainedReplica {
                    node: NodeId::from("b"),
                    state: ReplicaState::Assigned,
                    node_status: None,
                },
            ],
            candidates: vec![
                ExplainedCandidate {
                    node: NodeId::from("d"),
                    exclusion: None,
                },
                ExplainedCandidate {
                    node: NodeId::from("e"),
                    exclusion: Some("too full".to_owned()),
                },
            ],
        });
        let states: Vec<_> = response
            .replicas
            .iter()
            .map(|replica| (replica.state.as_str(), replica.node_status.as_str()))
            .collect();
        assert_eq!(states, [("stored", "inactive"), ("assigned", "unknown")]);
        let candidates: Vec<_> = response
            .candidates
            .iter()
            .map(|candidate| (candidate.eligible, candidate.reason.as_str()))
            .collect();
        assert_eq!(candidates, [(true, ""), (false, "too full")]);
    }
}
