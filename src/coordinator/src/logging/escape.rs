//! Characters that must not reach a terminal or split a line: whoever names a node could otherwise forge
//! lines.

/// Whether `character` is a control character, a line separator, or changes the direction of the text around
/// it.
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with each unsafe character as `\uXXXX`; all of them have four digits.
pub(crate) fn escape_unsafe(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    escaped
}
