//! A digest of what a client asked for: the same idempotency key with another request must be noticed.
//!
//! Only what the client said goes in, never what the coordinator chose: a retry is planned anew and must
//! still count as the same request. Every value is preceded by its length or has a fixed one, so that no two
//! requests run together.

use blake3::Hasher;
use zephyrfs_core::row::Fingerprint;

/// Digests a request value by value.
pub(super) struct Fingerprinter(Hasher);

impl Fingerprinter {
    /// For a request of one operation; operations of different names never share a fingerprint.
    pub(super) fn of(operation: &str) -> Self {
        Self(Hasher::new()).text(operation)
    }

    /// Takes a text.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
        self
    }

    /// Takes a number.
    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    /// Takes a list: its length, then each item.
    pub(super) fn list<T>(self, items: &[T], each: impl Fn(Self, &T) -> Self) -> Self {
        items.iter().fold(self.number(items.len() as u64), each)
    }

    /// The digest.
    pub(super) fn finish(self) -> Fingerprint {
        Fingerprint::from_bytes(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprinter;

    #[test]
    fn values_never_run_together() {
        let of = |a: &str, b: &str| Fingerprinter::of("op").text(a).text(b).finish();
        assert_eq!(of("ab", "c"), of("ab", "c"));
        assert_ne!(of("ab", "c"), of("a", "bc"));
        let listed = |items: &[&str], rest: &[&str]| {
            Fingerprinter::of("op")
                .list(items, |print, item| print.text(item))
                .list(rest, |print, item| print.text(item))
                .finish()
        };
        assert_ne!(listed(&["a", "b"], &[]), listed(&["a"], &["b"]));
    }

    #[test]
    fn operations_differ_by_name() {
        assert_ne!(
            Fingerprinter::of("delete_file").text("a").finish(),
            Fingerprinter::of("drain_node").text("a").finish()
        );
    }
}
