//! The tables: how rows of each kind lie in columns, one file for each kind.

pub(crate) mod chunks;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod heartbeats;
pub(crate) mod nodes;
pub(crate) mod releases;
pub(crate) mod requests;
pub(crate) mod sharers;
pub(crate) mod tasks;
pub(crate) mod usage;
