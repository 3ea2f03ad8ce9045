//! The packed form of an id in the log and in stored rows.
//!
//! Most ids are hashes or UUIDs in hex: packing stores two digits in a byte, which halves the largest part of a chunk's
//! row. Text that is neither stays as it is. Every text packs to exactly one form and unpacks to itself.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserializer, Serializer};

/// The first byte of a packed id: how the rest is to be read. Stored data depends on these numbers.
const TEXT: u8 = 0;
const HEX: u8 = 1;
const UUID: u8 = 2;

/// Where the hyphens of a UUID stand in its 36 characters.
const UUID_HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// Bytes that are not the packed form of any text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a packed id")]
pub struct PackError;

/// Packs a text.
pub fn pack(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    if let Some(packed) = pack_digits(HEX, bytes.len() / 2, bytes.iter().copied()) {
        return packed;
    }
    if bytes.len() == 36 && UUID_HYPHENS.iter().all(|&at| bytes[at] == b'-') {
        let digits = bytes
            .iter()
            .enumerate()
            .filter(|(at, _)| !UUID_HYPHENS.contains(at));
        if let Some(packed) = pack_digits(UUID, 16, digits.map(|(_, &digit)| digit)) {
            return packed;
        }
    }
    let mut packed = Vec::with_capacity(1 + bytes.len());
    packed.push(TEXT);
    packed.extend_from_slice(bytes);
    packed
}

/// Packs lower-case hex digits, if they are all that and make up whole bytes.
fn pack_digits(tag: u8, len: usize, mut digits: impl Iterator<Item = u8>) -> Option<Vec<u8>> {
    let mut packed = Vec::with_capacity(1 + len);
    packed.push(tag);
    while let Some(high) = digits.next() {
        packed.push(digit_value(high)? << 4 | digit_value(digits.next()?)?);
    }
    (packed.len() > 1).then_some(packed)
}

fn digit_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Unpacks a text.
///
/// # Errors
/// [`PackError`] if the bytes are not what [`pack`] makes of any text.
pub fn unpack(packed: &[u8]) -> Result<Arc<str>, PackError> {
    let (&tag, rest) = packed.split_first().ok_or(PackError)?;
    let text: Cow<'_, str> = match tag {
        TEXT => std::str::from_utf8(rest).map_err(|_| PackError)?.into(),
        HEX => unpack_digits(rest, &[]).into(),
        UUID if rest.len() == 16 => unpack_digits(rest, &UUID_HYPHENS).into(),
        _ => return Err(PackError),
    };
    Ok(text.into())
}

fn unpack_digits(bytes: &[u8], hyphens: &[usize]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2 + hyphens.len());
    for byte in bytes {
        if hyphens.contains(&text.len()) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

pub(super) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.serialize_str(text)
    } else {
        serializer.serialize_bytes(&pack(text))
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_str(TextVisitor)
    } else {
        deserializer.deserialize_bytes(PackedVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id as text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Arc<str>, E> {
        Ok(text.into())
    }
}

struct PackedVisitor;

impl Visitor<'_> for PackedVisitor {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a packed id")
    }

    fn visit_bytes<E: serde::de::Error>(self, packed: &[u8]) -> Result<Arc<str>, E> {
        unpack(packed).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{PackError, pack, unpack};

    #[test]
    fn hashes_take_half_their_length_and_uuids_sixteen_bytes() {
        assert_eq!(pack(&"ab".repeat(32)).len(), 33);
        assert_eq!(pack("0190b3a0-7c1e-7d4a-8f00-0123456789ab").len(), 17);
        assert_eq!(pack("node-1"), b"\0node-1");
        assert_eq!(pack("ABCD"), b"\0ABCD", "upper case must come back as upper case");
        assert_eq!(pack("abc"), b"\0abc", "half a byte stays text");
        assert_eq!(pack(""), b"\0");
    }

    #[test]
    fn foreign_bytes_are_refused() {
        for bytes in [&b""[..], b"\x02abc", b"\x03", b"\0\xff"] {
            assert_eq!(unpack(bytes), Err(PackError), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in any::<String>()) {
            prop_assert_eq!(&*unpack(&pack(&text)).unwrap(), text.as_str());
        }

        #[test]
        fn every_hex_text_comes_back(text in "[0-9a-f-]{0,80}") {
            prop_assert_eq!(&*unpack(&pack(&text)).unwrap(), text.as_str());
        }
    }
}
