//! Tests of the whole room: the stores under openraft's own suite, and the engine over both.

mod engine;
mod suite;
mod support;
