//! A few HTTP/2 connections, shared by all nodes and clients and spread evenly over the endpoints.
//!
//! A connection is made when it is first used and made again after it broke.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use zephyrfs_proto::coordinator::coordinator_service_client::CoordinatorServiceClient;

use crate::client::attempt::Attempt;
use crate::client::endpoint::EndpointUri;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The connections, by endpoint.
#[derive(Debug)]
pub struct Connections {
    groups: Vec<Group>,
    turns: AtomicUsize,
}

#[derive(Debug)]
struct Group {
    endpoint: EndpointUri,
    clients: Vec<CoordinatorServiceClient<Channel>>,
}

/// No endpoint was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no endpoint of a coordinator was given: use --endpoint http://host:8080")]
pub struct NoEndpoint;

impl Connections {
    /// `count` connections over the endpoints, and at least one to each. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// When there is no endpoint.
    pub fn new(endpoints: &[EndpointUri], count: usize) -> Result<Self, NoEndpoint> {
        if endpoints.is_empty() {
            return Err(NoEndpoint);
        }
        let mut groups: Vec<Group> = endpoints
            .iter()
            .map(|endpoint| Group {
                endpoint: endpoint.clone(),
                clients: vec![],
            })
            .collect();
        for number in 0..count.max(endpoints.len()) {
            let group = &mut groups[number % endpoints.len()];
            let channel = Endpoint::from(group.endpoint.uri())
                .connect_timeout(CONNECT_TIMEOUT)
                .connect_lazy();
            group.clients.push(CoordinatorServiceClient::new(channel));
        }
        Ok(Connections {
            groups,
            turns: AtomicUsize::new(0),
        })
    }

    pub(super) fn first_attempt(&self) -> Attempt {
        Attempt {
            turn: self.turns.fetch_add(1, Ordering::Relaxed),
            retries: 0,
        }
    }

    /// The connection for an attempt: calls take turns over endpoints first, then over the connections of
    /// each; a further attempt goes to the next endpoint.
    pub(super) fn client(&self, attempt: Attempt) -> (&EndpointUri, CoordinatorServiceClient<Channel>) {
        let endpoints = self.groups.len();
        let group = &self.groups[attempt.turn.wrapping_add(attempt.retries as usize) % endpoints];
        let client = &group.clients[attempt.turn / endpoints % group.clients.len()];
        (&group.endpoint, client.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{Connections, NoEndpoint};
    use crate::client::endpoint::EndpointUri;

    fn endpoints(count: usize) -> Vec<EndpointUri> {
        (0..count)
            .map(|number| format!("http://c{number}:8080").parse().unwrap())
            .collect()
    }

    #[tokio::test]
    async fn calls_are_spread_evenly_and_retries_go_elsewhere() {
        let connections = Connections::new(&endpoints(3), 2).unwrap();
        let mut calls: HashMap<String, usize> = HashMap::new();
        for _ in 0..30 {
            let attempt = connections.first_attempt();
            let (first, _) = connections.client(attempt);
            let (second, _) = connections.client(attempt.next());
            assert_ne!(first, second);
            *calls.entry(first.to_string()).or_default() += 1;
        }
        assert_eq!(calls.len(), 3);
        assert!(calls.values().all(|count| *count == 10));
    }

    #[tokio::test]
    async fn every_connection_is_used() {
        let connections = Connections::new(&endpoints(2), 8).unwrap();
        assert!(connections.groups.iter().all(|group| group.clients.len() == 4));
        assert_eq!(Connections::new(&[], 4).err(), Some(NoEndpoint));
    }
}
