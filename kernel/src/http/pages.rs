//! The host's own pages. Functions cannot take their paths.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use luge_http::Status;

use crate::functions::Table;

/// An answer of the host's.
pub(super) struct Page {
    pub(super) status: Status,
    pub(super) text: String,
}

/// The page at this path, if it belongs to the host.
pub(super) fn find(path: &str, table: &Table) -> Option<Page> {
    let page = |status, text: &str| {
        Some(Page {
            status,
            text: text.into(),
        })
    };
    match path {
        "/healthz" => page(Status::Ok, "ok\n"),
        "/readyz" if table.is_empty() => {
            page(Status::ServiceUnavailable, "no function is loaded\n")
        }
        "/readyz" => page(Status::Ok, "ready\n"),
        "/" => match routes(table) {
            Some(text) => Some(Page {
                status: Status::Ok,
                text,
            }),
            None => page(Status::ServiceUnavailable, "no memory for the list\n"),
        },
        "/metrics" | "/trace" | "/faults" | "/records" | "/logs" => Some(Page {
            status: Status::NotImplemented,
            text: format!("{path} belongs to the host and is not there yet\n"),
        }),
        _ => None,
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
