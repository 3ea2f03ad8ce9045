//! The `.proto` files of the coordinator and the code generated from them, nothing else.
//!
//! The code is generated at build time, so it can never disagree with the `.proto` files beside it.

/// The public API, package `zephyrfs.coordinator`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod coordinator {
    tonic::include_proto!("zephyrfs.coordinator");
}

/// What replicas say to each other, package `zephyrfs.peer`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod peer {
    tonic::include_proto!("zephyrfs.peer");
}

/// The encoded descriptors of the public API, for the gRPC reflection service.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
