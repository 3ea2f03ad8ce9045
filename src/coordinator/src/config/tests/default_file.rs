use super::super::sections::DatabaseEngine;
use super::super::table::SETTINGS;
use super::setup;

const DEFAULT_FILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/config.yaml"));

#[test]
fn the_default_file_says_what_is_built_in() {
    assert_eq!(setup().yaml(DEFAULT_FILE).config(), setup().config());
}

#[test]
fn the_default_file_leaves_the_environment_its_say() {
    let config = setup()
        .yaml(DEFAULT_FILE)
        .env("DATABASE_URL", "postgres://h/d")
        .config();
    assert_eq!(config.database.engine, DatabaseEngine::Postgres);
}

#[test]
fn the_default_file_shows_every_setting_in_order() {
    let mut rest = DEFAULT_FILE;
    for setting in SETTINGS {
        let (section, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        let indent = if section.is_empty() { "" } else { "  " };
        let (live, commented) = (format!("\n{indent}{name}:"), format!("\n{indent}# {name}:"));
        let position = rest.find(&live).or_else(|| rest.find(&commented));
        let position = position.unwrap_or_else(|| panic!("{} is missing or out of order", setting.key));
        rest = &rest[position + 1..];
    }
}

#[test]
fn the_profiles_of_the_default_file_can_be_applied() {
    for profile in ["dev", "prod"] {
        setup().yaml(DEFAULT_FILE).arg("--profile").arg(profile).config();
    }
}
