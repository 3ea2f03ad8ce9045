//! The one door to the rules: idempotency first, then the command's own decision.

use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::envelope::Envelope;
use crate::rejection::Rejection;
use crate::row::RequestRow;
use crate::view::View;

/// Decides a command. Total: every command in every state has effects or a rejection.
///
/// # Errors
/// A [`Rejection`] when the command has no effect; nothing may be written then.
pub fn decide(envelope: &Envelope, view: &View, context: &Context) -> Result<Effects, Rejection> {
    let proposal = &envelope.proposal;
    let Some(idempotency) = &proposal.idempotency else {
        return proposal.command.decide(proposal.id, view, context);
    };
    let remembered = view
        .requests
        .get(&idempotency.key)
        .filter(|request| request.expires_at > context.now);
    if let Some(request) = remembered {
        return if request.fingerprint == idempotency.fingerprint {
            Ok(Effects::answer(request.response.clone()))
        } else {
            Err(Rejection::IdempotencyKeyReused {
                key: idempotency.key.clone(),
            })
        };
    }
    let mut effects = proposal.command.decide(proposal.id, view, context)?;
    // A command that forgets expired answers may name its own key; a row has one mutation at most.
    effects
        .mutations
        .retain(|mutation| !matches!(mutation, Mutation::DeleteRequest(key) if *key == idempotency.key));
    let request = RequestRow {
        fingerprint: idempotency.fingerprint,
        response: effects.response.clone(),
        expires_at: context.now.plus(idempotency.keep_for),
    };
    effects
        .mutations
        .push(Mutation::PutRequest(idempotency.key.clone(), request));
    Ok(effects)
}

#[cfg(test)]
mod tests {
    use crate::command::{Command, ForgetExpired};
    use crate::envelope::Idempotency;
    use crate::rejection::Rejection;
    use crate::row::Fingerprint;
    use crate::testing::{NewFile, World, delete};
    use crate::units::Millis;

    fn key(fingerprint: u8) -> Option<Idempotency> {
        Some(Idempotency {
            key: "k".to_owned(),
            fingerprint: Fingerprint::from_bytes([fingerprint; 32]),
            keep_for: Millis::new(100),
        })
    }

    fn file() -> NewFile {
        NewFile::new("f", ["a"]).on(["n1"])
    }

    #[test]
    fn a_repeated_request_has_one_effect_and_the_same_answer() {
        let mut world = World::with_nodes(["n1"]);
        let first = world.apply_keyed(file(), key(1));
        world.apply(delete("f")).unwrap();
        assert_eq!(world.apply_keyed(file(), key(1)), first);
        assert_eq!(
            world.file("f"),
            None,
            "it was registered once and deleted after that"
        );
    }

    #[test]
    fn a_key_means_one_request_until_it_expires() {
        let mut world = World::with_nodes(["n1"]);
        world.apply_keyed(file(), key(1)).unwrap();
        world.pass(Millis::new(99));
        let reused = Rejection::IdempotencyKeyReused { key: "k".to_owned() };
        assert_eq!(world.apply_keyed(delete("f"), key(2)), Err(reused));
        world.pass(Millis::new(1));
        world.apply_keyed(delete("f"), key(2)).unwrap();
        assert_eq!(world.file("f"), None);
    }

    #[test]
    fn a_refused_request_may_be_tried_again_with_its_key() {
        let mut world = World::with_nodes(["n1"]);
        world.apply_keyed(delete("f"), key(1)).unwrap_err();
        world.apply(file()).unwrap();
        world.apply_keyed(delete("f"), key(1)).unwrap();
    }

    #[test]
    fn forgetting_its_own_expired_key_still_remembers_the_new_answer() {
        let mut world = World::with_nodes(["n1"]);
        world.apply_keyed(file(), key(1)).unwrap();
        world.pass(Millis::new(100));
        let forget = Command::ForgetExpired(ForgetExpired {
            requests: vec!["k".to_owned()],
        });
        let first = world.apply_keyed(forget.clone(), key(2));
        world.pass(Millis::new(50));
        assert_eq!(world.apply_keyed(forget, key(2)), first);
    }

    #[test]
    fn time_does_not_run_backwards_with_the_leaders_clock() {
        let mut world = World::with_nodes(["n1"]);
        world.pass(Millis::new(500));
        world.apply(delete("never")).unwrap_err();
        let latest = world.now();
        world.turn_back(Millis::new(400));
        world.apply(file()).unwrap();
        assert_eq!(
            world.file("f").unwrap().created_at,
            latest,
            "a refused command counts too"
        );
    }
}
