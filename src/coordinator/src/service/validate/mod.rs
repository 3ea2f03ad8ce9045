//! From what came over the wire to the rules' own types: the one place where requests are checked.
//!
//! Every function takes the name of the field, as the client wrote it, and says in the error what is wrong
//! with it. A malformed value is [`ServiceError::Invalid`]; too many of something is
//! [`ServiceError::TooLarge`]. What passes here may reach the engine; nothing else does.

mod chunks;
mod cluster;
mod files;
mod nodes;
mod number;
mod page;
mod problem;
mod stats;
mod tasks;
mod text;

pub(super) use chunks::{ValidLocationUpdate, held_chunks, location_update};
pub(super) use cluster::replicas;
pub(super) use files::{ValidFile, file};
pub(super) use nodes::{ValidRegistration, node_ids, node_state, registration, status};
pub(super) use number::count_or_all;
pub(super) use page::page_size;
pub(super) use stats::stats;
pub(super) use tasks::{TaskState, task_state};
pub(super) use text::{free_text, id, optional_id, quoted};
