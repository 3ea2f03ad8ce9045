//! The `.proto` files of the coordinator and the code generated from them, nothing else.
//!
//! The code is generated at build time, so it can never disagree with the `.proto` files beside it.

/// The public API, package `zephyrfs.coordinator`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod coordinator {
    tonic::include_proto!("zephyrfs.coordinator");
}

/// The encoded descriptors of every `.proto` file, for the gRPC reflection service.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
