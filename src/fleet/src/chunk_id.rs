//! The id of a chunk, kept small: nodes hold up to a million of them in memory.

use std::fmt;

/// A chunk's id. Ids that are 64 lower-case hex digits (a BLAKE3 hash) take 32 bytes; others are kept as
/// text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ChunkId(Form);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Form {
    Digest([u8; 32]),
    Text(Box<str>),
}

impl ChunkId {
    /// The id that is the hexadecimal form of `digest`.
    #[must_use]
    pub fn from_digest(digest: [u8; 32]) -> Self {
        ChunkId(Form::Digest(digest))
    }
}

impl From<&str> for ChunkId {
    fn from(text: &str) -> Self {
        // Upper-case digits would come back as lower case, as another id: those stay text.
        let canonical = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match blake3::Hash::from_hex(text) {
            Ok(hash) if canonical => ChunkId(Form::Digest(*hash.as_bytes())),
            Ok(_) | Err(_) => ChunkId(Form::Text(text.into())),
        }
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Digest(digest) => formatter.write_str(&blake3::Hash::from_bytes(*digest).to_hex()),
            Form::Text(text) => formatter.write_str(text),
        }
    }
}

impl fmt::Debug for ChunkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::ChunkId;

    #[test]
    fn every_id_comes_back_as_it_was_written() {
        let hex = "0123456789abcdef".repeat(4);
        for text in [hex.as_str(), &hex.to_uppercase(), "chunk-1", "", &hex[1..]] {
            assert_eq!(ChunkId::from(text).to_string(), text);
        }
    }

    #[test]
    fn a_digest_and_its_hex_form_are_the_same_id() {
        assert_eq!(
            ChunkId::from_digest([0xab; 32]),
            ChunkId::from("ab".repeat(32).as_str())
        );
        assert_ne!(
            ChunkId::from("AB".repeat(32).as_str()),
            ChunkId::from("ab".repeat(32).as_str())
        );
    }
}
