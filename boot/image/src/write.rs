//! Writing an image: `mke2fs` makes the file system out of a staging folder.
//!
//! The same input gives the same bytes: names in order, times, owners, identifiers and hash seed
//! fixed. `mke2fs` takes a file's change time from the host, and nothing on the host can set that
//! time, so `debugfs` sets it (and the owner) afterwards.
//!
//! Invariant: until the new image is whole and was read back, what lies in its place is left alone.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use luge_disk::Volume;
use thiserror::Error;

use crate::build::Build;
use crate::file::ImageFile;
use crate::progress::Progress;

/// A program of the host that is missing.
#[derive(Debug, Error)]
#[error("{0} is not there; it is in the Debian package e2fsprogs: apt-get install e2fsprogs")]
pub struct MissingTool(&'static str);

/// Bytes in a block of the file system: small, since most modules are.
pub const SIZE_OF_BLOCK: u64 = 1024;
/// Blocks of a group, whose bitmap is one block.
const BLOCKS_OF_GROUP: u64 = 8 * SIZE_OF_BLOCK;
/// Every time on the image, in seconds since 1970: 2000-01-01. Not 0, which some tools take for
/// "never".
const TIME: u64 = 946_684_800;
/// Identifier of the file system and seed of its directories' hash.
const UUID: &str = "4c756765-6d6f-6475-6c65-73206469736b";
/// What `mke2fs` takes instead of the host's own configuration.
const CONFIGURATION: &str = "
[defaults]
    base_features = filetype,sparse_super,large_file
    default_mntopts = acl,user_xattr
    enable_periodic_fsck = 0
    blocksize = 1024
    inode_size = 256
[fs_types]
    ext4 = {
        features = extent,metadata_csum
    }
    modules = {
        inode_ratio = 16384
    }
";
/// Inodes that a file system has for itself; the next is the first file's.
const RESERVED_INODES: u64 = 11;

impl Build {
    /// Writes the image, beside its final place first, so that no half image is ever there.
    pub fn write(&self, image: &Path, progress: Progress) -> Result<()> {
        let folder = Scratch::beside(image)?;
        let staging = folder.0.join("files");
        let step = progress.begin(format_args!("writing {} files", self.files.len()));
        self.stage(&staging)?;
        let draft = folder.0.join("disk.img");
        self.make(&folder.0, &staging, &draft)?;
        self.normalise(&draft)?;
        step.end(self.blocks() * SIZE_OF_BLOCK);
        let step = progress.begin("reading them back");
        self.check(&draft)?;
        step.end(self.files.values().map(|bytes| bytes.len() as u64).sum());
        let place = || image.display().to_string();
        if let Ok(old) = fs::metadata(image) {
            fs::set_permissions(&draft, old.permissions()).with_context(place)?;
        }
        // Else the name could be on the host's disk before the contents are.
        File::open(&draft)?.sync_all().with_context(place)?;
        fs::rename(&draft, image).with_context(place)
    }

    fn stage(&self, staging: &Path) -> Result<()> {
        make_folder(staging)?;
        for folder in self.folders() {
            make_folder(&staging.join(folder))?;
        }
        for (name, bytes) in &self.files {
            let path = staging.join(name);
            write_file(&path, bytes).with_context(|| path.display().to_string())?;
        }
        for (name, target) in &self.links {
            let path = staging.join(name);
            symlink(target, &path).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// Inodes of the file system; `mke2fs` fails with fewer than two blocks of them, and gives each group of
    /// blocks as many as the others, rounded down to a multiple of 8.
    fn inodes(&self) -> u64 {
        let groups = self.blocks() / BLOCKS_OF_GROUP;
        (RESERVED_INODES + self.entries()).next_multiple_of(8) + 16 * groups
    }

    fn make(&self, folder: &Path, staging: &Path, image: &Path) -> Result<()> {
        let configuration = folder.join("mke2fs.conf");
        write_file(&configuration, CONFIGURATION.as_bytes())?;
        let output = tool("mke2fs")
            .env("MKE2FS_CONFIG", configuration)
            .args([
                "-q", "-t", "ext4", "-T", "modules", "-b", "1024", "-m", "0", "-L", "luge", "-U",
                UUID,
            ])
            .args(["-N", &self.inodes().to_string()])
            .arg("-E")
            .arg(format!(
                "hash_seed={UUID},root_owner=0:0,lazy_itable_init=0,nodiscard"
            ))
            .arg("-d")
            .args([
                staging.as_os_str(),
                image.as_os_str(),
                OsStr::new(&self.blocks().to_string()),
            ])
            .output();
        succeeded("mke2fs", output)
    }

    /// Sets what `mke2fs` takes over from the host.
    fn normalise(&self, image: &Path) -> Result<()> {
        let mut script = String::new();
        for inode in RESERVED_INODES + 1..=RESERVED_INODES + self.entries() {
            for field in ["ctime", "atime", "mtime"] {
                script +=
                    &format!("sif <{inode}> {field} @{TIME}\nsif <{inode}> {field}_extra 0\n");
            }
            script += &format!("sif <{inode}> uid 0\nsif <{inode}> gid 0\n");
        }
        let mut child = tool("debugfs")
            .args(["-w", "-f", "-"])
            .arg(image)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| missing("debugfs", error))?;
        let mut input = child.stdin.take().context("debugfs takes no commands")?;
        let written = input.write_all(script.as_bytes());
        drop(input);
        succeeded("debugfs", child.wait_with_output())?;
        written.context("debugfs does not take all commands")
    }

    /// Reads every file back as the kernel will.
    fn check(&self, image: &Path) -> Result<()> {
        let volume = Volume::open(ImageFile::open(image)?)?;
        for (name, bytes) in &self.files {
            let read = volume.read(name, bytes.len() as u64);
            if read.with_context(|| format!("the new image: {name}"))? != *bytes {
                bail!("the new image has other contents in {name}");
            }
        }
        Ok(())
    }
}

/// A tool of the host. Debian keeps these where only root looks for them; the folder that
/// `LUGE_E2FSPROGS` names is looked into instead, if it is set.
fn tool(name: &str) -> Command {
    let path = env::var("PATH").unwrap_or_default();
    let path = env::var("LUGE_E2FSPROGS").unwrap_or(format!("{path}:/usr/sbin:/sbin"));
    let mut command = Command::new(name);
    command.env("PATH", path);
    command.env("E2FSPROGS_FAKE_TIME", TIME.to_string());
    command
}

fn missing(name: &'static str, error: std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => MissingTool(name).into(),
        _ => anyhow::Error::new(error).context(name),
    }
}

/// Fails with what the tool said, if it failed.
fn succeeded(name: &'static str, output: std::io::Result<Output>) -> Result<()> {
    let output = output.map_err(|error| missing(name, error))?;
    if !output.status.success() {
        bail!(
            "{name} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir(path).with_context(|| path.display().to_string())?;
    Ok(fs::set_permissions(path, Permissions::from_mode(0o755))?)
}

fn write_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(TIME))
}

/// A folder that goes when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    /// Makes it in the folder of `image`, from where a file can be renamed to it.
    fn beside(image: &Path) -> Result<Scratch> {
        let name = image
            .file_name()
            .context("the image has no name")?
            .to_string_lossy();
        let path = image.with_file_name(format!(".{name}.{}", std::process::id()));
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left over; there is nobody to tell who could do more.
        let _ = fs::remove_dir_all(&self.0);
    }
}
