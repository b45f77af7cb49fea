//! What a call answers.

/// The error numbers of preview 1 that are given here. `Success` is an answer like the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[must_use = "the guest has to be told"]
pub enum Errno {
    /// It worked.
    Success = 0,
    /// No such descriptor.
    BadDescriptor = 8,
    /// A pointer, or a pointer and a length, that leave linear memory.
    Fault = 21,
    /// An argument that is never right.
    Invalid = 28,
    /// The function does not exist here.
    NoSystemCall = 52,
    /// A directory was expected.
    NotADirectory = 54,
    /// A socket was expected.
    NotASocket = 57,
    /// The operation exists, but not for this.
    NotSupported = 58,
    /// A value that does not fit its type.
    Overflow = 61,
    /// Nobody reads the other end any more.
    BrokenPipe = 64,
    /// A stream has no position.
    NotSeekable = 70,
    /// The descriptor's rights do not include this.
    NotCapable = 76,
}

impl Errno {
    /// The number as the guest sees it.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}
