//! Rules of `luge-image` for modules that the interpreter cannot translate.

mod folder;

use std::fs;

use folder::{COMMAND, Folder, UNTRANSLATABLE, untranslatable};

#[test]
fn a_module_that_the_interpreter_cannot_translate_is_refused_with_its_name_and_the_reason() {
    let folder = Folder::new("untranslatable");
    folder
        .module("good.wasm", COMMAND)
        .module("locals.wasm", &untranslatable());
    let line =
        format!("error: locals.wasm: {UNTRANSLATABLE}; native code does without (see --native)\n");
    let said = folder.build();
    assert_eq!(said.code, 1, "{}", said.error);
    assert!(said.error.starts_with(&line), "{}", said.error);
    assert!(!folder.image().exists());
    let said = folder.run("verify {dir}");
    assert_eq!(said.code, 1);
    assert!(said.error.starts_with(&line), "{}", said.error);

    assert_eq!(folder.run("build {dir} {img} --keep-invalid").code, 0);
    let said = folder.run("verify {img}");
    assert_eq!(said.code, 1);
    assert!(said.error.starts_with(&line), "{}", said.error);

    let said = folder.run("build {dir} {img} --allow-invalid");
    assert_eq!(said.code, 0, "{}", said.error);
    let line = format!("warning: locals.wasm: left out: {UNTRANSLATABLE}; ");
    assert!(said.error.starts_with(&line), "{}", said.error);
    assert_eq!(folder.run("verify {img}").code, 0);

    // What is added is looked at as well, and the image stays as it is.
    let before = fs::read(folder.image()).unwrap();
    let said = folder.run("add {img} {dir}/locals.wasm");
    assert_eq!(said.code, 1);
    assert!(
        said.error
            .contains(&format!("locals.wasm: {UNTRANSLATABLE}; ")),
        "{}",
        said.error
    );
    assert!(fs::read(folder.image()).unwrap() == before);
}

#[test]
fn a_module_with_exceptions_is_refused_for_the_interpreter_with_what_runs_it() {
    let folder = Folder::new("exceptions");
    let throwing = COMMAND.replace("(func (export", "(tag) (func (throw 0)) (func (export");
    folder.module("throws.wasm", &throwing);
    let why = "throws.wasm: tag section, offset 0x44: it uses exceptions, which the interpreter does not have";
    let advice =
        "native code has them: luge-image build --native, or ./qemu-run.sh --engine wasmtime";
    for command in ["build {dir} {img}", "verify {dir}"] {
        let said = folder.run(command);
        assert_eq!(said.code, 1, "{}", said.error);
        let line = format!("error: {why}; {advice}\n");
        assert!(said.error.starts_with(&line), "{}", said.error);
    }
    let spec = |engine: &str| {
        let text = format!(
            r#"[{{"name": "t", "port": 80, "routes": [{{"route": "/a", "path": "throws.wasm",
                "relative-deadline-us": 5, "engine": "{engine}"}}]}}]"#
        );
        folder.put("functions.json", text.as_bytes());
        folder.build()
    };
    let said = spec("wasmtime");
    assert_eq!(said.code, 0, "{}", said.error);
    assert_eq!(folder.run("verify {img}").code, 0);
    let said = spec("wasmi");
    assert_eq!(said.code, 1, "{}", said.error);
    let line = format!("error: {why}; a route of it has \"engine\": \"wasmi\", and {advice}\n");
    assert!(said.error.starts_with(&line), "{}", said.error);
}

#[test]
fn a_module_whose_stores_are_replaced_for_the_interpreter_is_accepted() {
    let folder = Folder::new("replaced");
    // Its stores are replaced since a block hides their values.
    let store = "i32.const 8 (block (result i64) i64.const 7) i64.store32 offset=70000";
    let with_store = format!("(func (export \"_start\") {store})");
    let text = COMMAND.replace(
        "(memory (export \"memory\") 1)",
        "(memory (export \"memory\") 2)",
    );
    folder.module(
        "a.wasm",
        &text.replace("(func (export \"_start\"))", &with_store),
    );
    let said = folder.build();
    assert_eq!(said.code, 0, "{}", said.error);
    assert_eq!(folder.run("verify {img}").code, 0);
}

#[test]
fn a_module_that_only_native_code_runs_is_not_shown_to_the_interpreter() {
    let folder = Folder::new("native-only");
    folder.module("locals.wasm", &untranslatable());
    let spec = |engines: &[&str]| {
        let routes = engines.iter().enumerate().map(|(index, engine)| {
            format!(
                r#"{{"route": "/{index}", "path": "locals.wasm", "relative-deadline-us": 5, "engine": "{engine}"}}"#
            )
        });
        let routes = routes.collect::<Vec<_>>().join(", ");
        let text = format!(r#"[{{"name": "t", "port": 80, "routes": [{routes}]}}]"#);
        folder.put("functions.json", text.as_bytes());
    };
    spec(&["wasmtime", "wasmtime"]);
    let said = folder.build();
    assert_eq!(said.code, 0, "{}", said.error);
    assert_eq!(said.error.lines().count(), 1, "{}", said.error);
    let verify = folder.run("verify {img}");
    assert_eq!((verify.code, verify.error.as_str()), (0, ""));
    let more = folder.run("add {img} {dir}/locals.wasm --route /2 --set engine=wasmtime");
    assert_eq!(more.code, 0, "{}", more.error);
    let more = folder.run("add {img} {dir}/locals.wasm --route /3 --set engine=wasmi");
    assert_eq!(more.code, 1, "{}", more.error);

    spec(&["wasmtime", "wasmi"]);
    let said = folder.build();
    assert_eq!(said.code, 1, "{}", said.error);
    let line =
        format!("error: locals.wasm: {UNTRANSLATABLE}; a route of it has \"engine\": \"wasmi\", ");
    assert!(said.error.starts_with(&line), "{}", said.error);
}
