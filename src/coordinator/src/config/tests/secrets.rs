use super::super::{effective_yaml, markdown_table};
use super::setup;

const URL: &str = "postgres://coordinator:hunter2@db.example/zephyrfs";

#[test]
fn a_password_is_in_no_output() {
    let loaded = setup().env("DATABASE_URL", URL).load().unwrap();
    assert_eq!(
        loaded.config.database.url.as_ref().map(|url| url.expose()),
        Some(URL)
    );
    let printed = effective_yaml(&loaded.effective);
    assert!(
        printed.contains("url: \"***\"  # environment variable DATABASE_URL"),
        "{printed}"
    );
    for output in [
        printed,
        markdown_table(),
        format!("{loaded:?} {:#?}", loaded.config),
    ] {
        assert!(!output.contains("hunter2"), "{output}");
    }
}

#[test]
fn a_password_is_in_no_error() {
    let wrong = "mysql://root:hunter2@h/d";
    for setup in [
        setup().env("DATABASE_URL", wrong),
        setup().env("DATABASE_URL", "postgres://u:hunter2@h/d d"),
        setup().arg(&format!("--set=database.url={wrong}")),
        setup().arg(&format!("--set=database.ulr={URL}")),
        setup().arg(&format!("--set={URL}")),
        setup().yaml(&format!("database: {{url: '{wrong}'}}")),
        setup().yaml(&format!("database: {{url: ['{wrong}']}}")),
        setup().yaml(&format!("database: {{ulr: '{wrong}'}}")),
        setup().yaml(&format!("database:\n  url: '{URL}\n  type: postgres\n")),
        setup().yaml(&format!("database:\n  url: {URL}: x\n")),
        setup()
            .yaml("database: {url: 'mysql://${PASSWORD}@h'}")
            .env("PASSWORD", "hunter2"),
        setup()
            .env("DATABASE_URL", URL)
            .arg("--grpc-port=1")
            .arg("--http-port=1"),
    ] {
        let error = setup.load().unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
