//! What the firmware's ACPI tables say: where the interrupt controllers are and how to power off.
//!
//! Only the static tables are read, once, at boot; no AML is run. The `acpi` crate walks them: ACPI 6.4,
//! "Multiple APIC Description Table (MADT)" and "Fixed ACPI Description Table (FADT)".

use acpi::sdt::fadt::Fadt;
use acpi::sdt::madt::{Madt, MadtEntry};
use acpi::{AcpiTables, Handle, Handler, PciAddress, PhysicalMapping, aml::AmlError};
use core::ptr::NonNull;

/// What the kernel takes from the tables. Addresses are physical.
#[derive(Clone, Copy, Debug)]
pub struct Platform {
    /// The local APIC's registers.
    pub local_apic: u64,
    /// The first I/O APIC's registers, and the interrupt number of its first pin.
    pub io_apic: (u64, u32),
    /// The sleep control register of hardware-reduced ACPI.
    pub sleep_control: Option<u64>,
}

/// The PC's customary addresses, used for what the tables do not say.
const CUSTOMARY: Platform = Platform {
    local_apic: 0xfee0_0000,
    io_apic: (0xfec0_0000, 0),
    sleep_control: None,
};

/// How the tables' physical addresses are looked at: mapped by the kernel, never unmapped.
pub type MapPhysical = fn(physical: u64, bytes: usize) -> NonNull<u8>;

/// Reads the tables that `rsdp` leads to.
pub fn discover(rsdp: Option<u64>, map: MapPhysical) -> Platform {
    let Some(rsdp) = rsdp else {
        log::warn!("the loader passed no RSDP; using the customary addresses, no power-off");
        return CUSTOMARY;
    };
    // SAFETY: the loader took the address from the firmware; the handler maps what is asked for.
    match unsafe { AcpiTables::from_rsdp(Mapper { map }, rsdp as usize) } {
        Ok(tables) => read(&tables),
        Err(error) => {
            log::warn!("damaged tables at {rsdp:#x} ({error:?}); using the customary addresses");
            CUSTOMARY
        }
    }
}

fn read(tables: &AcpiTables<Mapper>) -> Platform {
    let mut platform = CUSTOMARY;
    if let Some(madt) = tables.find_table::<Madt>() {
        platform.local_apic = u64::from(madt.get().local_apic_address);
        let first = madt.get().entries().find_map(|entry| match entry {
            MadtEntry::IoApic(io) => Some((
                u64::from(io.io_apic_address),
                io.global_system_interrupt_base,
            )),
            _ => None,
        });
        platform.io_apic = first.unwrap_or(platform.io_apic);
    }
    if let Some(fadt) = tables.find_table::<Fadt>() {
        platform.sleep_control = fadt
            .get()
            .sleep_control_register()
            .ok()
            .flatten()
            .map(|register| register.address);
    }
    platform
}

#[derive(Clone, Copy)]
struct Mapper {
    map: MapPhysical,
}

/// What the crate asks for to run AML, which the kernel never does.
fn no_aml() -> ! {
    panic!("the kernel reads static ACPI tables only; nothing may run AML")
}

impl Handler for Mapper {
    unsafe fn map_physical_region<T>(
        &self,
        physical_address: usize,
        size: usize,
    ) -> PhysicalMapping<Self, T> {
        PhysicalMapping {
            physical_start: physical_address,
            virtual_start: (self.map)(physical_address as u64, size).cast(),
            region_length: size,
            mapped_length: size,
            handler: *self,
        }
    }
    fn unmap_physical_region<T>(_region: &PhysicalMapping<Self, T>) {}

    fn read_u8(&self, _: usize) -> u8 {
        no_aml()
    }
    fn read_u16(&self, _: usize) -> u16 {
        no_aml()
    }
    fn read_u32(&self, _: usize) -> u32 {
        no_aml()
    }
    fn read_u64(&self, _: usize) -> u64 {
        no_aml()
    }
    fn write_u8(&self, _: usize, _: u8) {
        no_aml()
    }
    fn write_u16(&self, _: usize, _: u16) {
        no_aml()
    }
    fn write_u32(&self, _: usize, _: u32) {
        no_aml()
    }
    fn write_u64(&self, _: usize, _: u64) {
        no_aml()
    }
    fn read_io_u8(&self, _: u16) -> u8 {
        no_aml()
    }
    fn read_io_u16(&self, _: u16) -> u16 {
        no_aml()
    }
    fn read_io_u32(&self, _: u16) -> u32 {
        no_aml()
    }
    fn write_io_u8(&self, _: u16, _: u8) {
        no_aml()
    }
    fn write_io_u16(&self, _: u16, _: u16) {
        no_aml()
    }
    fn write_io_u32(&self, _: u16, _: u32) {
        no_aml()
    }
    fn read_pci_u8(&self, _: PciAddress, _: u16) -> u8 {
        no_aml()
    }
    fn read_pci_u16(&self, _: PciAddress, _: u16) -> u16 {
        no_aml()
    }
    fn read_pci_u32(&self, _: PciAddress, _: u16) -> u32 {
        no_aml()
    }
    fn write_pci_u8(&self, _: PciAddress, _: u16, _: u8) {
        no_aml()
    }
    fn write_pci_u16(&self, _: PciAddress, _: u16, _: u16) {
        no_aml()
    }
    fn write_pci_u32(&self, _: PciAddress, _: u16, _: u32) {
        no_aml()
    }
    fn nanos_since_boot(&self) -> u64 {
        no_aml()
    }
    fn stall(&self, _: u64) {
        no_aml()
    }
    fn sleep(&self, _: u64) {
        no_aml()
    }
    fn create_mutex(&self) -> Handle {
        no_aml()
    }
    fn acquire(&self, _: Handle, _: u16) -> Result<(), AmlError> {
        no_aml()
    }
    fn release(&self, _: Handle) {
        no_aml()
    }
}
