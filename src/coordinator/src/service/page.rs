//! Lists in pages: what a client asks for, what it gets, and the token that leads from one page to the next.
//!
//! A token is opaque to clients: the last id of the page before, in hex, so that it survives URLs and
//! headers.

use super::error::{InvalidField, ServiceError};
use super::limits::Limits;
use super::validate;

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListPage<T> {
    /// The items, by ascending id.
    pub items: Vec<T>,
    /// What to ask for the next page with; `None` on the last one.
    pub next_page_token: Option<String>,
}

/// The token for the page after an id.
pub(super) fn token_after(id: &str) -> String {
    id.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The id after which a page begins; `None` for the first page.
pub(super) fn id_of_token<T: From<String>>(limits: &Limits, token: &str) -> Result<Option<T>, ServiceError> {
    if token.is_empty() {
        return Ok(None);
    }
    let id = Some(token)
        .filter(|token| token.len() <= limits.max_id_length.saturating_mul(2))
        .and_then(bytes_of_hex)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| validate::id(limits, "page_token", text).ok());
    match id {
        Some(id) => Ok(Some(id)),
        None => Err(no_token()),
    }
}

/// The token for the page after a pair of ids.
pub(super) fn token_after_pair(first: &str, second: &str) -> String {
    format!("{}.{}", token_after(first), token_after(second))
}

/// The pair of ids after which a page begins; `None` for the first page.
pub(super) fn pair_of_token<A: From<String>, B: From<String>>(
    limits: &Limits,
    token: &str,
) -> Result<Option<(A, B)>, ServiceError> {
    if token.is_empty() {
        return Ok(None);
    }
    let limits = &Limits {
        // Both together have a limit, so that it can be said of the token as a whole.
        max_id_length: limits.max_id_length.saturating_mul(2),
        ..limits.clone()
    };
    let ids = token
        .split_once('.')
        .filter(|_| token.len() <= limits.max_id_length.saturating_mul(2).saturating_add(1));
    let (first, second) = ids.ok_or_else(no_token)?;
    let pair = id_of_token(limits, first)?.zip(id_of_token(limits, second)?);
    pair.map(Some).ok_or_else(no_token)
}

fn no_token() -> ServiceError {
    ServiceError::Invalid(InvalidField::new(
        "page_token",
        "must be the next_page_token of the page before, unchanged",
    ))
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::id::{FileId, NodeId};

    use super::{id_of_token, pair_of_token, token_after, token_after_pair};
    use crate::service::limits::Limits;

    #[test]
    fn a_token_leads_back_to_its_id() {
        for id in ["a", "file/1 ü", &"x".repeat(256)] {
            let token = token_after(id);
            assert!(token.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert_eq!(
                id_of_token(&Limits::default(), &token),
                Ok(Some(FileId::from(id)))
            );
        }
        assert_eq!(id_of_token::<FileId>(&Limits::default(), ""), Ok(None));
    }

    #[test]
    fn a_token_of_two_ids_leads_back_to_both() {
        let limits = Limits::default();
        let pair = |token: &str| pair_of_token::<NodeId, FileId>(&limits, token);
        let token = token_after_pair("node.1", "c");
        assert_eq!(pair(&token), Ok(Some(("node.1".into(), "c".into()))));
        assert_eq!(pair(""), Ok(None));
        let long = token_after_pair(&"x".repeat(512), "y");
        for token in ["61", "61.", ".61", "61.61.61", ".", &long] {
            pair(token).expect_err(token);
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let too_long = token_after(&"x".repeat(257));
        // Not hex, half a byte, not UTF-8, a control character, a sign, too long, not ASCII.
        for token in ["zz", "abc", "ff", "0a", "+1", &too_long, "ü"] {
            let error = id_of_token::<FileId>(&Limits::default(), token).expect_err(token);
            assert_eq!(
                error.to_string(),
                "page_token: must be the next_page_token of the page before, unchanged"
            );
        }
    }
}
