//! Logs: one line an event on stderr, as a JSON object with camelCase fields or as readable text.
//!
//! `init` sets it up once at the start; after that everybody logs with the macros of `tracing`, in
//! snake_case. `layer` gathers an event and the spans around it into a `line`, which `json` or `text`
//! renders; `json_field` lets an event carry a list. What is logged, and at which level, is up to those who
//! log.

mod escape;
mod field_name;
mod fields;
mod filter;
mod init;
mod json;
mod json_field;
mod layer;
mod line;
mod panic_hook;
mod text;

#[cfg(test)]
mod tests;

pub(crate) use init::init;
pub(crate) use json_field::json;
