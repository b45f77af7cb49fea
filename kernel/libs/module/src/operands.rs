//! What the operand stack of a function holds, as far as the interpreter's translator cares for it.
//!
//! [`Operands`] follows a function while it is validated, and says of two operands whether the translator may take them
//! for one value. It errs on the safe side: two different operands may count as one, and never the other way round.

use alloc::vec::Vec;

/// What an operand may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operand {
    /// A value of its own.
    New,
    /// What this local variable holds.
    Local(u32),
}

/// The operand stack of a function.
#[derive(Default)]
pub struct Operands {
    stack: Vec<Operand>,
    /// Operands below this height may be anything: they lay there when a block began or ended.
    known_from: usize,
}

impl Operands {
    /// Follows a valid operator with these bytes, after which the stack has this many operands.
    pub fn follow(&mut self, operator: &[u8], height: usize) {
        // What stays in its place stays what it was.
        self.stack.resize(height, Operand::New);
        self.known_from = self.known_from.min(height);
        let operand = match operator[0] {
            // Blocks, `else`, `end`, and what belongs to exceptions.
            0x02..=0x0b | 0x18 | 0x19 | 0x1f => {
                self.known_from = height;
                return;
            }
            LOCAL_GET | LOCAL_TEE => Operand::Local(number(&operator[1..]).0 as u32),
            opcode if makes_a_new_value(opcode) => Operand::New,
            _ => return,
        };
        if let Some(top) = self.stack.last_mut() {
            *top = operand;
            self.known_from = self.known_from.min(height - 1);
        }
    }

    /// Whether the two operands on top may be one.
    pub fn may_be_one(&self) -> bool {
        match (self.known_below(1), self.known_below(0)) {
            (Some(Operand::Local(one)), Some(Operand::Local(other))) => one == other,
            (Some(Operand::New), _) | (_, Some(Operand::New)) => false,
            _ => true,
        }
    }

    /// The operand with so many others above it, if anything is known of it.
    fn known_below(&self, others: usize) -> Option<Operand> {
        let place = self.stack.len().checked_sub(others + 1)?;
        (place >= self.known_from).then(|| self.stack[place])
    }
}

const LOCAL_GET: u8 = 0x20;
const LOCAL_TEE: u8 = 0x22;

/// Whether an operator takes no operand and hands a local variable on.
pub fn is_local_get(opcode: u8) -> bool {
    opcode == LOCAL_GET
}

/// Whether the result of an operator is never one of its operands as it was: the translator hands an operand on
/// where an operator changes nothing.
pub fn makes_a_new_value(opcode: u8) -> bool {
    match opcode {
        // Shifts and rotations, conversions that keep all bits.
        0x74..=0x78 | 0x86..=0x8a | 0xad | 0xbc..=0xbf => false,
        // Calls, `global.get`, `table.get`, loads.
        0x10 | 0x11 | 0x23 | 0x25 | 0x28..=0x35 => true,
        // The size of memory, constants, other numeric operators, references.
        0x3f..=0xc4 | 0xd0..=0xd2 => true,
        _ => false,
    }
}

/// The number that validated bytes begin with, and what follows it.
pub fn number(bytes: &[u8]) -> (u64, &[u8]) {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return (value, &bytes[at + 1..]);
        }
    }
    (value, &[])
}
