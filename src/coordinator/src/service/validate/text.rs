//! Ids and other text: how long it may be, and which characters it may hold.

use std::fmt;

use super::problem::invalid;
use crate::service::error::ServiceError;
use crate::service::limits::Limits;

/// So much of a word is quoted in an answer.
const MAX_QUOTED: usize = 64;

/// A word that is not understood, as an answer quotes it: an endless one is cut.
pub(in crate::service) fn quoted(word: &str) -> String {
    word.chars().take(MAX_QUOTED).collect()
}

/// An id: never empty, not too long, without control characters.
pub(in crate::service) fn id<T: From<String>>(
    limits: &Limits,
    field: impl fmt::Display,
    text: String,
) -> Result<T, ServiceError> {
    if text.is_empty() {
        return invalid(field, "must not be empty");
    }
    plain_text(field, text, limits.max_id_length).map(T::from)
}

/// An id, or none where the text is empty.
pub(in crate::service) fn optional_id<T: From<String>>(
    limits: &Limits,
    field: impl fmt::Display,
    text: String,
) -> Result<Option<T>, ServiceError> {
    if text.is_empty() {
        Ok(None)
    } else {
        id(limits, field, text).map(Some)
    }
}

/// Text without control characters; may be empty.
pub(in crate::service) fn plain_text(
    field: impl fmt::Display,
    text: String,
    max_length: usize,
) -> Result<String, ServiceError> {
    not_too_long(&field, &text, max_length)?;
    match text.char_indices().find(|(_, character)| character.is_control()) {
        Some((at, character)) => invalid(
            field,
            format!(
                "must not contain control characters, got U+{:04X} at byte {at}",
                u32::from(character)
            ),
        ),
        None => Ok(text),
    }
}

/// Text of almost any characters: names of files may hold line breaks. Only NUL is refused, which PostgreSQL
/// cannot store.
pub(in crate::service) fn free_text(
    field: impl fmt::Display,
    text: String,
    max_length: usize,
) -> Result<String, ServiceError> {
    not_too_long(&field, &text, max_length)?;
    match text.find('\0') {
        Some(at) => invalid(field, format!("must not contain U+0000, got one at byte {at}")),
        None => Ok(text),
    }
}

fn not_too_long(field: impl fmt::Display, text: &str, max_length: usize) -> Result<(), ServiceError> {
    if text.len() > max_length {
        return invalid(
            field,
            format!("must be at most {max_length} bytes long, got {}", text.len()),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::id::NodeId;

    use super::{free_text, id, optional_id, quoted};
    use crate::service::error::ServiceError;
    use crate::service::limits::Limits;

    fn problem<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> String {
        result.expect_err("must be refused").to_string()
    }

    #[test]
    fn ids_are_checked_and_the_field_is_named() {
        let limits = Limits::default();
        let check = |text: String| id::<NodeId>(&limits, "node_id", text);
        assert_eq!(check("node-1".to_owned()), Ok(NodeId::from("node-1")));
        assert_eq!(check("ü".repeat(128)), Ok(NodeId::from("ü".repeat(128))));
        for (text, expected) in [
            (String::new(), "node_id: must not be empty"),
            (
                "n".repeat(257),
                "node_id: must be at most 256 bytes long, got 257",
            ),
            (
                "ü".repeat(129),
                "node_id: must be at most 256 bytes long, got 258",
            ),
            (
                "a\nb".to_owned(),
                "node_id: must not contain control characters, got U+000A at byte 1",
            ),
            (
                "a\u{85}".to_owned(),
                "node_id: must not contain control characters, got U+0085 at byte 1",
            ),
            (
                "\0".to_owned(),
                "node_id: must not contain control characters, got U+0000 at byte 0",
            ),
        ] {
            assert_eq!(problem(check(text)), expected);
        }
    }

    #[test]
    fn an_optional_id_may_be_empty_but_not_malformed() {
        let limits = Limits::default();
        assert_eq!(optional_id::<NodeId>(&limits, "node_id", String::new()), Ok(None));
        assert_eq!(
            problem(optional_id::<NodeId>(&limits, "node_id", "\t".to_owned())),
            "node_id: must not contain control characters, got U+0009 at byte 0"
        );
    }

    #[test]
    fn only_the_beginning_of_an_endless_word_is_quoted() {
        assert_eq!(quoted("disk"), "disk");
        assert_eq!(quoted(&"ü".repeat(1_000)), "ü".repeat(64));
    }

    #[test]
    fn free_text_may_hold_anything_but_nul() {
        assert_eq!(
            free_text("file_name", "a\nb".to_owned(), 3),
            Ok("a\nb".to_owned())
        );
        assert_eq!(
            problem(free_text("file_name", "a\0".to_owned(), 3)),
            "file_name: must not contain U+0000, got one at byte 1"
        );
        assert_eq!(
            problem(free_text("file_name", "abcd".to_owned(), 3)),
            "file_name: must be at most 3 bytes long, got 4"
        );
    }
}
