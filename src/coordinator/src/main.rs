//! Skeleton.

#[allow(dead_code, unused_imports)]
mod config;
#[allow(dead_code, unused_imports)]
mod logging;

fn main() {}
