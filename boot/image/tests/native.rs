//! Rules of `luge-image` for native code, with a stand-in for the compiler: the real one takes minutes to build, and
//! the scenarios use it.

mod folder;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use folder::{COMMAND, Folder, Said, UNTRANSLATABLE, untranslatable};
use luge_native::artefact;

/// A copy of the tool in a folder of its own, where the test decides what lies beside it.
struct Tool(PathBuf);

impl Tool {
    /// `{folder}` becomes the folder of the tool in the text of the compiler, a script.
    fn new(name: &str, compiler: Option<&str>) -> Tool {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::hard_link(env!("CARGO_BIN_EXE_luge-image"), folder.join("luge-image")).unwrap();
        if let Some(script) = compiler {
            let script = script.replace("{folder}", &folder.display().to_string());
            // Another process writes it: a file that a thread of this one has open for writing cannot be executed
            // while a fork of another thread holds it open as well.
            let written = Command::new("sh")
                .args([
                    "-c",
                    "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod +x \"$0\"",
                ])
                .args([folder.join("luge-compile"), PathBuf::from(script)])
                .status();
            assert!(written.unwrap().success());
        }
        Tool(folder)
    }

    fn run(&self, arguments: &[&Path]) -> Said {
        let output = Command::new(self.0.join("luge-image"))
            .args(arguments)
            .output()
            .unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn build(&self, folder: &Folder) -> Said {
        let _ = fs::remove_file(folder.image());
        self.run(&[
            Path::new("build"),
            Path::new("--native"),
            &folder.path(""),
            &folder.image(),
        ])
    }
}

/// A folder with one module.
fn one_module(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.module("a.wasm", COMMAND);
    folder
}

#[test]
fn without_the_compiler_native_code_is_refused_with_how_to_build_it() {
    let tool = Tool::new("no-compiler", None);
    let folder = one_module("without");
    let (module, code) = (folder.path("a.wasm"), folder.path("a.cwasm"));
    let (image, option) = (folder.image(), Path::new("-o"));
    assert_eq!(folder.build().code, 0);
    for arguments in [
        [Path::new("compile"), &module, option, &code],
        [
            Path::new("build"),
            Path::new("--native"),
            &folder.path(""),
            &image,
        ],
        [Path::new("add"), Path::new("--native"), &image, &module],
    ] {
        let before = fs::read(&image).unwrap();
        let said = tool.run(&arguments);
        assert_eq!(said.code, 2, "{arguments:?}: {}", said.error);
        let place = tool.0.display();
        let wanted = format!(
            "luge-image: native code needs luge-compile, which is not in {place}; \
             in the source tree: cargo build -p luge-compile\n"
        );
        assert_eq!(said.error, wanted);
        assert!(fs::read(&image).unwrap() == before);
    }
    assert!(!code.exists());
}

#[test]
fn what_the_compiler_makes_is_put_beside_the_module() {
    let folder = one_module("beside");
    let module = fs::read(folder.path("a.wasm")).unwrap();
    let file = [&artefact::head(&module, b"code")[..], b"code"].concat();
    let tool = Tool::new(
        "stand-in",
        Some("cat > '{folder}/seen'; cat '{folder}/made'"),
    );
    fs::write(tool.0.join("made"), &file).unwrap();
    let said = tool.build(&folder);
    assert_eq!(said.code, 0, "{}", said.error);
    assert!(
        said.error.contains(": 1 routes, 2 files, "),
        "{}",
        said.error
    );
    assert!(fs::read(tool.0.join("seen")).unwrap() == module);
    let code = folder.path("a.cwasm");
    let module = folder.path("a.wasm");
    let said = tool.run(&[Path::new("compile"), &module, Path::new("-o"), &code]);
    assert_eq!(said.code, 0, "{}", said.error);
    assert!(fs::read(code).unwrap() == file);
}

#[test]
fn a_module_that_does_not_compile_is_on_the_disk_without_native_code() {
    let folder = one_module("refused-by-compiler");
    let refusal = "cat > /dev/null; echo 'it does not compile: too odd' >&2; exit 1";
    let said = Tool::new("refusing", Some(refusal)).build(&folder);
    assert_eq!(said.code, 0, "{}", said.error);
    let warning = "warning: a.wasm: no native code: it does not compile: too odd\n";
    assert!(said.error.starts_with(warning), "{}", said.error);
    assert!(
        said.error.contains(": 1 routes, 1 files, "),
        "{}",
        said.error
    );
}

#[test]
fn a_compiler_that_dies_or_answers_nonsense_is_named() {
    let folder = one_module("nonsense");
    let other = "cat > /dev/null; head -c 96 /dev/zero";
    for (name, script, words) in [
        (
            "dying",
            "kill -9 $$",
            "luge-compile ended with signal: 9 (SIGKILL)",
        ),
        (
            "mute",
            "cat > /dev/null; exit 1",
            "luge-compile ended with exit status: 1",
        ),
        (
            "empty",
            "cat > /dev/null",
            "it is no file of native code; build it again: cargo",
        ),
        (
            "foreign",
            other,
            "it is no file of native code; build it again: cargo build -p luge-compile",
        ),
    ] {
        let said = Tool::new(name, Some(script)).build(&folder);
        assert!(
            said.error.starts_with("warning: a.wasm: no native code: "),
            "{}",
            said.error
        );
        assert!(said.error.contains(words), "{name}: {}", said.error);
    }
}

#[test]
fn what_the_interpreter_cannot_translate_is_a_warning_where_native_code_lies_beside_it() {
    let folder = Folder::new("beside-untranslatable");
    folder.module("a.wasm", &untranslatable());
    let module = fs::read(folder.path("a.wasm")).unwrap();
    let tool = Tool::new(
        "stand-in-untranslatable",
        Some("cat > /dev/null; cat '{folder}/made'"),
    );
    let file = [&artefact::head(&module, b"code")[..], b"code"].concat();
    fs::write(tool.0.join("made"), file).unwrap();
    let warning = format!("warning: a.wasm: {UNTRANSLATABLE}: it runs as native code only\n");
    let said = tool.build(&folder);
    assert_eq!(said.code, 0, "{}", said.error);
    assert!(said.error.starts_with(&warning), "{}", said.error);
    let verify = folder.run("verify {img}");
    assert_eq!((verify.code, verify.error), (0, warning.clone()));

    // Of an image with that alone, the module can be removed, and added with its native code.
    folder.module("b.wasm", COMMAND);
    assert_eq!(folder.run("add {img} {dir}/b.wasm").code, 0);
    assert_eq!(folder.run("remove {img} a").code, 0);
    let add = [
        Path::new("add"),
        Path::new("--native"),
        &folder.image(),
        &folder.path("a.wasm"),
    ];
    let said = tool.run(&add);
    assert_eq!(said.code, 0, "{}", said.error);
    assert!(said.error.starts_with(&warning), "{}", said.error);
}

#[test]
fn what_neither_engine_takes_is_refused() {
    let folder = Folder::new("neither");
    folder
        .module("a.wasm", &untranslatable())
        .module("b.wasm", COMMAND);
    let refusal = "cat > /dev/null; echo 'it does not compile: too odd' >&2; exit 1";
    let tool = Tool::new("refusing-untranslatable", Some(refusal));
    let said = tool.build(&folder);
    assert_eq!(said.code, 1, "{}", said.error);
    let line =
        "luge-image: a.wasm: no native code: it does not compile: too odd (see --allow-invalid)\n";
    assert!(said.error.ends_with(line), "{}", said.error);
    assert!(!folder.image().exists());
    let said = tool.run(&[
        Path::new("build"),
        Path::new("--native"),
        Path::new("--allow-invalid"),
        &folder.path(""),
        &folder.image(),
    ]);
    assert_eq!(said.code, 0, "{}", said.error);
    let line = "warning: a.wasm: left out: no native code: it does not compile: too odd\n";
    assert!(said.error.contains(line), "{}", said.error);
    assert!(
        said.error.contains(": 1 routes, 1 files, "),
        "{}",
        said.error
    );
}
