//! What travels beside a request: how fresh a read must be, and the key that makes a write safe to repeat.

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::deadline::Deadline;
use super::query::QueryPairs;
use crate::api::freshness::{Named, freshness};
use crate::api::rest::dto::{IdempotencyKey, Span};
use crate::api::rest::failure::Failure;
use crate::api::rest::span::parse_span;
use crate::api::rest::state::RestState;
use crate::service::{Freshness, RequestContext};

/// The header by which a client may repeat a write without repeating its effect.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How fresh a read must be.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `ReadContext` reads")]
pub(in crate::api::rest) struct FreshnessParams {
    /// Which state may answer: one that holds every write acknowledged before (`linearizable`, the default),
    /// the same answered by the leader itself (`leader`), or this replica's own (`local`).
    #[param(inline)]
    consistency: Option<ConsistencyWord>,
    /// An `X-Applied-Index` of an earlier answer, from any replica: the state must contain it, and the answer waits
    /// until it does, or until the deadline.
    #[param(minimum = 0, maximum = 18_446_744_073_709_551_615_u64)]
    at_least: Option<u64>,
    /// With `consistency=local`: how far the answer may be behind the leader, such as `2s`.
    #[param(value_type = Option<Span>)]
    max_staleness: Option<String>,
}

/// Which state may answer a read.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Consistency)]
#[allow(dead_code, reason = "describes what `ReadContext` reads")]
pub(in crate::api::rest) enum ConsistencyWord {
    /// Holds every write acknowledged before.
    Linearizable,
    /// The same, answered by the leader itself.
    Leader,
    /// This replica's own.
    Local,
}

/// What makes a write safe to repeat.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes what `WriteContext` reads")]
pub(in crate::api::rest) struct IdempotencyParams {
    /// A key of the client's choice. The same request with the same key has one effect within a day; another
    /// request with the same key is refused.
    #[param(rename = "Idempotency-Key", value_type = Option<IdempotencyKey>)]
    idempotency_key: Option<String>,
}

/// The context of a read.
pub(in crate::api::rest) struct ReadContext(pub(in crate::api::rest) RequestContext);

/// The context of a write.
pub(in crate::api::rest) struct WriteContext(pub(in crate::api::rest) RequestContext);

impl FromRequestParts<RestState> for ReadContext {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, Failure> {
        let Deadline(deadline) = Deadline::of(parts, state);
        Ok(Self(RequestContext {
            idempotency_key: None,
            freshness: freshness_in(parts.uri.query().unwrap_or_default())?,
            deadline: Some(deadline),
        }))
    }
}

impl FromRequestParts<RestState> for WriteContext {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, Failure> {
        let Deadline(deadline) = Deadline::of(parts, state);
        let mut keys = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let key = match (keys.next(), keys.next()) {
            (None, _) => None,
            (Some(key), None) => Some(key.to_str().map_err(|_| {
                Failure::invalid("Idempotency-Key: must consist of printable ASCII characters")
            })?),
            (Some(_), Some(_)) => return Err(Failure::invalid("Idempotency-Key: must be given once")),
        };
        if key.is_some_and(str::is_empty) {
            return Err(Failure::invalid(
                "Idempotency-Key: must not be empty; leave it out instead",
            ));
        }
        Ok(Self(RequestContext {
            idempotency_key: key.map(str::to_owned),
            freshness: Freshness::default(),
            deadline: Some(deadline),
        }))
    }
}

fn freshness_in(query: &str) -> Result<Freshness, Failure> {
    let pairs = QueryPairs::new(query);
    let consistency = pairs.one("consistency")?;
    let at_least = pairs.one("at_least")?;
    let max_staleness = pairs.one("max_staleness")?;
    if max_staleness
        .as_deref()
        .is_some_and(|span| parse_span(span).is_none())
    {
        return Err(Failure::invalid(
            "max_staleness: must be a number and ms, s, m, h or d, such as 500ms or 2s",
        ));
    }
    // A read that is never stale keeps any bound, so the bound is left aside where it says nothing.
    let bound = max_staleness.filter(|_| consistency.as_deref() == Some("local"));
    let named = |name, value| Named { name, value };
    Ok(freshness(
        named("consistency", consistency.as_deref()),
        named("at_least", at_least.as_deref()),
        named("max_staleness", bound.as_deref()),
    )?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zephyrfs_core::units::AppliedIndex;

    use super::freshness_in;
    use crate::service::{Consistency, Freshness};

    #[test]
    fn freshness_comes_from_the_query() {
        assert_eq!(freshness_in("").unwrap(), Freshness::default());
        assert_eq!(
            freshness_in("consistency=local&at_least=7&max_staleness=2s&other=1").unwrap(),
            Freshness {
                consistency: Consistency::Local,
                at_least: Some(AppliedIndex::new(7)),
                max_staleness: Some(Duration::from_secs(2)),
            }
        );
        assert_eq!(freshness_in("max_staleness=2s").unwrap(), Freshness::default());
    }

    #[test]
    fn a_bad_freshness_is_refused_by_the_name_of_the_parameter() {
        for (query, name) in [
            ("consistency=", "consistency"),
            ("consistency=eventual", "consistency"),
            ("consistency=local&consistency=local", "consistency"),
            ("at_least=-1", "at_least"),
            ("at_least=x", "at_least"),
            ("max_staleness=soon", "max_staleness"),
            ("consistency=local&max_staleness=2+s", "max_staleness"),
        ] {
            let failure = freshness_in(query).expect_err(query);
            assert!(
                format!("{failure:?}").contains(&format!("\"{name}: ")),
                "{failure:?}"
            );
        }
    }
}
