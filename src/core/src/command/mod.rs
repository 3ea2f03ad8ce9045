//! The commands: everything that may change the state, one file each.
//!
//! The enum only dispatches. It is written to the log, so a variant that has shipped never changes its meaning or its
//! place: what is new is a new variant at the end.

mod abandon_tasks;
mod assign_replicas;
mod copies;
mod delete_copies;
mod delete_file;
mod expire_nodes;
mod finish_drains;
mod forget_expired;
mod forget_replicas;
mod record_heartbeats;
mod record_inventory;
mod register_file;
mod register_node;
mod release;
mod release_chunks;
mod renew_tasks;
mod set_node_state;
mod trim_copies;
mod unregister_node;
mod update_chunk_locations;
mod write_off_nodes;

use serde::{Deserialize, Serialize};

pub use abandon_tasks::{AbandonTasks, LAST_DELETION};
pub use assign_replicas::{AssignReplicas, CopyPlan};
pub use delete_copies::DeleteCopies;
pub use delete_file::DeleteFile;
pub use expire_nodes::ExpireNodes;
pub use finish_drains::FinishDrains;
pub use forget_expired::ForgetExpired;
pub use forget_replicas::ForgetReplicas;
pub use record_heartbeats::{Heartbeat, RecordHeartbeats};
pub use record_inventory::{HeldChunk, RecordInventory};
pub use register_file::{ChunkPlan, RegisterFile};
pub use register_node::RegisterNode;
pub use release_chunks::ReleaseChunks;
pub use renew_tasks::{RenewTasks, TaskName};
pub use set_node_state::{NodeStateChange, SetNodeState};
pub use trim_copies::{TrimCopies, TrimPlan};
pub use unregister_node::UnregisterNode;
pub use update_chunk_locations::{LocationChange, UpdateChunkLocations};
pub use write_off_nodes::WriteOffNodes;

use crate::context::Context;
use crate::effects::Effects;
use crate::id::RequestId;
use crate::rejection::Rejection;
use crate::view::{ReadSet, View};

/// The most rows of one kind that a command works off beside those that it names itself: what is left is done in
/// further commands, so that no single one holds up those behind it.
pub const PAGE: usize = 1_000;

/// A change of the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// A node comes, or comes back.
    RegisterNode(RegisterNode),
    /// A node goes for good.
    UnregisterNode(UnregisterNode),
    /// An operator wants something else of a node.
    SetNodeState(SetNodeState),
    /// Nodes were heard from.
    RecordHeartbeats(RecordHeartbeats),
    /// Nodes were silent for too long.
    ExpireNodes(ExpireNodes),
    /// A file comes, or comes with other content.
    RegisterFile(RegisterFile),
    /// A file goes.
    DeleteFile(DeleteFile),
    /// Nodes took or dropped copies of a chunk.
    UpdateChunkLocations(UpdateChunkLocations),
    /// The next page of a deleted or replaced file's chunks is released.
    ReleaseChunks(ReleaseChunks),
    /// What has expired is forgotten.
    ForgetExpired(ForgetExpired),
    /// Chunks get further copies.
    AssignReplicas(AssignReplicas),
    /// Chunks that no file has held for long are deleted from their nodes.
    DeleteCopies(DeleteCopies),
    /// Nodes get more time for their tasks.
    RenewTasks(RenewTasks),
    /// Tasks are taken back from nodes that do not do them.
    AbandonTasks(AbandonTasks),
    /// Copies that are not to be expected any more are forgotten.
    ForgetReplicas(ForgetReplicas),
    /// Nodes drop copies that others make up for.
    TrimCopies(TrimCopies),
    /// Draining nodes have nothing left.
    FinishDrains(FinishDrains),
    /// A node says which chunks it holds.
    RecordInventory(RecordInventory),
    /// Silent nodes are no longer waited for.
    WriteOffNodes(WriteOffNodes),
}

impl Command {
    /// The rows that must be loaded to decide this command.
    pub fn reads(&self) -> ReadSet {
        match self {
            Self::RegisterNode(command) => command.reads(),
            Self::UnregisterNode(command) => command.reads(),
            Self::SetNodeState(command) => command.reads(),
            Self::RecordHeartbeats(command) => command.reads(),
            Self::ExpireNodes(command) => command.reads(),
            Self::RegisterFile(command) => command.reads(),
            Self::DeleteFile(command) => command.reads(),
            Self::UpdateChunkLocations(command) => command.reads(),
            Self::ReleaseChunks(command) => command.reads(),
            Self::ForgetExpired(command) => command.reads(),
            Self::AssignReplicas(command) => command.reads(),
            Self::DeleteCopies(command) => command.reads(),
            Self::RenewTasks(command) => command.reads(),
            Self::AbandonTasks(command) => command.reads(),
            Self::ForgetReplicas(command) => command.reads(),
            Self::TrimCopies(command) => command.reads(),
            Self::FinishDrains(command) => command.reads(),
            Self::RecordInventory(command) => command.reads(),
            Self::WriteOffNodes(command) => command.reads(),
        }
    }

    /// The command's name, for logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RegisterNode(_) => "register_node",
            Self::UnregisterNode(_) => "unregister_node",
            Self::SetNodeState(_) => "set_node_state",
            Self::RecordHeartbeats(_) => "record_heartbeats",
            Self::ExpireNodes(_) => "expire_nodes",
            Self::RegisterFile(_) => "register_file",
            Self::DeleteFile(_) => "delete_file",
            Self::UpdateChunkLocations(_) => "update_chunk_locations",
            Self::ReleaseChunks(_) => "release_chunks",
            Self::ForgetExpired(_) => "forget_expired",
            Self::AssignReplicas(_) => "assign_replicas",
            Self::DeleteCopies(_) => "delete_copies",
            Self::RenewTasks(_) => "renew_tasks",
            Self::AbandonTasks(_) => "abandon_tasks",
            Self::ForgetReplicas(_) => "forget_replicas",
            Self::TrimCopies(_) => "trim_copies",
            Self::FinishDrains(_) => "finish_drains",
            Self::RecordInventory(_) => "record_inventory",
            Self::WriteOffNodes(_) => "write_off_nodes",
        }
    }

    /// Decides the command from the rows that it asked for. `id` names what it leaves behind unfinished.
    pub(crate) fn decide(&self, id: RequestId, view: &View, context: &Context) -> Result<Effects, Rejection> {
        match self {
            Self::RegisterNode(command) => Ok(command.decide(view, context)),
            Self::UnregisterNode(command) => command.decide(view, context),
            Self::SetNodeState(command) => command.decide(view, context),
            Self::RecordHeartbeats(command) => Ok(command.decide(view, context)),
            Self::ExpireNodes(command) => Ok(command.decide(view, context)),
            Self::RegisterFile(command) => command.decide(id, view, context),
            Self::DeleteFile(command) => command.decide(id, view, context),
            Self::UpdateChunkLocations(command) => command.decide(view),
            Self::ReleaseChunks(command) => command.decide(view, context),
            Self::ForgetExpired(command) => Ok(command.decide(view, context)),
            Self::AssignReplicas(command) => Ok(command.decide(id, view, context)),
            Self::DeleteCopies(command) => Ok(command.decide(id, view, context)),
            Self::RenewTasks(command) => Ok(command.decide(view, context)),
            Self::AbandonTasks(command) => Ok(command.decide(view, context)),
            Self::ForgetReplicas(command) => Ok(command.decide(view, context)),
            Self::TrimCopies(command) => Ok(command.decide(id, view, context)),
            Self::FinishDrains(command) => Ok(command.decide(view, context)),
            Self::RecordInventory(command) => command.decide(view, context),
            Self::WriteOffNodes(command) => Ok(command.decide(view)),
        }
    }
}
