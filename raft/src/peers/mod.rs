//! How replicas reach each other: what they ask of one another, in which form it travels, and over which transport, which
//! is a parameter: gRPC in production, a simulated network in tests.

mod address_book;
mod api;
mod backoff;
mod heartbeats;
mod identity;
mod network;
mod snapshots;
mod transport;
mod ways;
pub(crate) mod wire;

pub(crate) use address_book::AddressBook;
pub use api::{PeerError, PeerService, Replies, Requests};
pub(crate) use backoff::pause_after;
pub(crate) use identity::Whoami;
pub(crate) use network::PeerNetwork;
pub(crate) use transport::Nowhere;
pub use transport::{Alone, Lane, Transport};
pub(crate) use ways::Ways;
