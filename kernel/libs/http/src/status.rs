//! Status codes, and refusals that carry one.

use core::fmt;

/// A status code that this server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[expect(
    missing_docs,
    reason = "the names are those of RFC 9110, \"Status Codes\" (15), and RFC 4918, \"507 Insufficient Storage\" (11.5)"
)]
pub enum Status {
    Ok = 200,
    Created = 201,
    BadRequest = 400,
    Unauthorized = 401,
    NotFound = 404,
    MethodNotAllowed = 405,
    RequestTimeout = 408,
    ContentTooLarge = 413,
    UriTooLong = 414,
    ExpectationFailed = 417,
    MisdirectedRequest = 421,
    UnprocessableContent = 422,
    TooManyRequests = 429,
    RequestHeaderFieldsTooLarge = 431,
    InternalServerError = 500,
    NotImplemented = 501,
    ServiceUnavailable = 503,
    GatewayTimeout = 504,
    HttpVersionNotSupported = 505,
    InsufficientStorage = 507,
}

impl Status {
    /// The number on the status line.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The words after the number.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Created => "Created",
            Self::BadRequest => "Bad Request",
            Self::Unauthorized => "Unauthorized",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::RequestTimeout => "Request Timeout",
            Self::ContentTooLarge => "Content Too Large",
            Self::UriTooLong => "URI Too Long",
            Self::ExpectationFailed => "Expectation Failed",
            Self::MisdirectedRequest => "Misdirected Request",
            Self::UnprocessableContent => "Unprocessable Content",
            Self::TooManyRequests => "Too Many Requests",
            Self::RequestHeaderFieldsTooLarge => "Request Header Fields Too Large",
            Self::InternalServerError => "Internal Server Error",
            Self::NotImplemented => "Not Implemented",
            Self::ServiceUnavailable => "Service Unavailable",
            Self::GatewayTimeout => "Gateway Timeout",
            Self::HttpVersionNotSupported => "HTTP Version Not Supported",
            Self::InsufficientStorage => "Insufficient Storage",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.code(), self.reason())
    }
}

/// Why a request is not served. The connection is closed after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What to answer.
    pub status: Status,
    /// One sentence for whoever wrote the client, without a full stop.
    pub detail: &'static str,
    /// How many bytes would be taken, if that is why.
    pub most: Option<u64>,
}

impl Refusal {
    /// A refusal with this status and sentence.
    pub const fn new(status: Status, detail: &'static str) -> Self {
        Self {
            status,
            detail,
            most: None,
        }
    }

    /// A body of more bytes than `most`: 413.
    pub const fn body_beyond(most: u64) -> Self {
        Self {
            most: Some(most),
            ..Self::new(Status::ContentTooLarge, "the body is larger than allowed")
        }
    }

    /// A malformed request: 400.
    pub const fn malformed(detail: &'static str) -> Self {
        Self::new(Status::BadRequest, detail)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, detail, .. } = self;
        write!(formatter, "{status}: {detail}")?;
        match self.most {
            Some(most) => write!(formatter, ": {most} bytes are the most"),
            None => Ok(()),
        }
    }
}
