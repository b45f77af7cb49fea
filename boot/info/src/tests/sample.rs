//! A whole kernel file, whole records and a small machine, for tests to damage.

use std::vec::Vec;

use bootloader_api::BootloaderConfig;
use bootloader_api::config::Mapping as Wish;
use x86_64::PhysAddr;
use x86_64::structures::paging::{PageTable, PageTableFlags};

use crate::memory_map::MemoryMap;
use crate::paging::TableMemory;
use crate::range::PhysRange;

/// Where the sample kernel is linked.
pub const BASE: u64 = 0xffff_ffff_8000_0000;
/// Where its program headers are: read-only, code, data, TLS.
pub const PROGRAM_HEADERS: usize = 64;
/// The length of a program header.
pub const PROGRAM_HEADER_LEN: usize = 56;
/// Where its section headers are.
pub const SECTION_HEADERS: usize = 0x3480;
/// Where its configuration is.
pub const CONFIG: usize = 0x1100;

/// The sample's configuration.
pub fn config() -> BootloaderConfig {
    let mut config = BootloaderConfig::new_default();
    config.kernel_stack_size = 64 * 1024;
    config.mappings.physical_memory = Some(Wish::Dynamic);
    config
}

/// A kernel that asks for `config`: code at `BASE + 0x1000`, data of 3 pages behind it.
pub fn kernel_with(config: &BootloaderConfig) -> Vec<u8> {
    let mut file = Vec::from([0_u8; SECTION_HEADERS + 3 * 64]);
    put(&mut file, 0, b"\x7fELF\x02\x01\x01");
    put(&mut file, 16, &[2, 0, 62, 0, 1, 0, 0, 0]);
    put(&mut file, 24, &(BASE + 0x1010).to_le_bytes());
    put(&mut file, 32, &(PROGRAM_HEADERS as u64).to_le_bytes());
    put(&mut file, 40, &(SECTION_HEADERS as u64).to_le_bytes());
    put(&mut file, 52, &[64, 0, 56, 0, 4, 0, 64, 0, 3, 0, 2, 0]);
    program_header(&mut file, 0, 1, 4, [0x1000, BASE, 0x800, 0x800]);
    program_header(&mut file, 1, 1, 5, [0x2000, BASE + 0x1000, 0xc00, 0xc00]);
    program_header(&mut file, 2, 1, 6, [0x3010, BASE + 0x2010, 0x400, 0x2800]);
    program_header(&mut file, 3, 7, 4, [0x3010, BASE + 0x2010, 0x10, 0x20]);
    let serialized = config.serialize();
    put(&mut file, CONFIG, &serialized);
    put(&mut file, 0x3440, b"\0.bootloader-config\0.shstrtab\0");
    section_header(&mut file, 1, 1, 1, CONFIG as u64, serialized.len() as u64);
    section_header(&mut file, 2, 20, 3, 0x3440, 30);
    file
}

/// A kernel with the sample's configuration.
pub fn kernel() -> Vec<u8> {
    kernel_with(&config())
}

fn program_header(file: &mut [u8], index: usize, kind: u32, flags: u32, fields: [u64; 4]) {
    let at = PROGRAM_HEADERS + index * PROGRAM_HEADER_LEN;
    let [offset, address, file_len, memory_len] = fields;
    put(file, at, &kind.to_le_bytes());
    put(file, at + 4, &flags.to_le_bytes());
    for (slot, field) in [offset, address, address, file_len, memory_len, 0x1000]
        .iter()
        .enumerate()
    {
        put(file, at + 8 + 8 * slot, &field.to_le_bytes());
    }
}

fn section_header(file: &mut [u8], index: usize, name: u32, kind: u32, offset: u64, len: u64) {
    let at = SECTION_HEADERS + index * 64;
    put(file, at, &name.to_le_bytes());
    put(file, at + 4, &kind.to_le_bytes());
    put(file, at + 24, &offset.to_le_bytes());
    put(file, at + 32, &len.to_le_bytes());
}

/// Overwrites bytes.
pub fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    bytes[at..at + new.len()].copy_from_slice(new);
}

/// The bytes of memory map records: address, length and E820 type.
pub fn records(entries: &[(u64, u64, u32)]) -> Vec<u8> {
    let record = |&(address, len, kind): &(u64, u64, u32)| {
        let mut record = Vec::from(address.to_le_bytes());
        record.extend(len.to_le_bytes());
        record.extend(u64::from(kind).to_le_bytes());
        record
    };
    entries.iter().flat_map(record).collect()
}

/// QEMU's `microvm` with 128 MiB, in another order.
pub const MICROVM: &[(u64, u64, u32)] = &[
    (0x10_0000, 0x7f0_0000, 1),
    (0, 0x9_fc00, 1),
    (0x9_fc00, 0x400, 2),
    (0xd_0000, 0x2_0000, 4),
    (0xf_0000, 0x1_0000, 2),
    (0xfffc_0000, 0x4_0000, 2),
];

/// The map of [`MICROVM`].
pub fn map() -> MemoryMap {
    MemoryMap::read(&records(MICROVM)).expect("the sample is whole")
}

/// The loader of the sample machine: code and data.
pub const LOADER: [PhysRange; 2] = [
    PhysRange::between(0x10_0000, 0x10_f123),
    PhysRange::between(0x20_0000, 0x23_0000),
];

/// Where the sample machine's firmware put a kernel of `len` bytes: at the top of memory.
pub fn module(len: usize) -> PhysRange {
    let start = 0x800_0000 - (len as u64).next_multiple_of(0x1000);
    PhysRange::between(start, start + len as u64)
}

/// Tables in a vector: frame number n is table n - 1.
#[derive(Default)]
pub struct TestTables {
    tables: Vec<PageTable>,
    /// How many tables may be allocated.
    pub limit: Option<usize>,
}

/// A page that the tables map.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    pub virt: u64,
    pub phys: u64,
    pub len: u64,
    pub flags: PageTableFlags,
}

impl Leaf {
    pub fn frames(&self) -> PhysRange {
        PhysRange::between(self.phys, self.phys + self.len)
    }

    pub fn is_writable(&self) -> bool {
        self.flags.contains(PageTableFlags::WRITABLE)
    }

    pub fn is_executable(&self) -> bool {
        !self.flags.contains(PageTableFlags::NO_EXECUTE)
    }
}

impl TableMemory for TestTables {
    fn allocate(&mut self) -> Option<PhysAddr> {
        if self.limit.is_some_and(|limit| self.tables.len() >= limit) {
            return None;
        }
        self.tables.push(PageTable::new());
        Some(PhysAddr::new(self.tables.len() as u64 * 4096))
    }

    fn table(&mut self, address: PhysAddr) -> &mut PageTable {
        &mut self.tables[address.as_u64() as usize / 4096 - 1]
    }
}

impl TestTables {
    /// Every page that the tables below `root` map.
    pub fn leaves(&mut self, root: PhysAddr) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        self.walk(root, 4, 0, &mut leaves);
        leaves
    }

    /// The page that `virt` lies in.
    pub fn leaf(&mut self, root: PhysAddr, virt: u64) -> Option<Leaf> {
        self.leaves(root)
            .into_iter()
            .find(|leaf| virt.wrapping_sub(leaf.virt) < leaf.len)
    }

    /// How many tables there are.
    pub fn count(&self) -> usize {
        self.tables.len()
    }

    fn walk(&mut self, table: PhysAddr, level: u32, virt: u64, leaves: &mut Vec<Leaf>) {
        for index in 0..512 {
            let entry = self.table(table)[index].clone();
            let len = 4096 << (9 * (level - 1));
            let shifted = virt + index as u64 * len;
            let virt = if shifted >> 47 == 1 {
                shifted | 0xffff << 48
            } else {
                shifted
            };
            if entry.is_unused() {
                continue;
            } else if level == 1 || entry.flags().contains(PageTableFlags::HUGE_PAGE) {
                leaves.push(Leaf {
                    virt,
                    phys: entry.addr().as_u64(),
                    len,
                    flags: entry.flags(),
                });
            } else {
                self.walk(entry.addr(), level - 1, virt, leaves);
            }
        }
    }
}

/// Numbers that look random and are the same in every run (xorshift64*).
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
