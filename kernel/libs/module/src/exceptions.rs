//! Modules with exceptions, which native code has and the interpreter does not.

use alloc::borrow::ToOwned;
use core::fmt;

use wasmparser::WasmFeatures;

use crate::validate::{FEATURES, Interface, Invalid, Place, check};

/// The proposal as it became part of the standard: `try_table`, `throw`, `throw_ref`.
const STANDARD: WasmFeatures = FEATURES.union(WasmFeatures::EXCEPTIONS);
/// The form before it: `try`, `catch`, `rethrow`, `delegate`.
const WITH_OLD_FORM: WasmFeatures = STANDARD.union(WasmFeatures::LEGACY_EXCEPTIONS);

const OLD_FORM: &str = "it uses exceptions in the form that they had before they became part of the standard (try, catch, \
     rethrow, delegate), which neither engine has: compile it with -mllvm -wasm-use-legacy-eh=false (clang, rustc: \
     -C llvm-args=-wasm-use-legacy-eh=false), or translate it with wasm-opt --translate-to-exnref";

/// Why a valid module is not for the interpreter: it uses exceptions, here for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeOnly(pub Place);

/// Looks again at a module that is invalid without exceptions, for the reason `why`.
///
/// # Errors
/// It is invalid with exceptions as well: the first thing that is wrong then.
pub(crate) fn validate(bytes: &[u8], why: Invalid) -> Result<Interface<'_>, Invalid> {
    let Invalid::Malformed { place, .. } = why else {
        return Err(why);
    };
    match check(bytes, STANDARD) {
        Ok(mut interface) => {
            interface.exceptions = Some(NativeOnly(place));
            Ok(interface)
        }
        Err(why) => Err(old_form(bytes, &why).unwrap_or(why)),
    }
}

/// The error of a module that is invalid, for the reason `why`, since it uses the old form.
fn old_form(bytes: &[u8], why: &Invalid) -> Option<Invalid> {
    let Invalid::Malformed { place, .. } = *why else {
        return None;
    };
    let uses_it = match check(bytes, WITH_OLD_FORM) {
        Err(Invalid::Malformed { place: later, .. }) => later.offset > place.offset,
        Ok(_) | Err(_) => true,
    };
    uses_it.then(|| Invalid::Malformed {
        place,
        reason: OLD_FORM.to_owned(),
    })
}

impl NativeOnly {
    /// What can be done about it.
    pub const ADVICE: &'static str =
        "native code has them: luge-image build --native, or ./qemu-run.sh --engine wasmtime";
}

impl core::error::Error for NativeOnly {}

impl fmt::Display for NativeOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(place) = self;
        write!(
            f,
            "{place}: it uses exceptions, which the interpreter does not have"
        )
    }
}
