//! Where an answer leads: which operations take the id that another one gives.

use utoipa::openapi::RefOr;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::Operation;

/// An id in an answer, and the operations whose path takes it.
struct Lead {
    from: &'static str,
    status: &'static str,
    /// Where the id is, as a runtime expression.
    id: &'static str,
    to: &'static [&'static str],
    /// The name of the parameter in their paths.
    parameter: &'static str,
}

const LEADS: [Lead; 4] = [
    Lead {
        from: "register_node",
        status: "200",
        id: "$response.body#/assigned_node_id",
        to: &[
            "get_node",
            "node_heartbeat",
            "drain_node",
            "decommission_node",
            "cancel_drain",
            "get_drain_status",
            "why_node",
            "activate_node",
            "maintain_node",
            "unregister_node",
        ],
        parameter: "id",
    },
    Lead {
        from: "register_file",
        status: "201",
        id: "$request.body#/file_id",
        to: &["get_file_info", "delete_file"],
        parameter: "id",
    },
    Lead {
        from: "register_file",
        status: "201",
        id: "$response.body#/chunk_placements/0/chunk_id",
        to: &[
            "get_chunk",
            "find_chunk_locations",
            "update_chunk_locations",
            "explain_chunk",
            "why_chunk",
        ],
        parameter: "id",
    },
    Lead {
        from: "get_cluster_status",
        status: "200",
        id: "$response.body#/members/0/name",
        to: &["remove_member"],
        parameter: "name",
    },
];

/// Adds the links from an operation's answers.
pub(super) fn add(operation: &mut Operation) {
    let name = operation.operation_id.clone().unwrap_or_default();
    for lead in LEADS.iter().filter(|lead| lead.from == name) {
        let Some(RefOr::T(response)) = operation.responses.responses.get_mut(lead.status) else {
            continue;
        };
        for to in lead.to {
            let link = Link::builder()
                .operation_id(*to)
                .parameter(lead.parameter, lead.id)
                .build();
            response.links.insert((*to).to_owned(), RefOr::T(link));
        }
    }
}
