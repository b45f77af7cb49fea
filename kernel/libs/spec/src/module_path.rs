//! Where a module or a folder lies, relative to the spec.

use alloc::string::String;
use core::fmt;

/// The path of a module below the folder of its spec. Holding one means that it does not lead out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModulePath(String);

/// The path of a folder below the folder of its spec. Holding one means that it does not lead out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FolderPath(String);

/// Why a path is none for a module or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathProblem {
    /// It has no name in it, so it means the folder of the spec itself.
    Empty,
    /// It begins with `/`.
    Absolute,
    /// It contains `..`.
    LeadsOut,
    /// It contains a character that no file's name should have.
    Control,
    /// It, or a name in it, is longer than a file system takes.
    TooLong,
}

/// Longest path in bytes: Linux's `PATH_MAX`, 4096, without the folder's own part.
const LONGEST_PATH: usize = 1024;
/// Longest name in bytes: ext4's `EXT4_NAME_LEN`.
const LONGEST_NAME: usize = 255;

impl ModulePath {
    /// Checks a path as it stands in a spec. `.` and empty parts are dropped, and `.wasm.so`, the
    /// name of what Sledge makes of a module, becomes `.wasm`.
    ///
    /// # Errors
    /// [`PathProblem`]: no file of a disk can be meant by it.
    pub fn new(path: &str) -> Result<Self, PathProblem> {
        let mut normal = normal(path)?;
        if normal.ends_with(".wasm.so") {
            normal.truncate(normal.len() - ".so".len());
        }
        Ok(ModulePath(normal))
    }

    /// The path without a leading `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FolderPath {
    /// Most files, folders and links in a folder and all below it that the kernel takes.
    pub const MOST_NODES: usize = 16 << 10;
    /// The longest file in it that the kernel takes, in bytes. To find a place in a file, its blocks are
    /// counted from the first one.
    pub const LARGEST_FILE: u64 = 256 << 20;

    /// Checks a path as it stands in a spec. `.` and empty parts are dropped.
    ///
    /// # Errors
    /// [`PathProblem`]: no folder of a disk can be meant by it.
    pub fn new(path: &str) -> Result<Self, PathProblem> {
        normal(path).map(FolderPath)
    }

    /// The path without a slash at either end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A path without what means nothing in it.
fn normal(path: &str) -> Result<String, PathProblem> {
    if path.starts_with('/') {
        return Err(PathProblem::Absolute);
    }
    let mut normal = String::new();
    for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
        check(name)?;
        if !normal.is_empty() {
            normal.push('/');
        }
        normal.push_str(name);
    }
    match normal.len() {
        0 => Err(PathProblem::Empty),
        1..=LONGEST_PATH => Ok(normal),
        _ => Err(PathProblem::TooLong),
    }
}

/// Checks one name of a path.
fn check(name: &str) -> Result<(), PathProblem> {
    if name == ".." {
        Err(PathProblem::LeadsOut)
    } else if name.chars().any(char::is_control) {
        Err(PathProblem::Control)
    } else if name.len() > LONGEST_NAME {
        Err(PathProblem::TooLong)
    } else {
        Ok(())
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for FolderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PathProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathProblem::Empty => "names nothing in the folder of the spec",
            PathProblem::Absolute => "is absolute; paths are relative to the spec",
            PathProblem::LeadsOut => {
                "contains \"..\"; what is named lies in the folder of the spec"
            }
            PathProblem::Control => "contains a control character",
            PathProblem::TooLong => "is too long",
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_relative_path_is_kept_without_its_dots() {
        for (written, kept) in [
            ("fib.wasm", "fib.wasm"),
            ("./fib.wasm", "fib.wasm"),
            ("a//b/./c.wasm", "a/b/c.wasm"),
            ("..fib.wasm", "..fib.wasm"),
            ("año/ß.wasm", "año/ß.wasm"),
        ] {
            assert_eq!(ModulePath::new(written).unwrap().to_string(), kept);
        }
    }

    #[test]
    fn the_name_of_sledges_shared_object_means_the_module() {
        assert_eq!(
            ModulePath::new("fibonacci.wasm.so").unwrap().as_str(),
            "fibonacci.wasm"
        );
        assert_eq!(ModulePath::new("lib.so").unwrap().as_str(), "lib.so");
    }

    #[test]
    fn a_path_that_leads_out_or_nowhere_is_refused() {
        let long = "x".repeat(256);
        let deep = "x/".repeat(600);
        for (path, problem) in [
            ("", PathProblem::Empty),
            ("./.", PathProblem::Empty),
            ("/fib.wasm", PathProblem::Absolute),
            ("../fib.wasm", PathProblem::LeadsOut),
            ("a/../../fib.wasm", PathProblem::LeadsOut),
            ("a/..", PathProblem::LeadsOut),
            ("a\0b", PathProblem::Control),
            ("a\nb", PathProblem::Control),
            (&long, PathProblem::TooLong),
            (&deep, PathProblem::TooLong),
        ] {
            assert_eq!(ModulePath::new(path), Err(problem), "{path:?}");
        }
    }
}
