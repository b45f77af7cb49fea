//! The figures that compiled code has built in.

/// What the code is compiled for. The kernel is built for a target of this name, and the engine
/// compares the two.
pub const TARGET: &str = "x86_64-unknown-unknown";

/// The processor features that compiled code may use beyond SSE2: those of the level x86-64-v2, by the
/// names of Cranelift's settings and by those that the engine asks the kernel for.
///
/// Nothing of AVX is among them. So the 16 registers that FXSAVE keeps are all that guest code has.
pub const FEATURES: [Feature; 6] = [
    Feature::new("has_cmpxchg16b", "cmpxchg16b"),
    Feature::new("has_sse3", "sse3"),
    Feature::new("has_ssse3", "ssse3"),
    Feature::new("has_sse41", "sse4.1"),
    Feature::new("has_sse42", "sse4.2"),
    Feature::new("has_popcnt", "popcnt"),
];

/// A feature of the processor by its two names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// The compiler's setting.
    pub setting: &'static str,
    /// What the engine calls it when it asks whether the processor has it.
    pub name: &'static str,
}

impl Feature {
    const fn new(setting: &'static str, name: &'static str) -> Self {
        Self { setting, name }
    }
}

/// Address space of a linear memory in which it can grow, in bytes: all that 32 bits can name.
pub const MEMORY_RESERVATION: u64 = 4 << 30;

/// Address space that is never mapped, before and behind the reservation, in bytes each.
///
/// An access with a constant offset below this needs no check in software: a 32-bit index plus such
/// an offset hits either mapped memory or the guard.
pub const MEMORY_GUARD: u64 = 2 << 30;

/// All the address space of a linear memory, in bytes.
pub const MEMORY_SPAN: u64 = MEMORY_GUARD + MEMORY_RESERVATION + MEMORY_GUARD;

/// What the engine believes the stack to be, in bytes. It is beyond any real stack and its guard, so
/// that the guard page, and not a comparison in software, is what ends a recursion without end.
pub const ENGINE_STACK_LIMIT: usize = 256 << 20;

/// How far apart the initial data of a module may lie and still become one image that is mapped
/// copy-on-write, in bytes.
pub const DENSE_IMAGE: u64 = 16 << 20;
