//! One function: whether it is valid, and where it has stores that the interpreter cannot take.
//!
//! Few functions have any, so they are looked for in two steps: what [`check`] does for each operator costs next to
//! nothing, and only functions that it has doubts about are gone through again, with all their operands.

use alloc::vec::Vec;

use wasmparser::{
    BinaryReaderError, FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody,
    ValidatorResources, WasmModuleResources,
};

use crate::operands::{Operands, is_local_get, makes_a_new_value};
use crate::stores::{Site, has_long_encoding, is_integer_store, site};

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
    // The opcodes of the last two operators, the last one first.
    let mut before = [0; 2];
    let mut is_doubtful = false;
    each_operator(&mut function, body, |_, at, end| {
        let opcode = module[at];
        if is_integer_store(opcode) {
            is_doubtful |= has_doubtful_value(before) && has_long_encoding(&module[at..end]);
        }
        before = [opcode, before[0]];
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

/// Whether a value that was made by the last of these operators may be what the address below it is.
fn has_doubtful_value([last, before]: [u8; 2]) -> bool {
    !(makes_a_new_value(last) || is_local_get(last) && makes_a_new_value(before))
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
    while !reader.eof() {
        let at = reader.original_position();
        reader.visit_operator(&mut function.visitor(at))??;
        let height = function.operand_stack_height() as usize;
        see(height, at, reader.original_position());
    }
    function.finish(reader.original_position())
}
