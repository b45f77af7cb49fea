//! WASI commands: what a module takes from its host and gives to it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use luge_wasi::{Function, MODULE, Parameter};
use wasmparser::types::{CoreTypeId, EntityType, Types};
use wasmparser::{Import, ValType};

use crate::validate::Interface;

/// Why a valid module is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCommand {
    /// It does not give what every command gives.
    NoExport(&'static str),
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
        for import in &self.imports {
            check_import(import, &self.types)?;
        }
        match self.export("_start") {
            Some(EntityType::Func(id)) if is_function(&self.types, id, &[], &[]) => {}
            _ => return Err(NoCommand::NoExport(START)),
        }
        match self.export("memory") {
            Some(EntityType::Memory(memory)) if memory.memory64 => Err(NoCommand::WideMemory),
            Some(EntityType::Memory(_)) => Ok(()),
            _ => Err(NoCommand::NoExport("its memory as \"memory\"")),
        }
    }
}

const START: &str = "a function \"_start\" without parameters or results";

/// An import must be a function of WASI with the type that it has there.
fn check_import(import: &Import<'_>, types: &Types) -> Result<(), NoCommand> {
    let function = Function::by_name(import.name).filter(|_| import.module == MODULE);
    let Some(function) = function else {
        let (module, name) = (import.module.to_owned(), import.name.to_owned());
        return Err(NoCommand::UnknownImport { module, name });
    };
    let parameters: Vec<_> = function.parameters().iter().map(value_type).collect();
    let results = if function.returns_errno() {
        &[ValType::I32][..]
    } else {
        &[]
    };
    match types.as_ref().entity_type_from_import(import) {
        Some(EntityType::Func(id)) if is_function(types, id, &parameters, results) => Ok(()),
        _ => Err(NoCommand::WrongImport(import.name.to_owned())),
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
        match self {
            NoCommand::NoExport(what) => write!(f, "not a WASI command: it does not export {what}"),
            NoCommand::UnknownImport { module, name } => {
                write!(f, "it imports {module:?} {name:?}, which nobody provides")
            }
            NoCommand::WrongImport(name) => {
                write!(f, "it imports {name:?} with a type that it does not have")
            }
            NoCommand::WideMemory => f.write_str(
                "its \"memory\" has addresses of 64 bits, and those of WASI preview 1 have 32",
            ),
        }
    }
}
