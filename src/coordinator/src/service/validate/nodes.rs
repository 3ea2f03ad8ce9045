//! Registrations of nodes, lists of node ids, and what operators want of nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use zephyrfs_core::command::NodeStateChange;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{AfterDrain, NodeStatus};
use zephyrfs_core::units::{ByteSize, Millis};

use super::number::byte_size;
use super::problem::{at_most, invalid};
use super::text::{free_text, id, optional_id, plain_text};
use crate::service::error::ServiceError;
use crate::service::limits::Limits;
use crate::service::request::{NodeRegistration, NodeStateRequest};

/// The longest maintenance that may be announced; longer is a node that should be drained.
const MAX_MAINTENANCE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// No duration that anybody writes is longer than this many bytes.
const MAX_DURATION_LENGTH: usize = 64;

/// A registration that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) struct ValidRegistration {
    /// `None`: an id is to be assigned.
    pub(in crate::service) node: Option<NodeId>,
    pub(in crate::service) addresses: Vec<String>,
    pub(in crate::service) capacity: ByteSize,
    pub(in crate::service) capabilities: BTreeMap<String, String>,
}

/// Checks a registration.
pub(in crate::service) fn registration(
    limits: &Limits,
    registration: NodeRegistration,
) -> Result<ValidRegistration, ServiceError> {
    let NodeRegistration {
        node_id,
        addresses,
        storage_capacity,
        capabilities,
    } = registration;
    let node = optional_id(limits, "node_id", node_id)?;
    at_most(
        "addresses",
        "addresses",
        addresses.len(),
        limits.max_addresses_per_node,
    )?;
    let addresses = addresses
        .into_iter()
        .enumerate()
        .map(|(at, address)| self::address(limits, at, address))
        .collect::<Result<_, _>>()?;
    let capacity = byte_size("storage_capacity", storage_capacity, i64::MAX.unsigned_abs())?;
    at_most(
        "capabilities",
        "capabilities",
        capabilities.len(),
        limits.max_capabilities_per_node,
    )?;
    let capabilities = capabilities
        .into_iter()
        .map(|(key, value)| capability(limits, key, value))
        .collect::<Result<_, _>>()?;
    Ok(ValidRegistration {
        node,
        addresses,
        capacity,
        capabilities,
    })
}

fn address(limits: &Limits, at: usize, address: String) -> Result<String, ServiceError> {
    let field = format_args!("addresses[{at}]");
    if address.is_empty() {
        return invalid(field, "must not be empty");
    }
    plain_text(field, address, limits.max_address_length)
}

fn capability(limits: &Limits, key: String, value: String) -> Result<(String, String), ServiceError> {
    if key.is_empty() {
        return invalid("capabilities", "must not have an empty key");
    }
    // The key is checked before it is named in an error, so that none quotes an endless or unprintable one.
    let key = plain_text("capabilities (a key)", key, limits.max_capability_length)?;
    let value = free_text(
        format_args!("capabilities[{key:?}]"),
        value,
        limits.max_capability_length,
    )?;
    Ok((key, value))
}

/// Checks a list of node ids.
pub(in crate::service) fn node_ids(
    limits: &Limits,
    field: &str,
    ids: Vec<String>,
) -> Result<Vec<NodeId>, ServiceError> {
    at_most(field, "node ids", ids.len(), limits.max_node_ids_per_request)?;
    ids.into_iter()
        .enumerate()
        .map(|(at, text)| id(limits, format_args!("{field}[{at}]"), text))
        .collect()
}

/// Checks the word for a status; empty means every status.
pub(in crate::service) fn status(word: &str) -> Result<Option<NodeStatus>, ServiceError> {
    if word.is_empty() {
        return Ok(None);
    }
    match word.parse() {
        Ok(status) => Ok(Some(status)),
        Err(_) => invalid("status", "must be active, inactive, maintenance or draining"),
    }
}

/// Checks what an operator wants of a node.
pub(in crate::service) fn node_state(request: &NodeStateRequest) -> Result<NodeStateChange, ServiceError> {
    Ok(match request {
        NodeStateRequest::Activate => NodeStateChange::Activate,
        NodeStateRequest::Drain { .. } => NodeStateChange::Drain {
            then: AfterDrain::Stay,
        },
        NodeStateRequest::Decommission { .. } => NodeStateChange::Drain {
            then: AfterDrain::Remove,
        },
        NodeStateRequest::CancelDrain => NodeStateChange::CancelDrain,
        NodeStateRequest::Maintain { span } => NodeStateChange::Maintain {
            span: maintenance(span)?,
        },
    })
}

fn maintenance(text: &str) -> Result<Millis, ServiceError> {
    let span = Some(text)
        .filter(|text| text.len() <= MAX_DURATION_LENGTH)
        .and_then(|text| humantime::parse_duration(text).ok())
        .map(Millis::from);
    match span {
        None => invalid("for", "must be a duration such as 90s, 30m or 2h"),
        Some(span) if span == Millis::new(0) => invalid("for", "must be longer than no time at all"),
        Some(span) if span > Millis::from(MAX_MAINTENANCE) => invalid(
            "for",
            "must be at most 365 days; drain a node that is gone for longer",
        ),
        Some(span) => Ok(span),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use zephyrfs_core::command::NodeStateChange;
    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::row::NodeStatus;
    use zephyrfs_core::units::Millis;

    use super::{node_ids, node_state, registration, status};
    use crate::service::error::ServiceError;
    use crate::service::limits::Limits;
    use crate::service::request::{NodeRegistration, NodeStateRequest};

    fn limits() -> Limits {
        Limits {
            max_addresses_per_node: 2,
            max_capabilities_per_node: 2,
            max_node_ids_per_request: 2,
            ..Limits::default()
        }
    }

    fn good() -> NodeRegistration {
        NodeRegistration {
            node_id: "node-1".to_owned(),
            addresses: vec!["10.0.0.1:9000".to_owned()],
            storage_capacity: 1_000,
            capabilities: BTreeMap::from([("zone".to_owned(), "a".to_owned())]),
        }
    }

    #[test]
    fn a_good_registration_passes_with_and_without_an_id() {
        let valid = registration(&limits(), good()).unwrap();
        assert_eq!(valid.node, Some(NodeId::from("node-1")));
        assert_eq!(valid.capacity.get(), 1_000);
        let anonymous = NodeRegistration {
            node_id: String::new(),
            ..good()
        };
        assert_eq!(registration(&limits(), anonymous).unwrap().node, None);
        assert!(registration(&limits(), NodeRegistration::default()).is_ok());
    }

    #[test]
    fn every_malformed_part_of_a_registration_is_named() {
        type Spoil = fn(&mut NodeRegistration);
        let cases: [(Spoil, &str); 7] = [
            (|node| node.node_id = "\n".to_owned(), "node_id: must not contain"),
            (
                |node| node.addresses.push(String::new()),
                "addresses[1]: must not be empty",
            ),
            (
                |node| node.addresses.push("a".repeat(257)),
                "addresses[1]: must be at most 256",
            ),
            (
                |node| node.storage_capacity = -5,
                "storage_capacity: must not be negative, got -5",
            ),
            (
                |node| drop(node.capabilities.insert(String::new(), String::new())),
                "capabilities: must not have an empty key",
            ),
            (
                |node| drop(node.capabilities.insert("k".repeat(257), String::new())),
                "capabilities (a key): must be at most 256",
            ),
            (
                |node| drop(node.capabilities.insert("zone".to_owned(), "\0".to_owned())),
                "capabilities[\"zone\"]: must not contain U+0000",
            ),
        ];
        for (spoil, expected) in cases {
            let mut node = good();
            spoil(&mut node);
            let error = registration(&limits(), node).expect_err(expected);
            assert!(matches!(error, ServiceError::Invalid(_)), "{error}");
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }

    #[test]
    fn too_many_of_something_is_too_large_not_malformed() {
        let mut node = good();
        node.addresses = vec!["a".to_owned(); 3];
        let error = registration(&limits(), node).expect_err("three addresses");
        assert!(matches!(error, ServiceError::TooLarge(_)), "{error}");
        assert_eq!(
            error.to_string(),
            "addresses: must have at most 2 addresses, got 3"
        );

        let mut node = good();
        node.capabilities = (0..3).map(|n| (n.to_string(), String::new())).collect();
        let error = registration(&limits(), node).expect_err("three capabilities");
        assert!(matches!(error, ServiceError::TooLarge(_)), "{error}");

        let ids = vec!["a".to_owned(); 3];
        let error = node_ids(&limits(), "node_ids", ids).expect_err("three ids");
        assert_eq!(error.to_string(), "node_ids: must have at most 2 node ids, got 3");
    }

    #[test]
    fn a_bad_id_in_a_list_is_named_by_position() {
        let ids = vec!["a".to_owned(), String::new()];
        let error = node_ids(&limits(), "exclude_nodes", ids).expect_err("an empty id");
        assert_eq!(error.to_string(), "exclude_nodes[1]: must not be empty");
    }

    #[test]
    fn a_status_is_one_of_four_words_or_none() {
        assert_eq!(status(""), Ok(None));
        assert_eq!(status("draining"), Ok(Some(NodeStatus::Draining)));
        let error = status("asleep").expect_err("no such status");
        assert_eq!(
            error.to_string(),
            "status: must be active, inactive, maintenance or draining"
        );
    }

    #[test]
    fn a_maintenance_has_a_sensible_length() {
        let maintain = |span: &str| {
            node_state(&NodeStateRequest::Maintain {
                span: span.to_owned(),
            })
        };
        assert_eq!(
            maintain("30m"),
            Ok(NodeStateChange::Maintain {
                span: Millis::from_seconds(1_800)
            })
        );
        for (text, expected) in [
            ("", "for: must be a duration such as 90s, 30m or 2h"),
            ("soon", "for: must be a duration such as 90s, 30m or 2h"),
            ("-5m", "for: must be a duration such as 90s, 30m or 2h"),
            (
                "99999999999999999999h",
                "for: must be a duration such as 90s, 30m or 2h",
            ),
            ("0s", "for: must be longer than no time at all"),
            (
                "366days",
                "for: must be at most 365 days; drain a node that is gone for longer",
            ),
        ] {
            assert_eq!(maintain(text).expect_err(text).to_string(), expected);
        }
        assert!(maintain(&" ".repeat(65)).is_err());
    }
}
