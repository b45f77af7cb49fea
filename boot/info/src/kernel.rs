//! The kernel's ELF file: which bytes go where, with which rights.
//!
//! The `elf` crate decodes headers; this module checks what they say. Accepted is a static
//! executable (`ET_EXEC`) for x86_64 in the higher half, whose segments share no page and are never
//! writable and executable at once. Everything else is refused by name.

use core::fmt;
use core::ops;

use elf::ElfBytes;
use elf::abi;
use elf::endian::LittleEndian;
use elf::parse::ParseError;
use elf::segment::ProgramHeader;
use heapless::Vec;

use crate::config;
use crate::paging::Access;
use crate::range::{PAGE, VirtRange};

/// The most segments that a kernel may have.
pub const MAX_SEGMENTS: usize = 16;

/// Where the higher half of the address space begins.
pub const HIGHER_HALF: u64 = 0xffff_8000_0000_0000;

/// Why a file is no kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelError {
    /// The file does not begin with ELF's magic bytes.
    NotElf,
    /// Not a 64-bit file; carries ELF's class.
    Class(u8),
    /// Not a little-endian file; carries ELF's data encoding.
    Encoding(u8),
    /// A version of ELF that does not exist.
    Version(u64),
    /// A header, table or section lies outside the file, or its size is wrong.
    Headers,
    /// Not for x86_64; carries `e_machine`.
    Machine(u16),
    /// Not a static executable; carries `e_type`.
    Type(u16),
    /// The kernel wants a dynamic linker (a program header of type `PT_INTERP` or `PT_DYNAMIC`).
    Dynamic,
    /// No segment is to be loaded.
    NoSegment,
    /// More than [`MAX_SEGMENTS`] segments are to be loaded.
    TooManySegments,
    /// A segment is damaged.
    Segment {
        /// Which program header, counted from 0.
        header: usize,
        /// What is wrong with it.
        fault: SegmentFault,
    },
    /// The entry point does not lie in an executable segment's bytes.
    Entry(u64),
    /// The template of thread-local storage does not lie in a segment; carries its address.
    Tls(u64),
    /// The section with the configuration lies outside the file.
    Config,
}

/// What is wrong with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentFault {
    /// Its bytes lie outside the file.
    OutsideFile {
        /// Where they would begin.
        offset: u64,
        /// How many they would be.
        len: u64,
    },
    /// It has more bytes in the file than in memory.
    LargerInFile,
    /// Its addresses wrap around, or reach into the last page, which nothing may use.
    WrapsAround,
    /// It does not lie in the higher half; carries its address.
    LowerHalf(u64),
    /// File offset and address differ within a page.
    Misaligned,
    /// It is writable and executable.
    WritableAndExecutable,
    /// It is not readable.
    Unreadable,
    /// It shares a page with the segment before it, or lies below it.
    Overlaps,
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotElf => f.write_str("not an ELF file"),
            Self::Class(class) => write!(f, "ELF class {class}, expected 2 (64 bits)"),
            Self::Encoding(data) => write!(f, "ELF encoding {data}, expected 1 (little endian)"),
            Self::Version(version) => write!(f, "ELF version {version}, expected 1"),
            Self::Headers => f.write_str("a header or section lies outside the file: truncated?"),
            Self::Machine(machine) => write!(f, "for machine {machine}, expected 62 (x86_64)"),
            Self::Type(kind) => write!(f, "ELF type {kind}, expected 2 (static executable)"),
            Self::Dynamic => f.write_str("wants a dynamic linker"),
            Self::NoSegment => f.write_str("has nothing to load"),
            Self::TooManySegments => write!(f, "has more than {MAX_SEGMENTS} segments to load"),
            Self::Segment { header, fault } => write!(f, "program header {header}: {fault}"),
            Self::Entry(entry) => write!(f, "entry point {entry:#x} is no code of the kernel"),
            Self::Tls(start) => write!(f, "TLS template at {start:#x} lies in no segment"),
            Self::Config => write!(f, "section {} lies outside the file", config::SECTION),
        }
    }
}

impl fmt::Display for SegmentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OutsideFile { offset, len } => {
                write!(
                    f,
                    "{len:#x} bytes at offset {offset:#x} lie outside the file"
                )
            }
            Self::LargerInFile => f.write_str("more bytes in the file than in memory"),
            Self::WrapsAround => f.write_str("addresses wrap around"),
            Self::LowerHalf(address) => write!(f, "address {address:#x} is not in the higher half"),
            Self::Misaligned => f.write_str("offset and address differ within a page"),
            Self::WritableAndExecutable => f.write_str("writable and executable"),
            Self::Unreadable => f.write_str("not readable"),
            Self::Overlaps => f.write_str("overlaps or precedes the segment before it"),
        }
    }
}

/// A segment to load. Its bytes lie in the file, its pages in the higher half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where its bytes lie in the file.
    pub file: ops::Range<usize>,
    /// Its addresses; what lies behind the bytes of the file is zero.
    pub memory: VirtRange,
    /// The pages around its addresses; no other segment has any of them.
    pub pages: VirtRange,
    /// What the kernel may do with it.
    pub access: Access,
}

/// The thread-local storage template of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Its virtual address.
    pub start: u64,
    /// How many bytes of it the file has.
    pub file_len: u64,
    /// How many bytes it has in memory.
    pub memory_len: u64,
}

/// A kernel that was found whole.
#[derive(Clone, Debug)]
pub struct Kernel<'a> {
    /// Where it is entered.
    pub entry: u64,
    /// What is to be loaded, sorted by address.
    pub segments: Vec<Segment, MAX_SEGMENTS>,
    /// The template of its thread-local storage, if it has one.
    pub tls: Option<Tls>,
    /// The bytes of its section `.bootloader-config`, if it has one.
    pub config: Option<&'a [u8]>,
}

impl<'a> Kernel<'a> {
    /// Reads the file.
    ///
    /// # Errors
    /// See [`KernelError`].
    pub fn read(file: &'a [u8]) -> Result<Self, KernelError> {
        check_identification(file)?;
        let elf = ElfBytes::<LittleEndian>::minimal_parse(file).map_err(KernelError::from)?;
        check_header(&elf)?;
        let mut kernel = Self {
            entry: elf.ehdr.e_entry,
            segments: Vec::new(),
            tls: None,
            config: None,
        };
        for (header, program) in elf.segments().into_iter().flatten().enumerate() {
            match program.p_type {
                abi::PT_LOAD if program.p_memsz > 0 => kernel.add(header, &program, file.len())?,
                abi::PT_TLS => kernel.tls = Some(tls(&program)),
                abi::PT_INTERP | abi::PT_DYNAMIC => return Err(KernelError::Dynamic),
                _ => {}
            }
        }
        if kernel.segments.is_empty() {
            return Err(KernelError::NoSegment);
        }
        if !kernel
            .segments
            .iter()
            .any(|segment| segment.has_code_at(kernel.entry))
        {
            return Err(KernelError::Entry(kernel.entry));
        }
        kernel.check_tls()?;
        kernel.config = config_section(&elf)?;
        Ok(kernel)
    }

    /// The addresses from the first segment to the last.
    #[must_use]
    pub fn image(&self) -> VirtRange {
        let start = self
            .segments
            .first()
            .map_or(0, |segment| segment.pages.start());
        let end = self
            .segments
            .last()
            .map_or(0, |segment| segment.pages.end());
        VirtRange::between(start, end)
    }

    fn check_tls(&self) -> Result<(), KernelError> {
        let Some(tls) = self.tls else { return Ok(()) };
        let template = VirtRange::new(tls.start, tls.file_len);
        let contains = |memory: &VirtRange, template: VirtRange| {
            memory.start() <= template.start() && template.end() <= memory.end()
        };
        let segments = || self.segments.iter().map(|segment| segment.memory);
        let lies_in_one = template.is_some_and(|t| segments().any(|memory| contains(&memory, t)));
        let sizes_fit = tls.file_len <= tls.memory_len;
        (lies_in_one && sizes_fit)
            .then_some(())
            .ok_or(KernelError::Tls(tls.start))
    }

    fn add(
        &mut self,
        header: usize,
        program: &ProgramHeader,
        len: usize,
    ) -> Result<(), KernelError> {
        let at = |fault| KernelError::Segment { header, fault };
        let segment = Segment::read(program, len).map_err(at)?;
        if self
            .segments
            .last()
            .is_some_and(|last| segment.pages.start() < last.pages.end())
        {
            return Err(at(SegmentFault::Overlaps));
        }
        self.segments
            .push(segment)
            .map_err(|_| KernelError::TooManySegments)
    }
}

impl Segment {
    fn read(program: &ProgramHeader, file_len: usize) -> Result<Self, SegmentFault> {
        let (offset, len) = (program.p_offset, program.p_filesz);
        let end = offset
            .checked_add(len)
            .filter(|&end| end <= file_len as u64);
        let end = end.ok_or(SegmentFault::OutsideFile { offset, len })?;
        if len > program.p_memsz {
            return Err(SegmentFault::LargerInFile);
        }
        if program.p_vaddr < HIGHER_HALF {
            return Err(SegmentFault::LowerHalf(program.p_vaddr));
        }
        if program.p_vaddr % PAGE != offset % PAGE {
            return Err(SegmentFault::Misaligned);
        }
        let memory = VirtRange::new(program.p_vaddr, program.p_memsz);
        let memory = memory.ok_or(SegmentFault::WrapsAround)?;
        let pages = memory.pages_around().ok_or(SegmentFault::WrapsAround)?;
        let access = access(program.p_flags)?;
        Ok(Self {
            file: offset as usize..end as usize,
            memory,
            pages,
            access,
        })
    }

    /// Whether `address` is executable and comes from the file.
    fn has_code_at(&self, address: u64) -> bool {
        let bytes = VirtRange::between(
            self.memory.start(),
            self.memory.start() + self.file.len() as u64,
        );
        self.access == Access::ReadExecute && bytes.contains(address)
    }
}

fn access(flags: u32) -> Result<Access, SegmentFault> {
    let (read, write, execute) = (
        flags & abi::PF_R != 0,
        flags & abi::PF_W != 0,
        flags & abi::PF_X != 0,
    );
    match (read, write, execute) {
        (_, true, true) => Err(SegmentFault::WritableAndExecutable),
        (false, _, _) => Err(SegmentFault::Unreadable),
        (true, true, false) => Ok(Access::ReadWrite),
        (true, false, true) => Ok(Access::ReadExecute),
        (true, false, false) => Ok(Access::ReadOnly),
    }
}

fn tls(program: &ProgramHeader) -> Tls {
    Tls {
        start: program.p_vaddr,
        file_len: program.p_filesz,
        memory_len: program.p_memsz,
    }
}

/// What every ELF file begins with (System V ABI, "ELF Identification").
fn check_identification(file: &[u8]) -> Result<(), KernelError> {
    let Some(&[m0, m1, m2, m3, class, encoding]) = file.first_chunk() else {
        return Err(KernelError::NotElf);
    };
    match ([m0, m1, m2, m3], class, encoding) {
        (magic, ..) if magic != abi::ELFMAGIC => Err(KernelError::NotElf),
        (_, class, _) if class != abi::ELFCLASS64 => Err(KernelError::Class(class)),
        (.., encoding) if encoding != abi::ELFDATA2LSB => Err(KernelError::Encoding(encoding)),
        _ => Ok(()),
    }
}

fn check_header(elf: &ElfBytes<'_, LittleEndian>) -> Result<(), KernelError> {
    if elf.ehdr.e_machine != abi::EM_X86_64 {
        return Err(KernelError::Machine(elf.ehdr.e_machine));
    }
    if elf.ehdr.e_type != abi::ET_EXEC {
        return Err(KernelError::Type(elf.ehdr.e_type));
    }
    Ok(())
}

fn config_section<'a>(elf: &ElfBytes<'a, LittleEndian>) -> Result<Option<&'a [u8]>, KernelError> {
    let Some(header) = elf.section_header_by_name(config::SECTION)? else {
        return Ok(None);
    };
    let (bytes, _) = elf.section_data(&header).map_err(|_| KernelError::Config)?;
    Ok(Some(bytes))
}

impl From<ParseError> for KernelError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::UnsupportedVersion((found, _)) => Self::Version(found),
            _ => Self::Headers,
        }
    }
}
