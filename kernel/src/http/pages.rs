//! The host's own pages. Functions cannot take their paths.
//!
//! Whether the machine is there can be asked at every port. What tells of all tenants is at the operator's port alone.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write};

use luge_http::{Head, Status, Wants};
use luge_journal::Format;
use luge_metrics::CONTENT_TYPE;

use super::Surroundings;
use crate::functions::{Function, State, Table, loading};
use crate::observe::faults::{self, Faults};
use crate::observe::lists::{Routes, Sandboxes};
use crate::observe::logger::LastLines;
use crate::observe::metrics::Metrics;
use crate::observe::records::LastRecords;
use crate::observe::schedule::Schedule;
use crate::observe::text::{ByFunction, Text};

/// An answer of the host's that is short.
pub(super) struct Page {
    pub(super) status: Status,
    pub(super) content_type: &'static str,
    pub(super) text: String,
}

/// An answer of the host's.
pub(super) enum Found {
    Page(Page),
    /// One that is 200 and may be long, and of what type it is.
    Text(&'static str, Box<dyn Text>),
    /// One for browsers that is always the same, and what they let it do.
    Document {
        html: &'static str,
        policy: &'static str,
    },
}

impl Found {
    /// Whether it says that the page is not for who asks.
    pub(super) fn is_misdirected(&self) -> bool {
        matches!(self, Self::Page(page) if page.status == Status::MisdirectedRequest)
    }
}

/// How many modules are named that are still to be made.
const MOST_NAMED: usize = 16;

const JSON: &str = "application/json";
const CSV: &str = "text/csv; charset=utf-8; header=present";
/// Of pages for people.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The status page.
const STATUS_PAGE: Found = Found::Document {
    html: luge_page::HTML,
    policy: luge_page::POLICY,
};

/// The page that a request to `port` asks for, if there is one of the host's. A path that is percent-encoded names none: a
/// proxy that keeps these pages from others has not seen them in it.
pub(super) fn find(head: &Head, port: u16, around: &Surroundings<'_>) -> Option<Found> {
    if !head.path_is_literal() {
        return None;
    }
    let table = around.table;
    let is_operators = port == around.operator_port;
    let found = match &*head.path {
        "/healthz" => page(Status::Ok, "ok\n"),
        "/readyz" if !loading::is_done() => not_ready(table, is_operators),
        "/readyz" if table.is_empty() => {
            page(Status::ServiceUnavailable, "no function is loaded\n")
        }
        "/readyz" => page(Status::Ok, "ready\n"),
        _ if !is_operators => return None,
        _ => {
            let found = of_operator(head, table, port)?;
            match &head.host_name {
                Some(name) if !around.is_operators_host(name) => misdirected(name),
                _ => found,
            }
        }
    };
    Some(found)
}

/// A site whose name its owner has lead to this machine is the same origin to a browser, which would let it read all.
fn misdirected(name: &str) -> Found {
    let text = format!(
        "these pages are not for browsers that know this machine as {name:.200}: \
         operator_hosts={name:.200} on the kernel's command line would allow it\n"
    );
    page(Status::MisdirectedRequest, &text)
}

/// How many modules are still to be made; for the operator, also which. Those who balance load send nothing here before all
/// functions are there.
fn not_ready(table: &Table, names_them: bool) -> Found {
    let (left, of) = loading::progress();
    let mut text = format!("not ready; modules still to be made: {left} of {of}\n");
    let modules = table.modules().filter(|_| names_them);
    let waiting = modules.filter(|module| matches!(module.state(), State::Waiting | State::Making));
    for module in waiting.take(MOST_NAMED) {
        let _ = writeln!(text, "{}: {}", module.path(), module.state().name());
    }
    page(Status::ServiceUnavailable, &text)
}

/// What tells of all tenants.
fn of_operator(head: &Head, table: &Table, port: u16) -> Option<Found> {
    let found = match &*head.path {
        "/" if head.wants == Wants::Html => STATUS_PAGE,
        "/" if table.is_empty() => page(Status::Ok, "no functions\n"),
        "/" => Found::Text(TEXT, Box::new(ByFunction::new(route))),
        "/trace" => Found::Text(JSON, Box::new(Schedule::now())),
        "/routes.json" => Found::Text(JSON, Box::new(Routes::asked_at(port))),
        "/sandboxes.json" => Found::Text(JSON, Box::new(Sandboxes::new())),
        "/metrics" => Found::Text(CONTENT_TYPE, Box::new(Metrics::default())),
        "/faults" => Found::Text(TEXT, Box::new(Faults::new(faults::Form::Text))),
        "/faults.json" => Found::Text(JSON, Box::new(Faults::new(faults::Form::Json))),
        "/logs" => with_number(head, |most| {
            let most = most.unwrap_or(u64::MAX);
            Found::Text(TEXT, Box::new(LastLines::now(most, Format::Text)))
        }),
        "/logs.json" => with_number(head, |most| {
            let most = most.unwrap_or(u64::MAX);
            Found::Text(JSON, Box::new(LastLines::now(most, Format::Json)))
        }),
        "/records" => with_number(head, |behind| {
            Found::Text(CSV, Box::new(LastRecords::now(behind)))
        }),
        _ => return None,
    };
    Some(found)
}

/// The page for the number that is the query's only value, if there is a query.
fn with_number(head: &Head, found: impl FnOnce(Option<u64>) -> Found) -> Found {
    let number = match &*head.arguments {
        [] => Ok(None),
        [number] => number.parse().map(Some).map_err(|_| ()),
        _ => Err(()),
    };
    match number {
        Ok(number) => found(number),
        Err(()) => page(Status::BadRequest, "the query is one number, or none\n"),
    }
}

/// A short text.
pub(super) fn page(status: Status, text: &str) -> Found {
    Found::Page(Page {
        status,
        content_type: TEXT,
        text: text.into(),
    })
}

/// A line of the route table: port, path, tenant and function; and if it cannot run yet, or not at all, that.
fn route(out: &mut dyn Write, function: &Function) -> fmt::Result {
    let Function {
        port,
        route,
        tenant,
        name,
        ..
    } = function;
    write!(out, ":{port}{route}\t{tenant}\t{name}")?;
    match function.module.state() {
        State::Ready => {}
        State::LeftOut(why) => write!(out, "\tleft out: {why}")?,
        state => write!(out, "\t{}", state.name())?,
    }
    out.write_char('\n')
}
