//! How many items a page has.

use super::number::not_negative;
use crate::service::error::ServiceError;
use crate::service::limits::Limits;

/// Items on a page for which none were asked.
const DEFAULT_PAGE_SIZE: usize = 100;

/// Checks how many items a page shall have; more than the limit is as many as the limit.
pub(in crate::service) fn page_size(limits: &Limits, limit: i64) -> Result<usize, ServiceError> {
    let wanted = usize::try_from(not_negative("limit", limit)?).unwrap_or(usize::MAX);
    Ok(match wanted {
        0 => DEFAULT_PAGE_SIZE,
        wanted => wanted,
    }
    .min(limits.max_page_size))
}

#[cfg(test)]
mod tests {
    use super::page_size;
    use crate::service::limits::Limits;

    #[test]
    fn a_page_has_a_hundred_items_unless_asked_and_a_thousand_at_most() {
        let limits = Limits::default();
        for (limit, expected) in [
            (0, 100),
            (1, 1),
            (1_000, 1_000),
            (1_001, 1_000),
            (i64::MAX, 1_000),
        ] {
            assert_eq!(page_size(&limits, limit), Ok(expected));
        }
        let error = page_size(&limits, -1).expect_err("a negative limit");
        assert_eq!(error.to_string(), "limit: must not be negative, got -1");
    }
}
