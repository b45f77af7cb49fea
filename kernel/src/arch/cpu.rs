//! What the processor can do, and the control bits that the kernel wants.
//!
//! The bits are those of SDM Vol. 3A, "Control Registers" and "Extended Feature Enable Register".

use core::arch::asm;

use raw_cpuid::CpuId;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags, Efer, EferFlags};

/// What the kernel uses if it is there.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// The local APIC's timer can be told a TSC value to fire at.
    pub tsc_deadline: bool,
    /// `rdrand` gives random numbers.
    pub rdrand: bool,
}

/// Asks the processor.
#[must_use]
pub fn features() -> Features {
    let id = CpuId::new();
    let basic = id.get_feature_info();
    let has = |f: fn(&raw_cpuid::FeatureInfo) -> bool| basic.as_ref().is_some_and(f);
    Features {
        tsc_deadline: has(raw_cpuid::FeatureInfo::has_tsc_deadline),
        rdrand: has(raw_cpuid::FeatureInfo::has_rdrand),
    }
}

/// Whether the processor has a feature that native code of a guest may use, by the name that the
/// engine gives it. False for a name that nobody knows.
#[cfg(feature = "wasmtime")]
#[must_use]
pub fn has(name: &str) -> bool {
    use raw_cpuid::FeatureInfo as Info;
    let has: fn(&Info) -> bool = match name {
        "cmpxchg16b" => Info::has_cmpxchg16b,
        "sse3" => Info::has_sse3,
        "ssse3" => Info::has_ssse3,
        "sse4.1" => Info::has_sse41,
        "sse4.2" => Info::has_sse42,
        "popcnt" => Info::has_popcnt,
        _ => return false,
    };
    CpuId::new()
        .get_feature_info()
        .is_some_and(|info| has(&info))
}

/// Sets the control bits that the kernel counts on: no-execute, write protection in ring 0, SSE.
pub fn enable() {
    // SAFETY: the loader has mapped all data with NX already, so turning the check on changes the
    // meaning of no mapping; write protection only takes rights away; SSE is what the kernel is
    // compiled for.
    unsafe {
        Efer::update(|flags| flags.insert(EferFlags::NO_EXECUTE_ENABLE));
        Cr0::update(|flags| {
            flags.insert(Cr0Flags::WRITE_PROTECT | Cr0Flags::NUMERIC_ERROR);
            flags.insert(Cr0Flags::MONITOR_COPROCESSOR);
            flags.remove(Cr0Flags::EMULATE_COPROCESSOR | Cr0Flags::TASK_SWITCHED);
        });
        Cr4::update(|flags| flags.insert(Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE));
    }
}

/// The general-purpose registers as they are at the call: rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp,
/// r8 to r15. For last words; rax is spent on the way.
#[inline(always)]
#[must_use]
pub fn general_registers() -> [u64; 16] {
    let mut values = [0_u64; 16];
    // SAFETY: stores the registers to the array and changes none.
    unsafe {
        asm!(
            "mov [rax], rax", "mov [rax + 8], rbx", "mov [rax + 16], rcx", "mov [rax + 24], rdx",
            "mov [rax + 32], rsi", "mov [rax + 40], rdi", "mov [rax + 48], rbp",
            "mov [rax + 56], rsp", "mov [rax + 64], r8", "mov [rax + 72], r9",
            "mov [rax + 80], r10", "mov [rax + 88], r11", "mov [rax + 96], r12",
            "mov [rax + 104], r13", "mov [rax + 112], r14", "mov [rax + 120], r15",
            in("rax") values.as_mut_ptr(), options(nostack, preserves_flags)
        );
    }
    values
}
