//! The values that the labels `api` and `method` may have.

use std::collections::BTreeMap;

use axum::http::Method;
use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::MetricsError;

/// What requests are counted as that no route or RPC took.
pub(super) const UNMATCHED: &str = "unmatched";

/// The package of the public gRPC API.
const PACKAGE: &str = "zephyrfs.coordinator";

/// An API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// JSON over HTTP/1.1.
    Rest,
    /// gRPC.
    Grpc,
}

impl Api {
    /// The label's value.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Grpc => "grpc",
        }
    }
}

/// Whether a request is a storage node's heartbeat.
pub(super) fn is_heartbeat(api: Api, method: &str) -> bool {
    method
        == match api {
            Api::Rest => "POST /api/v1/nodes/{id}/heartbeat",
            Api::Grpc => "NodeHeartbeat",
        }
}

/// The RPC that is a stream of heartbeats: it lasts as long as its client likes, and its heartbeats are counted as they come.
pub(super) const HEARTBEAT_STREAM: &str = "HeartbeatStream";

/// A route with its method; methods that no route has count as one.
pub(super) fn rest_method(method: &Method, route: Option<&str>) -> String {
    let Some(route) = route else {
        return UNMATCHED.to_owned();
    };
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
    ];
    let method = if known.contains(method) {
        method.as_str()
    } else {
        "OTHER"
    };
    format!("{method} {route}")
}

/// The RPCs of the public API, by path, each with whether either side sends any number of messages.
#[derive(Debug)]
pub(super) struct Rpcs(BTreeMap<String, bool>);

impl Rpcs {
    /// From the compiled-in description of the API.
    pub(super) fn of_the_public_api() -> Result<Self, MetricsError> {
        let files = FileDescriptorSet::decode(zephyrfs_proto::FILE_DESCRIPTOR_SET)
            .map_err(MetricsError::Descriptors)?;
        let services = files
            .file
            .iter()
            .filter(|file| file.package() == PACKAGE)
            .flat_map(|file| &file.service);
        let rpcs = services.flat_map(|service| {
            service.method.iter().map(|method| {
                let path = format!("/{PACKAGE}.{}/{}", service.name(), method.name());
                (path, method.client_streaming() || method.server_streaming())
            })
        });
        Ok(Self(rpcs.collect()))
    }

    /// The name of the RPC with this path. Others, such as those of the health service, count as one.
    pub(super) fn name<'a>(&self, path: &'a str) -> &'a str {
        match path.rsplit_once('/') {
            Some((_, name)) if self.0.contains_key(path) => name,
            _ => UNMATCHED,
        }
    }

    /// Whether this path is that of a stream: how long one lasts says nothing of how long anybody waited.
    pub(super) fn is_stream(&self, path: &str) -> bool {
        self.0.get(path).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::{Api, Rpcs, UNMATCHED, is_heartbeat, rest_method};

    #[test]
    fn only_rpcs_of_the_public_api_have_a_name() {
        let rpcs = Rpcs::of_the_public_api().unwrap();
        let service = "/zephyrfs.coordinator.CoordinatorService";
        assert_eq!(rpcs.name(&format!("{service}/RegisterNode")), "RegisterNode");
        assert!(is_heartbeat(
            Api::Grpc,
            rpcs.name(&format!("{service}/NodeHeartbeat"))
        ));
        for (name, is_stream) in [
            ("Watch", true),
            ("HeartbeatStream", true),
            ("ReportInventory", true),
            ("NodeHeartbeat", false),
        ] {
            assert_eq!(rpcs.is_stream(&format!("{service}/{name}")), is_stream, "{name}");
        }
        for path in [
            "",
            "/",
            "/grpc.health.v1.Health/Check",
            &format!("{service}/Invented"),
            "/other.Service/RegisterNode",
            "RegisterNode",
        ] {
            assert_eq!(rpcs.name(path), UNMATCHED, "{path}");
        }
    }

    #[test]
    fn rest_requests_are_named_by_route_and_known_method() {
        let route = Some("/api/v1/nodes/{id}");
        assert_eq!(rest_method(&Method::GET, route), "GET /api/v1/nodes/{id}");
        assert_eq!(rest_method(&Method::GET, None), UNMATCHED);
        let invented = Method::from_bytes(b"INVENTED").unwrap();
        assert_eq!(rest_method(&invented, route), "OTHER /api/v1/nodes/{id}");
    }
}
