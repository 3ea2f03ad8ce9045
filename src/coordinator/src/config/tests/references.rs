use super::setup;

#[test]
fn values_come_from_the_environment_and_must_still_be_valid() {
    let file = || {
        setup().yaml("grpc: {port: '${PORT}', enable_reflection: '${ON}'}\ncoordinator: {gc_grace: '${N}m'}")
    };
    let config = file().env("PORT", "9").env("ON", "true").env("N", "7").config();
    assert_eq!((config.grpc.port, config.grpc.enable_reflection), (9, true));
    assert_eq!(config.coordinator.gc_grace.as_secs(), 420);
    let error = file().env("PORT", "nine").env("ON", "true").env("N", "7").error();
    assert!(
        error.contains("`grpc.port` must be a port") && error.contains("`nine`"),
        "{error}"
    );
}

#[test]
fn an_unset_variable_is_an_error_that_names_it_and_the_key() {
    let error = setup().yaml("database:\n  path: /x/${WHERE}/y").error();
    assert_eq!(
        error,
        "config.yaml: `database.path` uses ${WHERE}, but the environment variable WHERE is not set; \
         set it or remove the reference"
    );
    let error = setup().yaml("cluster: {peers: [a:1, '${PEER}']}").error();
    assert!(error.contains("`cluster.peers` uses ${PEER}"), "{error}");
}

#[test]
fn a_broken_reference_is_an_error_that_names_the_key() {
    let error = setup()
        .yaml("database: {url: 'postgres://u:${hunter2@h/d'}")
        .error();
    assert!(
        error.starts_with("config.yaml: `database.url` has a `${`"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_variable_cannot_bring_yaml_with_it() {
    let setup = setup().yaml("data_path: ${X}").env("X", "a: {b: c} # \"d\"");
    assert_eq!(setup.config().data_path.to_str(), Some("a: {b: c} # \"d\""));
}

#[test]
fn a_list_in_one_variable_is_still_a_list() {
    for text in ["cluster: {peers: '${P}'}", "cluster: {peers: ['${P}']}"] {
        assert_eq!(
            setup()
                .yaml(text)
                .env("P", "a:1, b:2")
                .config()
                .cluster
                .peers
                .len(),
            2,
            "{text}"
        );
    }
}

#[test]
fn a_profile_that_is_not_applied_needs_no_variables() {
    let file = || setup().yaml("prod: {database: {type: postgres, url: '${DATABASE_URL}'}}");
    assert_eq!(file().config(), setup().config());
    assert!(
        file()
            .arg("--profile=prod")
            .error()
            .contains("DATABASE_URL is not set")
    );
}
