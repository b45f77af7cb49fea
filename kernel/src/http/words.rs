//! What the host says in a function's place.

use alloc::format;
use alloc::string::String;

use luge_sandbox::Outcome;

use super::exchange::status_of;
use super::writing::Careful;
use crate::functions::Function;
use crate::sandbox::{Report, Sandbox};

/// The host's words about how `sandbox` ended, which had written so many bytes: if the function did not leave by
/// itself, or left in error without a word.
pub(super) fn of(
    function: &Function,
    sandbox: &Sandbox,
    outcome: Outcome,
    bytes: usize,
) -> Option<String> {
    match outcome {
        _ if sandbox.is_success(outcome) => None,
        Outcome::Exit(_) if bytes > 0 => None,
        Outcome::Trap(_) if function.tells_faults => {
            Some(report(function, sandbox).unwrap_or_else(|| short(outcome)))
        }
        Outcome::ResponseTooLong => Some(too_long(function.limits.response)),
        _ => Some(short(outcome)),
    }
}

fn too_long(most: u64) -> String {
    let outcome = Outcome::ResponseTooLong;
    let status = status_of(outcome);
    format!("{status}: {outcome}: max-response-bytes of its route is {most}\n")
}

fn short(outcome: Outcome) -> String {
    format!("{}: {outcome}\n", status_of(outcome))
}

/// What is known of the trap that ended the function. None if it is not kept any more, or without memory for it.
fn report(function: &Function, sandbox: &Sandbox) -> Option<String> {
    let report = Report::of_sandbox(sandbox.id())?;
    let route = (&*function.tenant, &*function.route);
    let mut text = Careful(String::new());
    let written = report.fault(Some(route)).write_text(&mut text);
    written.is_ok().then_some(text.0)
}
