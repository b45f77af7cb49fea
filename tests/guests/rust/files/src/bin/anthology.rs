//! Gathers all texts below `/`, the folder that the function was deployed with, into one.
//!
//! | | |
//! |---|---|
//! | stdout | the texts (`.txt`) in the order of their paths, each below a line with its path and length |
//! | exit | 0; without a folder there is nothing to gather. 1 if something cannot be read or written |
//!
//! The anthology is put together in a file of `/tmp`, as a program would that was not written for this.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const DRAFT: &str = "/tmp/work/anthology";

fn main() -> ExitCode {
    match gather().and_then(|()| show()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("anthology: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The paths of all texts below `folder`, in order.
fn texts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            found.extend(texts(&path)?);
        } else if kind.is_file() && path.extension().is_some_and(|it| it == "txt") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn gather() -> io::Result<()> {
    fs::create_dir("/tmp/work")?;
    File::create(DRAFT)?;
    let Ok(found) = texts(Path::new("/")) else {
        return Ok(());
    };
    for path in found {
        let text = fs::read_to_string(&path)?;
        let length = fs::metadata(&path)?.len();
        assert_eq!(length, text.len() as u64, "{}", path.display());
        let mut draft = OpenOptions::new().append(true).open(DRAFT)?;
        write!(draft, "--- {} ({length})\n{text}", path.display())?;
    }
    Ok(())
}

/// Reads the draft from its second half to its first, since it can, and takes everything away.
fn show() -> io::Result<()> {
    fs::rename(DRAFT, "/tmp/work/finished")?;
    let mut file = File::open("/tmp/work/finished")?;
    let length = file.metadata()?.len();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    file.seek(SeekFrom::Start(length / 2))?;
    file.read_to_end(&mut second)?;
    file.seek(SeekFrom::End(-(length as i64)))?;
    file.take(length / 2).read_to_end(&mut first)?;
    fs::remove_dir_all("/tmp/work")?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(&first)?;
    stdout.write_all(&second)
}
