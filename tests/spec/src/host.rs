//! What a module does in wasmtime on this machine.

use anyhow::{Result, anyhow, bail};
use luge_conformance::{Action, Expected, Lane, Pattern, Value};
use luge_trap::Trap;
use sha2::{Digest as _, Sha256};
use wasmtime::{
    Config, Engine, ExternType, Instance, Memory, Module, Store, StoreLimits, StoreLimitsBuilder,
    Val, ValType,
};

/// The engine, with the proposals of the kernel's and everything that this machine's processor has.
pub struct Host(Engine);

/// Native stack for guests here, in bytes. Guests are made so that they need less.
const STACK: usize = 1 << 20;

/// What is done with the instance 0, and what came of it.
pub type Observed = Vec<(Action, Expected)>;

impl Host {
    pub fn new() -> Result<Host> {
        let mut config = Config::new();
        luge_native::configure(&mut config);
        config.async_stack_size(2 * STACK).max_wasm_stack(STACK);
        Ok(Host(
            Engine::new(&config).map_err(|why| anyhow!("{why:#}"))?,
        ))
    }

    /// Makes an instance of `wasm`, calls each function that it exports with `arguments`, and looks at its
    /// globals and memories afterwards.
    pub fn observe(
        &self,
        wasm: &[u8],
        mut argument: impl FnMut(&ValType) -> Value,
    ) -> Result<(Expected, Observed)> {
        let module = Module::new(&self.0, wasm).map_err(|why| anyhow!("{why:#}"))?;
        let limits = StoreLimitsBuilder::new().build();
        let mut store = Store::new(&self.0, limits);
        store.limiter(|limits| limits);
        let mut observed = Vec::new();
        let instance = match Instance::new(&mut store, &module, &[]) {
            Ok(instance) => instance,
            Err(error) => return Ok((ended(&error)?, observed)),
        };
        for export in module.exports() {
            let (name, ty) = (export.name().to_owned(), export.ty());
            if let ExternType::Func(ty) = ty {
                let arguments: Vec<_> = ty.params().map(|ty| argument(&ty)).collect();
                let expected = invoke(&mut store, instance, &name, &arguments)?;
                observed.push((
                    Action::Invoke {
                        instance: 0,
                        name,
                        arguments,
                    },
                    expected,
                ));
            }
        }
        for export in module.exports() {
            let name = export.name().to_owned();
            if let Some(global) = instance.get_global(&mut store, &name) {
                let expected = Expected::Values(vec![pattern(&global.get(&mut store))]);
                observed.push((Action::Get { instance: 0, name }, expected));
            } else if let Some(memory) = instance.get_memory(&mut store, &name) {
                let expected = Expected::Digest(digest(memory, &store));
                observed.push((Action::Digest { instance: 0, name }, expected));
            }
        }
        Ok((Expected::Done, observed))
    }
}

fn digest(memory: Memory, store: &Store<StoreLimits>) -> [u8; 32] {
    Sha256::digest(memory.data(store)).into()
}

fn invoke(
    store: &mut Store<StoreLimits>,
    instance: Instance,
    name: &str,
    arguments: &[Value],
) -> Result<Expected> {
    let function = instance.get_func(&mut *store, name);
    let function = function.ok_or_else(|| anyhow!("{name} is exported"))?;
    let arguments: Vec<_> = arguments.iter().map(value).collect();
    let count = function.ty(&*store).results().len();
    let mut results = vec![Val::I32(0); count];
    match function.call(&mut *store, &arguments, &mut results) {
        Ok(()) => Ok(Expected::Values(results.iter().map(pattern).collect())),
        Err(error) => ended(&error),
    }
}

fn value(value: &Value) -> Val {
    match *value {
        Value::I32(value) => Val::I32(value as i32),
        Value::I64(value) => Val::I64(value as i64),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::V128(bits) => Val::V128(bits.into()),
        Value::NullFunc | Value::Func => Val::FuncRef(None),
        Value::NullExtern | Value::Extern(_) => Val::ExternRef(None),
    }
}

fn pattern(value: &Val) -> Pattern {
    match value {
        Val::I32(value) => Pattern::Exactly(Value::I32(*value as u32)),
        Val::I64(value) => Pattern::Exactly(Value::I64(*value as u64)),
        Val::F32(bits) => Pattern::F32(Lane::Bits((*bits).into())),
        Val::F64(bits) => Pattern::F64(Lane::Bits(*bits)),
        Val::V128(value) => Pattern::Exactly(Value::V128(value.as_u128())),
        Val::FuncRef(Some(_)) => Pattern::Exactly(Value::Func),
        Val::FuncRef(None) => Pattern::Exactly(Value::NullFunc),
        _ => Pattern::Exactly(Value::NullExtern),
    }
}

fn ended(error: &wasmtime::Error) -> Result<Expected> {
    use wasmtime::Trap as Found;
    let Some(trap) = error.downcast_ref::<Found>() else {
        bail!("not a trap: {error:#}");
    };
    Ok(Expected::trap(match trap {
        Found::StackOverflow => Trap::StackOverflow,
        Found::MemoryOutOfBounds => Trap::MemoryOutOfBounds,
        Found::TableOutOfBounds => Trap::TableOutOfBounds,
        Found::IndirectCallToNull => Trap::IndirectCallToNull,
        Found::BadSignature => Trap::BadSignature,
        Found::IntegerOverflow => Trap::IntegerOverflow,
        Found::IntegerDivisionByZero => Trap::IntegerDivideByZero,
        Found::BadConversionToInteger => Trap::BadConversionToInteger,
        Found::UnreachableCodeReached => Trap::Unreachable,
        other => bail!("a trap that the kernel does not have: {other}"),
    }))
}
