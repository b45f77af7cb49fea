//! Changing what is deployed while the machine runs.
//!
//! A change makes a new table, and from then on whoever looks finds that. Requests that were looked up
//! before keep their function, and with it their program, to their end; the last of them lets it go.

use alloc::sync::Arc;
use core::fmt;

use log::info;
use luge_spec::Route;

use super::{Entry, Function, LOG, TABLE, Table, place, table, terms};
use crate::sandbox::Workload;
use crate::sched::admission;

/// Routes that there may ever be: of the disk and deployed, also those that were removed again.
const MOST_ROUTES: usize = 4096;

/// What a deployment was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There was no function.
    Added,
    /// There was another one.
    Replaced,
}

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDeployed {
    /// No tenant listens at the port.
    NoTenant(u16),
    /// There are and were as many routes as there may be.
    TooMany,
    /// There is no function to remove.
    NoSuchFunction,
}

/// Lets `program`, of a module of so many bytes, be what answers for `route` at `port` from now on. Without
/// `settings`, those of the function before it stay, or there are none.
///
/// # Errors
/// [`NotDeployed`]; nothing has changed then.
pub fn deploy(
    port: u16,
    path: &str,
    settings: Option<Route>,
    program: Arc<dyn Workload>,
    bytes: usize,
) -> Result<Change, NotDeployed> {
    let old = table();
    let owner = old.owner_of(port).ok_or(NotDeployed::NoTenant(port))?;
    let before = old.lookup(port, path);
    let known = old.place_of(port, path).map(|at| old.entries[at].id);
    if known.is_none() && old.entries.len() >= MOST_ROUTES {
        return Err(NotDeployed::TooMany);
    }
    let mut function = match (settings, before) {
        (None, Some(before)) => {
            admission::change_route(before.id, before.terms);
            Function::clone(before)
        }
        (settings, before) => {
            let route = settings.unwrap_or_else(|| Route::uploaded(path));
            let terms = terms(owner.id, &route);
            let id = match known {
                Some(id) => {
                    admission::change_route(id, terms);
                    id
                }
                None => admission::add_route(terms),
            };
            let files = before.and_then(|before| before.files.clone());
            let function = Function::new(owner, id, terms, route, program.clone());
            Function { files, ..function }
        }
    };
    function.workload = program;
    function.uploaded_bytes = Some(bytes);
    let change = match before {
        Some(_) => Change::Replaced,
        None => Change::Added,
    };
    info!(target: LOG, "{}: {change}, {bytes} bytes", place(port, path));
    put(&old, function);
    Ok(change)
}

/// Removes the function at `port` and `path`.
///
/// # Errors
/// [`NotDeployed::NoSuchFunction`]
pub fn withdraw(port: u16, path: &str) -> Result<(), NotDeployed> {
    let old = table();
    let at = old.place_of(port, path);
    let at = at.filter(|at| old.entries[*at].function.is_some());
    let at = at.ok_or(NotDeployed::NoSuchFunction)?;
    let mut new = Table::clone(&old);
    new.entries[at].function = None;
    info!(target: LOG, "{}: removed", place(port, path));
    take_effect(new);
    Ok(())
}

/// A table like `old`, but with `function` in its place.
fn put(old: &Table, function: Function) {
    let mut new = Table::clone(old);
    match new.place_of(function.port, &function.route) {
        Some(at) => {
            new.entries[at] = Entry {
                function: Some(Arc::new(function)),
                ..new.entries[at].clone()
            };
        }
        None => new.add(function),
    }
    take_effect(new);
}

fn take_effect(new: Table) {
    let old = TABLE.lock().replace(Arc::new(new));
    // With it may go the last user of a program, and then its memory: not while a lock is held.
    drop(old);
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Change::Added => "added",
            Change::Replaced => "replaced",
        })
    }
}

impl fmt::Display for NotDeployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotDeployed::NoTenant(port) => write!(f, "no tenant listens at port {port}"),
            NotDeployed::TooMany => write!(
                f,
                "there are and were {MOST_ROUTES} routes, which are the most until the next start"
            ),
            NotDeployed::NoSuchFunction => f.write_str("there is no such function"),
        }
    }
}
