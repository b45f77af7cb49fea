//! The host's own pages. Functions cannot take their paths.
//!
//! Whether the machine is there can be asked at every port. What tells of all tenants is at the operator's port alone.

use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write};

use luge_http::Status;
use luge_metrics::CONTENT_TYPE;
use luge_trace::Trace;

use crate::functions::Table;
use crate::observe::metrics;
use crate::sched::trace;

/// An answer of the host's.
pub(super) struct Page {
    pub(super) status: Status,
    pub(super) content_type: &'static str,
    pub(super) text: String,
}

/// Of pages for people.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The page at this path, if there is one of the host's. `is_operator` is whether it was asked for at the operator's port.
pub(super) fn find(path: &str, table: &Table, is_operator: bool) -> Option<Page> {
    let page = |status, text: &str| {
        Some(Page {
            status,
            content_type: TEXT,
            text: text.into(),
        })
    };
    match path {
        "/healthz" => page(Status::Ok, "ok\n"),
        "/readyz" if table.is_empty() => {
            page(Status::ServiceUnavailable, "no function is loaded\n")
        }
        "/readyz" => page(Status::Ok, "ready\n"),
        _ if !is_operator => None,
        "/" => match routes(table) {
            Some(text) => Some(Page {
                status: Status::Ok,
                content_type: TEXT,
                text,
            }),
            None => page(Status::ServiceUnavailable, "no memory for the list\n"),
        },
        "/trace" => match trace(table) {
            Some(text) => Some(Page {
                status: Status::Ok,
                content_type: "application/json",
                text,
            }),
            None => page(Status::ServiceUnavailable, "no memory for the trace\n"),
        },
        "/metrics" => match metrics(table) {
            Some(text) => Some(Page {
                status: Status::Ok,
                content_type: CONTENT_TYPE,
                text,
            }),
            None => page(Status::ServiceUnavailable, "no memory for the metrics\n"),
        },
        "/faults" | "/records" | "/logs" => Some(Page {
            status: Status::NotImplemented,
            content_type: TEXT,
            text: format!("{path} belongs to the host and is not there yet\n"),
        }),
        _ => None,
    }
}

/// What happened to the last requests, for viewers of traces. None without memory for it.
fn trace(table: &Table) -> Option<String> {
    let ring = trace::ring();
    let names = |route| table.name_of(route);
    let mut text = Careful(String::new());
    write!(text, "{}", Trace::new(&ring, names)).ok()?;
    Some(text.0)
}

/// What was counted, for Prometheus. None without memory for it.
fn metrics(table: &Table) -> Option<String> {
    let mut text = Careful(String::new());
    metrics::write(&mut text, table).ok()?;
    Some(text.0)
}

/// A text that ends, with an error, where memory does.
pub(super) struct Careful(pub(super) String);

impl Write for Careful {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.0.try_reserve(more.len()).map_err(|_| fmt::Error)?;
        self.0.push_str(more);
        Ok(())
    }
}

/// The route table: port, path, tenant and function, a line each. None without memory for it.
fn routes(table: &Table) -> Option<String> {
    let mut text = String::new();
    for function in table.functions() {
        let words = [&*function.route, &*function.tenant, &*function.name];
        let bytes: usize = words.map(str::len).iter().sum();
        text.try_reserve(bytes + ":65535\t\t\n".len()).ok()?;
        let line = writeln!(
            text,
            ":{}{}\t{}\t{}",
            function.port, function.route, function.tenant, function.name
        );
        line.expect("writing to a string does not fail");
    }
    if text.is_empty() {
        text.push_str("no functions\n");
    }
    Some(text)
}
