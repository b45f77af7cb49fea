//! Scripts in wasmtime. The modules are mapped by the kernel; instances lie in the sandbox's arena and its
//! linear memories.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use luge_conformance::{Action, Group, Script, Seen, Value};
use luge_sandbox::Outcome;
use wasmtime::{Error, Extern, ExternRef, Instance, Module, Store, ThrownException, Val};

use super::Subject;
use super::machine::{Instances, Machine, missing};
use crate::arch::traps;
use crate::engine::wasmtime::ending::outcome_of;
use crate::engine::wasmtime::{engine, map};

/// The modules of a group: mapped, or why not.
pub struct Modules(BTreeMap<u32, Result<Module, Seen>>);

impl Modules {
    /// Maps the modules that a group speaks of. The interpreter has no use for any.
    pub fn load(script: &Script<'_>, group: &Group, subject: Subject) -> Self {
        let mut modules = BTreeMap::new();
        if subject != Subject::NativeCode {
            return Self(modules);
        }
        for step in &group.steps {
            if let Action::Compile(place) | Action::Instantiate { module: place, .. } = step.action
            {
                modules.entry(place).or_insert_with(|| load(script, place));
            }
        }
        Self(modules)
    }
}

fn load(script: &Script<'_>, place: u32) -> Result<Module, Seen> {
    let module = script.modules.get(place as usize);
    let module = module.ok_or_else(|| missing("module"))?;
    let native = module.native;
    let native = native.ok_or_else(|| Seen::Refused("the compiler refuses it".into()))?;
    map(module.wasm, native).map_err(|why| Seen::Other(why.to_string()))
}

pub struct Native {
    modules: Arc<Modules>,
    store: Store<()>,
    instances: Instances<Instance>,
}

impl Native {
    pub fn new(modules: Arc<Modules>) -> Self {
        let engine = engine().expect("modules were mapped for it");
        Self {
            modules,
            store: Store::new(engine, ()),
            instances: Instances::new(),
        }
    }

    fn module(&self, place: u32) -> Result<Module, Seen> {
        let module = self.modules.0.get(&place);
        module.map_or_else(|| Err(missing("module")), Clone::clone)
    }

    fn imports(&mut self, module: &Module) -> Result<Vec<Extern>, Seen> {
        let mut imports = Vec::new();
        for import in module.imports() {
            let instance = self.instances.named(import.module());
            let found = instance.and_then(|it| it.get_export(&mut self.store, import.name()));
            imports.push(found.ok_or_else(|| Seen::Unlinkable(import.name().to_string()))?);
        }
        Ok(imports)
    }

    fn try_instantiate(&mut self, place: u32, number: u32) -> Result<(), Seen> {
        let module = self.module(place)?;
        let imports = self.imports(&module)?;
        let instance = Instance::new(&mut self.store, &module, &imports);
        traps::engine_has_resumed();
        let instance = instance.map_err(|error| match ended(&error) {
            Seen::Other(why) => Seen::Unlinkable(why),
            trap => trap,
        })?;
        self.instances.add(number, instance);
        Ok(())
    }

    fn try_invoke(
        &mut self,
        number: u32,
        name: &str,
        arguments: &[Value],
    ) -> Result<Vec<Value>, Seen> {
        let instance = self.instances.get(number);
        let instance = instance.ok_or_else(|| missing("instance"))?;
        let function = instance.get_func(&mut self.store, name);
        let function = function.ok_or_else(|| missing("function"))?;
        let arguments: Vec<_> = arguments
            .iter()
            .map(|one| self.into(*one))
            .collect::<Result<_, _>>()
            .map_err(|error: Error| Seen::Other(error.to_string()))?;
        let results = function.ty(&self.store).results().len();
        let mut results = alloc::vec![Val::I32(0); results];
        let called = function.call(&mut self.store, &arguments, &mut results);
        traps::engine_has_resumed();
        called.map_err(|error| ended(&error))?;
        Ok(results.iter().map(|one| self.from(one)).collect())
    }

    fn into(&mut self, value: Value) -> Result<Val, Error> {
        Ok(match value {
            Value::I32(value) => Val::I32(value as i32),
            Value::I64(value) => Val::I64(value as i64),
            Value::F32(bits) => Val::F32(bits),
            Value::F64(bits) => Val::F64(bits),
            Value::V128(bits) => Val::V128(bits.into()),
            Value::NullFunc | Value::Func => Val::FuncRef(None),
            Value::NullExtern => Val::ExternRef(None),
            Value::Extern(number) => Val::ExternRef(Some(ExternRef::new(&mut self.store, number)?)),
        })
    }

    fn from(&self, value: &Val) -> Value {
        match value {
            Val::I32(value) => Value::I32(*value as u32),
            Val::I64(value) => Value::I64(*value as u64),
            Val::F32(bits) => Value::F32(*bits),
            Val::F64(bits) => Value::F64(*bits),
            Val::V128(value) => Value::V128(value.as_u128()),
            Val::FuncRef(None) => Value::NullFunc,
            Val::FuncRef(Some(_)) => Value::Func,
            Val::ExternRef(None) => Value::NullExtern,
            Val::ExternRef(Some(object)) => {
                let number = object.data(&self.store).ok().flatten();
                let number = number.and_then(|object| object.downcast_ref::<u32>());
                Value::Extern(number.copied().unwrap_or(u32::MAX))
            }
            Val::AnyRef(_) | Val::ExnRef(_) | Val::ContRef(_) => {
                unreachable!("of proposals that are switched off, or asked for by no script")
            }
        }
    }
}

impl Machine for Native {
    fn compile(&mut self, module: u32) -> Seen {
        let compiled = self.module(module);
        compiled.map_or_else(|why| why, |_| Seen::Values(Vec::new()))
    }

    fn instantiate(&mut self, module: u32, instance: u32) -> Seen {
        let made = self.try_instantiate(module, instance);
        made.map_or_else(|why| why, |()| Seen::Values(Vec::new()))
    }

    fn register(&mut self, instance: u32, name: &str) -> Seen {
        let named = self.instances.name(instance, name);
        named.map_or_else(|| missing("instance"), |()| Seen::Values(Vec::new()))
    }

    fn invoke(&mut self, instance: u32, name: &str, arguments: &[Value]) -> Seen {
        self.try_invoke(instance, name, arguments)
            .map_or_else(|why| why, Seen::Values)
    }

    fn get(&mut self, instance: u32, name: &str) -> Seen {
        let instance = self.instances.get(instance);
        let global = instance.and_then(|it| it.get_global(&mut self.store, name));
        let value = global.map(|global| global.get(&mut self.store));
        value.map_or_else(
            || missing("global"),
            |value| Seen::Values(Vec::from([self.from(&value)])),
        )
    }

    fn memory(&mut self, instance: u32, name: &str, look: &mut dyn FnMut(&[u8])) -> bool {
        let instance = self.instances.get(instance);
        let memory = instance.and_then(|it| it.get_memory(&mut self.store, name));
        memory
            .inspect(|memory| look(memory.data(&self.store)))
            .is_some()
    }
}

fn ended(error: &Error) -> Seen {
    let is_trap = error.is::<wasmtime::Trap>() || error.is::<ThrownException>();
    match outcome_of(error) {
        Some(Outcome::Trap(trap)) if is_trap => Seen::Trap(trap),
        _ => Seen::Other(error.to_string()),
    }
}
