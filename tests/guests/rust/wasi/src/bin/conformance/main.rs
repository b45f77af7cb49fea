//! Tests of WASI preview 1, written from its specification and carried out by a function.
//!
//! Without a value it answers with a line for each test: its file, its name, the route that it wants, how it ends
//! and what it answers, with tabs between. With the name of a file and of a test it carries that one out, so
//! that each has a sandbox of its own. One that fails panics, and says why in the log.
//!
//! `tests/scenarios/wasi.rs` asks for all of them, of both engines, with a body, values and an environment that
//! the tests know.

mod advice;
mod arguments;
mod at_path;
mod calls;
mod clocks;
mod descriptors;
mod devices;
mod directories;
mod environment;
mod errno;
mod escapes;
mod files;
mod filestat;
mod folder;
mod hostile;
mod links;
mod paths;
mod poll;
mod preopens;
mod process;
mod random;
mod raw;
mod readdir;
mod rename;
mod rights;
mod seek;
mod sizes;
mod sockets;
mod space;
mod streams;
mod symlinks;
mod wrong;

use std::env;

/// A test.
pub struct Test {
    name: &'static str,
    run: fn(),
    /// Which of the routes it wants.
    route: &'static str,
    /// How it ends, as the header of the answer has it.
    outcome: &'static str,
    /// What it answers.
    answer: &'static str,
}

/// The route with a folder, `/tmp` and an environment.
pub const FULL: &str = "full";
/// The route with nothing.
pub const BARE: &str = "bare";
/// The route with a small `/tmp` alone.
pub const SMALL: &str = "small";

/// What a test answers that says nothing else.
pub const PASSED: &str = "passed";

/// Lists the tests of a file: a name, where the route is another than the usual `on ROUTE`, and where the end is
/// another `=> OUTCOME, ANSWER`.
#[macro_export]
macro_rules! tests {
    ($($name:ident $(on $route:ident)? $(=> $outcome:literal, $answer:literal)?),* $(,)?) => {
        pub const TESTS: &[$crate::Test] = &[$($crate::Test::new(stringify!($name), $name)
            $(.on($crate::$route))? $(.ends($outcome, $answer))?),*];
    };
}

impl Test {
    pub const fn new(name: &'static str, run: fn()) -> Self {
        Self {
            name,
            run,
            route: FULL,
            outcome: "exit 0",
            answer: PASSED,
        }
    }

    pub const fn on(self, route: &'static str) -> Self {
        Self { route, ..self }
    }

    pub const fn ends(self, outcome: &'static str, answer: &'static str) -> Self {
        Self {
            outcome,
            answer,
            ..self
        }
    }
}

const FILES: &[(&str, &[Test])] = &[
    ("advice", advice::TESTS),
    ("arguments", arguments::TESTS),
    ("clocks", clocks::TESTS),
    ("descriptors", descriptors::TESTS),
    ("devices", devices::TESTS),
    ("directories", directories::TESTS),
    ("environment", environment::TESTS),
    ("escapes", escapes::TESTS),
    ("files", files::TESTS),
    ("filestat", filestat::TESTS),
    ("folder", folder::TESTS),
    ("hostile", hostile::TESTS),
    ("links", links::TESTS),
    ("paths", paths::TESTS),
    ("poll", poll::TESTS),
    ("preopens", preopens::TESTS),
    ("process", process::TESTS),
    ("random", random::TESTS),
    ("readdir", readdir::TESTS),
    ("rename", rename::TESTS),
    ("rights", rights::TESTS),
    ("seek", seek::TESTS),
    ("sizes", sizes::TESTS),
    ("sockets", sockets::TESTS),
    ("space", space::TESTS),
    ("streams", streams::TESTS),
    ("symlinks", symlinks::TESTS),
    // The negative control: whoever counts must find that all of these fail.
    ("wrong", wrong::TESTS),
];

fn main() {
    let mut arguments = env::args().skip(1);
    let (Some(file), Some(name)) = (arguments.next(), arguments.next()) else {
        return list();
    };
    let tests = FILES.iter().filter(|(other, _)| *other == file);
    let mut tests = tests.flat_map(|(_, tests)| tests.iter());
    let test = tests.find(|test| test.name == name);
    let test = test.expect("a test of that name");
    (test.run)();
    if test.answer == PASSED {
        let written = calls::write(calls::STDOUT, PASSED.as_bytes());
        assert_eq!(written, Ok(PASSED.len()));
    }
}

fn list() {
    for (file, tests) in FILES {
        for test in *tests {
            let Test {
                name,
                route,
                outcome,
                answer,
                ..
            } = test;
            println!("{file}\t{name}\t{route}\t{outcome}\t{answer}");
        }
    }
}
