//! What lies outside a command.

use alloc::string::String;

use crate::files::Folder;

/// The outside of one command. All times are in nanoseconds.
pub trait Host {
    /// `argv`: the command's own name first.
    fn arguments(&self) -> &[String];

    /// Environment variables: names and values.
    fn environment(&self) -> &[(String, String)];

    /// All of stdin. The same at every call.
    fn body(&self) -> &[u8];

    /// Time since an arbitrary start; never goes back.
    fn monotonic_ns(&mut self) -> u64;

    /// Time since 1970-01-01 00:00 UTC.
    fn realtime_ns(&mut self) -> u64;

    /// Processor time that this command has used.
    fn cpu_time_ns(&mut self) -> u64;

    /// Fills `bytes` with random numbers fit for keys.
    fn random(&mut self, bytes: &mut [u8]);

    /// Takes a non-empty part of the response and says how many bytes it took. It may wait for room.
    /// 0 means that nobody will ever read more.
    fn write_stdout(&mut self, bytes: &[u8]) -> usize;

    /// Takes a line for the log, without its newline. The bytes are as the guest wrote them: what
    /// must not reach a terminal is for the host to remove.
    fn write_log(&mut self, line: &[u8]);

    /// Returns when [`Self::monotonic_ns`] has reached `deadline_ns`, or earlier if the command is
    /// not wanted any more.
    fn sleep_until(&mut self, deadline_ns: u64);

    /// Lets others run. False if the command is not wanted any more.
    fn yield_now(&mut self) -> bool;

    /// Lets others run if one of them should. Called between the parts of long work, each of which takes some ten
    /// thousand instructions. False if the command is not wanted any more.
    fn breathe(&self) -> bool;

    /// What is mounted read-only at `/`, if anything is. The same at every call.
    fn folder(&self) -> Option<&Folder>;

    /// Copies what the file of this number in [`Self::folder`] has from `offset` on into `into`, and says
    /// how many bytes. It may be a part; 0 is only the end. Called with room for at least one byte.
    ///
    /// # Errors
    /// [`Unreadable`]
    fn read_file(&mut self, file: u32, offset: u64, into: &mut [u8]) -> Result<usize, Unreadable>;

    /// The most that `/tmp` may hold, in bytes; 0 if there is to be none. The same at every call.
    fn scratch_bytes(&self) -> u64;

    /// The file below `/tmp`, by its path there, that is the response if the command ends with success. The
    /// same at every call. Standard output is the log then.
    fn response_file(&self) -> Option<&str>;

    /// Calls `f`, and whatever `f` allocates is the command's own: it goes with it, however that ends. Any
    /// allocation in it may be refused, so it makes none that must not be.
    fn in_own_memory<R>(&mut self, f: impl FnOnce() -> R) -> R;
}

/// The disk does not give a file's contents out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;
