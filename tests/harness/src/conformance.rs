//! Disks with scripts of conformance tests, made by `tests/spec`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::PoisonError;

use anyhow::{Context, Result};

use crate::disk::Folder;
use crate::lab::Workshop;

/// Scripts of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tests {
    /// The official suite.
    Suite,
    /// Modules made at random.
    Random,
    /// Modules that are odd or broken.
    Odd,
    /// Expectations that are wrong.
    Wrong,
}

/// A disk with scripts.
#[derive(Clone, Debug)]
pub struct Scripts {
    /// The disk's image.
    pub image: PathBuf,
    /// Those for both engines: the name, files and steps of each set.
    pub sets: Vec<Set>,
    /// Those for native code alone.
    pub native_sets: Vec<Set>,
}

/// A set's name, and how many files and steps it has.
pub type Set = (String, u64, u64);

/// What the tool says of a file that is not for the interpreter.
const NATIVE_ONLY: &str = ", in native code alone";

/// How many files and steps sets have together.
#[must_use]
pub fn sum<'s>(sets: impl IntoIterator<Item = &'s Set>) -> (u64, u64) {
    let parts = sets.into_iter().map(|(_, files, steps)| (*files, *steps));
    parts.fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
}

impl Tests {
    /// The tool's word for them, and a size that their disk does not exceed.
    const fn recipe(self) -> (&'static str, &'static str) {
        match self {
            Tests::Suite => ("suite", "256M"),
            Tests::Random => ("random", "128M"),
            Tests::Odd => ("odd", "128M"),
            Tests::Wrong => ("wrong", "8M"),
        }
    }
}

impl Workshop {
    /// A disk with scripts. To make it for the first time takes minutes, since the compiler of native code is
    /// built, and compiles every module.
    ///
    /// # Errors
    /// The tool does not build, or fails.
    pub fn scripts(&self, tests: Tests) -> Result<Scripts> {
        let (name, size) = tests.recipe();
        let list = self.target().join(format!("scenarios/{name}.list"));
        let image = self.once(name, || {
            let _scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
            self.run(Command::new("cargo").args(["build", "-q", "-p", "luge-spec-tests"]))?;
            let tool = self.target().join("debug/luge-spec-tests");
            let path = self.target().join("scenarios").join(name);
            let image = path.with_extension("img");
            // Everything that the scripts are made from is in the tool.
            if is_newer(&image, &tool).unwrap_or(false) {
                return Ok(image);
            }
            let folder = Folder::new(path)?;
            let cache = self.target().join("spec-native");
            let mut making = Command::new(tool);
            making
                .arg("--cache")
                .arg(cache)
                .arg(name)
                .arg(folder.path());
            fs::write(&list, self.run(&mut making)?)?;
            self.image_of(&folder, size)
        })?;
        let list =
            fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
        let (native, both): (Vec<&str>, Vec<&str>) =
            list.lines().partition(|line| line.ends_with(NATIVE_ONLY));
        Ok(Scripts {
            image,
            sets: sets(both),
            native_sets: sets(native),
        })
    }
}

impl Workshop {
    /// The folder of reports, file by file, that are kept for whoever reads them.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn reports(&self) -> Result<PathBuf> {
        let folder = self.target().join("scenarios/conformance");
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Whether a file was written after another one.
fn is_newer(file: &Path, other: &Path) -> Result<bool> {
    let written = |path: &Path| -> Result<_> { Ok(fs::metadata(path)?.modified()?) };
    Ok(written(file)? > written(other)?)
}

/// The files and steps of each set, which is what stands before the `/` in a file's name.
fn sets<'l>(lines: impl IntoIterator<Item = &'l str>) -> Vec<Set> {
    let mut sets: Vec<Set> = Vec::new();
    for line in lines {
        let Some(steps) = steps(line) else { continue };
        let set = line.split(['/', ':']).next().unwrap_or(line);
        match sets.iter_mut().find(|(name, ..)| name == set) {
            Some((_, files, sum)) => (*files, *sum) = (*files + 1, *sum + steps),
            None => sets.push((set.to_owned(), 1, steps)),
        }
    }
    sets
}

/// The number in `NAME: 97 steps, …`.
fn steps(line: &str) -> Option<u64> {
    let (before, _) = line.split_once(" steps")?;
    before.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_where_there_are_some() {
        assert_eq!(
            steps("a/b.wast: 97 steps, 3 about the text format alone"),
            Some(97)
        );
        assert_eq!(steps("wrong: 11 steps"), Some(11));
        let sets = sets([
            "a/b: 3 steps",
            "a/c: left out: no",
            "d: 4 steps",
            "a/e: 5 steps",
        ]);
        assert_eq!(sum(&sets), (3, 12));
        assert_eq!(sets, [("a".to_owned(), 2, 8), ("d".to_owned(), 1, 4)]);
        assert_eq!(steps("a/b.wast: left out: needs steps of others"), None);
    }
}
