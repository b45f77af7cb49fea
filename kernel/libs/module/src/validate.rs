//! The rules of WebAssembly.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use wasmparser::types::{EntityType, Types};
use wasmparser::{
    BinaryReaderError, Export, FuncValidatorAllocations, Import, Parser, Payload, ValidPayload,
    Validator, WasmFeatures,
};

use crate::exceptions::{self, NativeOnly};
use crate::limits::{Excess, Tally};
use crate::sections::sections;
use crate::stores::{self, Site};
use crate::{LARGEST, function};

/// The proposals that both of the kernel's engines have and that are part of the standard
/// (`kernel/docs/webassembly.md`). `luge_native::configure` says the same of native code, which has exceptions as well
/// ([`crate::exceptions`]).
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
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
    /// Each with where it stands.
    pub(crate) imports: Vec<(usize, Import<'m>)>,
    /// Each with where it stands.
    pub(crate) exports: Vec<(usize, Export<'m>)>,
    /// Where there is what it exports, or where that is missing.
    pub(crate) exports_at: Place,
    pub(crate) types: Types,
    /// Where it uses exceptions first, if it does.
    pub(crate) exceptions: Option<NativeOnly>,
    bytes: &'m [u8],
    /// The stores that the interpreter cannot take.
    stores: Vec<Site>,
}

/// A place in a module, as errors name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The section.
    pub section: &'static str,
    /// Bytes from the start of the module.
    pub offset: usize,
}

/// Why bytes are no module for this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// They are more than [`LARGEST`].
    TooLarge(usize),
    /// They break a rule of WebAssembly, or use a proposal that is switched off.
    Malformed {
        /// Where.
        place: Place,
        /// What is wrong.
        reason: String,
    },
    /// A section has more than it may have.
    Excess {
        /// Where the section's contents begin.
        place: Place,
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
    check(bytes, FEATURES).or_else(|why| exceptions::validate(bytes, why))
}

/// Checks a module by the rules with these proposals.
pub(crate) fn check(bytes: &[u8], features: WasmFeatures) -> Result<Interface<'_>, Invalid> {
    let mut validator = Validator::new_with_features(features);
    let mut allocations = FuncValidatorAllocations::default();
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut exports_at = Place::new("end of the module", bytes.len());
    let mut section = "header";
    let mut tally = Tally::default();
    let mut stores = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| malformed(section, &error))?;
        section = name(&payload).unwrap_or(section);
        tally.add(&payload).map_err(|excess| {
            let offset = payload.as_section().map_or(0, |(_, range)| range.start);
            let place = Place::new(section, offset);
            Invalid::Excess { place, excess }
        })?;
        let broken = |error| malformed(section, &error);
        match validator.payload(&payload).map_err(broken)? {
            ValidPayload::Func(function, body) => {
                allocations = function::check(function, allocations, &body, bytes, &mut stores)
                    .map_err(broken)?;
            }
            ValidPayload::End(types) => {
                return Ok(Interface {
                    imports,
                    exports,
                    exports_at,
                    types,
                    exceptions: None,
                    bytes,
                    stores,
                });
            }
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
        match payload {
            Payload::ImportSection(reader) => {
                let found = reader.into_iter_with_offsets().collect::<Result<_, _>>();
                imports = found.map_err(broken)?;
            }
            Payload::ExportSection(reader) => {
                exports_at = Place::new(section, reader.range().start);
                let found = reader.into_iter_with_offsets().collect::<Result<_, _>>();
                exports = found.map_err(broken)?;
            }
            _ => {}
        }
    }
    Err(Invalid::Malformed {
        place: Place::new(section, bytes.len()),
        reason: "the module ends too early".to_owned(),
    })
}

/// Whether making an instance of a module runs code of the module's: its start function. True also for what
/// is no module.
#[must_use]
pub fn has_start(bytes: &[u8]) -> bool {
    sections(bytes).any(|payload| matches!(payload, Ok(Payload::StartSection { .. }) | Err(_)))
}

impl<'m> Interface<'m> {
    /// The module as the interpreter can take it: as it is, or a copy in which other instructions do what some of
    /// its stores do. Places in the copy are not those of the module.
    ///
    /// # Errors
    /// It uses exceptions, which only native code has.
    pub fn for_interpreter(&self) -> Result<Cow<'m, [u8]>, NativeOnly> {
        match self.exceptions {
            Some(native_only) => Err(native_only),
            None => Ok(stores::replace(self.bytes, &self.stores)),
        }
    }

    /// What is exported by this name, and where it stands.
    pub(crate) fn export(&self, name: &str) -> Option<(Place, EntityType)> {
        let (offset, export) = self
            .exports
            .iter()
            .find(|(_, export)| export.name == name)?;
        let entity = self.types.as_ref().entity_type_from_export(export)?;
        Some((Place::new("export section", *offset), entity))
    }
}

impl Place {
    pub(crate) const fn new(section: &'static str, offset: usize) -> Self {
        Place { section, offset }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { section, offset } = self;
        write!(f, "{section}, offset {offset:#x}")
    }
}

/// Says what else the bytes are, in plainer words than the parser's.
fn check_header(bytes: &[u8]) -> Result<(), Invalid> {
    let (offset, reason) = match bytes {
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => (
            4,
            "a component, not a module: compile it for wasm32-wasip1, not for wasm32-wasip2",
        ),
        [b'\0', b'a', b's', b'm', ..] | [] if bytes.len() > LARGEST => {
            return Err(Invalid::TooLarge(bytes.len()));
        }
        [b'\0', b'a', b's', b'm', ..] | [] => return Ok(()),
        _ => (0, "not WebAssembly: it does not begin with \"\\0asm\""),
    };
    Err(Invalid::Malformed {
        place: Place::new("header", offset),
        reason: reason.to_owned(),
    })
}

fn malformed(section: &'static str, error: &BinaryReaderError) -> Invalid {
    Invalid::Malformed {
        place: Place::new(section, error.offset()),
        reason: error.message().to_owned(),
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
            Invalid::Malformed { place, reason } => write!(f, "{place}: {reason}"),
            Invalid::Excess { place, excess } => write!(f, "{place}: {excess}"),
        }
    }
}
