//! What a cluster under test is to be like.

/// How many replicas, with which settings.
#[derive(Debug, Clone)]
pub struct ClusterPlan {
    pub(super) replicas: usize,
    pub(super) has_links: bool,
    pub(super) settings: Vec<String>,
}

impl ClusterPlan {
    /// So many replicas with the defaults, except that storage nodes stay active without heartbeats: tests have better
    /// things to do than to send them.
    pub fn of(replicas: usize) -> Self {
        Self {
            replicas,
            has_links: false,
            settings: vec!["coordinator.node_inactive_after=1d".to_owned()],
        }
    }

    /// With links that can be cut; takes root.
    #[must_use]
    pub const fn with_links(mut self) -> Self {
        self.has_links = true;
        self
    }

    /// With a setting, by its key.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push(format!("{key}={value}"));
        self
    }

    /// With so long an election timeout that a busy machine is no reason to elect.
    #[must_use]
    pub fn with_patient_followers(self) -> Self {
        self.set("raft.election_timeout_min", "3s")
            .set("raft.election_timeout_max", "4s")
    }

    /// The names of the replicas.
    pub(super) fn names(&self) -> Vec<String> {
        ('a'..='z').map(String::from).take(self.replicas).collect()
    }
}
