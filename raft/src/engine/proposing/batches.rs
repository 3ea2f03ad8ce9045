//! Gathers what is there already into one message, and never waits for more.

use futures::stream::{Stream, StreamExt};
use futures::{FutureExt, stream};

/// A message carries at most so many things, and stops growing at so many bytes.
const MAX_THINGS: usize = 256;
const MAX_BYTES: usize = 1 << 20;

/// The things of a stream in batches: whatever is ready when one is asked for, within bounds.
pub(super) fn batches<S>(things: S, size: impl Fn(&S::Item) -> usize) -> impl Stream<Item = Vec<S::Item>>
where
    S: Stream + Unpin,
{
    stream::unfold((things, size), async |(mut things, size)| {
        let first = things.next().await?;
        let mut bytes = size(&first);
        let mut batch = vec![first];
        while bytes < MAX_BYTES && batch.len() < MAX_THINGS {
            match things.next().now_or_never() {
                Some(Some(thing)) => {
                    bytes += size(&thing);
                    batch.push(thing);
                }
                Some(None) | None => break,
            }
        }
        Some((batch, (things, size)))
    })
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use futures::channel::mpsc;
    use futures::executor::block_on;

    use super::{MAX_BYTES, MAX_THINGS, batches};

    #[test]
    fn what_is_ready_goes_together_within_bounds() {
        let (send, receive) = mpsc::unbounded();
        for number in 0..MAX_THINGS + 1 {
            send.unbounded_send(number).unwrap();
        }
        drop(send);
        let sizes: Vec<usize> = block_on(batches(receive, |_| 1).map(|batch| batch.len()).collect());
        assert_eq!(sizes, [MAX_THINGS, 1]);
        let large = futures::stream::iter(vec![MAX_BYTES, 1, 1]);
        let sizes: Vec<usize> = block_on(batches(large, |size| *size).map(|batch| batch.len()).collect());
        assert_eq!(sizes, [1, 2], "a large one goes alone");
    }
}
