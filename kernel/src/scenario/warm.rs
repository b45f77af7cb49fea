//! Warm requests: once a function has run a few times, a run of it changes no page table.

use alloc::vec::Vec;

use log::{error, info};

use super::run_once;
use crate::arch::paging::changes;
use crate::functions;

/// How often each function runs before anything is counted.
const WARM_UP: usize = 3;
/// How often each runs then, in turn with the others.
const ROUNDS: usize = 20;

/// Runs the functions of the disk in turn, and reports each whose run mapped or unmapped anything.
pub(super) fn all() {
    let table = functions::table();
    let functions: Vec<_> = table.functions().collect();
    let cold = changes::count();
    for function in functions.iter().cycle().take(WARM_UP * functions.len()) {
        run_once(function);
    }
    let warm = changes::count();
    for function in functions.iter().cycle().take(ROUNDS * functions.len()) {
        let before = changes::count();
        let outcome = run_once(function);
        let changed = changes::count() - before;
        if changed != 0 {
            error!(
                "{}: {outcome}, and {changed} changes of page tables",
                function.name
            );
        }
    }
    info!(
        "warm: {} changes of page tables to warm up, {} in {} runs then",
        warm - cold,
        changes::count() - warm,
        ROUNDS * functions.len()
    );
}
