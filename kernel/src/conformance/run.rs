//! One script, group by group.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::AddAssign;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use luge_conformance::{Action, Group, Script, Seen, Step};
use luge_sandbox::Outcome;
use luge_spec::OnMiss;
use sha2::{Digest as _, Sha256};

use super::interpreter::Interpreter;
use super::machine::{Machine, missing};
use super::native::{Modules, Native};
use super::{Subject, print};
use crate::engine::kept::Number;
use crate::engine::wasmi::{translate, translate_with_every_store_replaced};
use crate::mm::bodies::Body;
use crate::sandbox::{Current, Request, Workload, gate};
use crate::scenario;

/// What sandboxes of tests have of native stack, in bytes.
const STACK: u64 = 1 << 20;
/// What they may have of linear memory and tables, in bytes.
const MEMORY: u64 = 128 << 20;
/// How long a group may take.
const DEADLINE_NS: u64 = 600_000_000_000;

/// How many steps went as expected.
#[derive(Clone, Copy, Default)]
pub struct Count {
    passed: usize,
    failed: usize,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs a script's groups one after the other.
pub fn script(script: &Script<'_>, subject: Subject) -> Count {
    let mut sum = Count::default();
    for group in &script.groups {
        let modules = Modules::load(script, group, subject);
        sum += run_group(script, group, subject, modules);
    }
    sum
}

/// Runs a group to its end, in as many sandboxes as that takes.
fn run_group(script: &Script<'_>, group: &Group, subject: Subject, modules: Modules) -> Count {
    let modules = Arc::new(modules);
    let mut count = Count::default();
    let (mut counted, mut left_out) = (0, Vec::new());
    loop {
        let run = Arc::new(Run {
            number: Number::new(),
            script: Borrowed(core::ptr::from_ref(script).cast()),
            group: Borrowed(core::ptr::from_ref(group)),
            subject,
            modules: modules.clone(),
            counted,
            left_out: left_out.clone(),
            at: AtomicUsize::new(0),
            passed: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
        });
        let outcome = run_in_sandbox(run.clone());
        count.passed += run.passed.load(Relaxed);
        count.failed += run.failed.load(Relaxed);
        if outcome == Outcome::Exit(0) {
            return count;
        }
        // The step that ended the sandbox has not been judged.
        let at = run.at.load(Relaxed);
        let seen = match outcome {
            Outcome::Trap(trap) => Seen::Trap(trap),
            other => Seen::Other(alloc::format!("the sandbox ended: {other}")),
        };
        let step = &group.steps[at];
        let expected = at >= counted && step.expected.accepts(&seen);
        if expected {
            count.passed += usize::from(step.line > 0);
        } else {
            count.failed += 1;
            report(script, subject, step, &seen);
        }
        if at < counted {
            return count;
        }
        counted = at + 1;
        left_out.push(at);
    }
}

fn report(script: &Script<'_>, subject: Subject, step: &Step, seen: &Seen) {
    let (name, line, expected) = (&script.name, step.line, &step.expected);
    print(
        subject,
        format_args!("{name}:{line}: expected {expected}, seen {seen:?}"),
    );
}

fn run_in_sandbox(run: Arc<Run>) -> Outcome {
    scenario::run(Request {
        name: Arc::from("conformance"),
        workload: run,
        stack_bytes: STACK,
        memory_bytes: MEMORY,
        output_bytes: 0,
        scratch_bytes: 0,
        answer: None,
        arguments: vec![],
        environment: Arc::default(),
        files: None,
        body: Body::default(),
        relative_deadline_ns: DEADLINE_NS,
        on_miss: OnMiss::Kill,
        budget_ns: None,
        tenant: None,
        ticket: None,
    })
}

/// A reference to something that outlives every sandbox of a group, since the dispatcher waits for each.
struct Borrowed<T>(*const T);

// SAFETY: it gives out shared references to what is `Sync`.
unsafe impl<T: Sync> Send for Borrowed<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Borrowed<T> {}

impl<T> Borrowed<T> {
    fn get(&self) -> &T {
        // SAFETY: `run_group` has the value, and waits until the sandbox has ended.
        unsafe { &*self.0 }
    }
}

/// One run of a group, in a sandbox.
struct Run {
    /// Each run is a program of its own, so that it has linear memories that no other had.
    number: Number,
    script: Borrowed<Script<'static>>,
    group: Borrowed<Group>,
    subject: Subject,
    modules: Arc<Modules>,
    /// Steps before this one have been counted, in an earlier sandbox.
    counted: usize,
    /// Steps that ended an earlier sandbox.
    left_out: Vec<usize>,
    /// The step that is under way.
    at: AtomicUsize,
    passed: AtomicUsize,
    failed: AtomicUsize,
}

impl Workload for Run {
    fn run(&self, _: Current) -> Outcome {
        match self.subject {
            Subject::Interpreter => self.all(&mut Interpreter::new(self.script.get(), translate)),
            Subject::InterpreterOfReplacedStores => self.all(&mut Interpreter::new(
                self.script.get(),
                translate_with_every_store_replaced,
            )),
            Subject::NativeCode => self.all(&mut Native::new(self.modules.clone())),
        }
        Outcome::Exit(0)
    }

    fn program(&self) -> u64 {
        self.number.get()
    }
}

impl Run {
    fn all(&self, machine: &mut impl Machine) {
        for (at, step) in self.group.get().steps.iter().enumerate() {
            if self.left_out.contains(&at) {
                continue;
            }
            self.at.store(at, Relaxed);
            let seen = act(machine, &step.action);
            if at >= self.counted {
                self.judge(step, &seen);
            }
        }
    }

    fn judge(&self, step: &Step, seen: &Seen) {
        if step.expected.accepts(seen) {
            self.passed.fetch_add(usize::from(step.line > 0), Relaxed);
            return;
        }
        self.failed.fetch_add(1, Relaxed);
        let _ = gate(|| report(self.script.get(), self.subject, step, seen));
    }
}

fn act(machine: &mut impl Machine, action: &Action) -> Seen {
    match action {
        Action::Compile(module) => machine.compile(*module),
        Action::Instantiate { module, instance } => machine.instantiate(*module, *instance),
        Action::Register { instance, name } => machine.register(*instance, name),
        Action::Invoke {
            instance,
            name,
            arguments,
        } => machine.invoke(*instance, name, arguments),
        Action::Get { instance, name } => machine.get(*instance, name),
        Action::Digest { instance, name } => {
            let mut digest = None;
            let mut look = |bytes: &[u8]| digest = Some(Sha256::digest(bytes).into());
            machine.memory(*instance, name, &mut look);
            digest.map_or_else(|| missing("memory"), Seen::Digest)
        }
    }
}
