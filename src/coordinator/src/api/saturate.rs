//! From the rules' unsigned numbers to the wire's signed ones: what does not fit stops at the end of the
//! range, and never wraps.

/// As a 64-bit number of the wire.
pub fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// As a 32-bit number of the wire.
pub fn to_i32(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A length as a 32-bit number of the wire.
pub fn len_to_i32(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// A length as an unsigned 32-bit number of the wire.
pub fn len_to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{len_to_i32, len_to_u32, to_i32, to_i64};

    #[test]
    fn numbers_stop_at_the_end_of_the_range() {
        assert_eq!(to_i64(7), 7);
        assert_eq!(to_i64(u64::MAX), i64::MAX);
        assert_eq!(to_i32(7), 7);
        assert_eq!(to_i32(1 << 31), i32::MAX);
        assert_eq!(len_to_i32(7), 7);
        assert_eq!((len_to_u32(7), len_to_u32(usize::MAX)), (7, u32::MAX));
        assert_eq!(len_to_i32(usize::MAX), i32::MAX);
    }
}
