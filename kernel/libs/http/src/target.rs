//! The request target: path and query, decoded.
//!
//! RFC 9112, "Request Target" (3.2), knows four forms. Origin form (`/fib?n=30`) is what clients
//! send; absolute form (`http://host/fib?n=30`) must be understood too. Authority form and `*` belong
//! to CONNECT, which this server answers without looking at the target, and to OPTIONS, which asks about all of it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::limits::Limits;
use crate::status::{Refusal, Status};

const BAD_TARGET: Refusal = Refusal::malformed("the request target is neither a path nor a URL");
const BAD_ESCAPE: Refusal = Refusal::malformed("a percent sign without two hexadecimal digits");
const NOT_TEXT: Refusal = Refusal::malformed("the request target does not decode to text");

/// A target taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The path, percent-decoded; begins with `/`.
    pub(crate) path: String,
    /// How much of it came as it is, in bytes.
    pub(crate) literal_bytes: usize,
    /// The values of the query, decoded, in order; a key without `=` counts as a value.
    pub(crate) arguments: Vec<String>,
}

/// Takes a target in origin or absolute form apart.
pub(crate) fn parse(target: &str) -> Result<Target, Refusal> {
    if target.contains('#') {
        return Err(Refusal::malformed("a fragment in the request target"));
    }
    let target = path_and_query(target)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = if path.is_empty() { "/" } else { path };
    Ok(Target {
        path: decode(path, Plus::IsPlus)?,
        literal_bytes: path.find('%').unwrap_or(path.len()),
        arguments: arguments(query)?,
    })
}

impl Target {
    /// One that is this path, as it is.
    pub(crate) fn of_path(path: &str) -> Self {
        Self {
            path: path.into(),
            literal_bytes: path.len(),
            arguments: Vec::new(),
        }
    }
}

/// The values of a query. Each costs many times its letters, so their number has a limit of its own.
fn arguments(query: &str) -> Result<Vec<String>, Refusal> {
    let mut arguments = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if arguments.len() == Limits::ARGUMENTS {
            let detail = "too many values in the query";
            return Err(Refusal::new(Status::UriTooLong, detail));
        }
        let value = pair.split_once('=').map_or(pair, |(_, value)| value);
        arguments.push(decode(value, Plus::IsSpace)?);
    }
    Ok(arguments)
}

/// Strips scheme and authority from the absolute form.
fn path_and_query(target: &str) -> Result<&str, Refusal> {
    if target.starts_with('/') {
        return Ok(target);
    }
    let (scheme, rest) = target.split_once("://").ok_or(BAD_TARGET)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(BAD_TARGET);
    }
    let authority_bytes = rest.find(['/', '?']).unwrap_or(rest.len());
    if authority_bytes == 0 {
        return Err(BAD_TARGET);
    }
    Ok(&rest[authority_bytes..])
}

/// What a `+` stands for: itself in a path, a blank in a query (as HTML forms encode it).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    IsPlus,
    IsSpace,
}

/// Percent-decodes; the result is text without NUL, as a C string of a function must be.
fn decode(text: &str, plus: Plus) -> Result<String, Refusal> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = bytes.next().and_then(hex_digit).ok_or(BAD_ESCAPE)?;
                let low = bytes.next().and_then(hex_digit).ok_or(BAD_ESCAPE)?;
                high << 4 | low
            }
            b'+' if plus == Plus::IsSpace => b' ',
            other => other,
        });
    }
    if decoded.contains(&0) {
        return Err(NOT_TEXT);
    }
    String::from_utf8(decoded).map_err(|_| NOT_TEXT)
}

/// The value of a hexadecimal digit.
pub(crate) fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn query_values_come_in_order_and_a_lone_key_is_a_value() {
        let target = parse("/fib?n=30&&m=a%20b+c&7&empty=&x=1=2").expect("a good target");
        assert_eq!(target.path, "/fib");
        assert_eq!(target.arguments, vec!["30", "a b c", "7", "", "1=2"]);
    }

    #[test]
    fn a_plus_in_the_path_stays_a_plus() {
        assert_eq!(parse("/a+b%2Fc").expect("a good target").path, "/a+b/c");
    }

    #[test]
    fn the_absolute_form_loses_scheme_and_authority() {
        for (target, path) in [
            ("http://h:80/x?y=1", "/x"),
            ("HTTPS://h?y=1", "/"),
            ("http://h", "/"),
        ] {
            assert_eq!(parse(target).expect("a good target").path, path);
        }
    }

    #[test]
    fn what_does_not_decode_is_refused() {
        for target in [
            "/%",
            "/%4",
            "/%zz",
            "/%00",
            "/?a=%ff",
            "/a#b",
            "fib",
            "*",
            "http:///x",
            "ftp://h/",
        ] {
            assert!(parse(target).is_err(), "{target}");
        }
    }
}
