//! How fresh a read must be, from the words that both APIs use for it.

use std::time::Duration;

use zephyrfs_core::units::AppliedIndex;

use crate::service::{Consistency, Freshness, InvalidField};

/// No duration or number that anybody writes is longer than this many bytes.
const MAX_LENGTH: usize = 64;

/// A value and the name under which the client sent it: the APIs spell names differently.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The name, for errors.
    pub name: &'a str,
    /// The value, if it was sent.
    pub value: Option<&'a str>,
}

/// How fresh a read must be. Without any of these: linearizable.
///
/// # Errors
/// [`InvalidField`] under the name that the client used.
pub fn freshness(
    consistency: Named<'_>,
    at_least: Named<'_>,
    max_staleness: Named<'_>,
) -> Result<Freshness, InvalidField> {
    let freshness = Freshness {
        consistency: consistency_of(consistency)?,
        at_least: index_of(at_least)?,
        max_staleness: duration_of(max_staleness)?,
    };
    if freshness.max_staleness.is_some() && freshness.consistency != Consistency::Local {
        return Err(InvalidField::new(
            max_staleness.name,
            "goes with consistency local only: other reads are never stale",
        ));
    }
    Ok(freshness)
}

fn consistency_of(Named { name, value }: Named<'_>) -> Result<Consistency, InvalidField> {
    match value {
        None | Some("linearizable") => Ok(Consistency::Linearizable),
        Some("leader") => Ok(Consistency::Leader),
        Some("local") => Ok(Consistency::Local),
        Some(_) => Err(InvalidField::new(name, "must be linearizable, leader or local")),
    }
}

fn index_of(Named { name, value }: Named<'_>) -> Result<Option<AppliedIndex>, InvalidField> {
    let parse = |text: &str| {
        // The standard parser takes a plus sign, which no index has.
        let is_number = text.len() <= MAX_LENGTH && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number
            .then(|| text.parse().ok())
            .flatten()
            .map(AppliedIndex::new)
            .ok_or_else(|| {
                InvalidField::new(name, "must be an applied index: a number from an earlier reply")
            })
    };
    value.map(parse).transpose()
}

fn duration_of(Named { name, value }: Named<'_>) -> Result<Option<Duration>, InvalidField> {
    let parse = |text: &str| {
        (text.len() <= MAX_LENGTH)
            .then(|| humantime::parse_duration(text).ok())
            .flatten()
            .ok_or_else(|| InvalidField::new(name, "must be a duration such as 500ms or 5s"))
    };
    value.map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zephyrfs_core::units::AppliedIndex;

    use super::{Named, freshness};
    use crate::service::{Consistency, Freshness, InvalidField};

    fn parse(
        consistency: Option<&str>,
        at_least: Option<&str>,
        max_staleness: Option<&str>,
    ) -> Result<Freshness, InvalidField> {
        let named = |name, value| Named { name, value };
        freshness(
            named("consistency", consistency),
            named("at-least", at_least),
            named("max-staleness", max_staleness),
        )
    }

    #[test]
    fn reads_are_linearizable_unless_asked_otherwise() {
        assert_eq!(parse(None, None, None), Ok(Freshness::default()));
        let expected = Freshness {
            consistency: Consistency::Local,
            at_least: Some(AppliedIndex::new(12)),
            max_staleness: Some(Duration::from_millis(1_500)),
        };
        assert_eq!(parse(Some("local"), Some("12"), Some("1s 500ms")), Ok(expected));
        let leader = parse(Some("leader"), None, None).map(|freshness| freshness.consistency);
        assert_eq!(leader, Ok(Consistency::Leader));
    }

    #[test]
    fn what_nobody_knows_is_refused_by_name() {
        let long = "1".repeat(65);
        for (consistency, at_least, max_staleness, field) in [
            (Some(""), None, None, "consistency"),
            (Some("Local"), None, None, "consistency"),
            (None, Some(""), None, "at-least"),
            (None, Some("-1"), None, "at-least"),
            (None, Some("+1"), None, "at-least"),
            (None, Some("18446744073709551616"), None, "at-least"),
            (None, Some(long.as_str()), None, "at-least"),
            (Some("local"), None, Some("soon"), "max-staleness"),
            (Some("local"), None, Some(""), "max-staleness"),
            (Some("leader"), None, Some("5s"), "max-staleness"),
            (None, None, Some("5s"), "max-staleness"),
        ] {
            let error = parse(consistency, at_least, max_staleness).expect_err(field);
            assert_eq!(error.field, field);
        }
    }
}
