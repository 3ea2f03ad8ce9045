//! Answers that go on and on.

use std::pin::Pin;

use futures::Stream;
use futures::stream::unfold;
use tonic::Status;
use zephyrfs_proto::coordinator as wire;

use super::status::status;
use crate::service::Watch;

/// What changes, until it ends with a status.
pub(super) type WatchStream = Pin<Box<dyn Stream<Item = Result<wire::WatchEvent, Status>> + Send>>;

/// What a watcher is given, as messages. Asked for one by one, as fast as the connection takes them.
pub(super) fn events(watch: Watch) -> WatchStream {
    Box::pin(unfold(watch, |mut watch| async {
        let event = watch.next().await?.map(wire::WatchEvent::from).map_err(status);
        Some((event, watch))
    }))
}
