//! What clients ask for, as it came: plain values that nobody has checked yet. [`super::validate`] does.

mod chunks;
mod context;
mod files;
mod nodes;
mod page;
mod tasks;
mod watch;

pub use chunks::{LocationUpdate, LocationsQuery};
pub use context::RequestContext;
pub use files::{ChunkDescription, FileRegistration};
pub use nodes::{
    ActiveNodesQuery, HeartbeatReport, NodeListQuery, NodeRegistration, NodeRemoval, NodeStateRequest,
    ReportedStats,
};
pub use page::PageQuery;
pub use tasks::TaskListQuery;
pub use watch::WatchQuery;
