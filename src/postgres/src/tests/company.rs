//! Commands that share a transaction, of which one cannot be done.

use std::time::Duration;

use zephyrfs_core::engine::{Engine as _, EngineError};

use super::support::{PATIENCE, counted, database, eventually, file, register_nodes, sql, start_with};

/// Files that are long in the making: one until it is let go, and one for ever.
const DAWDLE: &str = "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN \
    WHILE NEW.file_id = ''first'' AND NOT EXISTS (SELECT FROM pg_tables WHERE tablename = ''let_go'') LOOP \
    PERFORM pg_sleep(0.01); END LOOP; \
    IF NEW.file_id = ''slow'' THEN PERFORM pg_sleep(600); END IF; RETURN NEW; END'";

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_not_refused_for_the_company_it_was_in() {
    let url = database("company");
    let (mut own, counts) = counted(&url, "one");
    // One worker, which is busy while the others wait together.
    own.max_connections = 4;
    own.statement_timeout = Duration::from_secs(5);
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    sql("company", DAWDLE);
    sql(
        "company",
        "CREATE TRIGGER dawdle BEFORE INSERT ON files FOR EACH ROW EXECUTE FUNCTION dawdle()",
    );
    let working = std::sync::Arc::clone(&engine);
    let first = tokio::spawn(async move { working.execute(file("first", 1), PATIENCE).await });
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'company' AND wait_event = 'PgSleep'";
    eventually("the worker is busy", || sql("company", busy) == "1").await;
    let mut slow = engine.execute(file("slow", 1), PATIENCE);
    let mut good = engine.execute(file("good", 1), PATIENCE);
    // Asked once, each is in the queue.
    tokio::select! {
        biased;
        early = &mut slow => panic!("{early:?}"),
        early = &mut good => panic!("{early:?}"),
        () = std::future::ready(()) => {}
    }
    sql("company", "CREATE TABLE let_go ()");
    first.await.unwrap().unwrap();
    let (slow, good) = tokio::join!(slow, good);
    good.unwrap();
    assert!(
        matches!(&slow, Err(EngineError::Unavailable { reason }) if reason.contains("database.statement_timeout")),
        "{slow:?}"
    );
    assert_eq!(counts.company(), 2, "both were tried again by themselves");
    engine.stop().await;
}
