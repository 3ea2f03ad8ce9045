//! Shows a text from outside in a message: on one line, without control characters, and short.

/// As many characters of a foreign text as a message shows.
const MAX_SHOWN: usize = 100;

/// `text` with control characters escaped, cut after `MAX_SHOWN` characters.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (position, character) in text.chars().enumerate() {
        if position == MAX_SHOWN {
            shown.push('…');
            break;
        }
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn control_characters_are_escaped_and_long_texts_cut() {
        assert_eq!(shown("a\nb\u{1b}[31m ü\u{85}"), "a\\nb\\u{1b}[31m ü\\u{85}");
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), 101);
    }
}
