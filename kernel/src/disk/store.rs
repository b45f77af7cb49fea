//! The files of the disk behind a lock, for whoever wants parts of them while requests are served.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use log::warn;
use luge_disk::{FileError, Files, Part, Volume};

use crate::arch::lock::Lock;
use crate::arch::paging::PAGE_BYTES;
use crate::mm::frames;

/// The most that parts of files may take of memory, in bytes, and what share of it (one in so many): the
/// kernel's heap does not shrink, so what they take once is lost for sandboxes.
const MOST_CACHED: usize = 8 << 20;
const SHARE: usize = 32;

/// A volume and its files.
pub struct Store {
    files: Lock<Held>,
    /// Whether a failure was logged; there is nothing new in those that follow.
    failed: AtomicBool,
}

struct Held(Files);

// SAFETY: the file system's counts of references are not atomic. All that count are inside, since
// nothing that a volume or its files give out has one; and whoever reaches them holds the lock.
unsafe impl Send for Held {}

impl Store {
    pub(super) fn new(volume: Volume) -> Self {
        let (_, frames) = frames::counts();
        let cached = frames * PAGE_BYTES as usize / SHARE;
        Store {
            files: Lock::new(Held(Files::new(volume, cached.min(MOST_CACHED)))),
            failed: AtomicBool::new(false),
        }
    }

    /// Asks the volume for something. At boot only: it may take its time.
    pub fn ask<R>(&self, question: impl FnOnce(&Volume) -> R) -> R {
        question(self.files.lock().0.volume())
    }

    /// Gives a file a number, by which parts of it can be read. `path` is relative to the top folder.
    pub fn add(&self, path: &str) -> usize {
        self.files.lock().0.add(path)
    }

    /// Finds a file as [`Files::find`] does: its number, and its length in bytes.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn find(&self, path: &str) -> Result<(usize, u64), FileError> {
        self.files.lock().0.find(path)
    }

    /// Copies a part of a file into `into`, as [`Files::read`] does. It holds the CPU for one request to
    /// the device at most.
    ///
    /// # Errors
    /// [`FileError`]; the first one is logged.
    pub fn read(&self, file: u32, offset: u64, into: &mut [u8]) -> Result<Part, FileError> {
        let result = self.files.lock().0.read(file, offset, into);
        self.note(result)
    }

    /// Copies a part of a file that is read once into `into`, as [`Files::read_once`] does. It holds the CPU
    /// for one request to the device at most.
    ///
    /// # Errors
    /// [`FileError`]; the first one is logged.
    pub fn read_once(&self, file: u32, offset: u64, into: &mut [u8]) -> Result<Part, FileError> {
        let result = self.files.lock().0.read_once(file, offset, into);
        self.note(result)
    }

    fn note(&self, result: Result<Part, FileError>) -> Result<Part, FileError> {
        if let Err(why) = &result
            && !self.failed.swap(true, Relaxed)
        {
            warn!("a file cannot be read: {why}");
        }
        result
    }
}
