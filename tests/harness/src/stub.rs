//! Images of a few bytes that do one thing, to be booted in place of the loader.
//!
//! They show that the harness sees what it has to see: a machine that hangs, one that resets itself,
//! one that powers off through the debug port. QEMU starts them like the loader, by their PVH note
//! (Xen, `docs/misc/pvh.pandoc`): in 32-bit protected mode, paging off, at the address in the note.

/// Physical address at which a stub is loaded and entered.
const ENTRY: u32 = 0x10_0000;

const ELF_HEADER_BYTES: u32 = 52;
const PROGRAM_HEADER_BYTES: u32 = 32;
const NOTE_BYTES: u32 = 20;
const CODE_OFFSET: u32 = ELF_HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES + NOTE_BYTES;

/// Loops for ever with interrupts off: `cli; jmp .`.
pub const HANG: &[u8] = &[0xfa, 0xeb, 0xfe];

/// Halts with interrupts off, for ever: `cli; hlt; jmp` to the halt.
pub const SLEEP: &[u8] = &[0xfa, 0xf4, 0xeb, 0xfd];

/// An undefined instruction with no interrupt table, so that the CPU shuts down:
/// `lidt [zeros]; ud2`, the limit being what lies behind the code, two zero bytes.
pub const TRIPLE_FAULT: &[u8] = &[
    0x0f, 0x01, 0x1d, 0x09, 0x00, 0x10, 0x00, // lidt [0x100009]
    0x0f, 0x0b, // ud2
    0, 0, 0, 0, 0, 0, // limit 0, base 0
];

/// Writes to the debug port so that QEMU ends with the status `2 * value + 1`:
/// `mov al, value; out 0xf4, al; jmp .`.
#[must_use]
pub fn exit_with(value: u8) -> Vec<u8> {
    vec![0xb0, value, 0xe6, 0xf4, 0xeb, 0xfe]
}

/// Counts down for some seconds of a processor's time, then runs `code`: `mov ecx, TURNS; dec ecx; jnz`.
#[must_use]
pub fn computing(code: &[u8]) -> Vec<u8> {
    const TURNS: u32 = 1 << 30;
    let mut all = vec![0xb9];
    all.extend(TURNS.to_le_bytes());
    all.extend([0x49, 0x75, 0xfd]);
    all.extend(code);
    all
}

/// Writes `text` to the serial port, then runs `code`. Each character is
/// `mov dx, 0x3f8; mov al, character; out dx, al`.
#[must_use]
pub fn saying(text: &str, code: &[u8]) -> Vec<u8> {
    let mut all = vec![0x66, 0xba, 0xf8, 0x03];
    for character in text.bytes() {
        all.extend([0xb0, character, 0xee]);
    }
    all.extend(code);
    all
}

/// An ELF image with `code` at its PVH entry.
#[must_use]
pub fn image(code: &[u8]) -> Vec<u8> {
    let length = u32::try_from(code.len()).expect("a stub has a few bytes");
    let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // Type EXEC, machine 386; then version, entry, program headers, no section headers, flags.
    put16(&mut elf, &[2, 3]);
    put32(&mut elf, &[1, ENTRY, ELF_HEADER_BYTES, 0, 0]);
    put16(
        &mut elf,
        &[ELF_HEADER_BYTES, PROGRAM_HEADER_BYTES, 2, 0, 0, 0],
    );
    // PT_LOAD, readable and executable: type, offset, addresses, sizes, flags, alignment.
    put32(
        &mut elf,
        &[1, CODE_OFFSET, ENTRY, ENTRY, length, length, 5, 1],
    );
    // PT_NOTE, readable.
    let note = CODE_OFFSET - NOTE_BYTES;
    put32(&mut elf, &[4, note, 0, 0, NOTE_BYTES, NOTE_BYTES, 4, 4]);
    // XEN_ELFNOTE_PHYS32_ENTRY: lengths of name and value, type 18, name, value.
    put32(&mut elf, &[4, 4, 18, u32::from_le_bytes(*b"Xen\0"), ENTRY]);
    elf.extend(code);
    elf
}

fn put16(bytes: &mut Vec<u8>, values: &[u32]) {
    for value in values {
        bytes.extend(&value.to_le_bytes()[..2]);
    }
}

fn put32(bytes: &mut Vec<u8>, values: &[u32]) {
    for value in values {
        bytes.extend(value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_lies_where_the_program_header_says() {
        let elf = image(HANG);
        assert_eq!(&elf[CODE_OFFSET as usize..], HANG);
    }
}
