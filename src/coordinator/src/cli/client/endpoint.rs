//! Where the coordinator's REST API is: one URL for each replica that may be asked.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

const PREFIX: [&str; 2] = ["api", "v1"];

/// The URL of one replica's REST API, without `/api/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Url);

/// The endpoints of a comma list, in the order in which they are tried; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoints(Vec<Endpoint>);

/// The text is no endpoint.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidEndpoint {
    /// No URL at all.
    #[error("`{0}` is no URL such as http://127.0.0.1:8090")]
    NoUrl(String),
    /// Another scheme than http.
    #[error(
        "`{0}` must begin with http://; encrypted connections end in front of the coordinator, not in it"
    )]
    Scheme(String),
    /// With a user, a query or a fragment.
    #[error("an endpoint is host and port and at most a path, without user, password, query or fragment")]
    Excess,
}

impl Endpoint {
    /// The URL of a resource below the API's prefix. No segment may be empty, `.` or `..`.
    pub(crate) fn resource(&self, segments: &[&str], query: &[(&'static str, String)]) -> Url {
        let mut url = self.0.clone();
        // Always so for http URLs: only those without a host cannot have segments.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(PREFIX).extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let url = Url::parse(&with_scheme).map_err(|_| InvalidEndpoint::NoUrl(text.to_owned()))?;
        if url.scheme() != "http" {
            return Err(InvalidEndpoint::Scheme(text.to_owned()));
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidEndpoint::Excess);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl Endpoints {
    /// The endpoints, in order.
    pub(crate) fn as_slice(&self) -> &[Endpoint] {
        &self.0
    }
}

impl FromStr for Endpoints {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let endpoints = items.map(str::parse).collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            return Err(InvalidEndpoint::NoUrl(text.to_owned()));
        }
        Ok(Self(endpoints))
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Endpoints, InvalidEndpoint};

    fn resource(endpoint: &str, segments: &[&str], query: &[(&'static str, String)]) -> String {
        endpoint
            .parse::<Endpoint>()
            .unwrap()
            .resource(segments, query)
            .to_string()
    }

    #[test]
    fn ids_stay_one_segment_whatever_they_hold() {
        assert_eq!(
            resource("http://h:8090", &["nodes", "a/b?c#d%2e ü"], &[]),
            "http://h:8090/api/v1/nodes/a%2Fb%3Fc%23d%252e%20%C3%BC"
        );
        assert_eq!(
            resource("http://h:8090", &["nodes", "%2e%2e"], &[]),
            "http://h:8090/api/v1/nodes/%252e%252e"
        );
    }

    #[test]
    fn a_path_before_the_api_is_kept() {
        for endpoint in ["http://h/gateway", "http://h/gateway/"] {
            assert_eq!(
                resource(endpoint, &["cluster"], &[]),
                "http://h/gateway/api/v1/cluster"
            );
        }
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(
            resource("http://h", &["files"], &[("page_token", "a&b=c".to_owned())]),
            "http://h/api/v1/files?page_token=a%26b%3Dc"
        );
    }

    #[test]
    fn a_comma_list_may_have_spaces_and_leave_http_out() {
        let endpoints: Endpoints = "http://a:1, b:2,,http://[::1]:3/".parse().unwrap();
        let shown: Vec<_> = endpoints.as_slice().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["http://a:1", "http://b:2", "http://[::1]:3"]);
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in ["", " , ", "http://", "http://a:99999", "a b"] {
            let result = text.parse::<Endpoints>();
            assert!(
                matches!(result, Err(InvalidEndpoint::NoUrl(_))),
                "{text:?}: {result:?}"
            );
        }
        for text in ["https://a:1", "ftp://a"] {
            assert_eq!(
                text.parse::<Endpoints>(),
                Err(InvalidEndpoint::Scheme(text.to_owned()))
            );
        }
        for text in ["http://u:p@a", "http://a/?b=c", "http://a/#d"] {
            assert_eq!(text.parse::<Endpoints>(), Err(InvalidEndpoint::Excess));
        }
    }
}
