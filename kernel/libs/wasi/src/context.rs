//! What one command can see, and the way from a call to its function.

use crate::clock::{Clock, RESOLUTION_NS};
use crate::descriptor::{Descriptors, Stream};
use crate::lines::Lines;
use crate::memory::Memory;
use crate::poll::Poll;
use crate::stream::Transfer;
use crate::{Errno, Function, Host, strings};

/// What one command has done so far, and what lies outside of it. It owns nothing on a heap, and no
/// call allocates: a sandbox may be ended in the middle of one, and nothing may leak then.
pub struct Context<H> {
    /// Bytes of the body that have been read.
    pub(crate) position: usize,
    pub(crate) descriptors: Descriptors,
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
    pub const fn new(host: H) -> Self {
        Self {
            position: 0,
            descriptors: Descriptors::new(),
            lines: Lines::new(),
            host,
        }
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
            F::FdRead => self.read(memory, &transfer(call)),
            F::FdWrite => self.write(memory, &transfer(call)),
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

    /// The functions whose first argument is a descriptor.
    fn answer_descriptor(
        &mut self,
        function: Function,
        memory: &mut Memory,
        call: &Arguments,
    ) -> Result<(), Errno> {
        use Function as F;
        let (number, second) = (call.u32(0), call.u32(1));
        match function {
            F::FdClose => return self.descriptors.close(number),
            F::FdRenumber => return self.descriptors.renumber(number, second),
            // There are no preopened directories, which the C library learns from this answer.
            F::FdPrestatGet | F::FdPrestatDirName => return Err(Errno::BadDescriptor),
            F::PathSymlink => return self.no_directory(call.u32(2)),
            _ => {}
        }
        let size = self.host.body().len() as u64;
        let descriptor = self.descriptors.get_mut(number)?;
        match function {
            F::FdFdstatGet => descriptor.put_status(memory, second),
            F::FdFdstatSetFlags => descriptor.set_flags(second),
            F::FdFdstatSetRights => descriptor.set_rights(call.u64(1), call.u64(2)),
            F::FdFilestatGet => {
                let size = if descriptor.stream == Stream::Body {
                    size
                } else {
                    0
                };
                descriptor.put_file_status(memory, second, size)
            }
            F::FdSeek | F::FdTell | F::FdPread | F::FdPwrite | F::FdAdvise | F::FdAllocate => {
                Err(Errno::NotSeekable)
            }
            F::FdDatasync | F::FdSync | F::FdFilestatSetSize => Err(Errno::Invalid),
            F::FdFilestatSetTimes => Err(Errno::NotSupported),
            F::SockAccept | F::SockRecv | F::SockSend | F::SockShutdown => Err(Errno::NotASocket),
            _ => self.no_directory(number),
        }
    }

    /// What every path function answers: nothing here is a directory.
    fn no_directory(&self, number: u32) -> Result<(), Errno> {
        self.descriptors.get(number)?;
        Err(Errno::NotADirectory)
    }
}

fn transfer(call: &Arguments) -> Transfer {
    Transfer {
        descriptor: call.u32(0),
        list: call.u32(1),
        count: call.u32(2),
        done: call.u32(3),
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
