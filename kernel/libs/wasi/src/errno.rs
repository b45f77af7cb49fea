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
    /// There is something of that name already.
    Exists = 20,
    /// A pointer, or a pointer and a length, that leave linear memory.
    Fault = 21,
    /// A file would be larger than any can be.
    TooLarge = 22,
    /// A path that is no UTF-8.
    NoText = 25,
    /// The command is not wanted any more, so it does not see this.
    Interrupted = 27,
    /// An argument that is never right.
    Invalid = 28,
    /// The disk does not give it out.
    Io = 29,
    /// A directory, where something else was expected.
    IsADirectory = 31,
    /// Too many symbolic links, or one where none is followed.
    Loop = 32,
    /// All descriptors are in use.
    TooManyDescriptors = 33,
    /// A name or a path that is too long.
    NameTooLong = 37,
    /// No such file or directory.
    NoEntry = 44,
    /// `/tmp` is full.
    NoSpace = 51,
    /// The function does not exist here.
    NoSystemCall = 52,
    /// A directory was expected.
    NotADirectory = 54,
    /// The directory is not empty.
    NotEmpty = 55,
    /// A socket was expected.
    NotASocket = 57,
    /// The operation exists, but not for this.
    NotSupported = 58,
    /// A value that does not fit its type.
    Overflow = 61,
    /// Nobody may do that, or a path leads out of its directory.
    NotPermitted = 63,
    /// Nobody reads the other end any more.
    BrokenPipe = 64,
    /// The folder of the disk cannot be changed.
    ReadOnly = 69,
    /// A stream has no position.
    NotSeekable = 70,
    /// From one file system to another.
    CrossDevice = 75,
    /// The descriptor's rights do not include this.
    NotCapable = 76,
}

impl Errno {
    /// The number as the guest sees it.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The name that the specification has for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::BadDescriptor => "badf",
            Self::Exists => "exist",
            Self::Fault => "fault",
            Self::TooLarge => "fbig",
            Self::NoText => "ilseq",
            Self::Interrupted => "intr",
            Self::Invalid => "inval",
            Self::Io => "io",
            Self::IsADirectory => "isdir",
            Self::Loop => "loop",
            Self::TooManyDescriptors => "mfile",
            Self::NameTooLong => "nametoolong",
            Self::NoEntry => "noent",
            Self::NoSpace => "nospc",
            Self::NoSystemCall => "nosys",
            Self::NotADirectory => "notdir",
            Self::NotEmpty => "notempty",
            Self::NotASocket => "notsock",
            Self::NotSupported => "notsup",
            Self::Overflow => "overflow",
            Self::NotPermitted => "perm",
            Self::BrokenPipe => "pipe",
            Self::ReadOnly => "rofs",
            Self::NotSeekable => "spipe",
            Self::CrossDevice => "xdev",
            Self::NotCapable => "notcapable",
        }
    }
}
