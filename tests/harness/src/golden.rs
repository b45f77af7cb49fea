//! Text that is a contract, kept in files under `tests/scenarios/golden`.
//!
//! What differs from run to run (times, addresses, ports) is replaced by a word before comparing. To take
//! over a wanted change, run the scenario with `LUGE_UPDATE_GOLDEN=1` and read the difference in git.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use similar::{ChangeTag, TextDiff};

/// Compares `actual` with the golden file `name`, after [`normalise`].
///
/// # Errors
/// The differing lines; or the reason why the file cannot be read or written.
pub fn check(name: &str, actual: &str) -> Result<()> {
    let path = directory().join(format!("{name}.txt"));
    let actual = normalise(actual);
    if env::var_os("LUGE_UPDATE_GOLDEN").is_some() {
        return fs::write(&path, actual).with_context(|| format!("writing {}", path.display()));
    }
    let expected =
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    compare(&expected, &actual).with_context(|| format!("differs from {}", path.display()))
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/golden")
}

/// Compares two texts line by line.
///
/// # Errors
/// The lines that differ, `-` before what was expected and `+` before what came.
pub fn compare(expected: &str, actual: &str) -> Result<()> {
    let difference = TextDiff::from_lines(expected, actual);
    let mut report = String::new();
    for change in difference.iter_all_changes() {
        let mark = match change.tag() {
            ChangeTag::Equal => continue,
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        writeln!(report, "{mark} {}", change.value().trim_end())?;
    }
    if report.is_empty() {
        Ok(())
    } else {
        bail!("{report}")
    }
}

/// Replaces what differs from run to run: the time in `[    0.001234 cpu0 …]` and hexadecimal
/// numbers of eight digits or more.
#[must_use]
pub fn normalise(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        out.push_str(&hide_addresses(&hide_time(line)));
        out.push('\n');
    }
    out
}

fn hide_time(line: &str) -> String {
    let rest = line.strip_prefix('[').map(str::trim_start);
    let Some((time, rest)) = rest.and_then(|rest| rest.split_once(' ')) else {
        return line.to_owned();
    };
    if time
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        format!("[TIME {rest}")
    } else {
        line.to_owned()
    }
}

fn hide_addresses(line: &str) -> String {
    let mut parts = line.split("0x");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits >= 8 {
            out.push_str("ADDRESS");
            out.push_str(&part[digits..]);
        } else {
            out.push_str("0x");
            out.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_addresses_do_not_count_and_small_numbers_do() {
        let line = "[    0.001234 cpu0 trap ] vector 0xe at 0xffffffff80001234, exit 3";
        assert_eq!(
            normalise(line),
            "[TIME cpu0 trap ] vector 0xe at ADDRESS, exit 3\n"
        );
    }

    #[test]
    fn a_line_that_differs_is_shown_on_both_sides() {
        let report = compare("same\nold\n", "same\nnew\n")
            .unwrap_err()
            .to_string();
        assert_eq!(report, "- old\n+ new\n");
    }

    #[test]
    fn the_same_text_is_no_difference() {
        compare("one\ntwo\n", "one\ntwo\n").unwrap();
    }
}
