use super::setup;

const FILE: &str = "
grpc: {port: 1}
http: {port: 2}
dev:
  grpc: {port: 3}
prod:
  http: {port: 4}
profiles:
  staging:
    grpc: {port: 5}
    database: {url: '${ONLY_IN_STAGING}'}
";

#[test]
fn a_profile_is_laid_over_the_file_and_only_when_asked_for() {
    let ports = |setup: super::Setup| {
        let config = setup.yaml(FILE).config();
        (config.grpc.port, config.http.port)
    };
    assert_eq!(ports(setup()), (1, 2));
    assert_eq!(ports(setup().arg("--profile").arg("dev")), (3, 2));
    assert_eq!(ports(setup().arg("--profile").arg("prod")), (1, 4));
    let staging = || {
        setup()
            .arg("--profile")
            .arg("staging")
            .env("ONLY_IN_STAGING", "postgres://h/d")
    };
    assert_eq!(ports(staging()), (5, 2));
    assert_eq!(ports(staging().env("GRPC_PORT", "6")), (6, 2));
}

#[test]
fn an_unknown_profile_is_an_error_that_names_the_known_ones() {
    let error = setup().yaml(FILE).arg("--profile").arg("stage").error();
    assert_eq!(
        error,
        "unknown profile `stage`; config.yaml defines: dev, prod, staging"
    );
    let error = setup()
        .yaml("grpc: {port: 1}")
        .arg("--profile")
        .arg("dev")
        .error();
    assert_eq!(error, "unknown profile `dev`; config.yaml defines no profiles");
    let error = setup().arg("--profile").arg("dev").error();
    assert!(
        error.starts_with("unknown profile `dev`; there is no configuration file"),
        "{error}"
    );
}

#[test]
fn keys_are_checked_in_profiles_that_are_not_applied() {
    for (text, key, nearest) in [
        ("dev: {grpc: {prot: 1}}", "dev.grpc.prot", "dev.grpc.port"),
        ("profiles: {x: {grcp: {}}}", "profiles.x.grcp", "profiles.x.grpc"),
        ("prod: {dev: {}}", "prod.dev", "prod."),
    ] {
        let error = setup().yaml(text).error();
        assert!(
            error.starts_with(&format!("config.yaml: unknown key `{key}`")),
            "{error}"
        );
        assert!(
            error.contains(&format!("nearest known one is `{nearest}")),
            "{error}"
        );
    }
}

#[test]
fn a_profile_cannot_be_given_twice() {
    let error = setup().yaml("dev: {}\nprofiles: {dev: {}}").error();
    assert!(
        error.starts_with("config.yaml: profile `dev` is given twice"),
        "{error}"
    );
}

#[test]
fn an_error_in_a_profile_names_it() {
    let error = setup()
        .yaml("dev: {grpc: {port: x}}")
        .arg("--profile=dev")
        .error();
    assert!(
        error.starts_with("config.yaml, profile dev: `grpc.port` must be a port"),
        "{error}"
    );
}
