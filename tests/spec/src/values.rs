//! From the text format's values to those of scripts.

use anyhow::{Result, bail};
use luge_conformance::{Lane, Pattern, Value};
use wast::core::{AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};
use wast::{WastArg, WastRet};

/// A function's argument.
pub fn argument(argument: &WastArg<'_>) -> Result<Value> {
    let WastArg::Core(argument) = argument else {
        bail!("an argument of a component");
    };
    Ok(match argument {
        WastArgCore::I32(value) => Value::I32(*value as u32),
        WastArgCore::I64(value) => Value::I64(*value as u64),
        WastArgCore::F32(value) => Value::F32(value.bits),
        WastArgCore::F64(value) => Value::F64(value.bits),
        WastArgCore::V128(value) => Value::V128(u128::from_le_bytes(value.to_le_bytes())),
        WastArgCore::RefNull(of) => null(of)?,
        WastArgCore::RefExtern(number) => Value::Extern(*number),
        WastArgCore::RefHost(_) => bail!("a reference of the proposal gc"),
    })
}

fn null(of: &HeapType<'_>) -> Result<Value> {
    match of {
        HeapType::Abstract {
            shared: false,
            ty: AbstractHeapType::Func,
        } => Ok(Value::NullFunc),
        HeapType::Abstract {
            shared: false,
            ty: AbstractHeapType::Extern,
        } => Ok(Value::NullExtern),
        other => bail!("a null reference of type {other:?}"),
    }
}

/// What a result is to be.
pub fn result(result: &WastRet<'_>) -> Result<Pattern> {
    match result {
        WastRet::Core(result) => core_result(result),
        #[allow(
            unreachable_patterns,
            reason = "depends on features that others switch on"
        )]
        _ => bail!("a result of a component"),
    }
}

fn core_result(result: &WastRetCore<'_>) -> Result<Pattern> {
    Ok(match result {
        WastRetCore::I32(value) => Pattern::Exactly(Value::I32(*value as u32)),
        WastRetCore::I64(value) => Pattern::Exactly(Value::I64(*value as u64)),
        WastRetCore::F32(value) => Pattern::F32(lane32(value)),
        WastRetCore::F64(value) => Pattern::F64(lane64(value)),
        WastRetCore::V128(value) => vector(value),
        WastRetCore::RefNull(Some(of)) => Pattern::Exactly(null(of)?),
        WastRetCore::RefNull(None) => Pattern::Null,
        WastRetCore::RefExtern(Some(number)) => Pattern::Exactly(Value::Extern(*number)),
        WastRetCore::RefExtern(None) => Pattern::AnyExtern,
        WastRetCore::RefFunc(_) => Pattern::Exactly(Value::Func),
        WastRetCore::Either(cases) => {
            Pattern::Either(cases.iter().map(core_result).collect::<Result<_>>()?)
        }
        other => bail!("a result of another proposal: {other:?}"),
    })
}

fn lane32(value: &NanPattern<F32>) -> Lane {
    match value {
        NanPattern::CanonicalNan => Lane::CanonicalNan,
        NanPattern::ArithmeticNan => Lane::ArithmeticNan,
        NanPattern::Value(value) => Lane::Bits(value.bits.into()),
    }
}

fn lane64(value: &NanPattern<F64>) -> Lane {
    match value {
        NanPattern::CanonicalNan => Lane::CanonicalNan,
        NanPattern::ArithmeticNan => Lane::ArithmeticNan,
        NanPattern::Value(value) => Lane::Bits(value.bits),
    }
}

fn vector(value: &V128Pattern) -> Pattern {
    /// The lanes' bytes in memory, one lane after the other.
    fn lanes<const BYTES: usize>(lanes: impl IntoIterator<Item = [u8; BYTES]>) -> Pattern {
        let bytes: Vec<u8> = lanes.into_iter().flatten().collect();
        let bytes = bytes
            .try_into()
            .expect("the lanes of a vector make a vector");
        Pattern::Exactly(Value::V128(u128::from_le_bytes(bytes)))
    }
    match value {
        V128Pattern::I8x16(all) => lanes(all.map(i8::to_le_bytes)),
        V128Pattern::I16x8(all) => lanes(all.map(i16::to_le_bytes)),
        V128Pattern::I32x4(all) => lanes(all.map(i32::to_le_bytes)),
        V128Pattern::I64x2(all) => lanes(all.map(i64::to_le_bytes)),
        V128Pattern::F32x4(all) => Pattern::F32x4(all.each_ref().map(lane32)),
        V128Pattern::F64x2(all) => Pattern::F64x2(all.each_ref().map(lane64)),
    }
}
