//! The head of a request: what is asked, and how its body will come.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem::MaybeUninit;

use httparse::{Error, Header, Request};

use crate::fields;
use crate::limits::Limits;
use crate::status::{Refusal, Status};
use crate::target::{self, Target};

/// A request's method.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are those of RFC 9110, \"Methods\" (9)"
)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    /// Any other token, known to the standard or not; nothing here serves it.
    Other(String),
}

/// The version of the protocol that the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no chunks, one request a connection unless it asks for more.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// What becomes of the connection after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It is kept for another request.
    KeepAlive,
    /// It is closed.
    Close,
}

/// How much body follows the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// None.
    None,
    /// This many bytes, at least one.
    Length(u64),
    /// Chunks until an empty one.
    Chunked,
}

/// What kind of answer the client would like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wants {
    /// It has not asked for HTML.
    #[default]
    Anything,
    /// `Accept` names `text/html`: it is a browser.
    Html,
}

/// A request without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The path, percent-decoded; begins with `/`, except for methods that nothing serves, which
    /// may have other targets and get an empty path, and for `OPTIONS *`, which gets `*`. Dots and repeated slashes are
    /// left as they are.
    pub path: String,
    /// How many bytes of the path came as they are, before the first that was percent-encoded: so far a proxy's rules have
    /// seen the same.
    pub literal_bytes: usize,
    /// The name in `Host` without its port, if it is one that names of the network can lead anywhere with: neither an
    /// address nor `localhost`.
    pub host_name: Option<String>,
    /// The query's values in order, percent- and plus-decoded; a key without `=` is a value.
    pub arguments: Vec<String>,
    /// The version of the client.
    pub version: Version,
    /// What the client wants to become of the connection.
    pub persistence: Persistence,
    /// How much body follows.
    pub content: Content,
    /// `Authorization`, if there is one. Empty if there are several.
    pub authorization: Option<Vec<u8>>,
    /// `luge-route`: what somebody who deploys a function says of its route. Empty if there are several.
    pub route_settings: Option<Vec<u8>>,
    /// What kind of answer the client would like.
    pub wants: Wants,
}

/// A head, and whether the client waits for `100 Continue`.
pub(crate) struct Parsed {
    pub(crate) head: Head,
    pub(crate) expects_continue: bool,
}

/// Parses a whole head, empty line included, that the scanner has let through.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, Refusal> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; Limits::HEADERS];
    let mut request = Request::new(&mut []);
    let status = request
        .parse_with_uninit_headers(bytes, &mut headers)
        .map_err(|error| refusal(error, bytes))?;
    let (Some(method), Some(target), Some(minor), true) = (
        request.method,
        request.path,
        request.version,
        status.is_complete(),
    ) else {
        return Err(Refusal::malformed("the head is incomplete"));
    };
    let method = Method::from_token(method);
    let version = if minor == 0 {
        Version::Http10
    } else {
        Version::Http11
    };
    let fields = fields::read(request.headers, version)?;
    let Target {
        path,
        literal_bytes,
        arguments,
    } = match method {
        Method::Other(_) => Target::of_path(""),
        Method::Options if target == "*" => Target::of_path("*"),
        _ => target::parse(target)?,
    };
    let fields::Fields {
        content,
        persistence,
        expects_continue,
        authorization,
        route_settings,
        wants,
        host_name,
    } = fields;
    let head = Head {
        method,
        path,
        literal_bytes,
        host_name: host_name.map(String::from),
        arguments,
        version,
        persistence,
        content,
        authorization: authorization.map(Vec::from),
        route_settings: route_settings.map(Vec::from),
        wants,
    };
    Ok(Parsed {
        head,
        expects_continue,
    })
}

impl Head {
    /// Whether nothing of the path was percent-encoded.
    pub fn path_is_literal(&self) -> bool {
        self.literal_bytes == self.path.len()
    }
}

impl Method {
    fn from_token(token: &str) -> Self {
        match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            other => Self::Other(String::from(other)),
        }
    }
}

/// What a parser's error means to the client.
fn refusal(error: Error, bytes: &[u8]) -> Refusal {
    match error {
        Error::TooManyHeaders => Refusal::new(
            Status::RequestHeaderFieldsTooLarge,
            "too many header fields",
        ),
        Error::Version if ends_in_version(bytes) => Refusal::new(
            Status::HttpVersionNotSupported,
            "only HTTP/1.0 and HTTP/1.1 are spoken",
        ),
        Error::HeaderName => Refusal::malformed("a header field's name is malformed"),
        Error::HeaderValue => Refusal::malformed("a header field's value is malformed"),
        _ => Refusal::malformed("the request line is malformed"),
    }
}

/// Whether the request line is whole and ends in a version of HTTP, supported or not.
fn ends_in_version(bytes: &[u8]) -> bool {
    let line = bytes
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    matches!((words.next(), words.next()), (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
        if major.is_ascii_digit() && minor.is_ascii_digit())
}
