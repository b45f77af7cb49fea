//! JSON one level at a time, with the place where each key and value stands.
//!
//! `serde_json` does the reading. It hands out raw slices of the text, and a slice's address says
//! where in the text it lies; so keys given twice can be seen, and every complaint has a line.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Position, Problem, SpecError};

/// A text and the name of the file it came from.
pub struct Source<'a> {
    file: &'a str,
    text: &'a str,
    most_entries: usize,
}

/// A value somewhere in the text. Its syntax is right.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    /// The value as written.
    pub raw: &'a str,
    /// Where it begins, in bytes from the start of the text.
    pub offset: usize,
}

/// One entry of an object.
pub struct Entry<'a> {
    /// The key, unescaped.
    pub key: String,
    /// Where the key begins.
    pub offset: usize,
    /// What it stands for.
    pub value: Value<'a>,
}

/// What kind of value a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    Text,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Word,
}

impl<'a> Source<'a> {
    /// Checks the whole text's syntax and returns it with its outermost value.
    pub fn open(file: &'a str, bytes: &'a [u8]) -> Result<(Self, Value<'a>), SpecError> {
        let (text, valid) = match core::str::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => ("", Some(error.valid_up_to())),
        };
        let of = |text| Source {
            file,
            text,
            most_entries: usize::MAX,
        };
        let source = of(text);
        if let Some(end) = valid {
            let good = core::str::from_utf8(&bytes[..end]).unwrap_or_default();
            return Err(of(good).error(end, Problem::NotUtf8));
        }
        let root: &RawValue = serde_json::from_str(text).map_err(|e| source.syntax(&e))?;
        let root = source.value(root);
        Ok((source, root))
    }

    /// Takes objects with so many entries at most.
    pub fn with_most_entries(self, most_entries: usize) -> Self {
        Source {
            most_entries,
            ..self
        }
    }

    /// The entries of an object, in order, keys given twice included.
    pub fn entries(&self, object: Value<'a>) -> Result<Vec<Entry<'a>>, SpecError> {
        let broken = |e| self.error(object.offset, Problem::Syntax(describe(&e)));
        let mut reader = serde_json::Deserializer::from_str(object.raw);
        let entries = reader.deserialize_map(Entries(self.most_entries));
        let entries = entries.map_err(broken)?;
        let entry = |(key, value): (&'a RawValue, &'a RawValue)| {
            let key = self.value(key);
            Ok(Entry {
                key: self.text(key)?,
                offset: key.offset,
                value: self.value(value),
            })
        };
        entries.into_iter().map(entry).collect()
    }

    /// The elements of an array, in order.
    pub fn elements(&self, array: Value<'a>) -> Result<Vec<Value<'a>>, SpecError> {
        let broken = |e| self.error(array.offset, Problem::Syntax(describe(&e)));
        let elements: Vec<&'a RawValue> = serde_json::from_str(array.raw).map_err(broken)?;
        Ok(elements.into_iter().map(|e| self.value(e)).collect())
    }

    /// A text without its quotes and escapes. Fails for half of a surrogate pair.
    pub fn text(&self, value: Value<'a>) -> Result<String, SpecError> {
        serde_json::from_str(value.raw)
            .map_err(|e| self.error(value.offset, Problem::Syntax(describe(&e))))
    }

    /// An error at this byte of the text.
    pub fn error(&self, offset: usize, problem: Problem) -> SpecError {
        SpecError::new(self.position(offset), problem)
    }

    /// Line and column of a byte of the text.
    pub fn position(&self, offset: usize) -> Position {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            file: self.file.to_owned(),
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
        }
    }

    /// An error of the reader, which counts lines and bytes in a line from the start of the text.
    fn syntax(&self, error: &serde_json::Error) -> SpecError {
        let lines = self.text.split_inclusive('\n');
        let line_start: usize = lines
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        let offset = line_start + error.column().saturating_sub(1);
        self.error(offset, Problem::Syntax(describe(error)))
    }

    /// Finds out where a slice of the text lies in it.
    fn value(&self, raw: &'a RawValue) -> Value<'a> {
        let raw = raw.get();
        Value {
            raw,
            offset: raw.as_ptr().addr() - self.text.as_ptr().addr(),
        }
    }
}

impl Value<'_> {
    /// What kind of value this is; its first character says so.
    pub fn kind(&self) -> Kind {
        match self.raw.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f' | b'n') => Kind::Word,
            _ => Kind::Number,
        }
    }
}

/// What the reader says, without its own account of the place.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// Reads an object's keys and values as slices of the text; so many at most.
struct Entries(usize);

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(&'de RawValue, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            if entries.len() == self.0 {
                return Err(M::Error::custom(format_args!("more than {} keys", self.0)));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}
