//! The shapes that functions of WASI have, for engines that want each as a closure of its own type.

/// Calls the macro `$define` with the parameters of `$function`, as `name: type`.
macro_rules! with_shape {
    ($function:expr, $define:ident) => {{
        use luge_wasi::Parameter::{I32, I64};
        match $function.parameters() {
            [] => $define!(),
            [I32] => $define!(a: u32),
            [I32, I32] => $define!(a: u32, b: u32),
            [I32, I64] => $define!(a: u32, b: u64),
            [I32, I32, I32] => $define!(a: u32, b: u32, c: u32),
            [I32, I64, I32] => $define!(a: u32, b: u64, c: u32),
            [I32, I64, I64] => $define!(a: u32, b: u64, c: u64),
            [I32, I32, I32, I32] => $define!(a: u32, b: u32, c: u32, d: u32),
            [I32, I64, I32, I32] => $define!(a: u32, b: u64, c: u32, d: u32),
            [I32, I64, I64, I32] => $define!(a: u32, b: u64, c: u64, d: u32),
            [I32, I32, I32, I32, I32] => $define!(a: u32, b: u32, c: u32, d: u32, e: u32),
            [I32, I32, I32, I64, I32] => $define!(a: u32, b: u32, c: u32, d: u64, e: u32),
            [I32, I32, I32, I32, I32, I32] => $define!(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32),
            [I32, I32, I32, I32, I32, I32, I32] => {
                $define!(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32)
            }
            [I32, I32, I32, I32, I64, I64, I32] => {
                $define!(a: u32, b: u32, c: u32, d: u32, e: u64, f: u64, g: u32)
            }
            [I32, I32, I32, I32, I32, I64, I64, I32, I32] => {
                $define!(a: u32, b: u32, c: u32, d: u32, e: u32, f: u64, g: u64, h: u32, i: u32)
            }
            other => unreachable!("no function of WASI has the parameters {other:?}"),
        }
    }};
}

pub(super) use with_shape;
