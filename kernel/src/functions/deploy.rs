//! Changing what is deployed while the machine runs.
//!
//! A change makes a new table, and from then on whoever looks finds that. Requests that were looked up
//! before keep their function, and with it their program, to their end; the last of them lets it go.
//!
//! Invariant: a change is made whole or not at all. What may be large is asked for first, in a way that can be
//! refused, and what is small finds room, since [`ROOM`] is free then.

use alloc::sync::Arc;
use core::fmt;

use log::info;
use luge_memory::layout::ARENA_SLOTS;
use luge_spec::Route;

use super::module::Module;
use super::{Function, LOG, TABLE, Table, place, table, terms};
use crate::arch::paging::PAGE_BYTES;
use crate::mm::{self, idle};
use crate::sandbox::Workload;
use crate::sandbox::making::{Housing, UPLOADED};
use crate::sched::admission;

/// Routes that there may ever be: of the disk and deployed, also those that were removed again.
pub(super) const MOST_ROUTES: usize = 4096;

/// Of all slots of arenas, and of all memory, deployed programs may have one part in so many: the others are for
/// requests.
const SHARE: usize = 4;
/// Deployed programs that there may be, also those that wait for their last request to end.
const MOST_PROGRAMS: usize = ARENA_SLOTS as usize / SHARE;

/// What must be free, above the kernel's reserve, for a change, in bytes. It takes some kibibytes, piece by
/// piece.
const ROOM: u64 = 256 << 10;

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
    /// There is no memory for a table with the change.
    NoMemory,
    /// Deployed programs have as much as they may have.
    Full(Full),
}

/// What deployed programs have enough of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// There are so many, which are the most.
    Programs(usize),
    /// They may take so many bytes of memory.
    Memory(u64),
}

/// Whether a program may be made for `path` at `port`: a new one takes the place of the one before it, which lives
/// until its last request has ended.
///
/// # Errors
/// [`NotDeployed::Full`]
pub fn check_room(port: u16, path: &str) -> Result<(), NotDeployed> {
    let table = table();
    let before = table.lookup(port, path);
    let replaces = before.is_some_and(|before| before.uploaded_bytes.is_some());
    let most = MOST_PROGRAMS + usize::from(replaces);
    if UPLOADED.housing().programs >= most {
        return Err(NotDeployed::Full(Full::Programs(MOST_PROGRAMS)));
    }
    Ok(())
}

/// Whether deployed programs, with one that was just made, take no more memory than they may.
fn check_memory() -> Result<(), NotDeployed> {
    let Housing { bytes, .. } = UPLOADED.housing();
    let most = mm::statistics().frames_total as u64 * PAGE_BYTES / SHARE as u64;
    if bytes > most {
        return Err(NotDeployed::Full(Full::Memory(most)));
    }
    Ok(())
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
    check_memory()?;
    let mut new = copy_to_change(&old)?;
    let module = Module::made(program);
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
            let function = Function::new(owner, id, terms, route, module.clone());
            Function { files, ..function }
        }
    };
    function.module = module;
    function.uploaded_bytes = Some(bytes);
    let change = match before {
        Some(_) => Change::Replaced,
        None => Change::Added,
    };
    info!(target: LOG, "{}: {change}, {bytes} bytes", place(port, path));
    new.put(function);
    take_effect(new);
    Ok(change)
}

/// Removes the function at `port` and `path`.
///
/// # Errors
/// [`NotDeployed::NoSuchFunction`], [`NotDeployed::NoMemory`]
pub fn withdraw(port: u16, path: &str) -> Result<(), NotDeployed> {
    let old = table();
    let at = old.place_of(port, path);
    let at = at.filter(|_| old.lookup(port, path).is_some());
    let at = at.ok_or(NotDeployed::NoSuchFunction)?;
    let mut new = copy_to_change(&old)?;
    new.entries[at].function = None;
    info!(target: LOG, "{}: removed", place(port, path));
    take_effect(new);
    Ok(())
}

/// A table like `old`, for a change that cannot fail any more.
fn copy_to_change(old: &Table) -> Result<Table, NotDeployed> {
    if !idle::make_room(ROOM) {
        return Err(NotDeployed::NoMemory);
    }
    old.copy().map_err(|_| NotDeployed::NoMemory)
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
            NotDeployed::Full(Full::Programs(most)) => write!(
                f,
                "there are {most} deployed functions, which are the most: remove one first"
            ),
            NotDeployed::Full(Full::Memory(most)) => write!(
                f,
                "deployed functions would have more than {most} bytes of memory, which are the most: remove one first"
            ),
            NotDeployed::NoMemory => f.write_str("there is no memory to change what is deployed"),
        }
    }
}
