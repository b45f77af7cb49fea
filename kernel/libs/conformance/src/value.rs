//! Values that go into functions and come out, and what is expected of them.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// A value. Floats are their bits, so that NaNs can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// `i32`.
    I32(u32),
    /// `i64`.
    I64(u64),
    /// `f32`.
    F32(u32),
    /// `f64`.
    F64(u64),
    /// `v128`, the first lane lowest.
    V128(u128),
    /// A reference to no function.
    NullFunc,
    /// A reference to some function.
    Func,
    /// A reference to no object of the host.
    NullExtern,
    /// A reference to the object of the host that has this number.
    Extern(u32),
}

/// A float as it is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lane {
    /// These bits.
    Bits(u64),
    /// A NaN with either sign and nothing set but the quiet bit.
    CanonicalNan,
    /// A NaN with either sign and the quiet bit.
    ArithmeticNan,
}

/// What a value is expected to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pattern {
    /// This value.
    Exactly(Value),
    /// An `f32`.
    F32(Lane),
    /// An `f64`.
    F64(Lane),
    /// Four lanes of `f32`.
    F32x4([Lane; 4]),
    /// Two lanes of `f64`.
    F64x2([Lane; 2]),
    /// Null of whatever type.
    Null,
    /// Some object of the host.
    AnyExtern,
    /// One of these.
    Either(Vec<Pattern>),
}

impl Lane {
    /// Whether the `f32` with these bits is as expected.
    #[must_use]
    pub fn accepts_f32(self, bits: u32) -> bool {
        const QUIET_NAN: u32 = 0x7fc0_0000;
        match self {
            Self::Bits(expected) => expected == u64::from(bits),
            Self::CanonicalNan => bits & 0x7fff_ffff == QUIET_NAN,
            Self::ArithmeticNan => bits & QUIET_NAN == QUIET_NAN,
        }
    }

    /// Whether the `f64` with these bits is as expected.
    #[must_use]
    pub fn accepts_f64(self, bits: u64) -> bool {
        const QUIET_NAN: u64 = 0x7ff8_0000_0000_0000;
        match self {
            Self::Bits(expected) => expected == bits,
            Self::CanonicalNan => bits & 0x7fff_ffff_ffff_ffff == QUIET_NAN,
            Self::ArithmeticNan => bits & QUIET_NAN == QUIET_NAN,
        }
    }
}

impl Pattern {
    /// Whether `value` is as expected.
    #[must_use]
    pub fn accepts(&self, value: Value) -> bool {
        match (self, value) {
            (Self::Exactly(expected), value) => *expected == value,
            (Self::F32(lane), Value::F32(bits)) => lane.accepts_f32(bits),
            (Self::F64(lane), Value::F64(bits)) => lane.accepts_f64(bits),
            (Self::F32x4(lanes), Value::V128(bits)) => {
                let lane_of =
                    |(at, lane): (usize, &Lane)| lane.accepts_f32((bits >> (32 * at)) as u32);
                lanes.iter().enumerate().all(lane_of)
            }
            (Self::F64x2(lanes), Value::V128(bits)) => {
                let lane_of =
                    |(at, lane): (usize, &Lane)| lane.accepts_f64((bits >> (64 * at)) as u64);
                lanes.iter().enumerate().all(lane_of)
            }
            (Self::Null, Value::NullFunc | Value::NullExtern) => true,
            (Self::AnyExtern, Value::Extern(_)) => true,
            (Self::Either(patterns), value) => patterns.iter().any(|one| one.accepts(value)),
            _ => false,
        }
    }
}
