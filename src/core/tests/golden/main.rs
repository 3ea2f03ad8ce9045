//! The bytes of everything that is written to logs, stored in rows or kept in dumps. They never change once shipped: what
//! was written yesterday is read tomorrow. A new variant is added at the end, here and in `golden/*.hex`.

#![expect(
    clippy::unwrap_used,
    reason = "a test; clippy knows its functions, but not those that they share"
)]

#[macro_use]
mod fixture;

mod examples;
mod log;
mod rows;
