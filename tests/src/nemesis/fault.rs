//! What goes wrong in a run, how it is made to, and how it is seen that it did.

use rand::RngExt as _;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;

use crate::cluster::TestCluster;
use crate::wait::until;

/// Packets that must vanish before a cut counts as one: more than any device says of itself.
const PACKETS: u64 = 10;

/// What all that a replica sends is throttled to: enough that it must wait in a queue, and little enough that the queue
/// never ends.
const KILOBITS_PER_SECOND: u32 = 128;

/// What happens to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// `kill -9`, and a start.
    Kill,
    /// SIGSTOP, and SIGCONT.
    Freeze,
    /// SIGTERM, and a start.
    Stop,
    /// `kill -9`, and a start without its data.
    Wipe,
    /// It hears nobody, and nobody hears it.
    Isolate,
    /// Nobody hears it.
    Mute,
    /// It hears nobody.
    Deafen,
    /// The others and it are told at once that there is no way between them.
    Refuse,
    /// What it sends comes slowly.
    Throttle,
    /// Nobody hears anybody: there is no quorum.
    Scatter,
    /// It is left alone, and the others are killed: there is no quorum.
    Abandon,
}

/// Whom it happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Whoever leads.
    Leader,
    /// Somebody else.
    Follower,
}

impl Fault {
    const ALL: [Self; 11] = [
        Self::Kill,
        Self::Freeze,
        Self::Stop,
        Self::Wipe,
        Self::Isolate,
        Self::Mute,
        Self::Deafen,
        Self::Refuse,
        Self::Throttle,
        Self::Scatter,
        Self::Abandon,
    ];

    /// All faults in an order of chance, at leaders and at followers by chance; then all again, with leaders and followers
    /// the other way round; and so on.
    pub(super) fn deck(random: &mut SmallRng, length: usize) -> Vec<(Self, Target)> {
        let mut deck = Vec::new();
        while deck.len() < length {
            let mut round = Self::ALL.map(|fault| (fault, random.random_bool(0.5)));
            for _ in 0..2 {
                round.shuffle(random);
                deck.extend(round.iter().map(|(fault, at_leader)| {
                    let target = if *at_leader {
                        Target::Leader
                    } else {
                        Target::Follower
                    };
                    (*fault, target)
                }));
                round = round.map(|(fault, at_leader)| (fault, !at_leader));
            }
        }
        deck.truncate(length);
        deck
    }

    /// Whether a majority is left that works.
    pub(super) const fn leaves_quorum(self) -> bool {
        match self {
            Self::Kill
            | Self::Freeze
            | Self::Stop
            | Self::Wipe
            | Self::Isolate
            | Self::Mute
            | Self::Deafen
            | Self::Refuse
            | Self::Throttle => true,
            Self::Scatter | Self::Abandon => false,
        }
    }

    /// Whether those that are left must do without the target.
    pub(super) const fn takes_target_away(self) -> bool {
        !matches!(self, Self::Throttle)
    }

    /// Makes it happen, and returns when it can be seen that it has.
    pub(super) async fn inflict(self, cluster: &mut TestCluster, target: &str) {
        match self {
            Self::Kill => cluster.replica_mut(target).kill().await,
            Self::Freeze => cluster.replica_mut(target).freeze().await,
            Self::Stop => {
                let code = cluster.replica_mut(target).stop().await;
                assert_eq!(code, Some(0), "{target} did not stop in order");
            }
            Self::Wipe => {
                cluster.replica_mut(target).kill().await;
                cluster.replica_mut(target).wipe();
            }
            Self::Abandon => {
                for other in cluster.others(target) {
                    cluster.replica_mut(&other).kill().await;
                }
            }
            Self::Isolate | Self::Mute | Self::Deafen | Self::Scatter => {
                let links = cluster.links();
                let before = links.vanished();
                match self {
                    Self::Mute => links.mute(target),
                    Self::Deafen => links.deafen(target),
                    Self::Scatter => links.scatter(),
                    _ => links.isolate(target),
                }
                until("packets vanish", async || {
                    (links.vanished() >= before + PACKETS).then_some(())
                })
                .await;
            }
            Self::Refuse => {
                let others = cluster.others(target);
                let links = cluster.links();
                let before = links.refused(target);
                for other in &others {
                    links.refuse(target, other);
                    links.refuse(other, target);
                }
                until("packets are refused", async || {
                    (links.refused(target) > before).then_some(())
                })
                .await;
            }
            Self::Throttle => {
                let links = cluster.links();
                links.throttle(target, KILOBITS_PER_SECOND);
                until("packets are held up", async || {
                    (links.held_up(target) > PACKETS).then_some(())
                })
                .await;
            }
        }
    }

    /// Ends it. What was killed is started, and need not be ready yet.
    pub(super) async fn end(self, cluster: &mut TestCluster, target: &str) {
        match self {
            Self::Kill | Self::Stop | Self::Wipe => cluster.replica_mut(target).start(),
            Self::Freeze => cluster.replica_mut(target).thaw().await,
            Self::Abandon => {
                for other in cluster.others(target) {
                    cluster.replica_mut(&other).start();
                }
            }
            Self::Isolate | Self::Mute | Self::Deafen | Self::Scatter | Self::Refuse | Self::Throttle => {
                cluster.links().heal();
            }
        }
    }
}
