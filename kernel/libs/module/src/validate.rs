//! The rules of WebAssembly.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use wasmparser::types::{EntityType, Types};
use wasmparser::{
    BinaryReaderError, Export, FuncValidatorAllocations, Import, Parser, Payload, ValidPayload,
    Validator, WasmFeatures,
};

use crate::LARGEST;
use crate::limits::{self, Excess};

/// The proposals that both of the kernel's engines have and that are part of the standard
/// (`kernel/docs/webassembly.md`). `luge_native::configure` says the same of native code.
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
    .union(WasmFeatures::MEMORY64)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::RELAXED_SIMD);

/// What a valid module takes and gives, with the types to understand it by.
pub struct Interface<'m> {
    pub(crate) imports: Vec<Import<'m>>,
    pub(crate) exports: Vec<Export<'m>>,
    pub(crate) types: Types,
}

/// Why bytes are no module for this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// They are more than [`LARGEST`].
    TooLarge(usize),
    /// They break a rule of WebAssembly, or use a proposal that is switched off.
    Malformed {
        /// The section it stands in.
        section: &'static str,
        /// Where it stands, in bytes from the start of the module.
        offset: usize,
        /// What is wrong.
        reason: String,
    },
    /// A section has more than it may have.
    Excess {
        /// The section.
        section: &'static str,
        /// Of what.
        excess: Excess,
    },
}

/// Checks that `bytes` are a module, function bodies included.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate(bytes: &[u8]) -> Result<Interface<'_>, Invalid> {
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
        limits::check(&payload).map_err(|excess| Invalid::Excess { section, excess })?;
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
    let (offset, reason) = (bytes.len(), "the module ends too early".to_owned());
    Err(Invalid::Malformed {
        section,
        offset,
        reason,
    })
}

/// Whether making an instance of a module runs code of the module's: its start function. True also for what
/// is no module.
#[must_use]
pub fn has_start(bytes: &[u8]) -> bool {
    Parser::new(0)
        .parse_all(bytes)
        .any(|payload| matches!(payload, Ok(Payload::StartSection { .. }) | Err(_)))
}

impl Interface<'_> {
    pub(crate) fn export(&self, name: &str) -> Option<EntityType> {
        let export = self.exports.iter().find(|export| export.name == name)?;
        self.types.as_ref().entity_type_from_export(export)
    }
}

/// Says what else the bytes are, in plainer words than the parser's.
fn check_header(bytes: &[u8]) -> Result<(), Invalid> {
    let (offset, reason) = match bytes {
        _ if bytes.len() > LARGEST => return Err(Invalid::TooLarge(bytes.len())),
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

impl core::error::Error for Invalid {}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invalid::TooLarge(bytes) => {
                write!(f, "it is {bytes} bytes long, and {LARGEST} are the most")
            }
            Invalid::Malformed {
                section,
                offset,
                reason,
            } => {
                write!(f, "{section}, offset {offset:#x}: {reason}")
            }
            Invalid::Excess { section, excess } => write!(f, "{section}: {excess}"),
        }
    }
}
