//! Storage nodes: they come, report, go, and are looked up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use crate::logging::json;
use tracing::info;
use zephyrfs_core::command::{NodeStateChange, RegisterNode, SetNodeState, UnregisterNode};
use zephyrfs_core::engine::{At, Freshness, NodeWithBeat};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{AfterDrain, BeatRow, NodeRow, NodeStatus};
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{Command, ReadSet, Rejection, Response, View};

use super::drains::NodeStateSet;
use super::engine_error::wrong_answer;
use super::error::ServiceError;
use super::fingerprint::Fingerprinter;
use super::page::ListPage;
use super::page::{id_of_token, token_after};
use super::request::{
    ActiveNodesQuery, NodeListQuery, NodeRegistration, NodeRemoval, NodeStateRequest, RequestContext,
};
use super::state::Service;
use super::validate::{self, ValidRegistration};

/// What a node is told when it has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredNode {
    /// Its id.
    pub node: NodeId,
    /// First addresses of up to five other active nodes.
    pub peers: Vec<String>,
    /// Whether the id was registered before.
    pub known: bool,
}

/// A node as clients see it.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeDetails {
    /// Its id.
    pub id: NodeId,
    /// What it registered, and its state.
    pub node: Arc<NodeRow>,
    /// Its last heartbeat, counting one that only this replica has heard; `None` if it never sent one.
    pub beat: Option<BeatRow>,
    /// While it is held down because it comes and goes: until when nothing is entrusted to it that another can take, and how
    /// many times in a row it came back and did not stay.
    pub flapping: Option<(Timestamp, u32)>,
}

impl NodeDetails {
    /// A node as it is at `now`. The first return is no flapping, and once the hold is over the count only serves the next
    /// silence.
    fn at(now: Timestamp, id: NodeId, (node, beat): NodeWithBeat) -> Self {
        let contact = node.contact;
        let is_flapping = contact.returns > 1 && contact.is_held(now);
        Self {
            id,
            node,
            beat,
            flapping: is_flapping.then_some((contact.held_until, contact.returns)),
        }
    }

    /// The one word for its state.
    pub fn status(&self) -> NodeStatus {
        self.node.status()
    }

    /// Of a node that drains: whether nothing is left on it.
    pub fn drained(&self) -> Option<bool> {
        self.node.drain().map(|drain| drain.done_at.is_some())
    }
}

impl Service {
    /// Registers a node, or registers it again.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn register_node(
        &self,
        registration: NodeRegistration,
        context: RequestContext,
    ) -> Result<At<RegisteredNode>, ServiceError> {
        let registration = validate::registration(&self.limits, registration)?;
        let idempotency = self.idempotency(&context, fingerprint_of(&registration))?;
        let ValidRegistration {
            node,
            addresses,
            capacity,
            capabilities,
        } = registration;
        let node = node.unwrap_or_else(|| self.ids.node());
        let peers = self.peers_for(&node, context.deadline).await?;
        let command = Command::RegisterNode(RegisterNode {
            node,
            addresses: addresses.clone(),
            capacity,
            capabilities,
            peers,
            inactive_after: self.policy.node_inactive_after.into(),
        });
        let At { index, value } = self.propose(command, idempotency, context.deadline).await?;
        // The id is the answer's: a request that is repeated with its key gets the id it got first.
        let Response::NodeRegistered { node, peers, known } = value else {
            return Err(wrong_answer("register_node"));
        };
        info!(node_id = %node, addresses = json(&addresses), capacity = capacity.get(), known, "Node registered");
        let value = RegisteredNode { node, peers, known };
        Ok(At { index, value })
    }

    /// Unregisters a node for good. Twice is the same as once.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known.
    pub async fn unregister_node(
        &self,
        removal: NodeRemoval,
        context: RequestContext,
    ) -> Result<At<()>, ServiceError> {
        let NodeRemoval { node_id, reason } = removal;
        let node: NodeId = validate::id(&self.limits, "node_id", node_id)?;
        let reason = validate::free_text("reason", reason, self.limits.max_name_length)?;
        let fingerprint = Fingerprinter::of("unregister_node")
            .text(node.as_str())
            .text(&reason)
            .finish();
        let idempotency = self.idempotency(&context, fingerprint)?;
        let command = Command::UnregisterNode(UnregisterNode {
            node: node.clone(),
            reason: reason.clone(),
        });
        let At { index, value } = self.propose(command, idempotency, context.deadline).await?;
        let Response::NodeUnregistered = value else {
            return Err(wrong_answer("unregister_node"));
        };
        self.pending_beats.forget(&node);
        info!(node_id = %node, reason, "Node unregistered");
        Ok(At { index, value: () })
    }

    /// Changes what is wanted of a node; the answer is its status then, and what a drain lacks to end.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known, or was unregistered.
    pub async fn set_node_state(
        &self,
        node_id: String,
        request: NodeStateRequest,
        context: RequestContext,
    ) -> Result<At<NodeStateSet>, ServiceError> {
        let node: NodeId = validate::id(&self.limits, "node_id", node_id)?;
        let change = validate::node_state(&request)?;
        let operation = Fingerprinter::of("set_node_state").text(node.as_str());
        let fingerprint = match change {
            NodeStateChange::Activate => operation.text("activate"),
            NodeStateChange::Drain {
                then: AfterDrain::Stay,
            } => operation.text("drain"),
            NodeStateChange::Drain {
                then: AfterDrain::Remove,
            } => operation.text("decommission"),
            NodeStateChange::CancelDrain => operation.text("cancel drain"),
            NodeStateChange::Maintain { span } => operation.text("maintain").number(span.get()),
        }
        .finish();
        let idempotency = self.idempotency(&context, fingerprint)?;
        // A drain can be taken back, and existing scripts drain nodes of small networks; a decommission ends with the node's
        // removal, so the others must be able to hold as many copies as wanted.
        let others_needed = match request {
            NodeStateRequest::Drain { force: false } => Some((AfterDrain::Stay, 1)),
            NodeStateRequest::Decommission { force: false } => {
                Some((AfterDrain::Remove, self.policy.replication_factor as usize))
            }
            _ => None,
        };
        if let Some((then, others_needed)) = others_needed {
            self.refuse_hopeless_drain(&node, then, others_needed, context.deadline)
                .await?;
        }
        let hindrance = match change {
            NodeStateChange::Drain { .. } => self.what_hinders_drain(&node, context.deadline).await?,
            _ => None,
        };
        let command = Command::SetNodeState(SetNodeState {
            node: node.clone(),
            change,
        });
        let At { index, value } = self.propose(command, idempotency, context.deadline).await?;
        let Response::NodeStateSet { status } = value else {
            return Err(wrong_answer("set_node_state"));
        };
        info!(node_id = %node, ?change, %status, "Node state set");
        let value = NodeStateSet { status, hindrance };
        Ok(At { index, value })
    }

    /// One node.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known.
    pub async fn node(
        &self,
        node_id: String,
        context: RequestContext,
    ) -> Result<At<NodeDetails>, ServiceError> {
        let id: NodeId = validate::id(&self.limits, "node_id", node_id)?;
        let At { index, value: view } = self
            .view_of_node(&id, context.freshness, context.deadline)
            .await?;
        let Some(node) = view.nodes.get(&id).map(Arc::clone) else {
            let rejection = Rejection::NodeNotFound { node: id };
            return Err(ServiceError::Rejected { rejection, index });
        };
        let (recorded, now) = (view.beats.get(&id).copied(), self.engine.now());
        let beat = self
            .pending_beats
            .newest(&id, &node, recorded, now, Instant::now());
        let value = NodeDetails::at(now, id, (node, beat));
        Ok(At { index, value })
    }

    /// Active nodes, longest uptime first.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn active_nodes(
        &self,
        query: ActiveNodesQuery,
        context: RequestContext,
    ) -> Result<At<Vec<NodeDetails>>, ServiceError> {
        let ActiveNodesQuery { limit, exclude } = query;
        let limit = validate::count_or_all("limit", limit)?;
        let exclude: BTreeSet<NodeId> = validate::node_ids(&self.limits, "exclude_nodes", exclude)?
            .into_iter()
            .collect();
        let At { index, value } = self.all_nodes(&context).await?;
        let active = value
            .into_iter()
            .filter(|node| node.status() == NodeStatus::Active && !exclude.contains(&node.id))
            .collect();
        let value = longest_uptime_first(active, limit);
        Ok(At { index, value })
    }

    /// Nodes of one status or all, unregistered ones among the inactive.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn list_nodes(
        &self,
        query: NodeListQuery,
        context: RequestContext,
    ) -> Result<At<ListPage<NodeDetails>>, ServiceError> {
        let NodeListQuery { status, page } = query;
        let status = validate::status(&status)?;
        let limit = validate::page_size(&self.limits, page.limit)?;
        let after: Option<NodeId> = id_of_token(&self.limits, &page.token)?;
        let At { index, value } = self.all_nodes(&context).await?;
        let mut matching = value
            .into_iter()
            .filter(|node| after.as_ref().is_none_or(|after| node.id > *after))
            .filter(|node| status.is_none_or(|status| node.status() == status));
        let items: Vec<_> = matching.by_ref().take(limit).collect();
        let has_more = matching.next().is_some();
        let next_page_token = items
            .last()
            .filter(|_| has_more)
            .map(|last| token_after(last.id.as_str()));
        let value = ListPage {
            items,
            next_page_token,
        };
        Ok(At { index, value })
    }

    /// A node's rows, as they are recorded.
    pub(super) async fn view_of_node(
        &self,
        node: &NodeId,
        freshness: Freshness,
        deadline: Option<Instant>,
    ) -> Result<At<View>, ServiceError> {
        let reads = ReadSet {
            nodes: vec![node.clone()],
            ..ReadSet::default()
        };
        self.read("the node", deadline, self.engine.view(reads, freshness))
            .await
    }

    /// All nodes by id, with the heartbeats that only this replica has heard.
    pub(super) async fn all_nodes(
        &self,
        context: &RequestContext,
    ) -> Result<At<Vec<NodeDetails>>, ServiceError> {
        let nodes = self.engine.nodes(context.freshness);
        let At { index, mut value } = self.read("the list of nodes", context.deadline, nodes).await?;
        let now = self.engine.now();
        self.pending_beats.show_in(&mut value, now, Instant::now());
        let value = value
            .into_iter()
            .map(|(id, node)| NodeDetails::at(now, id, node))
            .collect();
        Ok(At { index, value })
    }
}

/// The first `limit` nodes by uptime, then by age of registration, then by id.
pub(super) fn longest_uptime_first(mut nodes: Vec<NodeDetails>, limit: usize) -> Vec<NodeDetails> {
    let rank = |a: &NodeDetails, b: &NodeDetails| {
        let uptime = |node: &NodeDetails| node.beat.map_or(0, |beat| beat.stats.uptime_seconds);
        uptime(b)
            .cmp(&uptime(a))
            .then_with(|| a.node.registered_at.cmp(&b.node.registered_at))
            .then_with(|| a.id.cmp(&b.id))
    };
    if limit < nodes.len() {
        // A few out of very many need no full sort.
        nodes.select_nth_unstable_by(limit, rank);
        nodes.truncate(limit);
    }
    nodes.sort_unstable_by(rank);
    nodes
}

fn fingerprint_of(registration: &ValidRegistration) -> zephyrfs_core::row::Fingerprint {
    let ValidRegistration {
        node,
        addresses,
        capacity,
        capabilities,
    } = registration;
    let capabilities: Vec<_> = capabilities.iter().collect();
    Fingerprinter::of("register_node")
        .text(node.as_ref().map_or("", NodeId::as_str))
        .list(addresses, |print, address| print.text(address))
        .number(capacity.get())
        .list(&capabilities, |print, (key, value)| print.text(key).text(value))
        .finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::row::{BeatRow, NodeRow, NodeStats, Observed, Wanted};
    use zephyrfs_core::units::{ByteSize, Timestamp};

    use super::{NodeDetails, longest_uptime_first};

    fn node(id: &str, registered_at: u64, uptime_seconds: Option<u64>) -> NodeDetails {
        NodeDetails {
            id: NodeId::from(id),
            node: Arc::new(NodeRow {
                addresses: Vec::new(),
                capacity: ByteSize::ZERO,
                capabilities: BTreeMap::new(),
                registered_at: Timestamp::from_millis(registered_at),
                wanted: Wanted::InService,
                observed: Observed::Active,
                contact: zephyrfs_core::row::Contact::default(),
            }),
            beat: uptime_seconds.map(|uptime_seconds| BeatRow {
                at: Timestamp::EPOCH,
                stats: NodeStats {
                    uptime_seconds,
                    ..NodeStats::default()
                },
            }),
            flapping: None,
        }
    }

    #[test]
    fn nodes_are_ranked_by_uptime_then_age_then_id() {
        let nodes = vec![
            node("never-beat", 1, None),
            node("young", 9, Some(50)),
            node("b", 5, Some(50)),
            node("a", 5, Some(50)),
            node("longest", 9, Some(60)),
        ];
        for limit in 0..=6 {
            let ids: Vec<_> = longest_uptime_first(nodes.clone(), limit)
                .iter()
                .map(|node| node.id.to_string())
                .collect();
            let expected = ["longest", "a", "b", "young", "never-beat"];
            assert_eq!(ids, expected[..limit.min(5)]);
        }
    }
}
