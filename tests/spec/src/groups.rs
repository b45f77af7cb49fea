//! From the steps of a file to groups of steps that know nothing of each other.
//!
//! A file of the suite has many modules, most of which import nothing of the others. Each that does is in one
//! group with those that it imports from; so a sandbox has few instances at once, and one that ends by force
//! takes few with it.

use std::collections::BTreeMap;

use luge_conformance::{Action, Expected, Group, Module, Script, Step};
use wasmparser::{Parser, Payload};

use crate::modules;

/// The steps of one file, by and by.
pub struct Steps {
    modules: Vec<modules::Module>,
    steps: Vec<Step>,
    /// The group of each instance, as the number of another instance in it, or its own.
    group_of: Vec<u32>,
    /// Whether each instance imports from `spectest`.
    wants_spectest: Vec<bool>,
    /// Which instance has which name for those that import.
    registered: BTreeMap<String, u32>,
}

/// The place of the module `spectest`.
const SPECTEST: u32 = 0;

impl Steps {
    /// No steps yet; `spectest` is what modules import under that name.
    pub fn new(spectest: modules::Module) -> Steps {
        Steps {
            modules: vec![spectest],
            steps: Vec::new(),
            group_of: Vec::new(),
            wants_spectest: Vec::new(),
            registered: BTreeMap::new(),
        }
    }

    /// Adds a module. Gives its place.
    pub fn module(&mut self, module: modules::Module) -> u32 {
        self.modules.push(module);
        self.modules.len() as u32 - 1
    }

    /// Makes an instance. Gives its number.
    pub fn instantiate(&mut self, line: u32, module: u32, expected: Expected) -> u32 {
        let instance = self.group_of.len() as u32;
        self.group_of.push(instance);
        self.wants_spectest.push(false);
        for from in imports(&self.modules[module as usize].wasm) {
            match self.registered.get(&from) {
                Some(other) => {
                    let (mine, other) = (self.root(instance), self.root(*other));
                    self.group_of[mine as usize] = other;
                }
                None if from == "spectest" => self.wants_spectest[instance as usize] = true,
                None => {}
            }
        }
        let action = Action::Instantiate { module, instance };
        self.step(line, action, expected);
        instance
    }

    /// Names an instance for those that import.
    pub fn register(&mut self, line: u32, instance: u32, name: &str) {
        let name = name.to_owned();
        self.registered.insert(name.clone(), instance);
        self.step(line, Action::Register { instance, name }, Expected::Done);
    }

    /// Adds any other step.
    pub fn step(&mut self, line: u32, action: Action, expected: Expected) {
        self.steps.push(Step {
            line,
            action,
            expected,
        });
    }

    /// Adds any other step, with `instance` in place of the one that it speaks of.
    pub fn step_of(&mut self, line: u32, instance: u32, mut action: Action, expected: Expected) {
        if let Some(number) = instance_of_mut(&mut action) {
            *number = instance;
        }
        self.step(line, action, expected);
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    fn root(&self, instance: u32) -> u32 {
        let mut instance = instance;
        while self.group_of[instance as usize] != instance {
            instance = self.group_of[instance as usize];
        }
        instance
    }

    /// The file of the script.
    pub fn write(self, name: &str) -> Vec<u8> {
        let groups = self.groups();
        let modules = self.modules.iter().map(|module| Module {
            wasm: &module.wasm,
            native: module.native.as_deref(),
        });
        let script = Script {
            name: name.to_owned(),
            modules: modules.collect(),
            groups,
        };
        script.write()
    }

    fn groups(&self) -> Vec<Group> {
        // Steps without an instance are a group of their own, the first.
        let mut groups: BTreeMap<Option<u32>, Vec<Step>> = BTreeMap::new();
        for step in &self.steps {
            let root = instance_of(&step.action).map(|instance| self.root(instance));
            groups.entry(root).or_default().push(step.clone());
        }
        groups
            .into_iter()
            .map(|(root, steps)| {
                let wanted = |(instance, wants): (usize, &bool)| {
                    *wants && Some(self.root(instance as u32)) == root
                };
                let spectest = self.wants_spectest.iter().enumerate().any(wanted);
                Group {
                    steps: renumbered(steps, spectest),
                }
            })
            .collect()
    }
}

/// Numbers the instances of a group from 0 on, with `spectest` before them if they want it.
fn renumbered(mut steps: Vec<Step>, spectest: bool) -> Vec<Step> {
    let mut numbers: BTreeMap<u32, u32> = BTreeMap::new();
    let first = u32::from(spectest);
    for step in &mut steps {
        if let Some(instance) = instance_of_mut(&mut step.action) {
            let next = first + numbers.len() as u32;
            *instance = *numbers.entry(*instance).or_insert(next);
        }
    }
    if !spectest {
        return steps;
    }
    let preparation = |action| Step {
        line: 0,
        action,
        expected: Expected::Done,
    };
    let mut all = vec![
        preparation(Action::Instantiate {
            module: SPECTEST,
            instance: 0,
        }),
        preparation(Action::Register {
            instance: 0,
            name: "spectest".to_owned(),
        }),
    ];
    all.extend(steps);
    all
}

fn instance_of(action: &Action) -> Option<u32> {
    let mut action = action.clone();
    instance_of_mut(&mut action).copied()
}

fn instance_of_mut(action: &mut Action) -> Option<&mut u32> {
    match action {
        Action::Compile(_) => None,
        Action::Instantiate { instance, .. }
        | Action::Register { instance, .. }
        | Action::Invoke { instance, .. }
        | Action::Get { instance, .. }
        | Action::Digest { instance, .. } => Some(instance),
    }
}

/// What a module imports from, as far as it can be read.
fn imports(wasm: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(payload) = payload else { break };
        if let Payload::ImportSection(section) = payload {
            let imports = section.into_iter().flatten();
            names.extend(imports.map(|import| import.module.to_owned()));
        }
    }
    names
}
