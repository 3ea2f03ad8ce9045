//! Whether a command may take effect, known for sure at its deadline.

use std::sync::atomic::{AtomicU8, Ordering};

const WAITING: u8 = 0;
const SENT: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Whether a command was handed over. Whoever hands it over and whoever gives it up agree on one of the two, so what is
/// reported as not done is not done later.
#[derive(Debug, Default)]
pub(super) struct Fate(AtomicU8);

impl Fate {
    /// It is about to be handed over; answers false if it was withdrawn, and then it must not be.
    pub(super) fn send(&self) -> bool {
        let sent = self
            .0
            .compare_exchange(WAITING, SENT, Ordering::SeqCst, Ordering::SeqCst);
        sent.is_ok() || sent == Err(SENT)
    }

    /// Whoever it was handed to did not take it.
    pub(super) fn not_taken(&self) {
        // One that was withdrawn stays so.
        let _ = self
            .0
            .compare_exchange(SENT, WAITING, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// It is given up; answers whether it surely takes no effect.
    pub(super) fn withdraw(&self) -> bool {
        let withdrawn = self
            .0
            .compare_exchange(WAITING, WITHDRAWN, Ordering::SeqCst, Ordering::SeqCst);
        withdrawn.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Fate;

    #[test]
    fn what_was_withdrawn_is_never_sent_and_what_was_sent_is_not_withdrawn() {
        let withdrawn = Fate::default();
        assert!(withdrawn.withdraw());
        assert!(!withdrawn.send());
        withdrawn.not_taken();
        assert!(!withdrawn.send());

        let sent = Fate::default();
        assert!(
            sent.send() && sent.send(),
            "it may be sent to one leader after another"
        );
        assert!(!sent.withdraw());
        sent.not_taken();
        assert!(sent.withdraw());
    }
}
