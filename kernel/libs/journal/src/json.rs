//! Texts as JSON wants them (RFC 8259, "Strings").

use core::fmt::{self, Display, Formatter, Write};

/// A text with its quotes, and with escapes where it needs them.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(pub &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        Escaping(&mut *f).write_str(self.0)?;
        f.write_char('"')
    }
}

/// Writes the inside of such a text to another writer, piece by piece.
///
/// Beside what JSON wants, `<`, `>` and `&` are escaped, so that no piece of a text can be taken for markup,
/// wherever the JSON ends up.
pub struct Escaping<W>(pub W);

impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        let needs = |c: char| c.is_control() || matches!(c, '"' | '\\' | '<' | '>' | '&');
        while let Some(at) = text.find(needs) {
            let (before, rest) = text.split_at(at);
            self.0.write_str(before)?;
            let mut characters = rest.chars();
            match characters.next() {
                Some(c @ ('"' | '\\')) => write!(self.0, "\\{c}")?,
                // All of them are below U+10000, so one unit of UTF-16.
                Some(c) => write!(self.0, "\\u{:04x}", u32::from(c))?,
                None => {}
            }
            text = characters.as_str();
        }
        self.0.write_str(text)
    }
}
