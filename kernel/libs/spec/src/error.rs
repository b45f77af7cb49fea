//! What can be wrong with a spec, and where it stands.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::json::Kind;
use crate::module_path::PathProblem;

/// Why a spec is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError(Box<(Position, Problem)>);

impl SpecError {
    pub(crate) fn new(position: Position, problem: Problem) -> Self {
        SpecError(Box::new((position, problem)))
    }

    /// Where it stands.
    pub fn position(&self) -> &Position {
        &self.0.0
    }

    /// What is wrong there.
    pub fn problem(&self) -> &Problem {
        &self.0.1
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file's name, as given to the reader.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

/// Which object of the spec is spoken of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A tenant.
    Tenant(Label),
    /// A route and its tenant.
    Route(Label, Box<Place>),
    /// The environment variables of a route.
    Environ(Box<Place>),
}

/// How an element of an array is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// By the name that it gives itself.
    Name(String),
    /// By its number, counted from 1, if it gives none.
    Number(usize),
}

/// One cause of refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The file is not text.
    NotUtf8,
    /// The text is longer than it may be, in bytes.
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// The file is not JSON; what the JSON reader says.
    Syntax(String),
    /// The outermost value is not an array.
    NotAnArray(Found),
    /// There is no tenant, or a tenant has no route.
    Empty(Option<Place>),
    /// An element of an array is not an object.
    NotAnObject(Place, Found),
    /// No such key.
    UnknownKey {
        /// The key as written.
        key: String,
        /// Where it was found.
        place: Place,
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The key is there already.
    DuplicateKey {
        /// The key.
        key: String,
        /// Where it was found.
        place: Place,
        /// The line on which it stands first.
        first_line: usize,
    },
    /// A key that must be there is not.
    MissingKey {
        /// The key.
        key: &'static str,
        /// Where it should be.
        place: Place,
    },
    /// The value has the wrong type or is out of range.
    BadValue {
        /// The key.
        key: String,
        /// Where it was found.
        place: Place,
        /// What the value must be.
        expected: Expected,
        /// What it is.
        found: Found,
    },
    /// The path of a module or a folder leads out of the spec's folder, or nowhere.
    BadPath {
        /// The key.
        key: &'static str,
        /// The route that names it.
        place: Place,
        /// The path as written.
        path: String,
        /// What is wrong with it.
        problem: PathProblem,
    },
    /// Two tenants have the same name.
    DuplicateTenant {
        /// The name.
        name: String,
        /// The line on which it stands first.
        first_line: usize,
    },
    /// Two tenants have the same port.
    DuplicatePort {
        /// The port.
        port: u16,
        /// The tenant that has it already.
        owner: String,
        /// The line on which it stands first.
        first_line: usize,
    },
    /// Two routes of a tenant are the same.
    DuplicateRoute {
        /// The route.
        route: String,
        /// Their tenant.
        tenant: Place,
        /// The line on which it stands first.
        first_line: usize,
    },
    /// The route is one of the host's own pages.
    HostRoute(String),
}

/// What a value must be; reads well after "must be".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A value that words describe.
    Words(&'static str),
    /// An integer between two bounds, both included.
    Integer(u64, u64),
}

/// What was found instead: a value as written, shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    kind: Kind,
    start: String,
    cut: bool,
}

/// How much of a value an error shows, in characters.
const SHOWN: usize = 40;

impl Found {
    /// Keeps the start of a value as written.
    pub(crate) fn new(kind: Kind, raw: &str) -> Self {
        let start: String = raw.chars().take(SHOWN).collect();
        Found {
            kind,
            cut: start.len() < raw.len(),
            start,
        }
    }
}

impl core::error::Error for SpecError {}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position(), self.problem())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tenant(label) => write!(f, "tenant {label}"),
            Place::Route(label, tenant) => write!(f, "route {label} of {tenant}"),
            Place::Environ(route) => write!(f, "\"environ\" of {route}"),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Name(name) => write!(f, "{name:?}"),
            Label::Number(number) => write!(f, "{number}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NotUtf8 => f.write_str("not text in UTF-8"),
            Problem::TooLong { bytes, most } => {
                write!(f, "{bytes} bytes long, and {most} are the most")
            }
            Problem::Syntax(what) => write!(f, "not JSON: {what}"),
            Problem::NotAnArray(found) => {
                write!(f, "the spec must be an array of tenants, not {found}")
            }
            Problem::Empty(None) => f.write_str("the spec has no tenant"),
            Problem::Empty(Some(place)) => write!(f, "{place} has no route"),
            Problem::NotAnObject(place, found) => {
                write!(f, "{place} must be an object, not {found}")
            }
            Problem::UnknownKey {
                key,
                place,
                nearest,
            } => {
                write!(f, "unknown key {key:?} in {place}")?;
                nearest.map_or(Ok(()), |n| write!(f, " (did you mean {n:?}?)"))
            }
            Problem::DuplicateKey {
                key,
                place,
                first_line,
            } => {
                write!(
                    f,
                    "duplicate key {key:?} in {place} (first on line {first_line})"
                )
            }
            Problem::MissingKey { key, place } => write!(f, "{place} has no {key:?}"),
            Problem::BadValue {
                key,
                place,
                expected,
                found,
            } => {
                write!(f, "{key:?} of {place} must be {expected}, not {found}")
            }
            Problem::BadPath {
                key,
                place,
                path,
                problem,
            } => {
                write!(f, "{key:?} of {place}: {path:?} {problem}")
            }
            Problem::DuplicateTenant { name, first_line } => {
                write!(f, "duplicate tenant {name:?} (first on line {first_line})")
            }
            Problem::DuplicatePort {
                port,
                owner,
                first_line,
            } => write!(
                f,
                "port {port} belongs to tenant {owner:?} already (on line {first_line})"
            ),
            Problem::DuplicateRoute {
                route,
                tenant,
                first_line,
            } => {
                write!(
                    f,
                    "duplicate route {route:?} in {tenant} (first on line {first_line})"
                )
            }
            Problem::HostRoute(route) => {
                write!(f, "route {route:?} is one of the host's own pages")
            }
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Words(words) => f.write_str(words),
            Expected::Integer(low, high) => write!(f, "an integer from {low} to {high}"),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Object => f.write_str("an object"),
            Kind::Array => f.write_str("an array"),
            Kind::Text if self.cut => write!(f, "{}…\"", self.start),
            _ if self.cut => write!(f, "{}…", self.start),
            _ => f.write_str(&self.start),
        }
    }
}
