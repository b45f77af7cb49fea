//! Making the programs of the disk's modules, one after the other, while requests are served.
//!
//! [`begin`] is told at boot what there is to make; [`poll`], which the dispatcher calls, goes on with it. A module is
//! read and translated in a sandbox ([`crate::sandbox::making`]), so whatever goes wrong there costs this one module.
//! What somebody waits for comes first, then native code, which is only mapped, then the smaller before the
//! larger.
//!
//! Invariant: one module is being made at a time, since each may take much memory.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use log::{Level, error, info, log, warn};
use luge_memory::layout::ARENA_SLOTS;
use luge_sandbox::Outcome;
use luge_spec::{Engine, ModulePath};
use luge_trap::Trap;

use super::module::Module;
use super::program::{File, Known, Refusal, Sources};
use super::{LOG, Table, one_line, place, table};
use crate::arch::lock::Lock;
use crate::arch::time::Instant;
use crate::disk::Store;
use crate::engine::NATIVE;
use crate::sandbox;
use crate::sandbox::making::{Making, OF_DISK, Terms, UPLOADED, Unmade};

/// How long a module may take to be made, in nanoseconds, with all that is served meanwhile.
const LONGEST_NS: u64 = 3_600_000_000_000;
/// Of all slots of arenas, programs of the disk may have one in so many.
const SHARE: usize = 2;
/// Modules from this size on are worth a line in the log when they are begun, in bytes.
const LARGE: usize = 1 << 20;
/// When a module that found no room is tried again, in nanoseconds, and how often.
const AGAIN_NS: u64 = 100_000_000;
const MOST_TRIES: u32 = 50;

/// A module that is to be made.
pub(super) struct Job {
    pub(super) module: Arc<Module>,
    path: ModulePath,
    /// The engine that it is made for now.
    engine: Engine,
    /// Whether the interpreter takes it if native code cannot be used.
    has_choice: bool,
    bytes: usize,
    known: Known,
    tries: u32,
}

struct UnderWay {
    job: Job,
    sources: Arc<Sources>,
    making: Making,
}

struct Loading {
    store: Arc<Store>,
    /// The next one first.
    waiting: VecDeque<Job>,
    under_way: Option<UnderWay>,
    /// The table for which it was last looked whether what is under way is still wanted.
    looked_at: Arc<Table>,
    again_at: Option<Instant>,
}

static LOADING: Lock<Option<Loading>> = Lock::new(None);
/// How many modules are not made yet, and how many there were.
static LEFT: AtomicUsize = AtomicUsize::new(0);
static ALL: AtomicUsize = AtomicUsize::new(0);

impl Job {
    /// The work for a module that is to run in `engine`; if that is none, in native code where there is some and
    /// in the interpreter where not.
    pub(super) fn new(store: &Store, path: &ModulePath, engine: Option<Engine>) -> Self {
        let find = |path: &str| File::find(store, path).ok();
        let beside = NATIVE.and_then(|native| native.beside(path.as_str()));
        let native = beside.and_then(|(path, _)| find(&path));
        let engine_now = engine.unwrap_or(match native {
            Some(_) => Engine::Wasmtime,
            None => Engine::Wasmi,
        });
        let (module, bytes) = match engine_now {
            Engine::Wasmtime => (None, native),
            Engine::Wasmi => {
                let module = find(path.as_str());
                (module, module)
            }
        };
        Self {
            module: Module::to_be_made(path.as_str()),
            path: path.clone(),
            engine: engine_now,
            has_choice: engine.is_none(),
            // What is not there is soon said.
            bytes: bytes.map_or(0, |file| usize::try_from(file.bytes).unwrap_or(usize::MAX)),
            known: Known { module, native },
            tries: 0,
        }
    }

    fn order(&self) -> (bool, usize) {
        (self.engine == Engine::Wasmi, self.bytes)
    }
}

/// From now on [`poll`] makes the programs of `jobs`.
pub(super) fn begin(store: Arc<Store>, mut jobs: Vec<Job>) {
    jobs.sort_by_key(Job::order);
    ALL.store(jobs.len(), Relaxed);
    LEFT.store(jobs.len(), Relaxed);
    *LOADING.lock() = Some(Loading {
        store,
        waiting: jobs.into(),
        under_way: None,
        looked_at: table(),
        again_at: None,
    });
}

/// How many modules of the disk are not made yet, and of how many.
pub fn progress() -> (usize, usize) {
    (LEFT.load(Relaxed), ALL.load(Relaxed))
}

/// Whether all modules are made that can be.
pub fn is_done() -> bool {
    LEFT.load(Relaxed) == 0
}

/// Goes on making programs, and says when to be called again. For the dispatcher.
pub fn poll(now: Instant) -> Option<Instant> {
    if is_done() {
        return None;
    }
    // Held by nobody meanwhile, so that whatever is called may ask how things stand.
    let mut loading = LOADING.lock().take()?;
    loading.again_at = loading.again_at.filter(|at| *at > now);
    while loading.step(now) {}
    let left = loading.waiting.len() + usize::from(loading.under_way.is_some());
    LEFT.store(left, Relaxed);
    let again_at = loading.again_at;
    if left > 0 {
        *LOADING.lock() = Some(loading);
    } else {
        report();
        // Under the name that said that the machine serves: whoever heard that waits for this.
        info!(target: "luge_kernel", "all modules are made");
    }
    again_at
}

/// Makes all programs before anything else is done. For the dispatcher's stand-ins.
pub fn finish() {
    while !is_done() {
        go_on();
    }
}

/// Makes the first program, if there is any to make.
pub fn finish_first() {
    let (left, _) = progress();
    while left > 0 && progress().0 == left {
        go_on();
    }
}

fn go_on() {
    let _ = poll(Instant::now());
    let _ = sandbox::run_next();
}

impl Loading {
    /// False while there is something to wait for.
    fn step(&mut self, now: Instant) -> bool {
        let Some(now_made) = self.under_way.take() else {
            return self.again_at.is_none() && self.begin_next(now);
        };
        let Some(end) = now_made.making.end() else {
            if !self.is_still_wanted(&now_made.job) {
                now_made.making.cancel();
            }
            self.under_way = Some(now_made);
            return false;
        };
        now_made.job.module.set_making(false);
        match end {
            Ok(program) => {
                say_what_it_took(&now_made);
                now_made.job.module.ends(Ok(program));
                say_of_routes(&now_made.job.module);
            }
            Err(Unmade::Ended(Outcome::Cancelled)) => {}
            Err(why) => {
                let is_short = now_made.sources.is_short()
                    || matches!(why, Unmade::Ended(Outcome::Trap(Trap::OutOfMemory)));
                let why = why.to_string();
                match is_short {
                    true => return self.lacks_room(now_made.job, why, now),
                    false => self.failed(now_made.job, why),
                }
            }
        }
        true
    }

    /// There is no room for it, `why`. False if it is to be tried again.
    fn lacks_room(&mut self, mut job: Job, why: String, now: Instant) -> bool {
        // What another module may need while it is made is soon free again.
        if !UPLOADED.is_making() {
            if job.tries >= MOST_TRIES || !others_live() {
                self.failed(job, why);
                return true;
            }
            job.tries += 1;
        }
        self.waiting.push_back(job);
        self.again_at = Some(now.plus_ns(AGAIN_NS));
        false
    }

    /// Begins with what comes first. False if there is nothing, or no room for it.
    fn begin_next(&mut self, now: Instant) -> bool {
        let wanted = |job: &Job| job.module.is_wanted();
        let first = self.waiting.iter().position(wanted).unwrap_or(0);
        let Some(mut job) = self.waiting.remove(first) else {
            return false;
        };
        if !is_served(&table(), &job.module) {
            return true;
        }
        match begin_one(&self.store, &mut job) {
            Ok((sources, making)) => {
                job.module.set_making(true);
                self.under_way = Some(UnderWay {
                    job,
                    sources,
                    making,
                });
            }
            Err(Stopped::NoRoomNow(why)) => return self.lacks_room(job, why, now),
            Err(Stopped::ForGood(why)) => self.failed(job, why),
        }
        true
    }

    /// It cannot be made in this engine: `why`.
    fn failed(&mut self, mut job: Job, why: String) {
        if job.has_choice && job.engine == Engine::Wasmtime {
            let beside = NATIVE.and_then(|native| native.beside(job.path.as_str()));
            let (beside, _) = beside.unwrap_or_default();
            warn!(target: LOG, "{beside}: not used, wasmi runs {}: {why}", job.path);
            job.engine = Engine::Wasmi;
            let place = self
                .waiting
                .partition_point(|other| other.order() < job.order());
            self.waiting.insert(place, job);
            return;
        }
        error!(target: LOG, "{}: left out: {why}", job.path);
        job.module.ends(Err(why));
        for function in table().all() {
            if Arc::ptr_eq(&function.module, &job.module) {
                warn!(target: LOG, "{}: not served, {} is left out",
                    place(function.port, &function.route), job.path);
            }
        }
    }

    /// Whether a route has the module of what is under way. Somebody may have sent another.
    fn is_still_wanted(&mut self, job: &Job) -> bool {
        let now = table();
        if Arc::ptr_eq(&now, &self.looked_at) {
            return true;
        }
        self.looked_at = now;
        is_served(&self.looked_at, &job.module)
    }
}

/// Why a module was not begun.
enum Stopped {
    NoRoomNow(String),
    ForGood(String),
}

fn begin_one(store: &Arc<Store>, job: &mut Job) -> Result<(Arc<Sources>, Making), Stopped> {
    let refused = |why: Refusal| match why {
        Refusal::NoMemory(_) => Stopped::NoRoomNow(one_line(&why)),
        why => Stopped::ForGood(one_line(&why)),
    };
    let most = ARENA_SLOTS as usize / SHARE;
    if job.engine == Engine::Wasmi && OF_DISK.housing().programs >= most {
        return Err(Stopped::ForGood(alloc::format!(
            "{most} modules of the disk run in the interpreter, which are the most"
        )));
    }
    let sources = Sources::find(store, &job.path, job.engine, job.known).map_err(refused)?;
    job.bytes = sources.bytes();
    let (memory_bytes, promised) = sources.memory().map_err(refused)?;
    if job.bytes >= LARGE {
        info!(target: LOG, "{}: {} bytes are being made", job.path, job.bytes);
    }
    let terms = Terms {
        name: job.path.as_str().into(),
        memory_bytes,
        promised,
        input_bytes: 0,
        longest_ns: LONGEST_NS,
        share: &OF_DISK,
    };
    let sources = Arc::new(sources);
    match Making::begin_by(sources.clone(), terms) {
        Ok(making) => Ok((sources, making)),
        Err(_) => Err(Stopped::NoRoomNow(
            "there is no room for another sandbox".into(),
        )),
    }
}

/// Whether there are sandboxes, whose memory will be free when they end.
fn others_live() -> bool {
    let census = sandbox::census();
    census.ready + census.sleeping + census.waiting > 0
}

/// Whether a route has this module.
fn is_served(table: &Table, module: &Arc<Module>) -> bool {
    table
        .all()
        .any(|function| Arc::ptr_eq(&function.module, module))
}

fn say_what_it_took(UnderWay { job, making, .. }: &UnderWay) {
    let level = if job.bytes >= LARGE {
        Level::Info
    } else {
        Level::Debug
    };
    let took_us = making.charged_ns() / 1_000;
    log!(target: LOG, level, "{}: {} bytes were made in {took_us} us of CPU time", job.path, job.bytes);
}

/// Logs the routes that a module has brought up.
fn say_of_routes(module: &Arc<Module>) {
    for function in table().all() {
        if Arc::ptr_eq(&function.module, module) {
            info!(target: LOG,
                "{}: {}, deadline {} us, stack {} KiB, memory {} KiB",
                place(function.port, &function.route),
                function.tenant,
                function.relative_deadline_ns / 1_000,
                function.limits.stack >> 10,
                function.limits.memory >> 10,
            );
        }
    }
}

/// Logs how many functions there are, now that all are there.
pub(super) fn report() {
    let table = table();
    let functions = table.functions().count();
    match table.left_out() {
        0 => info!(target: LOG, "functions: {functions}"),
        left_out => warn!(target: LOG, "functions: {functions}, modules left out: {left_out}"),
    }
}
