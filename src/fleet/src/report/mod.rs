//! Results for people and for machines: what a run or a bench came to, as a table or as JSON.
//!
//! Both forms come from the same structs, so they cannot disagree.

pub mod bench;
pub mod run;
pub mod table;
