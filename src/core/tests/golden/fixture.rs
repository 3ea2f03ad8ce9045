//! Comparing examples with the bytes on file.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Checks one example of each variant against the fixture. The list of patterns is a match: a variant without an
/// example does not compile.
macro_rules! golden {
    ($test:ident, $fixture:literal, $type:ty { $($pattern:pat => $example:expr,)+ }) => {
        #[test]
        fn $test() {
            let line = |name: &str, value: $type| {
                match &value {
                    $($pattern => {})+
                }
                ($crate::fixture::tidy(name), value)
            };
            let examples = vec![$({
                let example: $type = $example;
                assert!(matches!(&example, $pattern), "an example under another's name: {example:?}");
                line(stringify!($pattern), example)
            }),+];
            $crate::fixture::compare(include_str!(concat!($fixture, ".hex")), &examples);
        }
    };
}

/// `Command::RegisterNode(_)` as `RegisterNode`.
pub(crate) fn tidy(pattern: &str) -> String {
    let name = pattern.rsplit("::").next().unwrap();
    name.chars()
        .take_while(|letter| letter.is_alphanumeric())
        .collect()
}

pub(crate) fn compare<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    fixture: &str,
    examples: &[(String, T)],
) {
    let config = bincode::config::standard();
    let mut lines = String::new();
    for (name, example) in examples {
        let bytes = bincode::serde::encode_to_vec(example, config).unwrap();
        lines += &format!(
            "{name} {}\n",
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        );
    }
    assert!(
        fixture == lines,
        "what is written now differs from what was; it is\n{lines}"
    );
    for (line, (_, example)) in fixture.lines().zip(examples) {
        let bytes = unhex(line.split_once(' ').unwrap().1);
        let (decoded, length): (T, usize) = bincode::serde::decode_from_slice(&bytes, config).unwrap();
        assert_eq!((&decoded, length), (example, bytes.len()));
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}
