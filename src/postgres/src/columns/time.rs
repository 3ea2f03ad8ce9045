//! Times as `timestamptz`.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};
use zephyrfs_core::units::Timestamp;

/// `timestamptz` and its array, by the numbers that every PostgreSQL gives them.
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// PostgreSQL counts microseconds from the year 2000.
const Y2K_MILLIS: i64 = 946_684_800_000;

/// A time. What is later than PostgreSQL can hold is `infinity`, and comes back as the end of all times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Time {
    fn to_wire(self) -> i64 {
        i64::try_from(self.0.as_millis())
            .ok()
            .and_then(|millis| (millis - Y2K_MILLIS).checked_mul(1_000))
            .unwrap_or(i64::MAX)
    }

    fn from_wire(micros: i64) -> Self {
        if micros == i64::MAX {
            return Self(Timestamp::from_millis(u64::MAX));
        }
        let millis = micros.div_euclid(1_000).saturating_add(Y2K_MILLIS);
        // Nothing that the coordinator stores is before 1970.
        Self(Timestamp::from_millis(u64::try_from(millis).unwrap_or_default()))
    }
}

impl Type<Postgres> for Time {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl PgHasArrayType for Time {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for Time {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.to_wire().to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Time {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => {
                let bytes = value.as_bytes()?.try_into()?;
                Ok(Self::from_wire(i64::from_be_bytes(bytes)))
            }
            PgValueFormat::Text => Err("a time came as text; every query asks for the binary form".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};
    use zephyrfs_core::units::Timestamp;

    use super::Time;

    #[test]
    fn the_ends_of_all_times_come_back() {
        for millis in [0, 1, 946_684_799_999, 946_684_800_000, u64::MAX] {
            let time = Time(Timestamp::from_millis(millis));
            assert_eq!(Time::from_wire(time.to_wire()), time);
        }
        let beyond = Time(Timestamp::from_millis(u64::MAX - 1));
        assert_eq!(Time::from_wire(beyond.to_wire()).0.as_millis(), u64::MAX);
    }

    proptest! {
        #[test]
        fn every_time_for_280_000_years_comes_back(millis in 0_u64..9_000_000_000_000_000) {
            let time = Time(Timestamp::from_millis(millis));
            prop_assert_eq!(Time::from_wire(time.to_wire()), time);
        }
    }
}
