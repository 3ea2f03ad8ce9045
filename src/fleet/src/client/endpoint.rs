//! The address of a coordinator, as it is given on the command line.

use std::fmt;
use std::str::FromStr;

use tonic::transport::Uri;

/// `http://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUri(Uri);

/// Why a text is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URI at all.
    #[error("{0:?} is not a URI: expected http://host:port")]
    Malformed(String),
    /// `https`, or something else that the coordinator does not speak.
    #[error("{0:?} does not use http: expected http://host:port")]
    Scheme(String),
    /// Something is written behind the port.
    #[error("{0:?} has a path: expected http://host:port")]
    Path(String),
}

impl FromStr for EndpointUri {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let malformed = || EndpointError::Malformed(text.to_owned());
        // `host:port` alone would be read as a URI without a scheme.
        let full = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let uri: Uri = full.parse().map_err(|_| malformed())?;
        if uri.scheme_str() != Some("http") {
            return Err(EndpointError::Scheme(text.to_owned()));
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(malformed());
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(EndpointError::Path(text.to_owned()));
        }
        Ok(EndpointUri(uri))
    }
}

impl EndpointUri {
    /// For making connections.
    #[must_use]
    pub fn uri(&self) -> Uri {
        self.0.clone()
    }
}

impl fmt::Display for EndpointUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        formatter.write_str(text.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::{EndpointError, EndpointUri};

    #[test]
    fn a_scheme_may_be_left_out() {
        for text in [
            "http://coordinator:8080",
            "coordinator:8080",
            "http://coordinator:8080/",
        ] {
            let endpoint: EndpointUri = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), "http://coordinator:8080");
        }
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused() {
        let parse = |text: &str| text.parse::<EndpointUri>();
        assert!(matches!(
            parse("https://coordinator:8080"),
            Err(EndpointError::Scheme(_))
        ));
        assert!(matches!(
            parse("http://coordinator:8080/api"),
            Err(EndpointError::Path(_))
        ));
        assert!(matches!(parse("http://"), Err(EndpointError::Malformed(_))));
        assert!(matches!(parse(""), Err(EndpointError::Malformed(_))));
    }
}
