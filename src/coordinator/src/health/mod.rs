//! What probes and people ask a replica about itself: is it alive, should it be asked, is everything well.
//!
//! Every answer comes from memory in milliseconds and waits for nobody: not for the engine, not for a leader,
//! not for a disk. The composition root tells the [`Lifecycle`] where the process stands; [`HealthChecks`]
//! turns that and the engine's own status into reports; [`router`] serves them, and the metrics, on a port of
//! their own.

mod checks;
mod lifecycle;
mod pulse;
mod report;
mod routes;

pub use checks::HealthChecks;
pub use lifecycle::{Lifecycle, ListenerUp, Phase};
pub use pulse::Pulse;
pub use report::{Check, Report, Status};
pub use routes::router;
