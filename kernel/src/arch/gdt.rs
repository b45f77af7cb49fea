//! Segments, the task state segment, and the stacks that faults arrive on.
//!
//! Every kind of fault has an interrupt stack of its own (SDM Vol. 3A, "Interrupt Stack Table"), with an unmapped
//! guard below it: a fault can then be handled whatever the interrupted stack looks like, and a fault inside a
//! handler cannot overwrite the frame of the outer one. The timer and devices have none, since they
//! switch away instead of returning, which does not compose with a shared stack.
//!
//! Invariant: the memory behind every IST pointer stays mapped and belongs to that vector alone.

use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable};
use x86_64::structures::tss::TaskStateSegment;

/// Which interrupt stack a vector arrives on. The value is the index into the TSS, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum FaultStack {
    /// #PF.
    PageFault = 0,
    /// #DE, #UD, #GP, #SS, #NM, #MF, #AC, #XM and the rest of the exceptions.
    Exception = 1,
    /// #DF.
    DoubleFault = 2,
    /// NMI.
    NonMaskable = 3,
    /// #MC.
    MachineCheck = 4,
}

/// How many interrupt stacks a CPU has.
pub const FAULT_STACKS: usize = 5;

/// The top address of each interrupt stack, by [`FaultStack`].
pub type FaultStackTops = [VirtAddr; FAULT_STACKS];

static TSS: Once<TaskStateSegment> = Once::new();
static GDT: Once<(GlobalDescriptorTable, Selectors)> = Once::new();

struct Selectors {
    code: x86_64::structures::gdt::SegmentSelector,
    data: x86_64::structures::gdt::SegmentSelector,
    tss: x86_64::structures::gdt::SegmentSelector,
    #[cfg(feature = "scenarios")]
    absent: x86_64::structures::gdt::SegmentSelector,
}

/// Loads the segments and the TSS of the (one) CPU.
pub fn init(stacks: &FaultStackTops) {
    let tss = TSS.call_once(|| {
        let mut tss = TaskStateSegment::new();
        // The structure is packed, so its table is written as a whole.
        let mut table = tss.interrupt_stack_table;
        table[..FAULT_STACKS].copy_from_slice(stacks);
        tss.interrupt_stack_table = table;
        tss
    });
    let (gdt, selectors) = GDT.call_once(|| {
        let mut gdt = GlobalDescriptorTable::new();
        let code = gdt.append(Descriptor::kernel_code_segment());
        let data = gdt.append(Descriptor::kernel_data_segment());
        let tss = gdt.append(Descriptor::tss_segment(tss));
        #[cfg(feature = "scenarios")]
        let absent = gdt.append(scenario::ABSENT);
        let selectors = Selectors {
            code,
            data,
            tss,
            #[cfg(feature = "scenarios")]
            absent,
        };
        (gdt, selectors)
    });
    gdt.load();
    // SAFETY: the selectors name descriptors of the table that was just loaded, which is static.
    // Loading DS and ES does not touch the GS base.
    unsafe {
        CS::set_reg(selectors.code);
        SS::set_reg(selectors.data);
        DS::set_reg(selectors.data);
        ES::set_reg(selectors.data);
        load_tss(selectors.tss);
    }
}

/// A segment for scenarios: whoever loads SS with it gets #SS.
#[cfg(feature = "scenarios")]
mod scenario {
    use x86_64::structures::gdt::{Descriptor, DescriptorFlags};

    /// A data segment that is not present. SDM Vol. 3A, "Segment Descriptors".
    pub const ABSENT: Descriptor = Descriptor::UserSegment(
        DescriptorFlags::KERNEL_DATA.bits() & !DescriptorFlags::PRESENT.bits(),
    );
}

/// The selector of a data segment that is not present.
///
/// # Panics
/// Before [`init`].
#[cfg(feature = "scenarios")]
pub fn absent_segment() -> u16 {
    GDT.get().expect("segments are loaded at boot").1.absent.0
}
