//! What is compared: the rows of the result, in the order in which they are measured, and what is aimed at.

use crate::api::{Operation, Timers};
use crate::cluster::Blow;
use crate::load::{Load, Target};

/// A load of the coordinator and the one of etcd that is set beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) ours: Load,
    pub(crate) etcd: Load,
    pub(crate) aims: Aims,
}

/// What is aimed at: ours divided by etcd's, or a number of ours alone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Aims {
    /// At least.
    pub(crate) rate: Option<f64>,
    /// At most.
    pub(crate) p50: Option<f64>,
    /// At most.
    pub(crate) p99: Option<f64>,
    /// Microseconds, at most.
    pub(crate) cpu_micros: Option<f64>,
}

/// A way to lose the leader, on both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) name: &'static str,
    pub(crate) blow: Blow,
    /// Of the coordinator; etcd always has its defaults.
    pub(crate) timers: Timers,
    /// Ours divided by etcd's, at most.
    pub(crate) gap: Option<f64>,
    /// Of ours, at most.
    pub(crate) failed: Option<u64>,
}

const NO_AIMS: Aims = Aims {
    rate: None,
    p50: None,
    p99: None,
    cpu_micros: None,
};

const fn load(operation: Operation, clients: usize, target: Target) -> Load {
    Load {
        operation,
        clients,
        target,
    }
}

const fn same(name: &'static str, load: Load, aims: Aims) -> Row {
    Row {
        name,
        ours: load,
        etcd: load,
        aims,
    }
}

/// The loads.
pub(crate) const ROWS: [Row; 10] = [
    same(
        "RegisterFile, 1, leader",
        load(Operation::Write, 1, Target::Leader),
        Aims {
            p50: Some(0.75),
            ..NO_AIMS
        },
    ),
    same(
        "RegisterFile, 1, spread",
        load(Operation::Write, 1, Target::Spread),
        NO_AIMS,
    ),
    same(
        "RegisterFile, 64, leader",
        load(Operation::Write, 64, Target::Leader),
        Aims {
            rate: Some(3.0),
            p99: Some(0.5),
            ..NO_AIMS
        },
    ),
    same(
        "RegisterFile, 64, spread",
        load(Operation::Write, 64, Target::Spread),
        Aims {
            rate: Some(2.5),
            cpu_micros: Some(500.0),
            ..NO_AIMS
        },
    ),
    same(
        "RegisterFile, 256, spread",
        load(Operation::Write, 256, Target::Spread),
        NO_AIMS,
    ),
    same(
        "FindChunkLocations, 64, leader",
        load(Operation::Read, 64, Target::Leader),
        Aims {
            rate: Some(1.8),
            ..NO_AIMS
        },
    ),
    same(
        "FindChunkLocations, 64, spread",
        load(Operation::Read, 64, Target::Spread),
        Aims {
            rate: Some(2.0),
            ..NO_AIMS
        },
    ),
    same(
        "  the same, local, 64, leader",
        load(Operation::ReadLocal, 64, Target::Leader),
        NO_AIMS,
    ),
    same(
        "  the same, local, 64, spread",
        load(Operation::ReadLocal, 64, Target::Spread),
        Aims {
            rate: Some(1.3),
            ..NO_AIMS
        },
    ),
    Row {
        name: "NodeHeartbeat, 64, spread",
        ours: load(Operation::Beat, 64, Target::Spread),
        etcd: load(Operation::Beat, 64, Target::Leader),
        aims: Aims {
            rate: Some(1.5),
            ..NO_AIMS
        },
    },
];

/// The outages.
pub(crate) const LOSSES: [Loss; 4] = [
    Loss {
        name: "kill -9",
        blow: Blow::Crash,
        timers: Timers::Default,
        gap: Some(0.5),
        failed: Some(0),
    },
    Loss {
        name: "kill -9, ours with etcd's timers",
        blow: Blow::Crash,
        timers: Timers::Slow,
        gap: None,
        failed: Some(0),
    },
    Loss {
        name: "SIGTERM",
        blow: Blow::Leave,
        timers: Timers::Default,
        gap: None,
        failed: Some(0),
    },
    Loss {
        name: "SIGSTOP",
        blow: Blow::Hang,
        timers: Timers::Default,
        gap: None,
        failed: Some(0),
    },
];
