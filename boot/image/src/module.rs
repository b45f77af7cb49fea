//! Whether the kernel will run a module: valid, a WASI command, and wanting nothing that is not there.
//!
//! The kernel has the last word, with the engine that runs the module. This check uses the parser and
//! the proposals of that engine, so that a mistake is found where it can be mended.

use luge_wasi::{Function, MODULE, Parameter};
use thiserror::Error;
use wasmparser::types::{CoreTypeId, EntityType, Types};
use wasmparser::{
    BinaryReaderError, Export, FuncValidatorAllocations, Import, Parser, Payload, ValType,
    ValidPayload, Validator, WasmFeatures,
};

/// The longest module that the kernel reads, in bytes.
pub const LARGEST: u64 = 16 << 20;

/// The proposals that the kernel's interpreter has switched on.
const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::RELAXED_SIMD);

/// Why a module will not run.
#[derive(Debug, Error)]
pub enum Invalid {
    /// It breaks a rule of WebAssembly, or uses a proposal that is not there.
    #[error("{section}, offset {offset:#x}: {reason}")]
    Malformed {
        /// The section it stands in.
        section: &'static str,
        /// Where it stands, in bytes from the start of the module.
        offset: usize,
        /// What is wrong.
        reason: String,
    },
    /// It is not a WASI command.
    #[error("not a WASI command: it does not export {0}")]
    NoExport(&'static str),
    /// It imports something that nobody provides.
    #[error("it imports \"{module}\" \"{name}\", which nobody provides")]
    UnknownImport {
        /// From where.
        module: String,
        /// What.
        name: String,
    },
    /// It imports a function of WASI as something else than it is.
    #[error("it imports \"{0}\" with a type that it does not have")]
    WrongImport(String),
}

/// What a module takes and gives, with the types to understand it by.
struct Interface<'m> {
    imports: Vec<Import<'m>>,
    exports: Vec<Export<'m>>,
    types: Types,
}

/// Checks a module.
pub fn check(bytes: &[u8]) -> Result<(), Invalid> {
    let interface = validate(bytes)?;
    for import in &interface.imports {
        check_import(import, &interface.types)?;
    }
    match interface.export("_start") {
        Some(EntityType::Func(id)) if is_function(&interface.types, id, &[], &[]) => {}
        _ => {
            return Err(Invalid::NoExport(
                "a function \"_start\" without parameters or results",
            ));
        }
    }
    match interface.export("memory") {
        Some(EntityType::Memory(_)) => Ok(()),
        _ => Err(Invalid::NoExport("its memory as \"memory\"")),
    }
}

impl Interface<'_> {
    fn export(&self, name: &str) -> Option<EntityType> {
        let export = self.exports.iter().find(|export| export.name == name)?;
        self.types.as_ref().entity_type_from_export(export)
    }
}

/// Says what else the bytes are, in plainer words than the parser's.
fn check_header(bytes: &[u8]) -> Result<(), Invalid> {
    let (offset, reason) = match bytes {
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => (4, "a component, not a module"),
        [b'\0', b'a', b's', b'm', ..] | [] => return Ok(()),
        _ => (0, "not WebAssembly: it does not begin with \"\\0asm\""),
    };
    let (section, reason) = ("header", reason.to_owned());
    Err(Invalid::Malformed {
        section,
        offset,
        reason,
    })
}

/// Checks a module against WebAssembly's rules, function bodies included.
fn validate(bytes: &[u8]) -> Result<Interface<'_>, Invalid> {
    check_header(bytes)?;
    let mut validator = Validator::new_with_features(FEATURES);
    let mut allocations = FuncValidatorAllocations::default();
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut section = "header";
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| malformed(section, &error))?;
        section = name(&payload).unwrap_or(section);
        let broken = |error| malformed(section, &error);
        match validator.payload(&payload).map_err(broken)? {
            ValidPayload::Func(function, body) => {
                let mut function = function.into_validator(allocations);
                function.validate(&body).map_err(broken)?;
                allocations = function.into_allocations();
            }
            ValidPayload::End(types) => {
                return Ok(Interface {
                    imports,
                    exports,
                    types,
                });
            }
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
        match payload {
            Payload::ImportSection(reader) => {
                imports = reader
                    .into_iter()
                    .collect::<Result<_, _>>()
                    .map_err(broken)?;
            }
            Payload::ExportSection(reader) => {
                exports = reader
                    .into_iter()
                    .collect::<Result<_, _>>()
                    .map_err(broken)?;
            }
            _ => {}
        }
    }
    let (offset, reason) = (bytes.len(), "the module ends too early".into());
    Err(Invalid::Malformed {
        section,
        offset,
        reason,
    })
}

fn malformed(section: &'static str, error: &BinaryReaderError) -> Invalid {
    let (offset, reason) = (error.offset(), error.message().to_owned());
    Invalid::Malformed {
        section,
        offset,
        reason,
    }
}

/// What a part of a module is called in an error, if it begins a section.
fn name(payload: &Payload<'_>) -> Option<&'static str> {
    Some(match payload {
        Payload::Version { .. } => "header",
        Payload::TypeSection(_) => "type section",
        Payload::ImportSection(_) => "import section",
        Payload::FunctionSection(_) => "function section",
        Payload::TableSection(_) => "table section",
        Payload::MemorySection(_) => "memory section",
        Payload::TagSection(_) => "tag section",
        Payload::GlobalSection(_) => "global section",
        Payload::ExportSection(_) => "export section",
        Payload::StartSection { .. } => "start section",
        Payload::ElementSection(_) => "element section",
        Payload::DataCountSection { .. } => "data count section",
        Payload::DataSection(_) => "data section",
        Payload::CodeSectionStart { .. } => "code section",
        Payload::CustomSection(_) => "custom section",
        Payload::UnknownSection { .. } => "unknown section",
        _ => return None,
    })
}

/// An import must be a function of WASI with the type that it has there.
fn check_import(import: &Import<'_>, types: &Types) -> Result<(), Invalid> {
    let function = Function::by_name(import.name).filter(|_| import.module == MODULE);
    let Some(function) = function else {
        let (module, name) = (import.module.to_owned(), import.name.to_owned());
        return Err(Invalid::UnknownImport { module, name });
    };
    let parameters: Vec<_> = function.parameters().iter().map(value_type).collect();
    let results = if function.returns_errno() {
        &[ValType::I32][..]
    } else {
        &[]
    };
    match types.as_ref().entity_type_from_import(import) {
        Some(EntityType::Func(id)) if is_function(types, id, &parameters, results) => Ok(()),
        _ => Err(Invalid::WrongImport(import.name.to_owned())),
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
