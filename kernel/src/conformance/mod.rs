//! Conformance tests, in kernels built with the feature `scenarios` only: scripts from the disk, carried out in
//! sandboxes by either engine.
//!
//! [`all`] reads every `*.script` of the disk (`luge_conformance::Script`), and in native code also every
//! `*.native-script`, and runs each of its groups in a
//! sandbox of its own, on a sandbox's stack and in a sandbox's arena, so that what ends a request ends a step:
//! the processor's exceptions too. [`run`] carries out one group, [`machine`] is what both engines do for it,
//! [`interpreter`] and [`native`] how.
//!
//! A step may end its sandbox, as an overflow of the native stack does. That is what came of the step; the group
//! then begins anew in another sandbox, without it.
//!
//! ```text
//! conformance: wasmi: wasm-2/br.wast: 97 passed, 0 failed
//! conformance: wasmi: 20000 passed, 0 failed in 90 files
//! ```

mod interpreter;
mod machine;
mod native;
mod run;

use core::fmt::{self, Write};

use luge_conformance::Script;

use self::run::Count;
use crate::arch::power;
use crate::disk::{self, Volume};
use crate::observe::logger::Port;

/// How the names of scripts end.
const ENDING: &str = ".script";
/// How those end that use what only native code has.
const NATIVE_ENDING: &str = ".native-script";
/// The longest script that is looked at, in bytes.
const LONGEST: u64 = 64 << 20;

/// What carries scripts out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The interpreter.
    Interpreter,
    /// The interpreter, with every store of an integer replaced as those are that it cannot take.
    InterpreterOfReplacedStores,
    /// Native code.
    NativeCode,
}

impl Subject {
    /// Whether the file with this name is a script for it.
    fn carries_out(self, name: &str) -> bool {
        name.ends_with(ENDING) || self == Subject::NativeCode && name.ends_with(NATIVE_ENDING)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Subject::Interpreter => "wasmi",
            Subject::InterpreterOfReplacedStores => "wasmi-replaced",
            Subject::NativeCode => "wasmtime",
        })
    }
}

/// Runs all scripts of the disk, with a line for each and one for all; then the machine is off.
pub fn all(subject: Subject) -> ! {
    let disk = disk::open().expect("there is a disk with scripts");
    let mut names = disk.ask(Volume::files).expect("the disk can be read");
    names.retain(|name| subject.carries_out(name));
    names.sort();
    let mut sum = Count::default();
    for name in &names {
        let file = disk.ask(|volume| volume.read(name, LONGEST));
        let file = file.expect("the disk can be read");
        let script = Script::read(&file).expect("what ends so is a script");
        let count = run::script(&script, subject);
        print(subject, format_args!("{}: {count}", script.name));
        sum += count;
    }
    print(subject, format_args!("{sum} in {} files", names.len()));
    power::off()
}

/// A line for scripts to read.
fn print(subject: Subject, text: fmt::Arguments<'_>) {
    // Writing to the port cannot fail.
    let _ = writeln!(Port, "conformance: {subject}: {text}");
}
