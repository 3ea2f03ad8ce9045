//! The engine under the deterministic simulator: the same code with another runtime, and a disk that loses its power.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;
use zephyrfs_core::engine::{Consistency, Engine, Freshness};
use zephyrfs_core::id::FileId;
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{Dumper, ReadSet};

use super::power::PowerDisk;
use super::support::{PATIENCE, file, node, options, timing};
use crate::disk::Disk;
use crate::engine::{Options, RaftEngine};
use crate::workers::Tasks;

type SimEngine<D> = Arc<RaftEngine<SimRuntime, D>>;

async fn start<D: Disk>(disk: D) -> SimEngine<D> {
    let mut timing = timing();
    timing.flush = Duration::from_millis(7);
    timing.snapshot_every = 40;
    let options: Options<D> = Options {
        workers: Arc::new(Tasks::<SimRuntime>::default()),
        clock: Arc::new(|| Timestamp::from_millis(1)),
        ..options(disk, timing)
    };
    let engine = RaftEngine::start(options).await.unwrap();
    engine.recovered().await.unwrap();
    engine
}

async fn register_nodes<D: Disk>(engine: &SimEngine<D>) {
    for id in ["n1", "n2", "n3"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
}

/// Runs a small history and gives what everything came to.
fn history(seed: u64) -> String {
    let mut runtime = SimRuntime::with_seed(seed);
    runtime.block_on(async {
        let engine = start(PowerDisk::default()).await;
        register_nodes(&engine).await;
        for number in 0..60 {
            engine
                .execute(file(&format!("f{number}"), 3), PATIENCE)
                .await
                .unwrap();
        }
        let mut dumper = Dumper::default();
        let index = engine.dump(&mut |row| dumper.add(&row).is_ok()).await.unwrap();
        let status = engine.status();
        engine.stop().await.unwrap();
        format!(
            "{index} {} {} {}",
            status.cluster_id,
            dumper.rows(),
            dumper.digest()
        )
    })
}

#[test]
fn the_same_seed_makes_the_same_history() {
    assert_eq!(history(7), history(7));
    assert_ne!(
        history(7),
        history(8),
        "the seed decides at least who the replica is"
    );
}

#[test]
fn no_acknowledged_write_is_lost_when_the_power_is_cut() {
    for seed in 0..40 {
        let mut runtime = SimRuntime::with_seed(seed);
        runtime.block_on(cut_and_look(seed));
    }
}

/// Three lives of one replica, each ended by a cut at a moment that the seed decides.
async fn cut_and_look(seed: u64) {
    let mut disk = PowerDisk::default();
    let mut acknowledged: Vec<String> = Vec::new();
    for life in 0..3_u64 {
        let engine = start(disk.clone()).await;
        assert_present(&engine, &acknowledged, seed).await;
        if life == 0 {
            register_nodes(&engine).await;
        }
        let done = Arc::new(Mutex::new(Vec::new()));
        for writer in 0..4 {
            drop(SimRuntime::spawn(write_until_refused(
                Arc::clone(&engine),
                Arc::clone(&done),
                life,
                writer,
            )));
        }
        // Virtual time: from a cut in the first milliseconds to one after many commits.
        SimRuntime::sleep(Duration::from_millis(seed * 7 % 50 + life)).await;
        disk = disk.cut(seed * 3 + life);
        // What was acknowledged before the cut, and not a moment later.
        acknowledged.append(&mut done.lock().unwrap());
        // Nothing works any more; what cannot be written is an error that a stop reports.
        let _ = engine.stop().await;
    }
    let engine = start(disk).await;
    assert_present(&engine, &acknowledged, seed).await;
    assert!(
        !acknowledged.is_empty(),
        "seed {seed}: nothing was written at all"
    );
    engine.stop().await.unwrap();
}

async fn write_until_refused(
    engine: SimEngine<PowerDisk>,
    done: Arc<Mutex<Vec<String>>>,
    life: u64,
    writer: usize,
) {
    for number in 0..400 {
        let id = format!("f-{life}-{writer}-{number}");
        if engine.execute(file(&id, 2), PATIENCE).await.is_err() {
            return;
        }
        done.lock().unwrap().push(id);
        // A simulated disk takes no time, so the writers take some.
        SimRuntime::sleep(Duration::from_micros(500)).await;
    }
}

async fn assert_present(engine: &SimEngine<PowerDisk>, acknowledged: &[String], seed: u64) {
    let files: Vec<FileId> = acknowledged.iter().map(|id| FileId::from(id.as_str())).collect();
    let fresh = Freshness {
        consistency: Consistency::Linearizable,
        ..Freshness::default()
    };
    let view = engine
        .view(
            ReadSet {
                files: files.clone(),
                ..ReadSet::default()
            },
            fresh,
        )
        .await
        .unwrap();
    for id in &files {
        assert!(
            view.value.files.contains_key(id),
            "seed {seed}: {id} was acknowledged and is gone"
        );
    }
}
