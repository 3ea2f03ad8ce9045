//! The RPCs that the fleet calls, by name: the key under which latencies and errors are counted.

use std::fmt;

/// An RPC of `CoordinatorService`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A node makes itself known.
    RegisterNode,
    /// A node is alive, and asks for tasks.
    NodeHeartbeat,
    /// Many nodes are alive, and ask for tasks: one window of a stream.
    HeartbeatStream,
    /// A client registers a file.
    RegisterFile,
    /// A node holds a chunk, or no longer does.
    UpdateChunkLocations,
    /// A client asks which nodes hold a chunk.
    FindChunkLocations,
}

impl Operation {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Operation; 6] = [
        Operation::RegisterNode,
        Operation::NodeHeartbeat,
        Operation::HeartbeatStream,
        Operation::RegisterFile,
        Operation::UpdateChunkLocations,
        Operation::FindChunkLocations,
    ];

    /// The name in the `.proto` file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operation::RegisterNode => "RegisterNode",
            Operation::NodeHeartbeat => "NodeHeartbeat",
            Operation::HeartbeatStream => "HeartbeatStream",
            Operation::RegisterFile => "RegisterFile",
            Operation::UpdateChunkLocations => "UpdateChunkLocations",
            Operation::FindChunkLocations => "FindChunkLocations",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
