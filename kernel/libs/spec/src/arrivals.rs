//! The list of requests that `replay` on the command line plays: `arrivals.txt`.
//!
//! A line is a client: `START_US TIMES ROUTE ARGUMENT…`, with blanks between them. From `START_US`
//! microseconds after the beginning on it sends so many requests for the route, each when the one before has
//! been answered. Empty lines and those that begin with `#` say nothing.
//!
//! ```text
//! # 100 clients would be as many such lines
//! 0 20 /fib 10
//! 1500 1 /fib 25
//! ```

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Name of the list in the top folder of a disk.
pub const ARRIVALS_FILE: &str = "arrivals.txt";

/// The longest list that is read, in bytes.
pub const LARGEST_ARRIVALS: u64 = 4 << 20;

/// A client of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it sends its first request, in microseconds after the beginning.
    pub start_us: u64,
    /// How many requests it sends, one after the other.
    pub times: u32,
    /// The path of the route.
    pub route: String,
    /// What stands behind.
    pub arguments: Vec<String>,
}

/// A line that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What was expected.
    pub expected: &'static str,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{ARRIVALS_FILE}:{}: expected {}",
            self.line, self.expected
        )
    }
}

/// Reads a list.
///
/// # Errors
/// The first line that is none.
pub fn parse_arrivals(text: &str) -> Result<Vec<Arrival>, BadLine> {
    let lines = text.lines().enumerate();
    let meant = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let read = |(index, line)| {
        arrival(line).map_err(|expected| BadLine {
            line: index + 1,
            expected,
        })
    };
    meant.map(read).collect()
}

fn arrival(line: &str) -> Result<Arrival, &'static str> {
    let mut words = line.split_ascii_whitespace();
    let start = words.next().and_then(|word| word.parse().ok());
    let times = words.next().and_then(|word| word.parse().ok());
    let route = words.next().filter(|word| word.starts_with('/'));
    Ok(Arrival {
        start_us: start.ok_or("microseconds")?,
        times: times
            .filter(|times| *times > 0)
            .ok_or("a number of requests, 1 or more")?,
        route: route.ok_or("a route, from \"/\" on")?.to_owned(),
        arguments: words.map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    #[test]
    fn a_line_is_a_client() {
        let list = parse_arrivals("# two\n\n0 20 /fib 10 x\r\n1500 1 /empty\n").expect("a list");
        let fib = Arrival {
            start_us: 0,
            times: 20,
            route: "/fib".into(),
            arguments: vec!["10".into(), "x".into()],
        };
        let empty = Arrival {
            start_us: 1500,
            times: 1,
            route: "/empty".into(),
            arguments: vec![],
        };
        assert_eq!(list, [fib, empty]);
    }

    #[test]
    fn a_bad_line_is_named_with_what_was_expected() {
        let said = |text: &str| parse_arrivals(text).expect_err(text).to_string();
        assert_eq!(
            said("0 1 /a\n-1 1 /a"),
            "arrivals.txt:2: expected microseconds"
        );
        assert_eq!(
            said("0 0 /a"),
            "arrivals.txt:1: expected a number of requests, 1 or more"
        );
        assert_eq!(
            said("0 1 fib"),
            "arrivals.txt:1: expected a route, from \"/\" on"
        );
        assert_eq!(
            said("0"),
            "arrivals.txt:1: expected a number of requests, 1 or more"
        );
    }
}
