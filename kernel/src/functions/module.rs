//! A module behind routes, and whether it can run yet.
//!
//! Key type: [`Module`]. The table of functions has all routes from the start, and each of them has its module, which
//! several may share; what can run is put into it when it is made ([`super::loading`]).
//!
//! Invariant: a module that is ready, or left out, stays so.

use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use spin::Once;

use crate::sandbox::Workload;

/// What becomes of a module.
pub struct Module {
    /// Where it lies on the disk, if it is from there.
    path: String,
    /// Somebody waits for it.
    is_wanted: AtomicBool,
    /// It is being made now.
    is_making: AtomicBool,
    end: Once<Result<Arc<dyn Workload>, String>>,
}

/// Where it stands.
#[derive(Clone, Copy)]
pub enum State<'a> {
    /// Its turn to be made has not come.
    Waiting,
    /// It is read and translated, or its native code is mapped.
    Making,
    /// It can run.
    Ready,
    /// It cannot be run: why.
    LeftOut(&'a str),
}

impl State<'_> {
    /// Its name, for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Making => "making",
            Self::Ready => "ready",
            Self::LeftOut(_) => "left-out",
        }
    }
}

impl Module {
    /// One of the disk, which is to be made.
    pub fn to_be_made(path: &str) -> Arc<Self> {
        Arc::new(Self {
            path: path.into(),
            is_wanted: AtomicBool::new(false),
            is_making: AtomicBool::new(false),
            end: Once::new(),
        })
    }

    /// One that is made.
    pub fn made(program: Arc<dyn Workload>) -> Arc<Self> {
        let module = Self::to_be_made("");
        module.ends(Ok(program));
        module
    }

    /// Where it lies on the disk; empty if it is not from there.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What runs, if it is ready.
    pub fn program(&self) -> Option<&Arc<dyn Workload>> {
        self.end.get()?.as_ref().ok()
    }

    /// Where it stands.
    pub fn state(&self) -> State<'_> {
        match self.end.get() {
            Some(Ok(_)) => State::Ready,
            Some(Err(why)) => State::LeftOut(why),
            None if self.is_making.load(Relaxed) => State::Making,
            None => State::Waiting,
        }
    }

    /// Whether it cannot be run, for good.
    pub fn is_left_out(&self) -> bool {
        matches!(self.end.get(), Some(Err(_)))
    }

    /// Somebody waits for it: it is to be made before those for which nobody does.
    pub fn want(&self) {
        self.is_wanted.store(true, Relaxed);
    }

    /// Whether somebody waits for it.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Relaxed)
    }

    /// It is begun, or is to be begun once more.
    pub(super) fn set_making(&self, is_making: bool) {
        self.is_making.store(is_making, Relaxed);
    }

    /// This came of it.
    pub(super) fn ends(&self, end: Result<Arc<dyn Workload>, String>) {
        self.end.call_once(|| end);
    }
}
