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
            opcode if bounds_a_block(opcode) => {
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

/// The last operators of a function, as far as they tell what its operands are without following all of them. It
/// errs on the same side as [`Operands`].
#[derive(Default)]
pub struct Recent {
    steps: [Step; REMEMBERED],
    next: usize,
}

/// How many operators are remembered. Between an address and what is stored there are seldom more.
const REMEMBERED: usize = 16;

/// An operator, and how many operands there were after it.
#[derive(Clone, Copy, Default)]
struct Step {
    opcode: u8,
    height: u32,
}

impl Recent {
    /// Follows a valid operator, after which the stack has this many operands.
    pub fn follow(&mut self, opcode: u8, height: usize) {
        let height = height as u32;
        self.steps[self.next % REMEMBERED] = Step { opcode, height };
        self.next = self.next.wrapping_add(1);
    }

    /// Whether the two operands may be one that the last operator took, which left none of its own.
    pub fn took_one_twice(&self) -> bool {
        let height = self.step(0).height;
        let (lower, upper) = (height + 1, height + 2);
        let newest = self.step(1);
        if newest.height != upper {
            // Behind a branch, operands may come from nowhere.
            return true;
        }
        if makes_a_new_value(newest.opcode) {
            return false;
        }
        for back in 1..REMEMBERED {
            let step = self.step(back);
            if bounds_a_block(step.opcode) || step.height < lower {
                return true;
            }
            if step.height == lower {
                return !makes_a_new_value(step.opcode);
            }
        }
        true
    }

    /// The operator before so many others.
    fn step(&self, back: usize) -> Step {
        self.steps[self.next.wrapping_sub(back + 1) % REMEMBERED]
    }
}

const LOCAL_GET: u8 = 0x20;
const LOCAL_TEE: u8 = 0x22;

/// Blocks, `else`, `end`, and what belongs to exceptions: operands may be anything behind them.
fn bounds_a_block(opcode: u8) -> bool {
    matches!(opcode, 0x02..=0x0b | 0x18 | 0x19 | 0x1f)
}

/// Whether an operator leaves one value on top that is none of its operands as it was: the translator hands an
/// operand on where an operator changes nothing.
fn makes_a_new_value(opcode: u8) -> bool {
    match opcode {
        // Shifts and rotations, conversions that keep all bits.
        0x74..=0x78 | 0x86..=0x8a | 0xad | 0xbc..=0xbf => false,
        // `global.get`, `table.get`, loads. A call may have no result, and then the top is as it was.
        0x23 | 0x25 | 0x28..=0x35 => true,
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

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const LOCAL_0: &[u8] = &[LOCAL_GET, 0];
    const LOCAL_1: &[u8] = &[LOCAL_GET, 1];
    const CONSTANT: &[u8] = &[0x41, 7];
    const ADD: &[u8] = &[0x6a];
    const CALL: &[u8] = &[0x10, 0];
    const LOAD: &[u8] = &[0x28, 2, 0];
    const TEE_0: &[u8] = &[LOCAL_TEE, 0];
    const BLOCK: &[u8] = &[0x02, 0x40];
    const END: &[u8] = &[0x0b];
    const BRANCH: &[u8] = &[0x0c, 0];

    /// Operators, each with the height of the stack after it.
    type Code<'a> = &'a [(&'a [u8], usize)];

    fn by_operands(code: Code<'_>) -> bool {
        let mut operands = Operands::default();
        code.iter()
            .for_each(|(operator, height)| operands.follow(operator, *height));
        operands.may_be_one()
    }

    fn by_recent(code: Code<'_>) -> bool {
        let mut recent = Recent::default();
        code.iter()
            .for_each(|(operator, height)| recent.follow(operator[0], *height));
        // A store.
        recent.follow(
            0x36,
            code.last()
                .map_or(0, |(_, height)| height.saturating_sub(2)),
        );
        recent.took_one_twice()
    }

    #[test]
    fn one_local_variable_twice_may_be_one() {
        let code: Code<'_> = &[(LOCAL_0, 1), (LOCAL_0, 2)];
        assert!(by_operands(code) && by_recent(code));
    }

    #[test]
    fn a_call_without_results_leaves_the_operands_what_they_were() {
        let code: Code<'_> = &[(LOCAL_0, 1), (LOCAL_0, 2), (CALL, 2)];
        assert!(by_operands(code) && by_recent(code));
    }

    #[test]
    fn what_a_call_returns_is_new() {
        let code: Code<'_> = &[(LOCAL_0, 1), (CALL, 2)];
        assert!(!by_operands(code));
    }

    #[test]
    fn an_address_that_is_new_is_found_behind_what_makes_the_value() {
        let code: Code<'_> = &[
            (CONSTANT, 1),
            (LOCAL_0, 2),
            (CONSTANT, 3),
            (ADD, 2),
            (TEE_0, 2),
        ];
        assert!(!by_operands(code) && !by_recent(code));
        let code: Code<'_> = &[(LOCAL_1, 1), (LOAD, 1), (LOCAL_0, 2)];
        assert!(!by_operands(code) && !by_recent(code));
    }

    /// An operator and what it takes and leaves.
    const OPERATORS: [(&[u8], usize, usize); 9] = [
        (LOCAL_0, 0, 1),
        (LOCAL_1, 0, 1),
        (CONSTANT, 0, 1),
        (ADD, 2, 1),
        (CALL, 0, 0),
        (LOAD, 1, 1),
        (TEE_0, 1, 1),
        (BLOCK, 0, 0),
        (END, 0, 0),
    ];

    #[test]
    fn recent_operators_never_rule_out_what_all_of_them_do_not() {
        let (mut state, mut ruled_out) = (1_u32, 0);
        for length in 2..20_000 {
            let (mut code, mut height) = (Vec::new(), 0);
            for _ in 0..length % 40 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (operator, takes, leaves) = OPERATORS[(state >> 16) as usize % 9];
                if height >= takes {
                    height = height - takes + leaves;
                    code.push((operator, height));
                }
            }
            if height >= 2 && !by_recent(&code) {
                ruled_out += 1;
                assert!(!by_operands(&code), "{code:x?}");
            }
        }
        assert!(ruled_out > 1_000, "{ruled_out}");
    }

    #[test]
    fn recent_operators_tell_nothing_across_a_block() {
        let code: Code<'_> = &[(CONSTANT, 1), (BLOCK, 1), (END, 1), (LOCAL_0, 2)];
        assert!(by_operands(code) && by_recent(code));
    }

    #[test]
    fn recent_operators_tell_nothing_of_operands_from_nowhere() {
        let code: Code<'_> = &[(CONSTANT, 1), (BRANCH, 0), (CONSTANT, 1)];
        assert!(by_recent(code));
    }

    #[test]
    fn recent_operators_tell_nothing_of_what_is_long_ago() {
        let mut code = vec![(CONSTANT, 1), (LOCAL_0, 2)];
        for _ in 0..REMEMBERED {
            code.extend([(CONSTANT, 3), (ADD, 2)]);
        }
        code.push((TEE_0, 2));
        assert!(!by_operands(&code));
        assert!(by_recent(&code));
    }
}
