//! The engine's configuration, for both sides.

use wasmtime::{Collector, Config};

use crate::settings::{DENSE_IMAGE, ENGINE_STACK_LIMIT, MEMORY_GUARD, MEMORY_RESERVATION};

/// Sets everything in `config` that compiled code depends on.
///
/// Left to the sides: on the host, the target and the processor features; in the kernel, how features
/// are detected.
pub fn configure(config: &mut Config) {
    memory(config);
    proposals(config);
    config
        .max_wasm_stack(ENGINE_STACK_LIMIT)
        .async_stack_size(ENGINE_STACK_LIMIT)
        .signals_based_traps(true)
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(false);
}

/// Linear memories never move, and what is outside of them is never mapped.
fn memory(config: &mut Config) {
    config
        .memory_reservation(MEMORY_RESERVATION)
        .memory_guard_size(MEMORY_GUARD)
        .memory_reservation_for_growth(0)
        .memory_may_move(false)
        .guard_before_linear_memory(true)
        .memory_init_cow(true)
        .memory_guaranteed_dense_image_size(DENSE_IMAGE);
}

/// The same proposals as in `luge_module`: those of the standard that both engines have, so that a module means
/// the same in both, and exceptions, which only native code has (`kernel/docs/webassembly.md`).
///
/// Exception objects lie in a heap of the engine's, which is a linear memory of the sandbox's. The copying collector
/// reuses the space of those that nobody can reach any more, and compiled code has no barriers for it (decision 42).
fn proposals(config: &mut Config) {
    config
        .collector(Collector::Copying)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_reference_types(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        .wasm_tail_call(true)
        .wasm_extended_const(true)
        .wasm_multi_memory(true)
        .wasm_memory64(true)
        .wasm_function_references(false)
        .wasm_gc(false)
        .wasm_exceptions(true)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false);
}
