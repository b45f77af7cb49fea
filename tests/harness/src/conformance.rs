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
    /// How many steps there are in all of its scripts.
    pub steps: u64,
    /// How many scripts there are.
    pub files: u64,
    /// The same of each set: its name, files and steps.
    pub sets: Vec<(String, u64, u64)>,
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
        let sets = sets(&list);
        Ok(Scripts {
            image,
            steps: sets.iter().map(|(.., steps)| steps).sum(),
            files: sets.iter().map(|(_, files, _)| files).sum(),
            sets,
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
fn sets(list: &str) -> Vec<(String, u64, u64)> {
    let mut sets: Vec<(String, u64, u64)> = Vec::new();
    for line in list.lines() {
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
        let sets = sets("a/b: 3 steps\na/c: left out: no\nd: 4 steps\na/e: 5 steps\n");
        assert_eq!(sets, [("a".to_owned(), 2, 8), ("d".to_owned(), 1, 4)]);
        assert_eq!(steps("a/b.wast: left out: needs steps of others"), None);
    }
}
