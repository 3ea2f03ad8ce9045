//! Compiles the `.proto` files with protox, a compiler written in Rust: no `protoc` has to be installed.

use std::error::Error;
use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=zephyrfs");
    let public = protox::compile(["zephyrfs/coordinator.proto"], ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), public.encode_to_vec())?;
    let peer = protox::compile(["zephyrfs/peer.proto"], ["."])?;
    for descriptors in [public, peer] {
        tonic_prost_build::configure()
            .emit_rerun_if_changed(false)
            .compile_fds(descriptors)?;
    }
    Ok(())
}
