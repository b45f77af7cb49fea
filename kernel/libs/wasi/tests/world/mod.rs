//! A host whose clock, response and log are plain values, and a command in it.
#![allow(dead_code)] // Each test file uses its part.

use luge_wasi::{Context, Errno, Function, Host};

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
    /// Whether the command is to stop at its next yield.
    pub unwanted: bool,
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
}

/// A world with room for everything, at second 10 after start and second 1000 after 1970.
pub fn world() -> World {
    World {
        monotonic_ns: 10_000_000_000,
        realtime_ns: 1_000_000_000_000,
        room: usize::MAX,
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
