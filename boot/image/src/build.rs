//! What is to be on an image: the spec, modules, their native code, and folders that functions read.
//!
//! [`Build::of`] takes what a deployment names; [`Build::of_image`] takes an image over as it is, for
//! [`crate::change`]. [`crate::write`] makes the image.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use luge_native::artefact;
use luge_spec::{FILE_NAME, FolderPath};

use crate::compile::Compiler;
use crate::deployment::Deployment;
use crate::folder::{self, Contents, Item};
use crate::list::Bytes;
use crate::module::Served;
use crate::progress::Progress;
use crate::source::Source;
use crate::write::SIZE_OF_BLOCK;

/// What happens to modules that the kernel will refuse.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// No image is made.
    Refuse,
    /// They are left out; what does not need them is put on the disk.
    LeaveOut,
    /// They are put on the disk.
    Keep,
}

/// The files of an image to be.
#[derive(Default)]
pub struct Build {
    /// Path below the top folder, and contents; no path twice.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Symbolic links, and where they point to.
    pub links: BTreeMap<String, String>,
    /// Folders beside those that files lie in.
    pub folders: BTreeSet<String>,
    /// How many routes there are.
    pub routes: usize,
}

impl Build {
    /// The spec, if there is one, and the modules that routes name, with native code if there is a compiler.
    pub fn of(
        deployment: &Deployment,
        source: &Source,
        compiler: Option<&Compiler>,
        strictness: Strictness,
        progress: Progress,
    ) -> Result<Build> {
        let mut build = Build::default();
        let mut left_out = BTreeSet::new();
        let modules = deployment.modules.len();
        for (index, path) in deployment.modules.keys().enumerate() {
            // A module that is missing or too long was reported; it cannot be put on the disk.
            if let Ok(bytes) = source.read_module(path) {
                let served = Served::of(bytes);
                served.report(path.as_str());
                let bytes = served.bytes;
                if let Some(compiler) = compiler {
                    let place = format!("{}/{modules}", index + 1);
                    let added = build.add_native(compiler, path.as_str(), &bytes, &place, progress);
                    if let Err(why) = added {
                        // Nothing else runs some.
                        match (deployment.native_only.get(path), strictness) {
                            (Some(_), Strictness::Refuse) => {
                                bail!("{path}: no native code: {why:#} (see --allow-invalid)")
                            }
                            (Some(_), Strictness::LeaveOut) => {
                                eprintln!("warning: {path}: left out: no native code: {why:#}");
                                left_out.insert(path);
                                continue;
                            }
                            _ => eprintln!("warning: {path}: no native code: {why:#}"),
                        }
                    }
                }
                build.files.insert(path.to_string(), bytes);
            }
        }
        if let Some(text) = &deployment.text {
            build.files.insert(FILE_NAME.to_owned(), text.clone());
        }
        for contents in deployment.folders.values().flatten() {
            build.add_contents(contents, source)?;
        }
        let served = deployment.served();
        build.routes = served
            .filter(|(_, route)| !left_out.contains(&route.module))
            .count();
        Ok(build)
    }

    /// Puts the native code of a module beside it. `place` says which of how many it is.
    ///
    /// # Errors
    /// It does not compile.
    pub fn add_native(
        &mut self,
        compiler: &Compiler,
        path: &str,
        module: &[u8],
        place: &str,
        progress: Progress,
    ) -> Result<()> {
        let size = Bytes(module.len() as u64);
        let step = progress.begin(format_args!("native code {place}: {path}, {size}"));
        let code = compiler.compile(module)?;
        step.end(code.len() as u64);
        self.files.insert(artefact::path(path), code);
        Ok(())
    }

    /// Adds what is in folders that functions read, or in all of them.
    fn add_contents(&mut self, contents: &Contents, source: &Source) -> Result<()> {
        for (path, item) in contents {
            match item {
                Item::Folder => {
                    self.folders.insert(path.clone());
                }
                Item::Link(target) => {
                    self.links.insert(path.clone(), target.clone());
                }
                Item::File(_) => {
                    let bytes = source.read(path, FolderPath::LARGEST_FILE);
                    let bytes = bytes.with_context(|| path.clone())?;
                    self.files.insert(path.clone(), bytes);
                }
            }
        }
        Ok(())
    }

    /// Everything that is on an image.
    pub fn of_image(image: &Source) -> Result<Build> {
        let mut build = Build::default();
        build.add_contents(&folder::everything(image)?, image)?;
        Ok(build)
    }

    /// Every file of a folder, for a disk whose spec is no good.
    pub fn of_everything(folder: &Path) -> Result<Build> {
        let source = Source::Folder(folder.to_owned());
        let read = |name: String| {
            let bytes = source.read(&name, crate::module::LARGEST);
            Ok((name.clone(), bytes.with_context(|| name)?))
        };
        let files = source
            .files()?
            .into_iter()
            .map(read)
            .collect::<Result<_>>()?;
        Ok(Build {
            files,
            ..Build::default()
        })
    }

    /// The folders that there are, without the top one.
    pub fn folders(&self) -> BTreeSet<&Path> {
        let inside = self.files.keys().chain(self.links.keys());
        let above = inside.flat_map(|name| Path::new(name).ancestors().skip(1));
        let named = self
            .folders
            .iter()
            .flat_map(|name| Path::new(name).ancestors());
        above
            .chain(named)
            .filter(|folder| !folder.as_os_str().is_empty())
            .collect()
    }

    /// Files, links and folders on the image.
    pub fn entries(&self) -> u64 {
        (self.files.len() + self.links.len() + self.folders().len()) as u64
    }

    /// Size of the file system in blocks: contents, a block for each entry of a folder and for the
    /// extents of each file, a quarter of a block for each inode, and what it needs for itself.
    pub fn blocks(&self) -> u64 {
        let contents: u64 = self
            .files
            .values()
            .map(|bytes| (bytes.len() as u64).div_ceil(SIZE_OF_BLOCK))
            .sum();
        let blocks = contents + contents / 64 + 3 * self.entries() + 128;
        blocks.next_multiple_of(256)
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (routes, files) = (self.routes, self.files.len());
        let size = Bytes(self.blocks() * SIZE_OF_BLOCK);
        write!(f, "{routes} routes, {files} files, {size}")
    }
}
