//! Ways to be ended by a trap, all by the same chain of calls.

use luge_trap::Trap;
use wasmparser::Operator;

/// A function `$inner` that ends by a trap. `$middle` calls it and `$start` that.
pub struct Case {
    /// The name of its route.
    pub name: &'static str,
    /// By which trap.
    pub trap: Trap,
    /// By which exception native code is told.
    pub exception: &'static str,
    /// The parameter of `$inner`, and what it does.
    inner: &'static str,
    /// The argument.
    argument: &'static str,
    /// The instruction that is to blame.
    pub blamed: fn(&Operator) -> bool,
}

/// What else is in the modules: a table whose first element has another type than what calls it, and whose second is
/// null.
const TABLE: &str = "(type $f (func)) (table $t 2 2 funcref) (elem (i32.const 0) $other)
    (func $other (param i64))";

impl Case {
    /// The fields of its module.
    pub fn fields(&self) -> String {
        let Case {
            inner, argument, ..
        } = self;
        format!(
            "{TABLE} (func $inner {inner})
            (func $middle (call $inner {argument}))
            (func $start (export \"_start\") (call $middle))"
        )
    }
}

macro_rules! is {
    ($operator:pat) => {
        |operator| matches!(operator, $operator)
    };
}

/// One for each trap that a function's own instruction can bring about, and for operations on many elements.
pub const CASES: &[Case] = &[
    Case {
        name: "unreachable",
        trap: Trap::Unreachable,
        exception: "#UD",
        inner: "unreachable",
        argument: "",
        blamed: is!(Operator::Unreachable),
    },
    Case {
        name: "divide",
        trap: Trap::IntegerDivideByZero,
        exception: "#DE",
        inner: "(param i32) (drop (i32.div_u (i32.const 7) (local.get 0)))",
        argument: "(i32.load (i32.const 0))",
        blamed: is!(Operator::I32DivU),
    },
    Case {
        name: "overflow",
        trap: Trap::IntegerOverflow,
        exception: "#DE",
        inner: "(param i32) (drop (i32.div_s (i32.const 0x80000000) (local.get 0)))",
        argument: "(i32.sub (i32.load (i32.const 0)) (i32.const 1))",
        blamed: is!(Operator::I32DivS),
    },
    Case {
        name: "convert",
        trap: Trap::BadConversionToInteger,
        exception: "#UD",
        inner: "(param f32) (i32.store (i32.const 8) (i32.trunc_f32_s (local.get 0)))",
        argument: "(f32.div (f32.load (i32.const 0)) (f32.load (i32.const 0)))",
        blamed: is!(Operator::I32TruncF32S),
    },
    Case {
        name: "store",
        trap: Trap::MemoryOutOfBounds,
        exception: "#PF",
        inner: "(param i32) (i32.store offset=16 (local.get 0) (i32.const 1))",
        argument: "(i32.sub (i32.load (i32.const 0)) (i32.const 1024))",
        blamed: is!(Operator::I32Store { .. }),
    },
    Case {
        name: "beyond-table",
        trap: Trap::TableOutOfBounds,
        exception: "#PF",
        inner: "(param i32) (call_indirect (type $f) (local.get 0))",
        argument: "(i32.const 2)",
        blamed: is!(Operator::CallIndirect { .. }),
    },
    Case {
        name: "null",
        trap: Trap::IndirectCallToNull,
        exception: "#PF",
        inner: "(param i32) (call_indirect (type $f) (local.get 0))",
        argument: "(i32.const 1)",
        blamed: is!(Operator::CallIndirect { .. }),
    },
    Case {
        name: "signature",
        trap: Trap::BadSignature,
        exception: "#UD",
        inner: "(param i32) (call_indirect (type $f) (local.get 0))",
        argument: "(i32.const 0)",
        blamed: is!(Operator::CallIndirect { .. }),
    },
    Case {
        name: "fill",
        trap: Trap::MemoryOutOfBounds,
        exception: "#UD",
        inner: "(param i32) (memory.fill (local.get 0) (i32.const 1) (i32.const 8))",
        argument: "(i32.const -4)",
        blamed: is!(Operator::MemoryFill { .. }),
    },
    Case {
        name: "copy",
        trap: Trap::TableOutOfBounds,
        exception: "#UD",
        inner: "(param i32) (table.copy $t $t (i32.const 0) (local.get 0) (i32.const 2))",
        argument: "(i32.const 1)",
        blamed: is!(Operator::TableCopy { .. }),
    },
];
