//! Reads the text format as strictly as a scraper, and complains as its linter does.
//!
//! [`read`] takes a text apart or says what is wrong with it, by the rules of the format and those of
//! `promtool check metrics`: help and type before the samples of every name, names and units as they are
//! usual, nothing twice, buckets that add up.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A sample: its name, its labels in their order, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// With `_bucket`, `_sum` or `_count` for those of a histogram.
    pub name: String,
    /// Names and values.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// What a text says.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// The kind of each family, by its name.
    pub kinds: BTreeMap<String, String>,
    /// All samples, in their order.
    pub samples: Vec<Sample>,
}

/// What is wrong, and with which line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The line; the last one for what is wrong with the whole.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// Reads a text.
///
/// # Errors
/// [`Wrong`], the first thing that a scraper or a linter would complain about.
pub fn read(text: &str) -> Result<Scrape, Wrong> {
    let mut reader = Reader::default();
    let lines = text.split_inclusive('\n').count();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let wrong = |why| Wrong { line: number, why };
        let line = line.strip_suffix('\n');
        let line = line.ok_or_else(|| wrong("the last line does not end".into()))?;
        reader.line(line).map_err(wrong)?;
    }
    reader
        .scrape
        .check_histograms()
        .map_err(|why| Wrong { line: lines, why })?;
    Ok(reader.scrape)
}

#[derive(Default)]
struct Reader {
    scrape: Scrape,
    /// The family whose samples may come now.
    family: String,
    has_help: bool,
    has_type: bool,
    helped: BTreeSet<String>,
    seen: BTreeSet<(String, Vec<(String, String)>)>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or("help without words")?;
            return self.help(name, help);
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or("a type without a name")?;
            return self.kind(name, kind);
        }
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        self.sample(parse_sample(line)?)
    }

    fn help(&mut self, name: &str, help: &str) -> Result<(), String> {
        check_name(name)?;
        if help.trim().is_empty() {
            return Err(format!("{name} has no help"));
        }
        if !self.helped.insert(name.to_owned()) {
            return Err(format!("{name} is described a second time"));
        }
        name.clone_into(&mut self.family);
        (self.has_help, self.has_type) = (true, false);
        Ok(())
    }

    fn kind(&mut self, name: &str, kind: &str) -> Result<(), String> {
        if self.family != name || !self.has_help {
            return Err(format!("{name} has a type and no help before it"));
        }
        match (kind, name.ends_with("_total")) {
            ("counter", false) => return Err(format!("{name} is a counter without _total")),
            ("gauge" | "histogram", true) => {
                return Err(format!("{name} is no counter, but _total"));
            }
            ("counter" | "gauge" | "histogram", _) => {}
            _ => return Err(format!("{name} is of no known type: {kind}")),
        }
        self.scrape.kinds.insert(name.to_owned(), kind.to_owned());
        self.has_type = true;
        Ok(())
    }

    fn sample(&mut self, sample: Sample) -> Result<(), String> {
        let kind = self.scrape.kinds.get(&self.family).map(String::as_str);
        let suffix = sample.name.strip_prefix(self.family.as_str());
        let belongs = match kind {
            Some("histogram") => matches!(suffix, Some("_bucket" | "_sum" | "_count")),
            _ => suffix == Some(""),
        };
        if !self.has_type || !belongs {
            return Err(format!(
                "{} is not of the family {}",
                sample.name, self.family
            ));
        }
        if kind != Some("gauge") && (sample.value < 0.0 || !sample.value.is_finite()) {
            return Err(format!("{} counts {}", sample.name, sample.value));
        }
        let mut labels = sample.labels.clone();
        labels.sort();
        if labels.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("{} has a label twice", sample.name));
        }
        if !self.seen.insert((sample.name.clone(), labels)) {
            return Err(format!(
                "{} is there twice: {:?}",
                sample.name, sample.labels
            ));
        }
        self.scrape.samples.push(sample);
        Ok(())
    }
}

/// A name that the format allows, and the linter too.
fn check_name(name: &str) -> Result<(), String> {
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.bytes().all(sound) || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Err(format!("{name:?} is no good name"));
    }
    let units = [
        "milliseconds",
        "microseconds",
        "nanoseconds",
        "ms",
        "us",
        "ns",
        "kilobytes",
        "minutes",
    ];
    let kinds = ["counter", "gauge", "histogram"];
    if let Some(word) = name
        .split('_')
        .find(|word| units.contains(word) || kinds.contains(word))
    {
        return Err(format!(
            "{name} has {word:?} in it: base units and no types are usual"
        ));
    }
    Ok(())
}

/// `NAME{LABEL="VALUE",…} NUMBER`
fn parse_sample(line: &str) -> Result<Sample, String> {
    let end = line.find(['{', ' ']).ok_or("a sample without a value")?;
    let (name, mut rest) = line.split_at(end);
    check_name(name)?;
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = parse_label(rest)?;
            labels.push(label);
            if let Some(end) = after.strip_prefix('}') {
                rest = end;
                break;
            }
            rest = after.strip_prefix(',').ok_or("no comma between labels")?;
        }
    }
    let value = rest.strip_prefix(' ').ok_or("no blank before the value")?;
    let value = value
        .parse()
        .map_err(|_| format!("{value:?} is no number"))?;
    Ok(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// A label with its value, and what follows it.
fn parse_label(text: &str) -> Result<((String, String), &str), String> {
    let (name, rest) = text.split_once("=\"").ok_or("a label without a value")?;
    check_name(name)?;
    let mut value = String::new();
    let mut characters = rest.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok(((name.to_owned(), value), &rest[at + 1..])),
            '\\' => value.push(match characters.next() {
                Some((_, '\\')) => '\\',
                Some((_, '"')) => '"',
                Some((_, 'n')) => '\n',
                _ => return Err("an escape that there is not".into()),
            }),
            _ => value.push(character),
        }
    }
    Err("a label's value that does not end".into())
}

impl Sample {
    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.as_str())
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels
            .iter()
            .all(|(name, value)| self.label(name) == Some(value))
    }

    fn labels_but_le(&self) -> Vec<(String, String)> {
        self.labels
            .iter()
            .filter(|(name, _)| name != "le")
            .cloned()
            .collect()
    }
}

impl Scrape {
    /// The sum of all samples of this name that have these labels; 0 if there is none.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.of(name, labels).map(|sample| sample.value).sum()
    }

    /// All samples of this name that have these labels.
    pub fn of(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.name == name && sample.has(labels))
    }

    /// What counts less here than in an `earlier` scrape, if anything does.
    #[must_use]
    pub fn gone_back_since(&self, earlier: &Self) -> Option<String> {
        let is_gauge = |name: &str| earlier.kinds.get(name).is_some_and(|kind| kind == "gauge");
        earlier
            .samples
            .iter()
            .filter(|sample| !is_gauge(&sample.name))
            .find_map(|before| {
                let same = |now: &&Sample| now.name == before.name && now.labels == before.labels;
                let now = self.samples.iter().find(same).map(|now| now.value);
                let kept = now.is_some_and(|now| now >= before.value);
                (!kept).then(|| format!("{before:?}, and then {now:?}"))
            })
    }

    /// Buckets of a histogram grow, and the last is as much as the count.
    fn check_histograms(&self) -> Result<(), String> {
        let histograms = self.kinds.iter().filter(|(_, kind)| *kind == "histogram");
        for (family, _) in histograms {
            let counts = format!("{family}_count");
            for count in self.samples.iter().filter(|sample| sample.name == counts) {
                self.check_buckets(family, count)?;
            }
            let (buckets, sums) = (format!("{family}_bucket"), format!("{family}_sum"));
            for sample in self
                .samples
                .iter()
                .filter(|s| s.name == buckets || s.name == sums)
            {
                let labels = sample.labels_but_le();
                let counted = self
                    .samples
                    .iter()
                    .any(|s| s.name == counts && s.labels == labels);
                if !counted {
                    return Err(format!("{sample:?} has no count"));
                }
            }
        }
        Ok(())
    }

    fn check_buckets(&self, family: &str, count: &Sample) -> Result<(), String> {
        let name = format!("{family}_bucket");
        let (mut bound, mut so_far) = (f64::NEG_INFINITY, 0.0);
        let of_it = |s: &&Sample| s.name == name && s.labels_but_le() == count.labels;
        for bucket in self.samples.iter().filter(of_it) {
            let next = bucket.label("le").and_then(|le| le.parse().ok());
            let next: f64 = next.ok_or_else(|| format!("{bucket:?} has no bound"))?;
            if next <= bound || bucket.value < so_far {
                return Err(format!("{bucket:?} is not beyond the one before it"));
            }
            (bound, so_far) = (next, bucket.value);
        }
        if bound != f64::INFINITY || so_far != count.value {
            return Err(format!("{count:?} is not what the last bucket has"));
        }
        Ok(())
    }
}
