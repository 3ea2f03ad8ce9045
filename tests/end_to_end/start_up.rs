//! What a start that cannot succeed says, and how it ends.

use std::path::Path;

use redb::ReadableDatabase as _;
use tempfile::TempDir;
use zephyrfs_tests::{Ended, TestNode, run_to_end};

const FREE_PORTS: [(&str, &str); 4] = [
    ("GRPC_PORT", "0"),
    ("HTTP_PORT", "0"),
    ("METRICS_PORT", "0"),
    ("LOG_FORMAT", "json"),
];

async fn start(data: &Path, more: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let data = data.display().to_string();
    let mut environment = FREE_PORTS.to_vec();
    environment.push(("DATA_PATH", &data));
    environment.extend(more);
    run_to_end("coordinator", arguments, &environment).await
}

fn assert_fails(ended: &Ended, words: &[&str]) {
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    for word in words {
        assert!(
            ended.stderr.contains(word),
            "{word:?} is missing in:\n{}",
            ended.stderr
        );
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named() {
    let directory = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (variable, key) in [
        ("GRPC_PORT", "grpc.port"),
        ("HTTP_PORT", "http.port"),
        ("METRICS_PORT", "metrics_port"),
    ] {
        let ended = start(directory.path(), &[(variable, &port)], &[]).await;
        assert_fails(&ended, &[key, &port, "already in use", variable]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_data_is_refused_in_the_words_that_operators_look_for() {
    for file in ["coordinator.db", "coordinator.log.db"] {
        let mut node = TestNode::start().await;
        node.register_nodes(20).await;
        assert_eq!(node.stop().await, Some(0));
        let path = node.data().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        // All but the header, which says what kind of file it is.
        bytes.iter_mut().skip(4_096).for_each(|byte| *byte ^= 0x5a);
        std::fs::write(&path, bytes).unwrap();
        let ended = start(node.data(), &[], &[]).await;
        assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert!(last.contains("\"level\":\"error\""), "{}", ended.stderr);
        assert!(last.contains("failed to open database: "), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_another_process_uses_is_refused() {
    let mut node = TestNode::start().await;
    let ended = start(node.data(), &[], &[]).await;
    assert_fails(
        &ended,
        &["failed to open database", "is locked", "another coordinator"],
    );
    assert_eq!(
        node.stop().await,
        Some(0),
        "the one that runs must not be disturbed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_cannot_be_made_is_named() {
    let directory = TempDir::new().unwrap();
    let blocked = directory.path().join("file");
    std::fs::write(&blocked, "in the way").unwrap();
    let ended = start(&blocked.join("data"), &[], &[]).await;
    assert_fails(
        &ended,
        &[
            "failed to open database",
            "create the data directory",
            "file/data",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_file_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("coordinator.db");
    let mut bbolt = vec![0_u8; 16_384];
    bbolt[16..20].copy_from_slice(&0xED0C_DAED_u32.to_le_bytes());
    std::fs::write(&path, &bbolt).unwrap();
    let ended = start(directory.path(), &[], &[]).await;
    assert_fails(
        &ended,
        &[
            "failed to open database",
            "coordinator.db",
            "bbolt",
            "move it out of the way",
        ],
    );
    assert_eq!(std::fs::read(&path).unwrap(), bbolt);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_another_program_is_refused_and_left_alone() {
    let data = TempDir::new().unwrap();
    let path = data.path().join("coordinator.db");
    let database = redb::Database::create(&path).unwrap();
    let table = redb::TableDefinition::<u64, u64>::new("theirs");
    let transaction = database.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let ended = start(data.path(), &[], &[]).await;
    assert_fails(
        &ended,
        &[
            "failed to open database",
            "coordinator.db is not a coordinator database",
            "another program",
        ],
    );
    let database = redb::Database::open(&path).unwrap();
    let tables = database.begin_read().unwrap().list_tables().unwrap().count();
    assert_eq!(tables, 1, "nothing was written into it");
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_errors_name_the_key_and_what_is_meant() {
    let directory = TempDir::new().unwrap();
    let config = directory.path().join("broken.yaml");
    let path = config.display().to_string();
    for (content, words) in [
        ("grpc:\n  prot: 1\n", ["grpc.prot", "grpc.port"]),
        ("grpc: {port: x}\n", ["grpc.port", "x"]),
        (
            "database:\n  url: ${NO_SUCH_VARIABLE}\n",
            ["NO_SUCH_VARIABLE", "database.url"],
        ),
        ("grpc: [\n", ["broken.yaml", "line"]),
    ] {
        std::fs::write(&config, content).unwrap();
        for flag in ["-config", "--config"] {
            let ended = start(directory.path(), &[], &[flag, &path]).await;
            assert_fails(&ended, &words);
        }
    }
    let ended = start(directory.path(), &[], &["--config", "/no/such/file.yaml"]).await;
    assert_fails(&ended, &["/no/such/file.yaml"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_nothing_is_acknowledged_that_is_not_kept() {
    let Some(small) = SmallDisk::mount().await else {
        return;
    };
    let mut node = TestNode::start_at(small.path()).await;
    node.register_nodes(3).await;
    let mut acknowledged = Vec::new();
    let body = |id: &str| {
        serde_json::json!({"file_id": id, "file_name": "x".repeat(3_000), "file_size": 1, "file_hash": "h",
            "chunks": [{"chunk_id": id, "hash": "h", "size": 1, "index": 0}]})
    };
    for number in 0.. {
        let id = format!("f{number}");
        match node
            .rest()
            .send("POST", "/api/v1/files/register", Some(&body(&id)))
            .await
        {
            Ok(answer) if answer.status == 201 => acknowledged.push(id),
            Ok(answer) => assert!(answer.status >= 500, "{answer:?}"),
            Err(_) => break,
        }
        assert!(number < 100_000, "the disk never fills");
    }
    assert_ne!(node.ended().await, Some(0));
    assert!(
        node.log().join("\n").contains("No space left on device"),
        "{:?}",
        node.log()
    );
    small.make_larger().await;
    node.start_again().await;
    for id in &acknowledged {
        let answer = node.rest().get(&format!("/api/v1/files/{id}")).await;
        assert_eq!(answer.status, 200, "{id} was acknowledged and is gone");
    }
    assert!(acknowledged.len() > 10, "only {} writes fit", acknowledged.len());
    assert_eq!(node.stop().await, Some(0));
}

/// A file system of a few megabytes in memory. Needs root; without it the test is told apart by `mount` returning `None`.
struct SmallDisk {
    at: TempDir,
}

impl SmallDisk {
    async fn mount() -> Option<Self> {
        let at = TempDir::new().unwrap();
        let disk = Self { at };
        if disk
            .run("mount", &["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
            .await
        {
            return Some(disk);
        }
        // Only root may mount; a developer without it still has the run in CI.
        assert!(
            std::env::var_os("CI").is_none(),
            "CI must be able to mount a small file system"
        );
        None
    }

    fn path(&self) -> &Path {
        self.at.path()
    }

    async fn make_larger(&self) {
        assert!(self.run("mount", &["-o", "remount,size=200m"]).await);
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let status = tokio::process::Command::new(program)
            .args(arguments)
            .arg(self.at.path())
            .status()
            .await;
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The directory is removed next, which needs the mount gone.
        let _ = std::process::Command::new("umount")
            .arg("--lazy")
            .arg(self.at.path())
            .status();
    }
}
