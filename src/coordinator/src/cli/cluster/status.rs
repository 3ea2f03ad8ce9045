//! What a replica says of the cluster, and how it is shown.

use serde::Deserialize;

use crate::cli::display;
use crate::cli::table::{self, Align};

/// What a replica says of the cluster.
#[derive(Debug, Deserialize)]
pub(crate) struct ClusterStatus {
    #[serde(default)]
    cluster_id: String,
    #[serde(default)]
    engine: String,
    leader: Option<String>,
    leader_address: Option<String>,
    not_ready: Option<String>,
    #[serde(default)]
    term: u64,
    #[serde(default)]
    commit_index: u64,
    #[serde(default)]
    applied_index: u64,
    #[serde(default)]
    failure_tolerance: i64,
    #[serde(default)]
    members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
struct Member {
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    healthy: bool,
    #[serde(default)]
    lag: u64,
}

/// The cluster as a screen.
pub(crate) fn render(status: &ClusterStatus) -> String {
    let leader = status.leader.as_deref();
    let mut facts = vec![
        (
            "Cluster",
            format!(
                "{} ({})",
                display::text(&status.cluster_id),
                display::text(&status.engine)
            ),
        ),
        ("Leader", leader_line(leader, status.leader_address.as_deref())),
        ("Term", status.term.to_string()),
        (
            "Applied",
            format!("{} of {}", status.applied_index, status.commit_index),
        ),
        ("Can lose", replicas(status.failure_tolerance)),
    ];
    if let Some(reason) = &status.not_ready {
        facts.push((
            "Not ready",
            format!("the replica that answers: {}", display::text(reason)),
        ));
    }
    let mut text = table::facts(facts);
    if !status.members.is_empty() {
        let header = [
            ("REPLICA", Align::Left),
            ("ROLE", Align::Left),
            ("ADDRESS", Align::Left),
            ("HEALTHY", Align::Left),
            ("BEHIND", Align::Right),
        ];
        let row = |member: &Member| {
            let is_leader = leader == Some(member.name.as_str());
            vec![
                display::text(&member.name),
                if is_leader {
                    "leader".to_owned()
                } else {
                    display::text(&member.role)
                },
                display::text(&member.address),
                if member.healthy { "yes" } else { "no" }.to_owned(),
                member.lag.to_string(),
            ]
        };
        text.push('\n');
        // The order of the API says nothing to people.
        let mut members: Vec<&Member> = status.members.iter().collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        text.push_str(&table::rows(&header, members.into_iter().map(row)));
    }
    text
}

fn leader_line(leader: Option<&str>, address: Option<&str>) -> String {
    match (leader, address) {
        (None, _) => "none: nothing can be written now".to_owned(),
        (Some(leader), None) => display::text(leader),
        (Some(leader), Some(address)) => {
            format!("{}, gRPC at {}", display::text(leader), display::text(address))
        }
    }
}

fn replicas(count: i64) -> String {
    match count {
        0 => "no replica".to_owned(),
        1 => "1 replica".to_owned(),
        count => format!("{count} replicas"),
    }
}
