//! Values as columns: each kind of value has one form in the database, and comes back from it as it was.

mod binary;
mod number;
mod time;
mod uuid;
mod words;

pub(crate) use binary::{decode, encode};
pub(crate) use number::{count, small, to_bigint};
pub(crate) use time::Time;
pub(crate) use uuid::Uuid;
pub(crate) use words::Word;
