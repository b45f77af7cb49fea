//! Rules of what passes.

use luge_conformance::{Action, Expected, Group, Lane, Module, Pattern, Script, Seen, Step, Value};
use luge_trap::Trap;

const QUIET: u32 = 0x7fc0_0000;
const SIGNALLING: u32 = 0x7fa0_0000;

#[test]
fn a_script_is_read_as_it_was_written() {
    let step = Step {
        line: 7,
        action: Action::Invoke {
            instance: 0,
            name: "f".into(),
            arguments: vec![Value::V128(u128::MAX), Value::Extern(3)],
        },
        expected: Expected::Values(vec![Pattern::F32(Lane::CanonicalNan)]),
    };
    let script = Script {
        name: "a".into(),
        modules: vec![Module {
            wasm: b"\0asm",
            native: None,
        }],
        groups: vec![Group { steps: vec![step] }],
    };
    let file = script.write();
    let read = Script::read(&file).unwrap();
    assert_eq!(format!("{read:?}"), format!("{script:?}"));
    assert!(Script::read(&file[..file.len() - 1]).is_none());
}

#[test]
fn a_nan_is_told_from_others_by_its_bits() {
    let negative = |bits: u32| bits | 1 << 31;
    for bits in [QUIET, negative(QUIET)] {
        assert!(Lane::CanonicalNan.accepts_f32(bits));
        assert!(Lane::ArithmeticNan.accepts_f32(bits));
    }
    for bits in [QUIET | 1, negative(QUIET | 1)] {
        assert!(!Lane::CanonicalNan.accepts_f32(bits));
        assert!(Lane::ArithmeticNan.accepts_f32(bits));
    }
    assert!(!Lane::ArithmeticNan.accepts_f32(SIGNALLING));
    assert!(!Lane::ArithmeticNan.accepts_f32(f32::INFINITY.to_bits()));
    assert!(!Lane::Bits(QUIET.into()).accepts_f32(negative(QUIET)));
    assert!(Lane::CanonicalNan.accepts_f64(f64::NAN.to_bits() | 1 << 63));
    assert!(!Lane::CanonicalNan.accepts_f64(f64::NAN.to_bits() | 1));
    assert!(!Lane::ArithmeticNan.accepts_f64(f64::INFINITY.to_bits()));
}

#[test]
fn every_lane_of_a_vector_must_be_as_expected() {
    let nan = u128::from(QUIET | 1);
    let lanes = [
        Lane::Bits(1),
        Lane::ArithmeticNan,
        Lane::Bits(3),
        Lane::Bits(4),
    ];
    let vector = 1 | nan << 32 | 3 << 64 | 4 << 96;
    assert!(Pattern::F32x4(lanes).accepts(Value::V128(vector)));
    for at in 0..4 {
        let changed = vector ^ 1 << (32 * at + 22);
        assert!(!Pattern::F32x4(lanes).accepts(Value::V128(changed)));
    }
    let halves = [Lane::Bits(5), Lane::CanonicalNan];
    let vector = 5 | u128::from(f64::NAN.to_bits()) << 64;
    assert!(Pattern::F64x2(halves).accepts(Value::V128(vector)));
    assert!(!Pattern::F64x2(halves).accepts(Value::V128(vector + 1)));
}

#[test]
fn a_type_is_never_taken_for_another() {
    assert!(!Pattern::Exactly(Value::I32(1)).accepts(Value::I64(1)));
    assert!(!Pattern::F32(Lane::Bits(1)).accepts(Value::F64(1)));
    assert!(!Pattern::Exactly(Value::NullFunc).accepts(Value::NullExtern));
    assert!(Pattern::Null.accepts(Value::NullExtern));
    assert!(!Pattern::Null.accepts(Value::Extern(0)));
    assert!(Pattern::AnyExtern.accepts(Value::Extern(9)));
}

#[test]
fn one_of_the_alternatives_is_enough_and_none_is_not() {
    let one = |number| Pattern::Exactly(Value::I32(number));
    let either = Pattern::Either(vec![one(1), one(2)]);
    assert!(either.accepts(Value::I32(2)));
    assert!(!either.accepts(Value::I32(3)));
}

#[test]
fn what_was_seen_passes_only_if_it_is_what_was_expected() {
    let values = Seen::Values(vec![Value::I32(1)]);
    let one = || vec![Pattern::Exactly(Value::I32(1))];
    assert!(Expected::Done.accepts(&values));
    assert!(Expected::Values(one()).accepts(&values));
    assert!(!Expected::Values([one(), one()].concat()).accepts(&values));
    assert!(!Expected::Values(Vec::new()).accepts(&values));
    let trap = Expected::trap(Trap::Unreachable);
    assert!(trap.accepts(&Seen::Trap(Trap::Unreachable)));
    assert!(!trap.accepts(&Seen::Trap(Trap::StackOverflow)));
    assert!(!trap.accepts(&values));
    let either = Expected::traps(&[Trap::MemoryOutOfBounds, Trap::TableOutOfBounds]);
    assert!(either.accepts(&Seen::Trap(Trap::TableOutOfBounds)));
    assert!(!either.accepts(&Seen::Trap(Trap::Unreachable)));
    for expected in [Expected::Done, Expected::Refused, Expected::Unlinkable] {
        assert!(!expected.accepts(&Seen::Trap(Trap::Unreachable)));
        assert!(!expected.accepts(&Seen::Other("?".into())));
    }
    assert!(!Expected::Refused.accepts(&Seen::Unlinkable("?".into())));
    assert!(!Expected::Digest([1; 32]).accepts(&Seen::Digest([2; 32])));
}
