//! The query of a request: values by name, found only where somebody asks for them.

use std::ops::RangeInclusive;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::api::rest::failure::Failure;
use crate::api::rest::state::RestState;
use crate::service::Limits;

/// A query that has been read into a type of its own. Parameters that the type does not know are ignored.
pub(in crate::api::rest) struct Query<Q>(pub(in crate::api::rest) Q);

/// A type that reads itself from a query.
pub(in crate::api::rest) trait FromQuery: Sized {
    /// Reads the parameters that it knows.
    ///
    /// # Errors
    /// 400, naming the parameter.
    fn from_query(pairs: &QueryPairs<'_>, limits: &Limits) -> Result<Self, Failure>;
}

impl<Q: FromQuery> FromRequestParts<RestState> for Query<Q> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, Failure> {
        let pairs = QueryPairs::new(parts.uri.query().unwrap_or_default());
        Q::from_query(&pairs, state.service.limits()).map(Self)
    }
}

/// The names and values of a query, still encoded.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::rest) struct QueryPairs<'a>(&'a str);

impl<'a> QueryPairs<'a> {
    /// Of the part of a target behind its question mark.
    pub(in crate::api::rest) const fn new(query: &'a str) -> Self {
        Self(query)
    }

    /// All values of a name, decoded.
    pub(in crate::api::rest) fn all(&self, name: &str) -> Result<Vec<String>, Failure> {
        self.0
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(|(key, _)| decode(key).is_some_and(|key| key == name))
            .map(|(_, value)| decode(value).ok_or_else(|| Failure::invalid(format!("{name}: is not UTF-8"))))
            .collect()
    }

    /// The value of a name that may be given once.
    pub(in crate::api::rest) fn one(&self, name: &str) -> Result<Option<String>, Failure> {
        let mut values = self.all(name)?;
        match values.len() {
            0 | 1 => Ok(values.pop()),
            many => Err(Failure::invalid(format!(
                "{name}: must be given once, got {many} values"
            ))),
        }
    }

    /// The value of a name that may be left out, but not left empty.
    pub(in crate::api::rest) fn not_empty(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.one(name)? {
            Some(value) if value.is_empty() => Err(Failure::invalid(format!(
                "{name}: must not be empty; leave it out instead"
            ))),
            value => Ok(value),
        }
    }

    /// The whole number of a name.
    pub(in crate::api::rest) fn number(
        &self,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, Failure> {
        let Some(text) = self.one(name)? else {
            return Ok(None);
        };
        // The standard parser takes a plus sign, which JSON and OpenAPI do not.
        let number = Some(text.as_str())
            .filter(|text| !text.starts_with('+'))
            .and_then(|text| text.parse().ok())
            .filter(|number| range.contains(number));
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(Failure::invalid(format!(
                "{name}: must be a whole number from {} to {}, got {text:?}",
                range.start(),
                range.end()
            ))),
        }
    }
}

/// The text that a part of a query stands for; `None` if it is not UTF-8.
fn decode(part: &str) -> Option<String> {
    let spaced = part.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::response::IntoResponse as _;
    use futures::executor::block_on;

    use super::QueryPairs;
    use crate::api::rest::failure::Failure;

    fn details<T>(result: Result<T, Failure>) -> String {
        let response = result.err().expect("must be refused").into_response();
        assert_eq!(response.status(), 400);
        let body = block_on(to_bytes(response.into_body(), 10_000)).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        body["details"].as_str().unwrap().to_owned()
    }

    #[test]
    fn values_are_found_by_name_and_decoded() {
        let pairs = QueryPairs::new("a=1&b=x%26y+z&a=%C3%BC&flag&=empty&c%2Fd=e");
        assert_eq!(pairs.all("a").unwrap(), ["1", "ü"]);
        assert_eq!(pairs.one("b").unwrap().as_deref(), Some("x&y z"));
        assert_eq!(pairs.one("flag").unwrap().as_deref(), Some(""));
        assert_eq!(pairs.one("c/d").unwrap().as_deref(), Some("e"));
        assert_eq!(pairs.one("nobody").unwrap(), None);
    }

    #[test]
    fn a_bad_value_is_refused_by_name() {
        let pairs = QueryPairs::new("twice=1&twice=2&latin=%FC&empty=&n=1001&s=+5&f=1.0&%FF=1");
        assert_eq!(
            details(pairs.one("twice")),
            "twice: must be given once, got 2 values"
        );
        assert_eq!(details(pairs.one("latin")), "latin: is not UTF-8");
        assert_eq!(
            details(pairs.not_empty("empty")),
            "empty: must not be empty; leave it out instead"
        );
        assert_eq!(
            details(pairs.number("n", 1..=1_000)),
            "n: must be a whole number from 1 to 1000, got \"1001\""
        );
        for name in ["s", "f", "empty", "latin"] {
            assert!(pairs.number(name, 0..=10_000).is_err(), "{name}");
        }
        assert_eq!(QueryPairs::new("n=%2B5").number("n", 0..=9).ok(), None);
        assert_eq!(
            QueryPairs::new("n=1000").number("n", 1..=1_000).unwrap(),
            Some(1_000)
        );
    }
}
