//! Turns the names of fields as Rust has them (`node_id`) into those of the logs (`nodeID`).

use std::borrow::Cow;

/// Parts that are written in capitals, with how they are written, unless they come first.
const INITIALISMS: [(&str, &str); 4] = [("id", "ID"), ("ids", "IDs"), ("url", "URL"), ("urls", "URLs")];

/// Keys of every line; a field of the same name gives way.
const RESERVED: [&str; 3] = ["level", "time", "msg"];

/// The key of the field `name`: camelCase, and none that every line has anyway.
pub(crate) fn key(name: &'static str) -> Cow<'static, str> {
    if RESERVED.contains(&name) {
        Cow::Owned(format!("{name}_"))
    } else {
        camel_case(name)
    }
}

fn camel_case(name: &'static str) -> Cow<'static, str> {
    let mut parts = name.split('_').filter(|part| !part.is_empty());
    let (true, Some(first)) = (name.contains('_'), parts.next()) else {
        return Cow::Borrowed(name);
    };
    let mut key = first.to_owned();
    for part in parts {
        match INITIALISMS.iter().find(|(plain, _)| *plain == part) {
            Some((_, capitals)) => key.push_str(capitals),
            None => {
                let mut characters = part.chars();
                key.extend(characters.next().into_iter().flat_map(char::to_uppercase));
                key.push_str(characters.as_str());
            }
        }
    }
    // A name such as `level_` comes out as a reserved one.
    if RESERVED.contains(&key.as_str()) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(key)
    }
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn names_become_camel_case_with_initialisms() {
        for (name, expected) in [
            ("node_id", "nodeID"),
            ("node_ids", "nodeIDs"),
            ("node_id_count", "nodeIDCount"),
            ("id", "id"),
            ("id_of_node", "idOfNode"),
            ("url", "url"),
            ("database_url", "databaseURL"),
            ("storage_capacity", "storageCapacity"),
            ("identity_check", "identityCheck"),
            ("p99_ms", "p99Ms"),
            ("capacity", "capacity"),
            ("nodeID", "nodeID"),
            ("http.status_code", "http.statusCode"),
            ("_leading__double_", "leadingDouble"),
            ("_", "_"),
        ] {
            assert_eq!(key(name), expected);
        }
    }

    #[test]
    fn a_key_is_never_one_that_every_line_has() {
        for (name, expected) in [
            ("level", "level_"),
            ("time", "time_"),
            ("msg", "msg_"),
            ("level_", "level_"),
        ] {
            assert_eq!(key(name), expected);
        }
    }
}
