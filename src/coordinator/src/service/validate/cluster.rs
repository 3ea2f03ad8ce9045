//! Requests to change the coordinator's own replicas.

use super::problem::invalid;
use crate::service::error::ServiceError;

/// More replicas than this make every write slower, and none safer.
const MAX_REPLICAS: u32 = 99;

/// How many replicas there are to be.
pub(in crate::service) fn replicas(field: &str, number: i64) -> Result<u32, ServiceError> {
    match u32::try_from(number) {
        Ok(replicas @ 1..=MAX_REPLICAS) => Ok(replicas),
        Ok(_) | Err(_) => invalid(field, format!("must be from 1 to {MAX_REPLICAS}, got {number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::replicas;

    #[test]
    fn there_are_one_to_99_replicas() {
        assert_eq!(replicas("replicas", 1), Ok(1));
        assert_eq!(replicas("replicas", 99), Ok(99));
        for number in [i64::MIN, -1, 0, 100, 1 << 32, i64::MAX] {
            assert_eq!(
                replicas("replicas", number).map_err(|error| error.to_string()),
                Err(format!("replicas: must be from 1 to 99, got {number}"))
            );
        }
    }
}
