//! What writers notice when the leader is gone: writes at a steady rate, sent to the others, and the longest time in which
//! none succeeded.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};
use tonic::Status;

use crate::api::{Api, Content, Operation};
use crate::cluster::{Blow, Cluster};
use crate::error::CompareError;
use crate::load::keep_alive;

const BETWEEN_WRITES: Duration = Duration::from_millis(5);
/// How long a writer waits for an answer.
const DEADLINE: Duration = Duration::from_secs(5);
const CONNECTIONS: usize = 4;
const BEFORE: Duration = Duration::from_secs(1);
/// How long is written after the blow.
const AFTER: Duration = Duration::from_secs(5);
/// Followers have heard of the leader often enough, and caches are warm.
const REST: Duration = Duration::from_secs(1);

/// What writers noticed.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    /// Longest time without a success.
    pub(crate) gap: Duration,
    pub(crate) failed: u64,
    pub(crate) last_error: Option<String>,
}

struct Written {
    end: Instant,
    result: Result<(), Status>,
}

/// Strikes the leader while writes go to the others, and measures.
pub(crate) async fn run<A: Api>(cluster: &Cluster<A>, blow: Blow) -> Result<Outage, CompareError> {
    let stock = cluster.settle().await?;
    sleep(REST).await;
    let (leader, _) = cluster.leader().await?;
    let survivors: Vec<_> = cluster
        .all()
        .into_iter()
        .filter(|member| *member != leader)
        .collect();
    let connections: Arc<[A]> = cluster.connections(&survivors, CONNECTIONS).into();
    let mut background = JoinSet::new();
    background.spawn(keep_alive(connections[0].clone()));

    let begin = Instant::now();
    let mut struck = None;
    let mut pace = interval(BETWEEN_WRITES);
    let mut writes = JoinSet::new();
    for turn in 0.. {
        pace.tick().await;
        let now = Instant::now();
        match struck {
            None if now >= begin + BEFORE => {
                cluster.strike(leader, blow)?;
                struck = Some(now);
            }
            Some(struck) if now >= struck + AFTER => break,
            None | Some(_) => {}
        }
        let connection = connections[turn % connections.len()].clone();
        let stock = stock.clone();
        // A client of its own for each write: they do not wait for each other.
        let mut own = Content::new();
        writes.spawn(async move {
            let call = connection.call(Operation::Write, &stock, &mut own);
            let result = timeout(DEADLINE, call)
                .await
                .unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
            Written {
                end: Instant::now(),
                result,
            }
        });
    }
    let mut written = vec![];
    while let Some(write) = writes.join_next().await {
        written.push(write?);
    }
    Ok(evaluate(&written, struck.unwrap_or(begin), Instant::now()))
}

/// The gap around or after the blow; until `end` if nothing succeeded any more.
fn evaluate(written: &[Written], struck: Instant, end: Instant) -> Outage {
    let mut successes: Vec<_> = written
        .iter()
        .filter(|write| write.result.is_ok())
        .map(|write| write.end)
        .collect();
    successes.sort_unstable();
    let after = successes.partition_point(|success| *success <= struck);
    let mut last = after.checked_sub(1).map_or(struck, |before| successes[before]);
    let mut gap = Duration::ZERO;
    let later = &successes[after..];
    for success in later.iter().copied().chain(later.is_empty().then_some(end)) {
        gap = gap.max(success - last);
        last = success;
    }
    let mut failures = written.iter().filter_map(|write| write.result.as_ref().err());
    Outage {
        gap,
        failed: failures.clone().count() as u64,
        last_error: failures
            .next_back()
            .map(|status| format!("{:?}: {}", status.code(), status.message())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use tonic::Status;

    use super::{Written, evaluate};

    fn written(begin: Instant, successes: &[u64], failures: &[u64]) -> Vec<Written> {
        let write = |at: &u64, result| Written {
            end: begin + Duration::from_millis(*at),
            result,
        };
        let failures = failures
            .iter()
            .map(|at| write(at, Err(Status::unavailable("no leader"))));
        successes
            .iter()
            .map(|at| write(at, Ok(())))
            .chain(failures)
            .collect()
    }

    #[test]
    fn the_gap_is_between_the_last_success_before_and_the_first_after() {
        let begin = Instant::now();
        let at = |millisecond| begin + Duration::from_millis(millisecond);
        // Before the blow there is a longer one, which is not its doing.
        let writes = written(begin, &[1000, 0, 1005, 1500, 1505], &[1200, 1300]);
        let outage = evaluate(&writes, at(1010), at(6000));
        assert_eq!((outage.gap, outage.failed), (Duration::from_millis(495), 2));
        let never = evaluate(&written(begin, &[1000], &[]), at(1010), at(6000));
        assert_eq!(never.gap, Duration::from_millis(5000));
    }
}
