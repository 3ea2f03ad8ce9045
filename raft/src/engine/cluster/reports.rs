//! How the members are: only the leader hears of all of them, so the others ask it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use openraft::Instant;
use openraft::type_config::AsyncRuntime;
use zephyrfs_proto::peer::{DescribeReply, DescribeRequest, MemberReport};

use super::GREETING_PATIENCE;
use crate::disk::Disk;
use crate::engine::RaftEngine;

/// What the leader said is worth something for so long.
const FRESH: Duration = Duration::from_secs(3);

/// What the leader last said about the members.
#[derive(Debug)]
pub(in crate::engine) struct Reports<I>(Mutex<Option<Latest<I>>>);

/// When it said so, and of each member whether it was in contact, and how far it was behind.
#[derive(Debug)]
struct Latest<I> {
    at: I,
    members: BTreeMap<u64, (bool, u64)>,
}

impl<I> Default for Reports<I> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<I: Instant> Reports<I> {
    /// Whether a member was in contact with the leader, and how far it was behind; `None` if nothing new is known.
    pub(in crate::engine) fn of(&self, raft_id: u64) -> Option<(bool, u64)> {
        let reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Latest { at, members } = reports.as_ref()?;
        (at.elapsed() < FRESH)
            .then(|| members.get(&raft_id).copied())
            .flatten()
    }

    fn note(&self, reply: DescribeReply) {
        let members = reply.members.into_iter().map(|report| {
            let MemberReport {
                raft_id,
                in_contact,
                lag,
            } = report;
            (raft_id, (in_contact, lag))
        });
        let latest = Latest {
            at: I::now(),
            members: members.collect(),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(latest);
    }
}

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Asks the leader how the members are.
    pub(super) async fn ask_for_reports(&self, leader: u64, address: &str) {
        let request = DescribeRequest {
            route: Some(self.whoami.route_to(leader)),
        };
        let service = self.requests_to(address);
        match R::timeout(GREETING_PATIENCE, service.describe(request)).await {
            Ok(Ok(reply)) => self.reports.note(reply),
            Ok(Err(error)) => tracing::debug!(%error, "The leader did not say how the members are"),
            Err(_) => tracing::debug!("The leader did not say in time how the members are"),
        }
    }

    /// How the members are, if this replica leads.
    pub(in crate::engine) fn described(&self) -> DescribeReply {
        let members = self.members();
        if !members.leads {
            return DescribeReply::default();
        }
        let members = members.all.into_iter().map(|member| MemberReport {
            raft_id: member.id,
            in_contact: member.in_contact,
            lag: member.lag,
        });
        DescribeReply {
            members: members.collect(),
        }
    }
}
