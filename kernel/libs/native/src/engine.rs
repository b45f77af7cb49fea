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

/// The proposals that both engines have and that are part of the standard: the same as
/// `luge_module::FEATURES`, so that a module means the same in both (`kernel/docs/webassembly.md`).
///
/// References to the host's objects (`externref`) make the engine want a collector of garbage. No function of
/// the kernel gives a guest such an object, so there is never anything to collect.
fn proposals(config: &mut Config) {
    config
        .collector(Collector::Null)
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
        .wasm_exceptions(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false);
}
