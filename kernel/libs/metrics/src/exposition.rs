//! The text format of Prometheus, version 0.0.4 (Prometheus documentation, "Exposition formats", "Text-based
//! format").

use core::fmt::{self, Write};

use crate::Histogram;
use crate::digits::{Digits, Seconds, Value};

/// What an answer in this format is declared to be.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a family's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows, or stays. Its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations by their length.
    Histogram,
}

/// What is written before the samples of a name.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name, with the unit in it where there is one.
    pub name: &'static str,
    /// What its samples are.
    pub kind: Kind,
    /// One sentence for who looks at it.
    pub help: &'static str,
}

/// Labels of a sample: names, which are ours, and values, which can be any text.
pub type Labels<'a> = [(&'static str, &'a str)];

/// Writes families of samples.
pub struct Exposition<W>(W);

impl<W: Write> Exposition<W> {
    /// Into `out`.
    pub const fn new(out: W) -> Self {
        Self(out)
    }

    /// Begins a family. Its samples follow.
    ///
    /// # Errors
    /// Those of the writer, here and below.
    pub fn family(&mut self, family: &Family) -> fmt::Result {
        let Family { name, kind, help } = family;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let parts = [
            "# HELP ",
            name,
            " ",
            help,
            "\n# TYPE ",
            name,
            " ",
            kind,
            "\n",
        ];
        parts.iter().try_for_each(|part| self.0.write_str(part))
    }

    /// A family of one sample without labels.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn single(&mut self, family: &Family, value: impl Into<Value>) -> fmt::Result {
        self.family(family)?;
        self.sample(family, &[], value)
    }

    /// A sample of a family.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn sample(
        &mut self,
        family: &Family,
        labels: &Labels<'_>,
        value: impl Into<Value>,
    ) -> fmt::Result {
        self.line(family.name, "", labels, None, value.into())
    }

    /// The samples that a histogram is.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn histogram(
        &mut self,
        family: &Family,
        labels: &Labels<'_>,
        histogram: &Histogram,
    ) -> fmt::Result {
        // The sum first: what is taken in meanwhile may be missing from it, and never from the count alone.
        let (name, sum_ns, mut all) = (family.name, histogram.sum_ns(), 0);
        for (bound_ns, up_to_it) in histogram.cumulated() {
            self.line(name, "_bucket", labels, Some(bound_ns), up_to_it.into())?;
            all = up_to_it;
        }
        self.line(name, "_sum", labels, None, Seconds(sum_ns).into())?;
        self.line(name, "_count", labels, None, all.into())
    }

    /// `bound_ns` is the bound of a bucket; none in it is the one without end.
    fn line(
        &mut self,
        name: &str,
        suffix: &str,
        labels: &Labels<'_>,
        bound_ns: Option<Option<u64>>,
        value: Value,
    ) -> fmt::Result {
        self.0.write_str(name)?;
        if !suffix.is_empty() {
            self.0.write_str(suffix)?;
        }
        // Most of the text is labels, so they are put together from strings, without formatting.
        let mut before = "{";
        for (label, text) in labels {
            self.0.write_str(before)?;
            self.0.write_str(label)?;
            self.0.write_str("=\"")?;
            self.escaped(text)?;
            before = "\",";
        }
        if let Some(bound_ns) = bound_ns {
            self.0.write_str(before)?;
            match bound_ns {
                Some(ns) => {
                    let mut digits = Digits::new();
                    digits.short_seconds(ns);
                    self.0.write_str("le=\"")?;
                    self.0.write_str(digits.text())?;
                }
                None => self.0.write_str("le=\"+Inf")?,
            }
        }
        let mut end = Digits::new();
        end.put(b'\n');
        end.value(value);
        end.put(b' ');
        if !labels.is_empty() || bound_ns.is_some() {
            end.put(b'}');
            end.put(b'"');
        }
        self.0.write_str(end.text())
    }

    /// A label's value: what would end it, or its line, is escaped.
    fn escaped(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        let is_special = |byte: u8| matches!(byte, b'\\' | b'"' | b'\n');
        while let Some(at) = rest.bytes().position(is_special) {
            self.0.write_str(&rest[..at])?;
            self.0.write_str(match rest.as_bytes()[at] {
                b'\\' => "\\\\",
                b'"' => "\\\"",
                _ => "\\n",
            })?;
            rest = &rest[at + 1..];
        }
        self.0.write_str(rest)
    }
}
