//! Scripts in wasmi. Everything, the engine too, lies in the sandbox's arena and goes with it.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::mem::ManuallyDrop;

use luge_conformance::{Script, Seen, Value};
use luge_sandbox::Outcome;
use wasmi::{
    Engine, Error, Extern, ExternRef, F32, F64, Instance, Module, Nullable, Store, V128, Val,
};

use super::machine::{Instances, Machine, missing};
use crate::engine::CompileError;
use crate::engine::ending::outcome_of;
use crate::engine::wasmi::new_engine;

/// What makes a module of bytes.
type Translate = fn(&Engine, &[u8]) -> Result<Module, CompileError>;

pub struct Interpreter<'s> {
    script: &'s Script<'s>,
    engine: Engine,
    translate: Translate,
    /// Never dropped: it goes with the arena.
    store: ManuallyDrop<Store<()>>,
    instances: Instances<Instance>,
}

impl<'s> Interpreter<'s> {
    pub fn new(script: &'s Script<'s>, translate: Translate) -> Self {
        let engine = new_engine();
        let store = ManuallyDrop::new(Store::new(&engine, ()));
        Self {
            script,
            engine,
            translate,
            store,
            instances: Instances::new(),
        }
    }

    fn module(&self, place: u32) -> Result<Module, Seen> {
        let module = self.script.modules.get(place as usize);
        let module = module.ok_or_else(|| missing("module"))?;
        (self.translate)(&self.engine, module.wasm).map_err(|why| Seen::Refused(why.to_string()))
    }

    fn imports(&self, module: &Module) -> Result<Vec<Extern>, Seen> {
        let find = |import: wasmi::ImportType<'_>| {
            let instance = self.instances.named(import.module());
            let found = instance.and_then(|it| it.get_export(&*self.store, import.name()));
            found.ok_or_else(|| Seen::Unlinkable(import.name().to_string()))
        };
        module.imports().map(find).collect()
    }

    fn try_instantiate(&mut self, place: u32, number: u32) -> Result<(), Seen> {
        let module = self.module(place)?;
        let imports = self.imports(&module)?;
        let instance = Instance::new(&mut *self.store, &module, &imports);
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
        let function = instance.get_func(&*self.store, name);
        let function = function.ok_or_else(|| missing("function"))?;
        let arguments: Vec<_> = arguments.iter().map(|one| self.into(*one)).collect();
        let ty = function.ty(&*self.store);
        let mut results: Vec<_> = ty
            .results()
            .iter()
            .map(|ty| Val::default_for_ty(*ty))
            .collect();
        function
            .call(&mut *self.store, &arguments, &mut results)
            .map_err(|error| ended(&error))?;
        Ok(results.iter().map(|one| self.from(one)).collect())
    }

    fn into(&mut self, value: Value) -> Val {
        match value {
            Value::I32(value) => Val::I32(value as i32),
            Value::I64(value) => Val::I64(value as i64),
            Value::F32(bits) => Val::F32(F32::from_bits(bits)),
            Value::F64(bits) => Val::F64(F64::from_bits(bits)),
            Value::V128(bits) => Val::V128(V128::from(bits)),
            Value::NullFunc | Value::Func => Val::FuncRef(Nullable::Null),
            Value::NullExtern => Val::ExternRef(Nullable::Null),
            Value::Extern(number) => {
                let object = ExternRef::new(&mut *self.store, number);
                Val::ExternRef(Nullable::Val(object))
            }
        }
    }

    fn from(&self, value: &Val) -> Value {
        match value {
            Val::I32(value) => Value::I32(*value as u32),
            Val::I64(value) => Value::I64(*value as u64),
            Val::F32(value) => Value::F32(value.to_bits()),
            Val::F64(value) => Value::F64(value.to_bits()),
            Val::V128(value) => Value::V128(value.as_u128()),
            Val::FuncRef(Nullable::Null) => Value::NullFunc,
            Val::FuncRef(Nullable::Val(_)) => Value::Func,
            Val::ExternRef(Nullable::Null) => Value::NullExtern,
            Val::ExternRef(Nullable::Val(object)) => {
                let number = object.data(&*self.store).downcast_ref::<u32>();
                Value::Extern(number.copied().unwrap_or(u32::MAX))
            }
        }
    }
}

impl Machine for Interpreter<'_> {
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
        let global = instance.and_then(|it| it.get_global(&*self.store, name));
        let value = global.map(|global| self.from(&global.get(&*self.store)));
        value.map_or_else(
            || missing("global"),
            |value| Seen::Values(Vec::from([value])),
        )
    }

    fn memory(&mut self, instance: u32, name: &str, look: &mut dyn FnMut(&[u8])) -> bool {
        let instance = self.instances.get(instance);
        let memory = instance.and_then(|it| it.get_memory(&*self.store, name));
        memory
            .inspect(|memory| look(memory.data(&*self.store)))
            .is_some()
    }
}

fn ended(error: &Error) -> Seen {
    match outcome_of(error) {
        Some(Outcome::Trap(trap)) => Seen::Trap(trap),
        _ => Seen::Other(error.to_string()),
    }
}
