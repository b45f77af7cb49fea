//! What one command can see, and the way from a call to its function.

use crate::clock::{Clock, RESOLUTION_NS};
use crate::descriptor::{Descriptors, Stream};
use crate::file::NewTimes;
use crate::files::{Scratch, Volume};
use crate::lines::Lines;
use crate::listing::Listing;
use crate::memory::Memory;
use crate::open::Open;
use crate::path::Path;
use crate::poll::Poll;
use crate::transfer::Transfer;
use crate::{Errno, Function, Host, right, strings};

/// What one command has done so far, and what lies outside of it.
///
/// A sandbox may be ended between any two calls, and nothing is dropped then. So what a call allocates, for
/// the scratch and for descriptors, it allocates in the command's own memory ([`Host::in_own_memory`]),
/// which goes whole.
pub struct Context<H> {
    /// Bytes of the body that have been read.
    pub(crate) position: usize,
    /// What `descriptors` were made for.
    first: First,
    pub(crate) descriptors: Descriptors,
    pub(crate) scratch: Scratch,
    pub(crate) lines: Lines,
    pub(crate) host: H,
}

/// The command has ended itself, with this code. Not an errno: the caller must not return to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the command must not be returned to"]
pub struct Exit(pub u32);

/// What a call comes to: an answer, or the end.
pub type Ended = Result<Errno, Exit>;

/// The raw arguments of a call. The engine has checked their number against the table.
struct Arguments<'a>(&'a [u64]);

impl Arguments<'_> {
    fn u64(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or_default()
    }

    /// 32-bit arguments arrive in the low half.
    fn u32(&self, index: usize) -> u32 {
        self.u64(index) as u32
    }
}

impl<H: Host> Context<H> {
    /// A command that has not started.
    pub fn new(host: H) -> Self {
        let first = First::of(&host);
        Self {
            position: 0,
            first,
            descriptors: first.descriptors(),
            scratch: Scratch::new(host.scratch_bytes()),
            lines: Lines::new(),
            host,
        }
    }

    /// Makes another command of one that has not started. Mostly that is to see the same as the other.
    pub fn begin(&mut self, host: H) {
        let first = First::of(&host);
        if first != self.first {
            self.descriptors = first.descriptors();
            self.first = first;
        }
        self.scratch.limit_to(host.scratch_bytes());
        self.host = host;
    }

    /// What of the body has not been read.
    pub(crate) fn unread(&self) -> &[u8] {
        self.host.body().get(self.position..).unwrap_or_default()
    }

    /// Carries out a call. `arguments` are as in [`Function::parameters`], 32-bit ones extended.
    ///
    /// # Errors
    ///
    /// [`Exit`] if the command has ended itself.
    pub fn call(&mut self, function: Function, memory: &mut [u8], arguments: &[u64]) -> Ended {
        let arguments = Arguments(arguments);
        if function == Function::ProcExit {
            return Err(Exit(arguments.u32(0)));
        }
        match self.answer(function, &mut Memory(memory), &arguments) {
            Ok(()) => Ok(Errno::Success),
            Err(errno) => Ok(errno),
        }
    }

    /// Whether the command wrote a last line that has not been given to the log.
    pub fn is_to_be_finished(&self) -> bool {
        !self.lines.is_empty()
    }

    /// The command has ended, in whatever way: gives the log what it wrote of a last line.
    pub fn finish(&mut self) {
        self.lines.flush(&mut self.host);
    }

    /// What lies outside.
    pub fn host(&mut self) -> &mut H {
        &mut self.host
    }

    fn answer(
        &mut self,
        function: Function,
        memory: &mut Memory,
        call: &Arguments,
    ) -> Result<(), Errno> {
        use Function as F;
        let (first, second) = (call.u32(0), call.u32(1));
        match function {
            F::ArgsGet => strings::get(self.host.arguments(), memory, first, second),
            F::ArgsSizesGet => strings::sizes(self.host.arguments(), memory, first, second),
            F::EnvironGet => strings::get(self.host.environment(), memory, first, second),
            F::EnvironSizesGet => strings::sizes(self.host.environment(), memory, first, second),
            F::ClockResGet => {
                Clock::of(first)?;
                memory.put_u64(second, RESOLUTION_NS)
            }
            F::ClockTimeGet => {
                let now_ns = Clock::of(first)?.now_ns(&mut self.host);
                memory.put_u64(call.u32(2), now_ns)
            }
            F::PollOneoff => self.poll(memory, &poll(call)),
            F::RandomGet => self.random(memory, first, second),
            F::SchedYield => {
                let _ = self.host.yield_now();
                Ok(())
            }
            F::ProcRaise => Err(Errno::NoSystemCall),
            // `call` has dealt with it.
            F::ProcExit => Err(Errno::Invalid),
            _ => self.answer_descriptor(function, memory, call),
        }
    }

    /// The functions of one descriptor.
    fn answer_descriptor(
        &mut self,
        function: Function,
        memory: &mut Memory,
        call: &Arguments,
    ) -> Result<(), Errno> {
        use Function as F;
        let (number, second) = (call.u32(0), call.u32(1));
        match function {
            F::FdRead => self.read(memory, &transfer(call, 3)),
            F::FdWrite => self.write(memory, &transfer(call, 3)),
            F::FdPread => self.pread(memory, &transfer(call, 4), call.u64(3)),
            F::FdPwrite => self.pwrite(memory, &transfer(call, 4), call.u64(3)),
            F::FdClose => {
                let closed = self.descriptors.close(number)?;
                self.closed(closed);
                Ok(())
            }
            F::FdRenumber => {
                if let Some(closed) = self.descriptors.renumber(number, second)? {
                    self.closed(closed);
                }
                Ok(())
            }
            F::FdFdstatGet => self.descriptors.get(number)?.put_status(memory, second),
            F::FdFdstatSetFlags => self.descriptors.get_mut(number)?.set_flags(second),
            F::FdFdstatSetRights => {
                let descriptor = self.descriptors.get_mut(number)?;
                descriptor.set_rights(call.u64(1), call.u64(2))
            }
            F::FdFilestatGet => self.filestat(memory, number, second),
            F::FdFilestatSetSize => self.set_size(number, call.u64(1)),
            F::FdFilestatSetTimes => self.set_times(number, &new_times(call, 1)),
            F::FdSeek => {
                let to = (call.u64(1).cast_signed(), call.u32(2));
                self.seek(memory, number, to, call.u32(3))
            }
            F::FdTell => self.seek(memory, number, (0, 1), second),
            F::FdAdvise => self.advise(number, call.u32(3)),
            F::FdAllocate => self.allocate(number, call.u64(1), call.u64(2)),
            F::FdSync => self.sync(number, right::SYNC),
            F::FdDatasync => self.sync(number, right::DATASYNC),
            F::FdPrestatGet => self.prestat(memory, number, second),
            F::FdPrestatDirName => self.prestat_name(memory, number, (second, call.u32(2))),
            F::FdReaddir => self.list(memory, &listing(call)),
            F::SockAccept | F::SockRecv | F::SockSend | F::SockShutdown => {
                self.descriptors.get(number)?;
                Err(Errno::NotASocket)
            }
            _ => self.answer_path(function, memory, call),
        }
    }

    /// The functions of paths.
    fn answer_path(
        &mut self,
        function: Function,
        memory: &mut Memory,
        call: &Arguments,
    ) -> Result<(), Errno> {
        use Function as F;
        // Most have a descriptor and the path right behind it, or a word of flags in between.
        let (near, far) = (path(call, 0, 1), path(call, 0, 2));
        match function {
            F::PathOpen => self.open(memory, far, &open(call)),
            F::PathCreateDirectory => self.create_directory(memory, near),
            F::PathRemoveDirectory => self.remove_directory(memory, near),
            F::PathUnlinkFile => self.unlink_file(memory, near),
            F::PathRename => self.rename(memory, near, path(call, 3, 4)),
            F::PathLink => self.link(memory, (far, call.u32(1)), path(call, 4, 5)),
            F::PathSymlink => {
                let text = (call.u32(0), call.u32(1));
                self.symlink(memory, text, path(call, 2, 3))
            }
            F::PathReadlink => {
                let buffer = (call.u32(3), call.u32(4));
                self.read_link(memory, near, buffer, call.u32(5))
            }
            F::PathFilestatGet => self.path_filestat(memory, far, call.u32(1), call.u32(4)),
            F::PathFilestatSetTimes => {
                self.path_set_times(memory, far, call.u32(1), &new_times(call, 4))
            }
            // The others have been dealt with.
            _ => Err(Errno::NoSystemCall),
        }
    }

    /// Bytes of a stream that are known to be there.
    pub(crate) fn size_of(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Body => self.host.body().len() as u64,
            Stream::Response | Stream::Log | Stream::Null => 0,
        }
    }
}

/// What is there from the start.
#[derive(Clone, Copy, PartialEq, Eq)]
struct First {
    output: Stream,
    has_folder: bool,
    has_scratch: bool,
}

impl First {
    fn of(host: &impl Host) -> Self {
        Self {
            output: output(host),
            has_folder: host.folder().is_some(),
            has_scratch: host.scratch_bytes() > 0,
        }
    }

    fn descriptors(self) -> Descriptors {
        let volumes = [
            self.has_folder.then_some(Volume::Folder),
            self.has_scratch.then_some(Volume::Scratch),
            Some(Volume::Devices),
        ];
        Descriptors::new(self.output, volumes)
    }
}

/// What standard output is: the response, or the log if that is a file.
pub(crate) fn output(host: &impl Host) -> Stream {
    match host.response_file() {
        None => Stream::Response,
        Some(_) => Stream::Log,
    }
}

/// The arguments of a read or write; `done` is the place of the last.
fn transfer(call: &Arguments, done: usize) -> Transfer {
    Transfer {
        descriptor: call.u32(0),
        list: call.u32(1),
        count: call.u32(2),
        done: call.u32(done),
    }
}

/// A path, by the places of its descriptor and of its pointer.
fn path(call: &Arguments, descriptor: usize, text: usize) -> Path {
    Path {
        descriptor: call.u32(descriptor),
        pointer: call.u32(text),
        length: call.u32(text + 1),
    }
}

fn open(call: &Arguments) -> Open {
    Open {
        lookup: call.u32(1),
        how: call.u32(4),
        rights: call.u64(5),
        inheriting: call.u64(6),
        flags: call.u32(7),
        opened: call.u32(8),
    }
}

/// Two times and what to do with them, from the place of the first on.
fn new_times(call: &Arguments, first: usize) -> NewTimes {
    NewTimes {
        accessed_ns: call.u64(first),
        modified_ns: call.u64(first + 1),
        flags: call.u32(first + 2),
    }
}

fn listing(call: &Arguments) -> Listing {
    Listing {
        descriptor: call.u32(0),
        buffer: call.u32(1),
        length: call.u32(2),
        cookie: call.u64(3),
        used: call.u32(4),
    }
}

fn poll(call: &Arguments) -> Poll {
    Poll {
        subscriptions: call.u32(0),
        events: call.u32(1),
        count: call.u32(2),
        happened: call.u32(3),
    }
}
