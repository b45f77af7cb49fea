//! An object of the spec whose keys have been checked, with getters that check the values.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::error::{Expected, Found, Place, Problem, SpecError};
use crate::json::{Entry, Kind, Source, Value};
use crate::nearest::nearest;

/// The entries of one object. All keys are known and none is there twice.
pub struct Fields<'s, 'a> {
    /// The text they stand in.
    pub source: &'s Source<'a>,
    /// What the object is.
    pub place: Place,
    /// Where the object begins.
    offset: usize,
    entries: Vec<Entry<'a>>,
}

impl<'s, 'a> Fields<'s, 'a> {
    /// Checks the keys of an object that is at `place`.
    pub fn check(
        source: &'s Source<'a>,
        place: Place,
        offset: usize,
        entries: Vec<Entry<'a>>,
        known: &[&'static str],
    ) -> Result<Self, SpecError> {
        refuse_duplicates(source, &place, &entries)?;
        if let Some(entry) = entries.iter().find(|e| !known.contains(&e.key.as_str())) {
            let nearest = nearest(&entry.key, known);
            let problem = Problem::UnknownKey {
                key: shown(&entry.key),
                place,
                nearest,
            };
            return Err(source.error(entry.offset, problem));
        }
        Ok(Fields {
            source,
            place,
            offset,
            entries,
        })
    }

    /// Where a key stands; the object's beginning if it is not there.
    pub fn offset_of(&self, key: &str) -> usize {
        self.entries
            .iter()
            .find(|e| e.key == key)
            .map_or(self.offset, |e| e.offset)
    }

    /// The value of a key, if it is there.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.entries.iter().find(|e| e.key == key).map(|e| e.value)
    }

    /// The value of a key that must be there.
    pub fn required(&self, key: &'static str) -> Result<Value<'a>, SpecError> {
        self.get(key).ok_or_else(|| {
            self.source.error(
                self.offset,
                Problem::MissingKey {
                    key,
                    place: self.place.clone(),
                },
            )
        })
    }

    /// A text that is not empty and `sound`; `expected` describes such a text.
    pub fn text(
        &self,
        key: &str,
        value: Value<'a>,
        expected: &'static str,
        sound: impl Fn(&str) -> bool,
    ) -> Result<String, SpecError> {
        let bad = || self.bad_value(key, value, Expected::Words(expected));
        if value.kind() != Kind::Text {
            return Err(bad());
        }
        let text = self.source.text(value)?;
        if text.is_empty() || !sound(&text) {
            Err(bad())
        } else {
            Ok(text)
        }
    }

    /// An integer in a range. Fractions and exponents are none, whatever their value.
    pub fn integer(
        &self,
        key: &str,
        value: Value<'a>,
        range: RangeInclusive<u64>,
    ) -> Result<u64, SpecError> {
        let digits = value.kind() == Kind::Number;
        let number = value
            .raw
            .parse()
            .ok()
            .filter(|n| digits && range.contains(n));
        number.ok_or_else(|| {
            self.bad_value(key, value, Expected::Integer(*range.start(), *range.end()))
        })
    }

    /// An integer of 32 bits at most, or what it is when the key is not there.
    pub fn integer_or(
        &self,
        key: &str,
        range: RangeInclusive<u64>,
        default: u32,
    ) -> Result<u32, SpecError> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        let number = self.integer(key, value, range)?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// An integer of 32 bits at most, if the key is there.
    pub fn integer_if_any(
        &self,
        key: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u32>, SpecError> {
        let number = self.bytes_if_any(key, range)?;
        Ok(number.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// A number of bytes, if the key is there.
    pub fn bytes_if_any(
        &self,
        key: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, SpecError> {
        self.get(key)
            .map(|value| self.integer(key, value, range))
            .transpose()
    }

    /// A number of bytes, or what it is when the key is not there.
    pub fn bytes_or(
        &self,
        key: &str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, SpecError> {
        self.get(key)
            .map_or(Ok(default), |value| self.integer(key, value, range))
    }

    /// `true` or `false`, or what it is when the key is not there.
    pub fn boolean_or(&self, key: &str, default: bool) -> Result<bool, SpecError> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        match (value.kind(), value.raw) {
            (Kind::Word, "true") => Ok(true),
            (Kind::Word, "false") => Ok(false),
            _ => Err(self.bad_value(key, value, Expected::Words("true or false"))),
        }
    }

    /// One of some words, as its index, if the key is there.
    pub fn word(
        &self,
        key: &str,
        words: &[&str],
        expected: &'static str,
    ) -> Result<Option<usize>, SpecError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let text = self.text(key, value, expected, |text| words.contains(&text))?;
        Ok(words.iter().position(|word| *word == text))
    }

    /// The error of a value that is not as expected.
    pub fn bad_value(&self, key: &str, value: Value<'a>, expected: Expected) -> SpecError {
        let problem = Problem::BadValue {
            key: key.to_owned(),
            place: self.place.clone(),
            expected,
            found: found(value),
        };
        self.source.error(value.offset, problem)
    }
}

/// How much of a key an error shows, in characters: far more than any known key has.
const SHOWN: usize = 100;

/// A key as an error shows it.
pub fn shown(key: &str) -> String {
    key.chars().take(SHOWN).collect()
}

/// A value as an error shows it.
pub fn found(value: Value<'_>) -> Found {
    Found::new(value.kind(), value.raw)
}

/// Refuses the first key that is there for the second time.
pub fn refuse_duplicates(
    source: &Source<'_>,
    place: &Place,
    entries: &[Entry<'_>],
) -> Result<(), SpecError> {
    for (index, entry) in entries.iter().enumerate() {
        let Some(first) = entries[..index].iter().find(|e| e.key == entry.key) else {
            continue;
        };
        let problem = Problem::DuplicateKey {
            key: shown(&entry.key),
            place: place.clone(),
            first_line: source.position(first.offset).line,
        };
        return Err(source.error(entry.offset, problem));
    }
    Ok(())
}
