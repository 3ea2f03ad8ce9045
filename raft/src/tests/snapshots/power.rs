//! The power is cut at every moment of receiving and installing a snapshot: what comes back is the old state or the new.

use std::sync::Arc;

use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;

use super::{
    Content, RECEIVER, SENDER, content, digest, fill, give, id_of, open, parts_after, threads, view_of,
};
use crate::disk::Memory;
use crate::machine::SnapshotView;
use crate::tests::power::PowerDisk;
use crate::workers::{Tasks, Workers};

fn tasks() -> Arc<dyn Workers> {
    Arc::new(Tasks::<SimRuntime>::default())
}

/// Receives and installs as far as the power lasts; whether it was said to be installed.
async fn receive_and_install(view: &SnapshotView, disk: &PowerDisk, cut_after: u64) -> bool {
    let receiver = open(disk, RECEIVER, &tasks());
    disk.cut_after(cut_after);
    let Ok(incoming) = receiver.receive(id_of(view)).await else {
        return false;
    };
    let Ok(snapshot) = give(incoming, parts_after(view, None).await).await else {
        return false;
    };
    let header = snapshot.header().unwrap();
    let installed = receiver.install(snapshot, header).await.is_ok();
    // Without power there is nothing to close in order.
    let _ = receiver.close().await;
    installed
}

#[test]
fn the_old_state_or_the_new_one_comes_back_whenever_the_power_is_cut() {
    let (old, new, view) = futures::executor::block_on(async {
        let old = open(&Memory::default(), RECEIVER, &threads());
        fill(&old, 4, 3).await;
        let sender = open(&Memory::default(), SENDER, &threads());
        fill(&sender, 12, 5).await;
        (digest(&old), digest(&sender), view_of(&sender))
    });
    let new_content = content(&view);
    let (mut cut_after, mut olds, mut news, mut unsaid) = (0, 0, 0, 0);
    loop {
        let sent = view.with_workers(tasks());
        let (disk, installed, lasted) = SimRuntime::with_seed(cut_after).block_on(async {
            let disk = PowerDisk::default();
            let receiver = open(&disk, RECEIVER, &tasks());
            fill(&receiver, 4, 3).await;
            receiver.close().await.unwrap();
            drop(receiver);
            let before = disk.changes();
            let installed = receive_and_install(&sent, &disk, cut_after).await;
            let lasted = disk.changes() - before < cut_after;
            (disk, installed, lasted)
        });
        for chance in 0..4 {
            let back = come_back(&disk.cut(cut_after * 4 + chance), &new, &new_content);
            let (is_old, is_new) = (back == old, back == new);
            assert!(is_old || is_new, "cut after {cut_after} changes: a mix, {back}");
            assert!(
                is_new || !installed,
                "cut after {cut_after} changes: said to be installed, and is not"
            );
            olds += u32::from(is_old);
            news += u32::from(is_new);
            unsaid += u32::from(is_new && !installed);
        }
        if lasted {
            break;
        }
        cut_after += 1;
    }
    assert!(
        cut_after > 50 && olds > 100,
        "{cut_after} moments, {olds} times the old state"
    );
    assert!(news > 4, "the new state came back {news} times");
    assert!(
        unsaid > 0 && unsaid < news,
        "{unsaid} times of {news} it was cut between the new name and its being certain"
    );
}

/// What is on the disk that comes back; and the replica goes on from there.
fn come_back(disk: &PowerDisk, new: &str, new_content: &Content) -> String {
    SimRuntime::with_seed(0).block_on(async {
        let store = open(disk, RECEIVER, &tasks());
        let back = digest(&store);
        if back == new {
            assert_eq!(&content(&view_of(&store)), new_content);
        }
        super::apply(&store, crate::tests::support::node("later"));
        store.flush().await.unwrap();
        back
    })
}
