//! The header fields that a server must understand to frame a request.
//!
//! Everything here follows RFC 9112, "Message Body" (6) and "Connection Management" (9), and RFC
//! 9110, "Host" (7.2) and "Expect" (10.1.1). A request whose length could be read in two ways is
//! refused, whatever the ways are.

use httparse::Header;

use crate::head::{Content, Persistence, Version, Wants};
use crate::status::{Refusal, Status};

/// What the fields of one request say about its framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields<'h> {
    pub(crate) content: Content,
    pub(crate) persistence: Persistence,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    pub(crate) authorization: Option<&'h [u8]>,
    pub(crate) route_settings: Option<&'h [u8]>,
    pub(crate) wants: Wants,
    /// The host, if it is neither an address nor `localhost`.
    pub(crate) host_name: Option<&'h str>,
}

/// Sums of what was seen while going through the fields.
#[derive(Default)]
struct Seen<'h> {
    hosts: usize,
    content_length: Option<u64>,
    codings: usize,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    authorization: Option<&'h [u8]>,
    route_settings: Option<&'h [u8]>,
    wants: Wants,
    host_name: Option<&'h str>,
}

/// Reads the fields of a request of this version.
pub(crate) fn read<'h>(headers: &[Header<'h>], version: Version) -> Result<Fields<'h>, Refusal> {
    let mut seen = Seen::default();
    for header in headers {
        seen.note(header)?;
    }
    if version == Version::Http11 && seen.hosts != 1 {
        return Err(Refusal::malformed("a request needs exactly one Host"));
    }
    Ok(Fields {
        content: seen.content(version)?,
        persistence: match version {
            Version::Http11 if !seen.close => Persistence::KeepAlive,
            Version::Http10 if seen.keep_alive && !seen.close => Persistence::KeepAlive,
            _ => Persistence::Close,
        },
        // RFC 9110, "Expect" (10.1.1): an expectation from an HTTP/1.0 client is ignored.
        expects_continue: seen.expects_continue && version == Version::Http11,
        authorization: seen.authorization,
        route_settings: seen.route_settings,
        wants: seen.wants,
        host_name: seen.host_name,
    })
}

impl<'h> Seen<'h> {
    fn note(&mut self, header: &Header<'h>) -> Result<(), Refusal> {
        // The length tells most fields apart before any letter is compared.
        match header.name.len() {
            4 if header.name.eq_ignore_ascii_case("host") => self.host(header.value),
            6 if header.name.eq_ignore_ascii_case("accept") => {
                self.accept(header.value);
                Ok(())
            }
            6 if header.name.eq_ignore_ascii_case("expect") => self.expect(header.value),
            10 if header.name.eq_ignore_ascii_case("connection") => {
                self.connection(header.value);
                Ok(())
            }
            10 if header.name.eq_ignore_ascii_case("luge-route") => {
                only_one(&mut self.route_settings, header.value);
                Ok(())
            }
            13 if header.name.eq_ignore_ascii_case("authorization") => {
                only_one(&mut self.authorization, header.value);
                Ok(())
            }
            14 if header.name.eq_ignore_ascii_case("content-length") => self.length(header.value),
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                self.transfer_encoding(header.value)
            }
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &'h [u8]) -> Result<(), Refusal> {
        self.hosts += 1;
        let allowed =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte);
        if self.hosts > 1 {
            return Err(Refusal::malformed("more than one Host"));
        }
        if !value.iter().all(allowed) {
            return Err(Refusal::malformed("a Host that cannot be one"));
        }
        self.host_name = host_name(value);
        Ok(())
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::new(
                Status::ExpectationFailed,
                "an expectation that is not known",
            ));
        }
        self.expects_continue = true;
        Ok(())
    }

    /// RFC 9110, "Accept" (12.5.1). Browsers name the type; what else there is does not, or takes anything.
    fn accept(&mut self, value: &[u8]) {
        for range in value.split(|byte| *byte == b',') {
            let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let is_html = parts
                .next()
                .is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"));
            if is_html && !parts.any(is_weight_of_zero) {
                self.wants = Wants::Html;
            }
        }
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Even two equal lengths are refused: nothing sends them for an honest reason.
    fn length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.content_length.is_some() {
            return Err(Refusal::malformed("more than one Content-Length"));
        }
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::malformed("a Content-Length that is not a number"));
        }
        // A number beyond 64 bits is a number, only too large for every limit.
        let add = |sum: u64, digit: &u8| {
            sum.saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        };
        self.content_length = Some(value.iter().fold(0, add));
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for coding in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if coding.is_empty() {
                return Err(Refusal::malformed("an empty transfer coding"));
            }
            if self.codings > 0 {
                // Either `chunked` twice, or not as the last one.
                return Err(Refusal::malformed("a transfer coding after chunked"));
            }
            if !coding.eq_ignore_ascii_case(b"chunked") {
                let detail = "the only transfer coding known here is chunked";
                return Err(Refusal::new(Status::NotImplemented, detail));
            }
            self.codings += 1;
        }
        Ok(())
    }

    /// RFC 9112, "Message Body Length" (6.3).
    fn content(&self, version: Version) -> Result<Content, Refusal> {
        match (self.codings, self.content_length) {
            (0, None) => Ok(Content::None),
            (0, Some(0)) => Ok(Content::None),
            (0, Some(bytes)) => Ok(Content::Length(bytes)),
            (_, Some(_)) => Err(Refusal::malformed(
                "both Transfer-Encoding and Content-Length",
            )),
            (_, None) if version == Version::Http10 => Err(Refusal::malformed(
                "Transfer-Encoding in an HTTP/1.0 request",
            )),
            (_, None) => Ok(Content::Chunked),
        }
    }
}

/// The name in a `Host`, which has a port behind it or not, if it is neither an address nor `localhost` or below that (RFC
/// 6761, "Domain Name Reservation Considerations for localhost" (6.3)): any name of the network may lead here, since
/// whoever owns it says where.
fn host_name(value: &[u8]) -> Option<&str> {
    let name = core::str::from_utf8(value).ok()?;
    if name.starts_with('[') {
        return None;
    }
    let name = name.split(':').next()?;
    let is_address = name
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let top = name.rsplit('.').next()?;
    (!is_address && !top.eq_ignore_ascii_case("localhost")).then_some(name)
}

/// `q=0`, `q=0.000`: not this type. RFC 9110, "Quality Values" (12.4.2).
fn is_weight_of_zero(parameter: &[u8]) -> bool {
    let value = parameter
        .strip_prefix(b"q=")
        .or_else(|| parameter.strip_prefix(b"Q="));
    value.is_some_and(|value| value.starts_with(b"0") && value.iter().all(|b| b"0.".contains(b)))
}

/// Keeps the value of a field, and nothing of it if the field is there twice.
fn only_one<'h>(place: &mut Option<&'h [u8]>, value: &'h [u8]) {
    *place = Some(if place.is_some() { &[] } else { value });
}
