//! How long applying pauses while a snapshot is made, sent, received and installed. Prints figures, and takes minutes:
//! `cargo test --release -p zephyrfs-raft --lib pace -- --ignored --nocapture`, with `FILES=1000000` for another size.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::executor::block_on;

use super::{RECEIVER, SENDER, apply, fill, id_of, open, threads, view_of};
use crate::disk::{DatabaseKind, Disk, Files};
use crate::machine::{Part, SnapshotView, StateStore};
use crate::tests::support::file;

/// Each of them is ten rows.
const CHUNKS: u32 = 8;

/// Applies files as fast as possible, as long as something else lasts.
struct Applying {
    store: Arc<StateStore>,
    next: AtomicU64,
}

impl Applying {
    fn one(&self) -> Duration {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let proposal = file(&format!("file-{number:09}"), CHUNKS);
        let begun = Instant::now();
        apply(&self.store, proposal);
        block_on(self.store.bound_memory()).unwrap();
        begun.elapsed()
    }

    /// Applies while `meanwhile` runs, with a commit every second as in a replica, and prints how it went.
    fn during<T>(&self, what: &str, meanwhile: impl FnOnce() -> T) -> T {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let applying = scope.spawn(|| {
                let mut times = Vec::new();
                let (begun, mut flushed) = (Instant::now(), Instant::now());
                while !done.load(Ordering::Relaxed) {
                    times.push(self.one());
                    if flushed.elapsed() > Duration::from_secs(1) {
                        self.store.flush_soon();
                        flushed = Instant::now();
                    }
                }
                (times, begun.elapsed())
            });
            let result = meanwhile();
            done.store(true, Ordering::Relaxed);
            let (mut times, lasted) = applying.join().unwrap();
            times.sort_unstable();
            let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
            println!(
                "{what}: {:.1} s, {:.0} files/s applied, p50 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms, worst {:.1} ms",
                lasted.as_secs_f64(),
                times.len() as f64 / lasted.as_secs_f64(),
                at(0.5),
                at(0.99),
                at(0.999),
                at(1.0)
            );
            result
        })
    }
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    println!("{what}: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    result
}

/// Reads all parts, not faster than so many a second.
fn read_all(view: &SnapshotView, a_second: Option<u32>) -> (u64, usize) {
    block_on(async {
        let mut parts = view.parts(None).unwrap();
        let (mut bytes, mut count) = (0, 0);
        while let Some(part) = parts.next().await {
            let (Part::Rows(content) | Part::End(content)) = part.unwrap();
            bytes += content.len() as u64;
            count += 1;
            if let Some(a_second) = a_second {
                std::thread::sleep(Duration::from_secs(1) / a_second);
            }
        }
        (bytes, count)
    })
}

/// Sends from one to the other as fast as both can.
fn transfer(view: &SnapshotView, to: &StateStore) -> SnapshotView {
    block_on(async {
        let mut incoming = to.receive(id_of(view)).await.unwrap();
        let mut parts = view.parts(None).unwrap();
        let begun = Instant::now();
        loop {
            match parts.next().await.unwrap().unwrap() {
                Part::Rows(bytes) => incoming.take(bytes).await.unwrap(),
                Part::End(bytes) => {
                    println!("all parts taken: {:.1} s", begun.elapsed().as_secs_f64());
                    let begun = Instant::now();
                    let snapshot = incoming.finish(bytes).await.unwrap();
                    println!("checked and durable: {:.1} s", begun.elapsed().as_secs_f64());
                    return snapshot;
                }
            }
        }
    })
}

#[test]
#[ignore = "prints figures and takes minutes"]
fn pace() {
    let files: u64 = std::env::var("FILES").map_or(300_000, |files| files.parse().unwrap());
    let directory = tempfile::TempDir::new().unwrap();
    let disk = |name: &str| Files::new(directory.path().join(name).join("coordinator.db")).unwrap();
    let sender = open(&disk("sender"), SENDER, &threads());
    block_on(fill(&sender, 0, 0));
    let applying = Applying {
        store: Arc::clone(&sender),
        next: AtomicU64::new(0),
    };
    timed("filling", || (0..files).map(|_| applying.one()).max());
    block_on(sender.flush()).unwrap();
    let rows: u64 = sender.read().rows().unwrap().iter().map(|(_, rows)| rows).sum();
    let size = disk("sender").size(DatabaseKind::State) >> 20;
    println!("{rows} rows in {size} MiB");

    let second = Duration::from_secs(1);
    applying.during("nothing else", || std::thread::sleep(10 * second));
    applying.during("making a snapshot, ten times", || {
        for _ in 0..10 {
            std::thread::sleep(second / 2);
            timed("  a snapshot", || {
                block_on(sender.flush()).unwrap();
                drop(view_of(&sender));
            });
        }
    });
    let view = view_of(&sender);
    let (bytes, parts) = timed("reading all parts, nothing else", || read_all(&view, None));
    println!("{} MiB in {parts} parts", bytes >> 20);
    let view = view_of(&sender);
    applying.during("reading all parts", || read_all(&view, None));
    for a_second in [40, 10] {
        let view = view_of(&sender);
        let what = format!("reading all parts, {a_second} a second");
        applying.during(&what, || read_all(&view, Some(a_second)));
    }
    block_on(sender.flush()).unwrap();

    let view = view_of(&sender);
    let receiver = open(&disk("receiver"), RECEIVER, &threads());
    block_on(fill(&receiver, 1_000, CHUNKS));
    let snapshot = transfer(&view, &receiver);
    let size = disk("receiver").size(DatabaseKind::Incoming) >> 20;
    println!("received into {size} MiB");
    let header = snapshot.header().unwrap();
    timed("installing", || {
        block_on(receiver.install(snapshot, header)).unwrap()
    });
    let snapshot = applying.during("receiving on the same disk", || transfer(&view, &receiver));
    let header = snapshot.header().unwrap();
    timed("installing over a state of the same size", || {
        block_on(receiver.install(snapshot, header)).unwrap();
    });
    timed("closing after it", || block_on(receiver.close()).unwrap());
}
