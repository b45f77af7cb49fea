//! From a module on the disk, and the native code beside it, to a program.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use luge_disk::Part;
use luge_memory::shortage::Shortage;
use luge_module::NoCommand;
use luge_spec::{Engine as Wanted, ModulePath};

use crate::arch::paging::PAGE_BYTES;
use crate::disk::{FileError, Store};
use crate::engine::{CompileError, INTERPRETER, LARGEST_MODULE, NATIVE};
use crate::mm;
use crate::mm::promised::Promised;
use crate::sandbox::making::{Maker, Product};
use crate::sandbox::{self, Current, Workload, gate};

use super::one_line;

/// Why a module is left out.
pub enum Refusal {
    /// The disk does not give the module, or its native code.
    File(FileError),
    /// No engine takes it.
    Compile(CompileError),
    /// It takes or gives something else than a command does.
    NoCommand(NoCommand),
    /// Making a program of it could take more memory than is free.
    NoMemory(Shortage),
    /// It is to run as native code, and there is none beside it.
    NoNativeCode,
    /// It is to run as native code, and this kernel runs none.
    NoSuchEngine,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::File(why) => why.fmt(f),
            Refusal::Compile(why) => why.fmt(f),
            Refusal::NoCommand(why) => why.fmt(f),
            Refusal::NoMemory(shortage) => write!(f, "to make a program of it, {shortage}"),
            Refusal::NoNativeCode => {
                f.write_str("the engine is wasmtime, and it has no native code")
            }
            Refusal::NoSuchEngine => {
                f.write_str("the engine is wasmtime, which is not in this kernel")
            }
        }
    }
}

/// A file of the disk.
#[derive(Clone, Copy)]
pub struct File {
    /// Its number in the store.
    number: u32,
    /// How long it is, in bytes.
    pub bytes: u64,
}

impl File {
    /// Finds the file at `path`.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn find(store: &Store, path: &str) -> Result<Self, FileError> {
        let (number, bytes) = store.find(path)?;
        let number = number as u32;
        Ok(Self { number, bytes })
    }

    /// The same, if it is at most `most` bytes long.
    fn of_at_most(self, most: u64) -> Result<Self, FileError> {
        let length = self.bytes;
        if length > most {
            return Err(FileError::TooLong { length, most });
        }
        Ok(self)
    }
}

/// What is known already of the files that a program is made of.
#[derive(Clone, Copy, Default)]
pub struct Known {
    /// The module.
    pub module: Option<File>,
    /// Its native code.
    pub native: Option<File>,
}

/// What a program is made of: a module, with native code beside it if that is to run.
pub struct Sources {
    store: Arc<Store>,
    module: File,
    native: Option<File>,
    is_short: AtomicBool,
}

impl Sources {
    /// Finds the module at `path`, and its native code if `engine` is for that, as far as they are not `known`, and
    /// has the engine ready. Nothing is read yet. For the kernel.
    ///
    /// # Errors
    /// [`Refusal`]: one of them is not there, or too long, or the engine does not run here.
    pub fn find(
        store: &Arc<Store>,
        path: &ModulePath,
        engine: Wanted,
        known: Known,
    ) -> Result<Self, Refusal> {
        let find = |path: &str, known: Option<File>, most| {
            known
                .map_or_else(|| File::find(store, path), Ok)?
                .of_at_most(most)
        };
        let module = find(path.as_str(), known.module, LARGEST_MODULE as u64);
        let module = module.map_err(Refusal::File)?;
        let native = match engine {
            Wanted::Wasmi => None,
            Wanted::Wasmtime => {
                let native = NATIVE.ok_or(Refusal::NoSuchEngine)?;
                let beside = native.beside(path.as_str());
                let (path, most) = beside.ok_or(Refusal::NoNativeCode)?;
                let native_code = find(&path, known.native, most).map_err(|why| match why {
                    FileError::NotFound => Refusal::NoNativeCode,
                    why => Refusal::File(why),
                })?;
                native.prepare().map_err(Refusal::Compile)?;
                Some(native_code)
            }
        };
        Ok(Self {
            store: store.clone(),
            module,
            native,
            is_short: AtomicBool::new(false),
        })
    }

    /// How long what is to be read is, in bytes.
    pub fn bytes(&self) -> usize {
        let native = self.native.map_or(0, |native| native.bytes);
        // Neither is longer than an engine looks at.
        (self.module.bytes + native) as usize
    }

    /// What may be taken of memory until what is read tells how much that is, in bytes; and what is promised of that,
    /// to read it.
    ///
    /// # Errors
    /// [`Refusal::NoMemory`] if there is not even enough to read it.
    pub fn memory(&self) -> Result<(u64, Promised), Refusal> {
        let bytes = self.bytes() as u64;
        let promised = promise(bytes).map_err(Refusal::NoMemory)?;
        let free = mm::statistics().frames_free as u64 * PAGE_BYTES;
        Ok((bytes + free.min(luge_module::MOST_COST), promised))
    }

    /// Whether it was refused for want of memory, which may be there later.
    pub fn is_short(&self) -> bool {
        self.is_short.load(Relaxed)
    }

    /// Has the running sandbox take no more memory than what was read and `bytes`, which are promised to it.
    fn limit_to(&self, bytes: u64) -> Result<(), Refusal> {
        sandbox::limit_memory(self.bytes() as u64 + bytes);
        let is_there = check_unpromised(bytes);
        let promised = is_there.and_then(|()| match sandbox::promise_memory(bytes) {
            true => Ok(()),
            false => Err(short_of(bytes)),
        });
        promised.map_err(|shortage| {
            self.is_short.store(true, Relaxed);
            Refusal::NoMemory(shortage)
        })
    }

    /// All of a file, read by a sandbox, which lets others run in between.
    fn read(&self, file: File, sandbox: Current) -> Result<Vec<u8>, FileError> {
        let mut bytes = vec![0; file.bytes as usize];
        let mut found = 0;
        while found < bytes.len() {
            let into = &mut bytes[found..];
            let part = gate(|| {
                let part = self.store.read_once(file.number, found as u64, into);
                // Nobody else had the CPU while the disk was waited for.
                let _ = sandbox.step_aside();
                part
            });
            match part.unwrap_or(Ok(Part::Ready(0)))? {
                Part::Ready(0) | Part::Waited(0) => {
                    let (length, found) = (bytes.len() as u64, found as u64);
                    return Err(FileError::Incomplete { length, found });
                }
                Part::Ready(read) | Part::Waited(read) => found += read,
                Part::OnTheWay => {}
            }
        }
        Ok(bytes)
    }
}

impl Maker for Sources {
    fn make(&self, sandbox: Current) -> Result<Product, String> {
        let read = |file| self.read(file, sandbox).map_err(|why| one_line(&why));
        let wasm = read(self.module)?;
        let Some(native) = self.native else {
            let limited = self.limit_to(INTERPRETER.memory_to_load(&wasm, &[]));
            limited.map_err(|why| one_line(&why))?;
            return of_upload(&wasm).map(Product::Program);
        };
        let native = read(native)?;
        let engine = NATIVE.ok_or_else(|| one_line(&Refusal::NoSuchEngine))?;
        let checked = engine.check(&wasm, &native);
        checked.map_err(|why| one_line(&refusal(why, &wasm)))?;
        let limited = self.limit_to(engine.memory_to_load(&wasm, &native));
        limited.map_err(|why| one_line(&why))?;
        Ok(Product::Files(wasm, native, of_native_code))
    }
}

/// The program of native code that has been checked. This is for the kernel to do: the engine keeps books of all
/// native code. The memory is there, since nothing else runs before this is done.
fn of_native_code(wasm: &[u8], native: &[u8]) -> Result<Arc<dyn Workload>, String> {
    let made = || {
        let engine = NATIVE.ok_or(Refusal::NoSuchEngine)?;
        check_memory(engine.memory_to_load(wasm, native)).map_err(Refusal::NoMemory)?;
        engine.load(wasm, native).map_err(|why| refusal(why, wasm))
    };
    made().map_err(|why| one_line(&why))
}

/// The program of a module in the interpreter. One that somebody sent always runs there: native code cannot be
/// checked.
///
/// # Errors
/// What is wrong with it, and where.
pub fn of_upload(wasm: &[u8]) -> Result<Arc<dyn Workload>, String> {
    let made = INTERPRETER.load(wasm, &[]);
    made.map_err(|why| one_line(&refusal(why, wasm)))
}

/// The memory that making a program of an upload may take.
///
/// # Errors
/// There is not so much that is not promised to somebody else.
pub fn memory_for_upload(wasm: &[u8]) -> Result<Promised, Shortage> {
    promise(INTERPRETER.memory_to_load(wasm, &[]))
}

fn promise(bytes: u64) -> Result<Promised, Shortage> {
    // Before anything that waits to be used again makes way in vain.
    check_unpromised(bytes)?;
    Promised::for_bytes(bytes).ok_or_else(|| short_of(bytes))
}

/// What is there of `bytes` that nobody has or is promised.
fn short_of(bytes: u64) -> Shortage {
    let (free, total) = unpromised();
    Shortage {
        wanted: bytes,
        free: free.min(bytes.saturating_sub(1)),
        total,
    }
}

/// Whether there are `bytes` of memory that nobody has or is promised.
///
/// # Errors
/// There are not so many.
pub fn check_unpromised(bytes: u64) -> Result<(), Shortage> {
    let (free, total) = unpromised();
    Shortage::check(bytes, free, total)
}

/// Memory that nobody has or is promised, and all memory, in bytes.
fn unpromised() -> (u64, u64) {
    let frames = mm::statistics();
    let free = frames.frames_free.saturating_sub(mm::frames::kept_back());
    let total = frames.frames_total;
    (free as u64 * PAGE_BYTES, total as u64 * PAGE_BYTES)
}

/// Why an engine does not take a module; with the place, if it is about what commands take and give.
fn refusal(why: CompileError, wasm: &[u8]) -> Refusal {
    let checked = luge_module::validate(wasm).map(|interface| interface.check_command());
    match checked {
        Ok(Err(no_command)) => Refusal::NoCommand(no_command),
        _ => Refusal::Compile(why),
    }
}

/// A program that may take more memory than is free is not made by the kernel.
fn check_memory(bytes: u64) -> Result<(), Shortage> {
    let frames = mm::statistics();
    let (free, total) = (frames.frames_free as u64, frames.frames_total as u64);
    Shortage::check(bytes, free * PAGE_BYTES, total * PAGE_BYTES)
}
