//! Disks with scripts of conformance tests, made by `tests/spec`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

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
}

impl Tests {
    /// The tool's word for them, and a size that their disk does not exceed.
    const fn recipe(self) -> (&'static str, &'static str) {
        match self {
            Tests::Suite => ("suite", "256M"),
            Tests::Random => ("random", "128M"),
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
            let folder = Folder::new(self.target().join("scenarios").join(name))?;
            let made = self.run(
                Command::new("cargo")
                    .args(["run", "-q", "-p", "luge-spec-tests", "--", "--cache"])
                    .arg(self.target().join("spec-native"))
                    .arg(name)
                    .arg(folder.path()),
            )?;
            fs::write(&list, made)?;
            self.image_of(&folder, size)
        })?;
        let list =
            fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
        let counts: Vec<u64> = list.lines().filter_map(steps).collect();
        Ok(Scripts {
            image,
            steps: counts.iter().sum(),
            files: counts.len() as u64,
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
        assert_eq!(steps("a/b.wast: left out: needs steps of others"), None);
    }
}
