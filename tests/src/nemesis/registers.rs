//! Files as registers: the id of a file is the register, its hash the value. Registering a known id with other content
//! replaces the file, so a registration is a write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rand::RngExt as _;
use rand::rngs::SmallRng;
use serde_json::{Value as Json, json};

use crate::history::{MOST_OPERATIONS, Value};
use crate::rest::Answer;

/// Registers that clients use at a time: few, so that they meet.
const OPEN: usize = 5;

/// Operations that one attempt may add to a history: a repeated deletion may be two.
const PER_ATTEMPT: usize = 2;

/// Operations that are kept for the end, when every register is read at every replica.
const KEPT_BACK: usize = 20;

/// The registers of a run. Each is replaced by a new one when its history is as long as can be searched.
pub(super) struct Registers {
    open: Mutex<Vec<Register>>,
    next_register: AtomicU64,
    next_value: AtomicU64,
    /// In every name, so that nobody takes one for another run's.
    run: u64,
}

struct Register {
    name: String,
    operations: usize,
}

impl Registers {
    pub(super) fn new(run: u64) -> Self {
        let this = Self {
            open: Mutex::default(),
            next_register: AtomicU64::new(0),
            next_value: AtomicU64::new(1),
            run,
        };
        let open = (0..OPEN).map(|_| this.fresh()).collect();
        Self {
            open: Mutex::new(open),
            ..this
        }
    }

    fn fresh(&self) -> Register {
        let number = self.next_register.fetch_add(1, Ordering::Relaxed);
        Register {
            name: format!("register-{:x}-{number}", self.run),
            operations: 0,
        }
    }

    /// One of the registers, for one attempt.
    pub(super) fn choose(&self, random: &mut SmallRng) -> String {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let register = &mut open[random.random_range(0..OPEN)];
        if register.operations + PER_ATTEMPT + KEPT_BACK > MOST_OPERATIONS {
            *register = self.fresh();
        }
        register.operations += PER_ATTEMPT;
        register.name.clone()
    }

    /// A value that was never used.
    pub(super) fn new_value(&self) -> Value {
        Value(self.next_value.fetch_add(1, Ordering::Relaxed))
    }
}

/// The path of a register.
pub(super) fn path(register: &str) -> String {
    format!("/api/v1/files/{register}")
}

/// The body of a write.
pub(super) fn body(register: &str, Value(value): Value) -> Json {
    let hash = value.to_string();
    json!({"file_id": register, "file_name": register, "file_size": 1_000, "file_hash": hash,
           "chunks": [{"chunk_id": format!("{register}-{value}"), "hash": hash, "size": 1_000, "index": 0}]})
}

/// What a read saw; `None` if the answer is not that of a read.
pub(super) fn seen(answer: &Answer) -> Option<Option<Value>> {
    match answer.status {
        404 => Some(None),
        200 => {
            let hash = answer.body["file_info"]["file_hash"].as_str()?;
            Some(Some(Value(hash.parse().ok()?)))
        }
        _ => None,
    }
}
