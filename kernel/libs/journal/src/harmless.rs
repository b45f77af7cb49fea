//! What guests say, as text that harms nobody who looks at it.

use core::fmt::{self, Display, Formatter, Write};

/// Bytes of a guest as text that moves no cursor, sets no colour and turns no line around: control characters are
/// escaped, and so is what is not UTF-8.
#[derive(Clone, Copy, Debug)]
pub struct Harmless<'a>(pub &'a [u8]);

impl Display for Harmless<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            HarmlessWriter(f).write_str(chunk.valid())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Writes text on as [`Harmless`] does, for whatever is formatted.
pub struct HarmlessWriter<'a>(pub &'a mut dyn Write);

impl Write for HarmlessWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|character| !is_harmless(character)) {
            let (before, from) = rest.split_at(at);
            self.0.write_str(before)?;
            let mut letters = from.chars();
            for character in letters.next().into_iter().flat_map(char::escape_unicode) {
                self.0.write_char(character)?;
            }
            rest = letters.as_str();
        }
        self.0.write_str(rest)
    }
}

/// Those that are not: control characters, but for tabs; what begins a line in some programs (UAX #14, "BK");
/// and what changes the direction of the text around it (UAX #9, "Directional Formatting Characters").
fn is_harmless(character: char) -> bool {
    match character {
        '\t' => true,
        '\u{2028}' | '\u{2029}' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
        _ => !character.is_control(),
    }
}
