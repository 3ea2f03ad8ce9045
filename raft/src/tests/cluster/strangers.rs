//! Messages that are not for this replica, or not of its cluster, or no messages at all.

use std::time::Duration;

use futures::StreamExt;
use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt};
use zephyrfs_proto::peer::{
    AppendRequest, Ballot, ChangeClusterRequest, DescribeRequest, FormRequest, ForwardRequest,
    ForwardedCommand, GreetRequest, InstallRequest, InstallStart, JoinRequest, LogId, ReadIndexRequest,
    Replica, Route, TransferLeaderRequest, TransferTo, VoteRequest, change_cluster_request, install_request,
};

use super::each_seed;
use super::replicas::{World, below};
use super::workload::{Client, History, register_nodes};
use crate::peers::{PeerError, PeerService};

const LONG: Duration = Duration::from_secs(30);

fn route(world: &World, to: &str) -> Route {
    let identity = world.engine(to).log.identity();
    Route {
        cluster_id: identity.cluster_id.clone(),
        from: 7,
        to: identity.raft_id,
    }
}

fn vote(route: Option<Route>, term: u64) -> VoteRequest {
    VoteRequest {
        route,
        ballot: Some(Ballot {
            term,
            node: 7,
            committed: false,
        }),
        last: Some(LogId {
            term,
            index: 1_000_000,
        }),
        leadership_transfer: true,
    }
}

/// Everything that carries a route, sent once.
async fn send_all(peer: &dyn PeerService, route: Option<&Route>) -> Vec<(&'static str, Option<PeerError>)> {
    let route = || route.cloned();
    let append = AppendRequest {
        route: route(),
        ballot: Some(Ballot {
            term: 1_000,
            node: 7,
            committed: true,
        }),
        ..AppendRequest::default()
    };
    let install = InstallRequest {
        step: Some(install_request::Step::Start(InstallStart {
            route: route(),
            ..InstallStart::default()
        })),
    };
    let forward = ForwardRequest {
        route: route(),
        term: 1,
        commands: Vec::new(),
    };
    let transfer = TransferLeaderRequest {
        route: route(),
        from_leader: Some(Ballot {
            term: 1_000,
            node: 7,
            committed: true,
        }),
        last: None,
        next: 7,
    };
    let change = ChangeClusterRequest {
        route: route(),
        change: Some(change_cluster_request::Change::Remove("b".to_owned())),
        within_ms: 100,
    };
    vec![
        ("append", first(peer.append(one(append)).await).await),
        ("vote", peer.vote(vote(route(), 1_000)).await.err()),
        ("pre-vote", peer.pre_vote(vote(route(), 1_000)).await.err()),
        ("transfer", peer.transfer_leader(transfer).await.err()),
        ("install", first(peer.install(one(install)).await).await),
        (
            "read index",
            peer.read_index(ReadIndexRequest { route: route() }).await.err(),
        ),
        ("forward", first(peer.forward(one(forward)).await).await),
        (
            "describe",
            peer.describe(DescribeRequest { route: route() }).await.err(),
        ),
        ("change", peer.change_cluster(change).await.err()),
    ]
}

fn one<T: Send + 'static>(message: T) -> crate::peers::Requests<T> {
    Box::pin(futures::stream::iter([message]))
}

/// The error that a stream begins with.
async fn first<T>(replies: Result<crate::peers::Replies<T>, PeerError>) -> Option<PeerError> {
    match replies {
        Err(error) => Some(error),
        Ok(mut replies) => replies.next().await?.err(),
    }
}

#[test]
fn what_is_for_another_replica_or_of_another_cluster_is_refused_as_such() {
    each_seed(0..1, |seed| async move {
        let mut world = World::new(seed, 3);
        world.start_all().await;
        let leader = world.until_ready(LONG).await;
        for name in world.names() {
            let right = route(&world, &name);
            let term = world.status(&name).term;
            let wrong = [
                Route {
                    cluster_id: "another".to_owned(),
                    ..right.clone()
                },
                Route {
                    cluster_id: String::new(),
                    ..right.clone()
                },
                Route {
                    to: right.to ^ 1,
                    ..right.clone()
                },
                Route {
                    to: 0,
                    ..right.clone()
                },
            ];
            for wrong in wrong {
                let peer = world.engine(&name).peer_service();
                let sent = world.on(&name, |_| {
                    Box::pin(async move { send_all(&*peer, Some(&wrong)).await })
                });
                for (what, error) in sent.await.unwrap() {
                    assert!(matches!(error, Some(PeerError::Stranger(_))), "{what}: {error:?}");
                }
            }
            let peer = world.engine(&name).peer_service();
            let sent = world.on(&name, |_| Box::pin(async move { send_all(&*peer, None).await }));
            for (what, error) in sent.await.unwrap() {
                assert!(
                    matches!(error, Some(PeerError::Malformed(_))),
                    "{what}: {error:?}"
                );
            }
            assert_eq!(world.status(&name).term, term, "a stranger's term was believed");
        }
        world.pass(Duration::from_secs(2)).await;
        assert_eq!(world.leader(), Some(leader));
        world.assert_sound();
    });
}

fn garbage(random: &mut SmallRng) -> Vec<u8> {
    let length = random.random_range(0..40);
    (0..length).map(|_| random.random()).collect()
}

fn number(random: &mut SmallRng) -> u64 {
    match random.random_range(0..4) {
        0 => 0,
        1 => u64::MAX,
        2 => random.random_range(0..20),
        _ => random.next_u64(),
    }
}

fn log_id(random: &mut SmallRng) -> Option<LogId> {
    random.random_bool(0.7).then(|| LogId {
        term: random.random_range(0..3),
        index: number(random),
    })
}

/// Terms are small: a term that is believed cannot be taken back, and what is sent is of the right cluster.
fn ballot(random: &mut SmallRng) -> Option<Ballot> {
    random.random_bool(0.7).then(|| Ballot {
        term: random.random_range(0..2),
        node: if random.random_bool(0.5) {
            7
        } else {
            number(random)
        },
        committed: random.random_bool(0.5),
    })
}

/// A message that follows the protocol's form and makes no sense.
async fn babble(peer: &dyn PeerService, route: Option<Route>, random: &mut SmallRng) {
    match random.random_range(0..11) {
        0 => {
            let request = AppendRequest {
                route,
                ballot: ballot(random),
                previous: log_id(random),
                entries: (0..random.random_range(0..4)).map(|_| garbage(random)).collect(),
                committed: log_id(random),
            };
            drop(first(peer.append(one(request)).await).await);
        }
        1 => {
            let request = VoteRequest {
                ballot: ballot(random),
                last: log_id(random),
                ..vote(route, 0)
            };
            drop(peer.vote(request).await);
        }
        2 => {
            let request = VoteRequest {
                ballot: ballot(random),
                last: log_id(random),
                ..vote(route, 0)
            };
            drop(peer.pre_vote(request).await);
        }
        3 => {
            let request = TransferLeaderRequest {
                route,
                from_leader: ballot(random),
                last: log_id(random),
                next: number(random),
            };
            drop(peer.transfer_leader(request).await);
        }
        4 => {
            let start = InstallStart {
                route,
                ballot: ballot(random),
                last: log_id(random),
            };
            let steps = vec![
                Some(install_request::Step::Start(start)),
                Some(install_request::Step::Rows(garbage(random))),
                Some(install_request::Step::End(garbage(random))),
                None,
            ];
            let skipped = random.random_range(0..steps.len());
            let steps = steps
                .into_iter()
                .skip(skipped)
                .map(|step| InstallRequest { step });
            let steps: Vec<_> = steps.collect();
            let replies = peer.install(Box::pin(futures::stream::iter(steps))).await;
            if let Ok(replies) = replies {
                drop(replies.collect::<Vec<_>>().await);
            }
        }
        5 => drop(peer.read_index(ReadIndexRequest { route }).await),
        6 => {
            let request = ForwardRequest {
                route,
                term: number(random),
                commands: vec![ForwardedCommand {
                    number: number(random),
                    proposal: garbage(random),
                    sent_before: random.random_bool(0.5).then_some(u64::MAX),
                }],
            };
            drop(first(peer.forward(one(request)).await).await);
        }
        7 => {
            let sender = random.random_bool(0.7).then(|| Replica {
                raft_id: number(random),
                address: String::from_utf8_lossy(&garbage(random)).into_owned(),
                ..Replica::default()
            });
            drop(peer.greet(GreetRequest { sender }).await);
        }
        8 => {
            let request = FormRequest {
                cluster_id: String::from_utf8_lossy(&garbage(random)).into_owned(),
                from: number(random),
                to: route.map_or(0, |route| route.to),
            };
            drop(peer.form(request).await);
        }
        9 => {
            // An empty name is no name; a good one would be taken in, as it should be.
            let sender = random.random_bool(0.7).then(|| Replica {
                raft_id: number(random),
                address: String::from_utf8_lossy(&garbage(random)).into_owned(),
                has_log: random.random_bool(0.5),
                cluster_id: String::from_utf8_lossy(&garbage(random)).into_owned(),
                ..Replica::default()
            });
            drop(peer.join(JoinRequest { sender }).await);
        }
        _ => {
            let request = ChangeClusterRequest {
                route,
                change: random.random_bool(0.7).then(|| {
                    change_cluster_request::Change::Transfer(TransferTo {
                        name: Some(String::from_utf8_lossy(&garbage(random)).into_owned()),
                    })
                }),
                within_ms: number(random),
            };
            drop(peer.change_cluster(request).await);
        }
    }
}

#[test]
fn what_makes_no_sense_does_no_harm() {
    each_seed(0..6, |seed| async move {
        let mut world = World::new(seed, 3);
        world.start_all().await;
        world.until_ready(LONG).await;
        register_nodes(&world).await;
        for _ in 0..400 {
            let name = world
                .names()
                .remove(usize::try_from(below(world.random(), 3)).unwrap());
            let has_route = below(world.random(), 10) > 0;
            let route = has_route.then(|| route(&world, &name));
            let peer = world.engine(&name).peer_service();
            let mut random = <SmallRng as rand::SeedableRng>::seed_from_u64(world.random().next_u64());
            let sent = world.on(&name, |_| {
                Box::pin(async move { babble(&*peer, route, &mut random).await })
            });
            // Some are answered when the leader has answered, or never.
            let _ = SimRuntime::timeout(Duration::from_millis(200), sent).await;
            world.assert_sound();
        }
        world.until_ready(LONG).await;
        let history = History::default();
        Client::new(seed, 1, world.doors(), history.clone())
            .write("after", false)
            .await;
        assert_eq!(history.decided(), 1, "{:?}", history.calls());
        world.assert_sound();
    });
}
