//! WASI commands: what a module takes from its host and gives to it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use luge_wasi::{Function, MODULE, Parameter};
use wasmparser::types::{CoreTypeId, EntityType, Types};
use wasmparser::{Import, ValType};

use crate::outline::advice;
use crate::validate::{Interface, Place};

/// Why a valid module is no command: where, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoCommand {
    /// Where.
    pub place: Place,
    /// What.
    pub why: Unsuited,
}

/// What keeps a valid module from being a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsuited {
    /// It does not give what every command gives.
    NoExport(&'static str),
    /// It has no `_start` and is initialised by its host instead, which then calls its other functions.
    Reactor,
    /// It imports something that nobody provides.
    UnknownImport {
        /// From where.
        module: String,
        /// What.
        name: String,
    },
    /// It imports a function of WASI as something else than it is.
    WrongImport(String),
    /// Its memory has addresses of 64 bits, and WASI preview 1 knows those of 32 bits only.
    WideMemory,
}

impl Interface<'_> {
    /// Checks that the module is a WASI command and imports functions of WASI only.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_command(&self) -> Result<(), NoCommand> {
        for (offset, import) in &self.imports {
            check_import(import, &self.types).map_err(|why| NoCommand {
                place: Place::new("import section", *offset),
                why,
            })?;
        }
        let is_start = |entity| matches!(entity, EntityType::Func(id) if is_function(&self.types, id, &[], &[]));
        self.check_export("_start", Unsuited::NoExport(START), is_start)?;
        let is_memory = |entity| matches!(entity, EntityType::Memory(_));
        self.check_export("memory", Unsuited::NoExport(MEMORY), is_memory)?;
        let is_narrow = |entity| matches!(entity, EntityType::Memory(memory) if !memory.memory64);
        self.check_export("memory", Unsuited::WideMemory, is_narrow)
    }

    /// Checks that there is an export of this name and that it is right.
    fn check_export(
        &self,
        name: &str,
        why: Unsuited,
        is_right: impl Fn(EntityType) -> bool,
    ) -> Result<(), NoCommand> {
        let place = match self.export(name) {
            Some((_, entity)) if is_right(entity) => return Ok(()),
            Some((place, _)) => place,
            None => self.exports_at,
        };
        Err(NoCommand { place, why })
    }
}

pub(crate) const START: &str = "a function \"_start\" without parameters or results";
const MEMORY: &str = "its memory as \"memory\"";

/// An import must be a function of WASI with the type that it has there.
fn check_import(import: &Import<'_>, types: &Types) -> Result<(), Unsuited> {
    let function = Function::by_name(import.name).filter(|_| import.module == MODULE);
    let Some(function) = function else {
        let (module, name) = (import.module.to_owned(), import.name.to_owned());
        return Err(Unsuited::UnknownImport { module, name });
    };
    let parameters: Vec<_> = function.parameters().iter().map(value_type).collect();
    let results = if function.returns_errno() {
        &[ValType::I32][..]
    } else {
        &[]
    };
    match types.as_ref().entity_type_from_import(import) {
        Some(EntityType::Func(id)) if is_function(types, id, &parameters, results) => Ok(()),
        _ => Err(Unsuited::WrongImport(import.name.to_owned())),
    }
}

fn value_type(parameter: &Parameter) -> ValType {
    match parameter {
        Parameter::I32 => ValType::I32,
        Parameter::I64 => ValType::I64,
    }
}

fn is_function(types: &Types, id: CoreTypeId, parameters: &[ValType], results: &[ValType]) -> bool {
    let function = types[id].unwrap_func();
    function.params() == parameters && function.results() == results
}

impl core::error::Error for NoCommand {}

impl fmt::Display for NoCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

impl fmt::Display for Unsuited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsuited::NoExport(what) => write!(f, "not a WASI command: it does not export {what}"),
            Unsuited::Reactor => f.write_str(
                "a WASI reactor, not a command: it exports \"_initialize\" and no \"_start\"; make it a program with a \
                 main function, or compile it without -mexec-model=reactor",
            ),
            Unsuited::UnknownImport { module, name } => {
                let advice = advice(module, name);
                write!(f, "it imports {module:?} {name:?}, which nobody provides{advice}")
            }
            Unsuited::WrongImport(name) => {
                write!(f, "it imports {name:?} with a type that it does not have")
            }
            Unsuited::WideMemory => f.write_str(
                "its \"memory\" has addresses of 64 bits, and those of WASI preview 1 have 32",
            ),
        }
    }
}
