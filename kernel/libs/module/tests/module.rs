//! Rules of what a module may be.

use luge_module::{Excess, Invalid, LARGEST, MOST_COST, check_outline, cost, validate};

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn refusal(bytes: &[u8]) -> Invalid {
    match validate(bytes) {
        Ok(_) => panic!("taken"),
        Err(why) => why,
    }
}

/// Bytes of a section with this number.
fn section(number: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number];
    bytes.extend(leb(contents.len() as u64));
    bytes.extend(contents);
    bytes
}

fn module(sections: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    for (number, contents) in sections {
        bytes.extend(section(*number, contents));
    }
    bytes
}

/// An unsigned number in LEB128.
fn leb(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A module of one section with so many parts, all of them alike.
fn many_parts(number: u8, part: &[u8], times: usize) -> Vec<u8> {
    let mut contents = leb(times as u64);
    contents.extend(part.repeat(times));
    module(&[(number, &contents)])
}

#[test]
fn a_valid_module_is_taken_whatever_proposals_it_uses_of_those_switched_on() {
    for text in [
        "(module)",
        "(module (func (result i32 i64) i32.const 1 i64.const 2))",
        "(module (func $f (result i32) return_call $f))",
        "(module (memory 1) (func i32.const 0 i32.const 0 i32.const 0 memory.fill))",
        "(module (table 1 externref) (func (result v128) v128.const i64x2 0 0))",
        "(module (memory 1) (memory 1) (func (result i32) i32.const 0 i32.load 1))",
        "(module (memory i64 1) (func (result i32) i64.const 0 i32.load))",
        "(module (func (result v128) v128.const i64x2 0 0 v128.const i64x2 0 0 i8x16.relaxed_swizzle))",
        "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
    ] {
        assert!(validate(&wat(text)).is_ok(), "{text}");
    }
}

#[test]
fn a_proposal_that_is_switched_off_is_named() {
    for (text, said) in [
        ("(module (memory 1 (pagesize 1)))", "custom page sizes"),
        (
            "(module (func (param i64 i64 i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 0))))",
            "wide arithmetic support is not enabled",
        ),
        (
            "(module (type $f (func)) (func (param (ref $f))))",
            "function references required",
        ),
        ("(module (memory 1 1 shared))", "threads must be enabled"),
        ("(module (type (struct)))", "without the gc feature"),
    ] {
        let why = refusal(&wat(text)).to_string();
        assert!(why.contains(said), "{text}: {why}");
    }
}

#[test]
fn a_module_with_exceptions_is_valid_and_not_for_the_interpreter() {
    for (text, place) in [
        ("(module (tag))", "tag section, offset 0x10"),
        ("(module (func (param exnref)))", "type section, offset 0x"),
        (
            "(module (func) (func (try_table (call 0))))",
            "code section, offset 0x",
        ),
        (
            "(module (memory 1) (func i32.const 0 i32.const 0 i32.store unreachable throw_ref))",
            "code section, offset 0x",
        ),
    ] {
        let module = wat(text);
        let interface = validate(&module).unwrap_or_else(|why| panic!("{text}: {why}"));
        let why = interface.for_interpreter().unwrap_err().to_string();
        assert!(
            why.starts_with(place) && why.contains(": it uses exceptions, which the interpreter"),
            "{text}: {why}"
        );
    }
    // What else is wrong with it is what is told.
    let why = refusal(&wat("(module (tag) (func i32.const 1))")).to_string();
    assert!(why.contains("type mismatch"), "{why}");
    let why = refusal(&wat("(module (func (throw_ref (i32.const 1))))")).to_string();
    assert!(why.contains("type mismatch"), "{why}");
    let why = refusal(&wat("(module (tag) (memory 1 1 shared))")).to_string();
    assert!(why.contains("threads must be enabled"), "{why}");
}

#[test]
fn the_form_of_exceptions_before_the_standard_is_refused_with_how_to_get_the_new_one() {
    for text in [
        "(module (func try nop catch_all end))",
        "(module (tag) (func try (throw 0) catch 0 rethrow 0 end))",
        "(module (func try nop delegate 0))",
        // The other form beside it.
        "(module (func (try_table (nop)) try nop catch_all end))",
        // Something else is wrong later.
        "(module (func try nop catch_all end i32.const 1))",
    ] {
        let why = refusal(&wat(text)).to_string();
        assert!(
            why.starts_with("code section, offset 0x") && why.contains("-wasm-use-legacy-eh=false"),
            "{text}: {why}"
        );
    }
    // Something else is wrong before.
    let why = refusal(&wat(
        "(module (func i32.const 1) (func try nop catch_all end))",
    ))
    .to_string();
    assert!(why.contains("type mismatch"), "{why}");
}

#[test]
fn who_compiled_for_something_else_is_told_so_before_anything_else_is_looked_at() {
    let said = |fields: &str| {
        // Beyond every limit of size, and with a function that is not valid.
        let mut module = wat(&format!("(module {fields} (func i32.const 1))"));
        module.extend(section(0, &vec![0; LARGEST]));
        check_outline(&module).map_err(|why| why.to_string())
    };
    let import = |module: &str, name: &str| {
        let fields = format!(r#"(import "{module}" "{name}" (func)) (export "_start" (func 0))"#);
        said(&fields).expect_err("nobody has it")
    };
    for (module, name, advice) in [
        ("wasi_unstable", "fd_write", "for wasm32-wasip1"),
        ("wasi", "thread-spawn", "compile it without threads"),
        ("wasi_snapshot_preview1", "fd_frob", "has no such function"),
        ("env", "emscripten_memcpy_js", "with wasi-sdk"),
        ("env", "sqlite3_open", "link with what defines it"),
        ("gojs", "runtime.wasmExit", "with GOOS=wasip1"),
        (
            "wasi:cli/stdout@0.2.0",
            "get-stdout",
            "not for wasm32-wasip2",
        ),
        (
            "./program_bg.js",
            "__wbindgen_throw",
            "without wasm-bindgen",
        ),
    ] {
        let told = import(module, name);
        let what = format!(
            "import section, offset 0x11: it imports {module:?} {name:?}, which nobody provides; "
        );
        assert!(told.starts_with(&what) && told.contains(advice), "{told}");
    }
    assert!(import("somebody", "something").ends_with("which nobody provides"));
    let reactor = said(r#"(export "_initialize" (func 0))"#).expect_err("it is no command");
    assert!(
        reactor.contains("a WASI reactor, not a command"),
        "{reactor}"
    );
    let library = said(r#"(export "run" (func 0))"#).expect_err("it is no command");
    assert!(
        library.contains("it does not export a function \"_start\""),
        "{library}"
    );
    assert_eq!(said(r#"(export "_start" (func 0))"#), Ok(()));
}

#[test]
fn section_and_offset_of_a_fault_are_named() {
    let why = refusal(&wat("(module (func i32.const 1))")).to_string();
    assert_eq!(
        why,
        "code section, offset 0x19: type mismatch: values remaining on stack at end of block"
    );
    let good = wat("(module (func) (export \"f\" (func 0)))");
    for end in 0..good.len() {
        // A module may end behind any of its sections, as long as none is missing that others need.
        if let Err(why) = validate(&good[..end]) {
            assert!(why.to_string().contains(", offset 0x"), "{why}");
        }
    }
}

#[test]
fn what_is_no_module_is_called_what_it_is() {
    let said = |bytes: &[u8]| refusal(bytes).to_string();
    assert_eq!(
        said(b"(module)"),
        "header, offset 0x0: not WebAssembly: it does not begin with \"\\0asm\""
    );
    assert_eq!(
        said(b"\0asm\x0d\0\x01\0"),
        "header, offset 0x4: a component, not a module: compile it for wasm32-wasip1, not for wasm32-wasip2"
    );
    assert_eq!(said(b""), "header, offset 0x0: unexpected end-of-file");
    let mut long = b"\0asm\x01\0\0\0".to_vec();
    long.resize(LARGEST + 1, 0);
    assert_eq!(refusal(&long), Invalid::TooLarge(LARGEST + 1));
}

#[test]
fn a_code_section_whose_parts_do_not_fit_each_other_is_refused() {
    // wasmi 2.0.0 panics over some of these kinds. Of these two, it says that they are invalid.
    // A code section of no functions with a byte in it.
    let empty_functions = module(&[(10, &[0, 0])]);
    assert_eq!(
        refusal(&empty_functions).to_string(),
        "code section, offset 0xb: trailing bytes at end of section"
    );
    // Operators behind the end of a function: type () -> (), one function, `end`, `nop`, `end`.
    let body = [1, 4, 0, 0x0b, 0x01, 0x0b];
    let after_end = module(&[(1, &[1, 0x60, 0, 0]), (3, &[1, 0]), (10, &body)]);
    assert_eq!(
        refusal(&after_end).to_string(),
        "code section, offset 0x19: operators remaining after end of function"
    );
}

#[test]
fn each_limit_is_kept_and_the_last_that_fits_is_taken() {
    let repeat = |text: &str, times: usize| wat(&format!("(module {})", text.repeat(times)));
    let parameters = |times| {
        wat(&format!(
            "(module (type (func (param {}))))",
            "i32 ".repeat(times)
        ))
    };
    let results = |times| {
        wat(&format!(
            "(module (type (func (result {}))))",
            "i32 ".repeat(times)
        ))
    };
    for (what, most, fits, excess) in [
        (
            "memories",
            10,
            repeat("(memory 0)", 10),
            repeat("(memory 0)", 11),
        ),
        (
            "element segments",
            100_000,
            many_parts(9, &[1, 0, 0], 100_000),
            many_parts(9, &[1, 0, 0], 100_001),
        ),
        (
            "data segments",
            100_000,
            many_parts(11, &[1, 0], 100_000),
            many_parts(11, &[1, 0], 100_001),
        ),
        (
            "sections",
            1_000,
            module(&[(0, &[0][..]); 1_000]),
            module(&[(0, &[0][..]); 1_001]),
        ),
        (
            "parameters of a function",
            128,
            parameters(128),
            parameters(129),
        ),
        ("results of a function", 128, results(128), results(129)),
    ] {
        assert!(validate(&fits).is_ok(), "{what}");
        let Invalid::Excess { excess, .. } = refusal(&excess) else {
            panic!("{what}")
        };
        assert_eq!(
            excess,
            Excess::TooMany {
                what,
                found: most + 1,
                most
            }
        );
    }
    assert_eq!(
        refusal(&repeat("(memory 0)", 11)).to_string(),
        "memory section, offset 0xa: 11 memories, and 10 are the most"
    );
}

#[test]
fn a_memory_with_a_maximum_that_no_machine_has_is_refused() {
    let memory = |pages: u64| wat(&format!("(module (memory 1) (memory i64 0 {pages}))"));
    assert!(validate(&memory(1 << 47)).is_ok());
    assert_eq!(
        refusal(&memory((1 << 47) + 1)).to_string(),
        "memory section, offset 0xa: 140737488355329 pages as the maximum of a memory, and 140737488355328 are the most"
    );
}

#[test]
fn a_module_that_costs_more_than_its_bytes_let_expect_is_refused_by_what_it_costs() {
    // A million functions are as many as browsers take.
    let functions = |times: usize| {
        let mut types = leb(times as u64);
        types.extend(vec![0; times]);
        let mut code = leb(times as u64);
        code.extend([2, 0, 0x0b].repeat(times));
        module(&[(1, &[1, 0x60, 0, 0]), (3, &types), (10, &code)])
    };
    assert!(validate(&functions(1_000_000)).is_ok());
    // Browsers would take a million different types, imports and exports, too.
    let mut types = leb(1_000_000);
    for number in 0..1_000_000_u32 {
        let parameters = (0..32).map(|bit| 0x7f - (number >> bit & 1) as u8);
        types.extend([0x60, 32].into_iter().chain(parameters).chain([0]));
    }
    let expensive = module(&[(1, &types)]);
    let Invalid::Excess { excess, .. } = refusal(&expensive) else {
        panic!("it is refused for something else");
    };
    let Excess::TooExpensive(found) = excess else {
        panic!("{excess}");
    };
    assert!(found.bytes > MOST_COST && expensive.len() < LARGEST);
    let said = excess.to_string();
    let (most, what) = (MOST_COST >> 20, "for 1000000 types, and");
    assert!(
        said.contains(what) && said.ends_with(&format!(" {most} MiB are the most")),
        "{said}"
    );
}

#[test]
fn the_cost_that_the_heads_of_sections_tell_is_that_of_the_whole_module() {
    let module = wat(
        r#"(module (import "a" "b" (func (param i32))) (memory 1) (global i32 (i32.const 1))
        (data (i32.const 0) "abc") (elem func 0) (func (export "_start") (call 0 (i32.const 2))) (func))"#,
    );
    let found = cost(&module);
    // Two types of 3 and 4 bytes, an import, a global, an export, an element segment, a data segment and two functions.
    let least = 2 * 320 + 1_040 + 80 + 480 + 160 + 64 + 2 * 176;
    assert!((least..least + 1_000).contains(&found.bytes), "{found:?}");
    assert_eq!((found.dearest.what, found.dearest.count), ("imports", 1));
    // Custom sections cost nothing.
    let mut described = module.clone();
    described.extend(section(0, &[&[4][..], b"dust", &[7; 100_000]].concat()));
    assert_eq!(cost(&described), found);
    // Whatever is cut off or broken, it ends.
    for end in 0..module.len() {
        assert!(cost(&module[..end]).bytes <= found.bytes);
    }
}

#[test]
fn no_changed_module_makes_the_check_panic() {
    let seed = wat(r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
            (type (func (param i32) (result i32)))
            (table 2 funcref) (memory (export "memory") 1) (global (mut i32) (i32.const 7))
            (elem (i32.const 0) func $f) (data (i32.const 8) "data")
            (func $f (param i32) (result i32)
                (block (loop (br_if 1 (i32.eqz (local.get 0))) (br 0)))
                (call_indirect (type 1) (local.get 0) (i32.load (i32.const 0))))
            (func (export "_start") (drop (call $f (i32.const 1)))))"#);
    for at in 0..seed.len() {
        for byte in 0..=255 {
            let mut changed = seed.clone();
            changed[at] = byte;
            if let Ok(interface) = validate(&changed) {
                let _ = interface.check_command();
            }
        }
        let mut shorter = seed.clone();
        shorter.remove(at);
        let _ = validate(&shorter);
        let _ = validate(&seed[..at]);
    }
}

#[test]
fn a_start_function_is_found_and_so_is_what_is_no_module() {
    let has_start =
        |text: &str| luge_module::has_start(&wat::parse_str(text).expect("it is right"));
    assert!(has_start("(module (func $f) (start $f))"));
    assert!(!has_start("(module (func $f) (func (export \"_start\")))"));
    assert!(luge_module::has_start(b"no module"));
}

#[test]
fn a_command_has_a_memory_with_addresses_of_32_bits_and_may_have_others_beside_it() {
    let command = |memories: &str| {
        let module = wat(&format!("(module {memories} (func (export \"_start\")))"));
        let checked = validate(&module).expect("it is valid").check_command();
        checked.map_err(|why| why.to_string())
    };
    assert_eq!(
        command("(memory (export \"memory\") 1) (memory i64 1)"),
        Ok(())
    );
    // A head of 8 bytes, sections of 6, 4 and 5 for type, function and memory; then the exports' own id, length
    // and count, and the first of them.
    assert_eq!(
        command("(memory (export \"memory\") i64 1)"),
        Err("export section, offset 0x1a: its \"memory\" has addresses of 64 bits, and those of WASI preview 1 have 32".into())
    );
}
