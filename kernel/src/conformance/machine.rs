//! What an engine does for a script.

use alloc::string::String;
use alloc::vec::Vec;

use luge_conformance::{Seen, Value};

/// One sandbox's engine, with the instances of a group.
pub trait Machine {
    /// Takes a module, and has no instance of it.
    fn compile(&mut self, module: u32) -> Seen;
    /// Makes the instance with this number.
    fn instantiate(&mut self, module: u32, instance: u32) -> Seen;
    /// Lets later modules import from an instance by this name.
    fn register(&mut self, instance: u32, name: &str) -> Seen;
    /// Calls an exported function.
    fn invoke(&mut self, instance: u32, name: &str, arguments: &[Value]) -> Seen;
    /// Reads an exported global.
    fn get(&mut self, instance: u32, name: &str) -> Seen;
    /// Gives the bytes of an exported memory to `look`.
    fn memory(&mut self, instance: u32, name: &str, look: &mut dyn FnMut(&[u8])) -> bool;
}

/// Instances by their numbers, and what they are called by those that import.
pub struct Instances<I> {
    numbered: Vec<Option<I>>,
    named: Vec<(String, I)>,
}

impl<I: Copy> Instances<I> {
    pub const fn new() -> Self {
        Self {
            numbered: Vec::new(),
            named: Vec::new(),
        }
    }

    pub fn add(&mut self, number: u32, instance: I) {
        let number = number as usize;
        if self.numbered.len() <= number {
            self.numbered.resize(number + 1, None);
        }
        self.numbered[number] = Some(instance);
    }

    pub fn get(&self, number: u32) -> Option<I> {
        self.numbered.get(number as usize).copied().flatten()
    }

    pub fn name(&mut self, number: u32, name: &str) -> Option<()> {
        let instance = self.get(number)?;
        self.named.retain(|(other, _)| other != name);
        self.named.push((name.into(), instance));
        Some(())
    }

    pub fn named(&self, name: &str) -> Option<I> {
        let found = self.named.iter().find(|(other, _)| other == name);
        found.map(|(_, instance)| *instance)
    }
}

/// That there is no such thing as the script speaks of.
pub fn missing(what: &str) -> Seen {
    Seen::Other(["there is no ", what].concat())
}
