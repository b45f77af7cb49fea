//! A host whose clock, response and log are plain values, and a command in it.
#![allow(dead_code)] // Each test file uses its part.

use core::cell::Cell;

use luge_wasi::{Context, Errno, Folder, Function, Host, Unreadable};

#[derive(Default)]
pub struct World {
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub monotonic_ns: u64,
    pub realtime_ns: u64,
    pub response: Vec<u8>,
    pub log: Vec<String>,
    /// Most bytes that one write takes.
    pub room: usize,
    pub sleeps: Vec<u64>,
    pub yields: u32,
    /// How often others could run.
    pub breaths: Cell<u32>,
    /// Whether the command is to stop at its next yield.
    pub unwanted: bool,
    pub folder: Option<Folder>,
    /// The contents of the folder's files, by number.
    pub contents: Vec<(u32, Vec<u8>)>,
    /// Most bytes that one read of a file gives; 0: the disk is broken.
    pub read: usize,
    pub scratch_bytes: u64,
    pub response_file: Option<String>,
    random: u8,
}

impl Host for World {
    fn arguments(&self) -> &[String] {
        &self.arguments
    }
    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }
    fn body(&self) -> &[u8] {
        &self.body
    }
    fn monotonic_ns(&mut self) -> u64 {
        self.monotonic_ns
    }
    fn realtime_ns(&mut self) -> u64 {
        self.realtime_ns
    }
    fn cpu_time_ns(&mut self) -> u64 {
        77
    }
    fn random(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.random = self.random.wrapping_mul(5).wrapping_add(3);
            *byte = self.random;
        }
    }
    fn write_stdout(&mut self, bytes: &[u8]) -> usize {
        assert!(!bytes.is_empty(), "an empty write must not reach the host");
        let length = bytes.len().min(self.room);
        self.response.extend_from_slice(&bytes[..length]);
        length
    }
    fn write_log(&mut self, line: &[u8]) {
        self.log.push(String::from_utf8_lossy(line).into_owned());
    }
    fn sleep_until(&mut self, deadline_ns: u64) {
        self.sleeps.push(deadline_ns);
        self.monotonic_ns = self.monotonic_ns.max(deadline_ns);
    }
    fn yield_now(&mut self) -> bool {
        self.yields += 1;
        !self.unwanted
    }
    fn breathe(&self) -> bool {
        self.breaths.set(self.breaths.get() + 1);
        !self.unwanted
    }
    fn folder(&self) -> Option<&Folder> {
        self.folder.as_ref()
    }
    fn read_file(&mut self, file: u32, offset: u64, into: &mut [u8]) -> Result<usize, Unreadable> {
        assert!(!into.is_empty(), "an empty read must not reach the host");
        if self.read == 0 {
            return Err(Unreadable);
        }
        let bytes = self.contents.iter().find(|(number, _)| *number == file);
        let bytes = &bytes.ok_or(Unreadable)?.1;
        let offset = usize::try_from(offset).unwrap().min(bytes.len());
        let length = into.len().min(bytes.len() - offset).min(self.read);
        into[..length].copy_from_slice(&bytes[offset..][..length]);
        Ok(length)
    }
    fn scratch_bytes(&self) -> u64 {
        self.scratch_bytes
    }
    fn response_file(&self) -> Option<&str> {
        self.response_file.as_deref()
    }
    fn in_own_memory<R>(&mut self, f: impl FnOnce() -> R) -> R {
        f()
    }
}

/// A world with room for everything, at second 10 after start and second 1000 after 1970.
pub fn world() -> World {
    World {
        monotonic_ns: 10_000_000_000,
        realtime_ns: 1_000_000_000_000,
        room: usize::MAX,
        read: usize::MAX,
        ..World::default()
    }
}

/// A command with a page of memory.
pub struct Command {
    pub context: Context<World>,
    pub memory: Vec<u8>,
}

pub const PAGE: u32 = 65536;

impl Command {
    pub fn new(arguments: &[&str], environment: &[(&str, &str)], body: &[u8]) -> Self {
        let mut world = world();
        world.arguments = arguments.iter().map(|text| (*text).into()).collect();
        world.environment = environment
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        world.body = body.to_vec();
        Self {
            context: Context::new(world),
            memory: vec![0; PAGE as usize],
        }
    }

    pub fn with_body(body: &[u8]) -> Self {
        Self::new(&[], &[], body)
    }

    /// Calls a function that is not the exit.
    pub fn call(&mut self, function: Function, arguments: &[u64]) -> Errno {
        assert_eq!(arguments.len(), function.parameters().len());
        let ended = self.context.call(function, &mut self.memory, arguments);
        ended.expect("only proc_exit ends a command")
    }

    pub fn put(&mut self, at: u32, bytes: &[u8]) {
        self.memory[at as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// A list of buffers at `at`.
    pub fn put_buffers(&mut self, at: u32, buffers: &[(u32, u32)]) {
        for (index, (pointer, length)) in buffers.iter().enumerate() {
            let at = at + 8 * index as u32;
            self.put(at, &pointer.to_le_bytes());
            self.put(at + 4, &length.to_le_bytes());
        }
    }

    pub fn u32_at(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.memory[at as usize..][..4].try_into().unwrap())
    }

    pub fn u64_at(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.memory[at as usize..][..8].try_into().unwrap())
    }

    pub fn bytes_at(&self, at: u32, length: u32) -> &[u8] {
        &self.memory[at as usize..][..length as usize]
    }

    pub fn host(&mut self) -> &mut World {
        self.context.host()
    }
}

/// The descriptors of `/`, `/tmp` and `/dev` in [`Command::with_files`].
pub const TOP: u32 = 3;
pub const TMP: u32 = 4;
pub const DEV: u32 = 5;

/// Where [`Command::path`] puts a path, where results go that no test looks at twice, and where buffers
/// are.
pub const PATH: u32 = 0x9000;
pub const OTHER_PATH: u32 = 0xb000;
pub const RESULT: u32 = 0x8000;
pub const LIST: u32 = 0x8100;

pub const FOLLOW: u64 = 1;
pub const CREATE: u64 = 1;
pub const DIRECTORY: u64 = 2;
pub const EXCLUSIVE: u64 = 4;
pub const TRUNCATE: u64 = 8;
/// `rights` of a file that is read, or read and written.
pub const READ: u64 = 0b1111_1011_1111 & !WRITE | 1 << 21;
pub const WRITE: u64 = 1 << 6 | 1 << 8 | 1 << 22 | 1 << 23;

/// What is in the folder of [`Command::with_files`].
pub const TEXT: &[u8] = b"The quick brown fox";

impl Command {
    /// A command with a folder at `/`, room for 1 MiB in `/tmp`, and a body.
    pub fn with_files() -> Self {
        let mut world = world();
        let mut folder = Folder::new(5);
        let top = luge_wasi::ROOT;
        let file = folder.add_file(top, "file", 6, TEXT.len() as u64).unwrap();
        let deep = folder.add_directory(top, "deep", 7).unwrap();
        let inner = folder.add_file(deep, "inner", 8, 3).unwrap();
        folder.add_link(top, "link", 9, "deep/../file").unwrap();
        folder.add_link(top, "to-deep", 9, "deep").unwrap();
        folder.add_link(top, "loop", 9, "loop").unwrap();
        folder.add_link(top, "out", 9, "../etc/passwd").unwrap();
        folder.add_link(top, "absolute", 9, "/etc/passwd").unwrap();
        folder.add_link(deep, "up", 9, "../deep/./inner").unwrap();
        world.folder = Some(folder);
        world.contents = vec![(file, TEXT.to_vec()), (inner, b"abc".to_vec())];
        world.scratch_bytes = 1 << 20;
        world.body = b"body".to_vec();
        Self {
            context: Context::new(world),
            memory: vec![0; PAGE as usize],
        }
    }

    /// Puts a path into memory; returns its place and length, as arguments.
    pub fn path(&mut self, path: &str) -> [u64; 2] {
        self.put(PATH, path.as_bytes());
        [PATH.into(), path.len() as u64]
    }

    /// The same, for calls that take two.
    pub fn other_path(&mut self, path: &str) -> [u64; 2] {
        self.put(OTHER_PATH, path.as_bytes());
        [OTHER_PATH.into(), path.len() as u64]
    }

    /// Calls a function whose arguments are a descriptor, a path, and `rest`.
    pub fn at(&mut self, function: Function, directory: u32, path: &str, rest: &[u64]) -> Errno {
        let [pointer, length] = self.path(path);
        self.call(
            function,
            &[&[directory.into(), pointer, length], rest].concat(),
        )
    }

    /// Calls a function whose arguments are a descriptor, flags, a path, and `rest`.
    pub fn at_with(
        &mut self,
        function: Function,
        (directory, flags): (u32, u64),
        path: &str,
        rest: &[u64],
    ) -> Errno {
        let [pointer, length] = self.path(path);
        self.call(
            function,
            &[&[directory.into(), flags, pointer, length], rest].concat(),
        )
    }

    /// `path_open`, following links, with all rights that may be inherited.
    pub fn open(
        &mut self,
        directory: u32,
        path: &str,
        how: u64,
        rights: u64,
    ) -> Result<u32, Errno> {
        let inheriting = (1 << 28) - 1;
        let rest = [how, rights, inheriting, 0, RESULT.into()];
        match self.at_with(Function::PathOpen, (directory, FOLLOW), path, &rest) {
            Errno::Success => Ok(self.u32_at(RESULT)),
            errno => Err(errno),
        }
    }

    /// A new file in `/tmp` with these contents; its descriptor stands behind them.
    pub fn create(&mut self, path: &str, contents: &[u8]) -> u32 {
        let file = self.open(TMP, path, CREATE, READ | WRITE).expect(path);
        assert_eq!(self.write(file, contents), Ok(contents.len() as u32));
        file
    }

    /// `fd_write` of at most 4 KiB.
    pub fn write(&mut self, file: u32, bytes: &[u8]) -> Result<u32, Errno> {
        self.put(0x2000, bytes);
        self.put_buffers(LIST, &[(0x2000, bytes.len() as u32)]);
        let call = [file.into(), LIST.into(), 1, RESULT.into()];
        match self.call(Function::FdWrite, &call) {
            Errno::Success => Ok(self.u32_at(RESULT)),
            errno => Err(errno),
        }
    }

    /// `fd_read` of at most 4 KiB.
    pub fn read(&mut self, file: u32, length: u32) -> Result<Vec<u8>, Errno> {
        self.put_buffers(LIST, &[(0x2000, length)]);
        let call = [file.into(), LIST.into(), 1, RESULT.into()];
        match self.call(Function::FdRead, &call) {
            Errno::Success => Ok(self.bytes_at(0x2000, self.u32_at(RESULT)).to_vec()),
            errno => Err(errno),
        }
    }

    /// `fd_seek`
    pub fn seek(&mut self, file: u32, offset: i64, whence: u64) -> Result<u64, Errno> {
        let call = [file.into(), offset.cast_unsigned(), whence, RESULT.into()];
        match self.call(Function::FdSeek, &call) {
            Errno::Success => Ok(self.u64_at(RESULT)),
            errno => Err(errno),
        }
    }

    /// Size of what a path leads to, its type and its number of names.
    pub fn stat(&mut self, directory: u32, path: &str) -> Result<(u64, u8, u64), Errno> {
        let rest = [RESULT.into()];
        match self.at_with(Function::PathFilestatGet, (directory, 0), path, &rest) {
            Errno::Success => Ok((
                self.u64_at(RESULT + 32),
                self.memory[RESULT as usize + 16],
                self.u64_at(RESULT + 24),
            )),
            errno => Err(errno),
        }
    }

    /// All names of a directory, read through a buffer of `length` bytes.
    pub fn list(&mut self, directory: u32, length: u32) -> Vec<String> {
        let mut names = Vec::new();
        let mut cookie = 0;
        loop {
            let call = [
                directory.into(),
                0x2000,
                length.into(),
                cookie,
                RESULT.into(),
            ];
            assert_eq!(self.call(Function::FdReaddir, &call), Errno::Success);
            let used = self.u32_at(RESULT);
            let mut rest = self.bytes_at(0x2000, used).to_vec();
            while rest.len() >= 24 {
                let name = u32::from_le_bytes(rest[16..20].try_into().unwrap()) as usize;
                if rest.len() < 24 + name {
                    break;
                }
                cookie = u64::from_le_bytes(rest[..8].try_into().unwrap());
                names.push(String::from_utf8(rest[24..24 + name].to_vec()).unwrap());
                rest.drain(..24 + name);
            }
            if used < length {
                return names;
            }
        }
    }
}
