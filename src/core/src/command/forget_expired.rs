//! What has expired is forgotten.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::response::Response;
use crate::view::{ReadSet, View};

/// Forgets answers whose time is over. That is checked again here: naming one that is still needed does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetExpired {
    /// Idempotency keys.
    pub requests: Vec<String>,
}

impl ForgetExpired {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            requests: self.requests.clone(),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let expired = |key: &&String| {
            let request = view.requests.get(*key);
            request.is_some_and(|request| request.expires_at <= context.now)
        };
        let keys: BTreeSet<_> = self.requests.iter().filter(expired).collect();
        Effects {
            response: Response::Forgotten {
                requests: keys.len() as u64,
            },
            mutations: keys.into_iter().cloned().map(Mutation::DeleteRequest).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ForgetExpired;
    use crate::command::Command;
    use crate::envelope::Idempotency;
    use crate::response::Response;
    use crate::row::Fingerprint;
    use crate::testing::{World, register};
    use crate::units::Millis;

    fn forget(requests: &[&str]) -> Command {
        Command::ForgetExpired(ForgetExpired {
            requests: requests.iter().map(ToString::to_string).collect(),
        })
    }

    #[test]
    fn an_answer_is_forgotten_when_its_time_is_over() {
        let mut world = World::with_nodes([]);
        let key = Idempotency {
            key: "k".to_owned(),
            fingerprint: Fingerprint::from_bytes([0; 32]),
            keep_for: Millis::new(100),
        };
        world.apply_keyed(register("n1"), Some(key)).unwrap();
        world.pass(Millis::new(99));
        let forgotten = |requests| Ok(Response::Forgotten { requests });
        assert_eq!(world.apply(forget(&["k", "k", "never"])), forgotten(0));
        world.pass(Millis::new(1));
        assert_eq!(world.apply(forget(&["k", "k", "never"])), forgotten(1));
        assert_eq!(world.apply(forget(&["k"])), forgotten(0));
    }
}
