//! One function: whether it is valid, and where it has stores that the interpreter cannot take.
//!
//! Few functions have any, so they are looked for in two steps: what [`check`] does for each operator costs next to
//! nothing, and only functions that it has doubts about are gone through again, with all their operands.

use alloc::vec::Vec;

use wasmparser::{
    BinaryReaderError, FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody,
    ValidatorResources, WasmModuleResources,
};

use crate::operands::{Operands, Recent};
use crate::stores::{Site, has_long_encoding, is_integer_store, may_be_integer_store, site};

/// Does what [`FuncValidator::validate`] does, and adds the stores that must be replaced.
pub fn check(
    function: FuncToValidate<ValidatorResources>,
    allocations: FuncValidatorAllocations,
    body: &FunctionBody<'_>,
    module: &[u8],
    stores: &mut Vec<Site>,
) -> Result<FuncValidatorAllocations, BinaryReaderError> {
    let ty = function.ty;
    let mut function = function.into_validator(allocations);
    let mut recent = Recent::default();
    let mut is_doubtful = false;
    each_operator(&mut function, body, |height, at, end| {
        let opcode = module[at];
        recent.follow(opcode, height);
        if may_be_integer_store(opcode) {
            is_doubtful |= is_doubtful_store(&module[at..end], &recent);
        }
    })?;
    if is_doubtful {
        let again = FuncToValidate {
            resources: function.resources(),
            index: function.index(),
            ty,
            features: *function.features(),
        };
        find_stores(again, body, module, stores)?;
    }
    Ok(function.into_allocations())
}

/// Whether the last operator, a store with these bytes, may have to be replaced.
#[inline(never)]
fn is_doubtful_store(operator: &[u8], recent: &Recent) -> bool {
    is_integer_store(operator[0]) && has_long_encoding(operator) && recent.took_one_twice()
}

fn find_stores(
    function: FuncToValidate<&ValidatorResources>,
    body: &FunctionBody<'_>,
    module: &[u8],
    stores: &mut Vec<Site>,
) -> Result<(), BinaryReaderError> {
    let mut function = function.into_validator(FuncValidatorAllocations::default());
    let mut operands = Operands::default();
    each_operator(&mut function, body, |height, at, end| {
        let operator = &module[at..end];
        stores.extend(site(at, operator, &operands));
        operands.follow(operator, height);
    })
}

/// Validates a function, and calls `see` after each operator with the height of the operand stack and with where
/// the operator begins and ends in the module.
fn each_operator<R: WasmModuleResources>(
    function: &mut FuncValidator<R>,
    body: &FunctionBody<'_>,
    mut see: impl FnMut(usize, usize, usize),
) -> Result<(), BinaryReaderError> {
    let mut reader = body.get_binary_reader();
    function.read_locals(&mut reader)?;
    reader.set_features(*function.features());
    let mut at = reader.original_position();
    while !reader.eof() {
        reader.visit_operator(&mut function.visitor(at))??;
        let height = function.operand_stack_height() as usize;
        let end = reader.original_position();
        see(height, at, end);
        at = end;
    }
    function.finish(at)
}
