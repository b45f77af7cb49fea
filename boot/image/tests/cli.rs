//! Rules of `luge-image`, seen from its command line.

mod folder;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use folder::{COMMAND, Folder, run, too_long, with_section};

#[test]
fn a_folder_without_a_spec_becomes_a_disk_with_a_route_for_each_module() {
    let folder = Folder::new("plain");
    folder
        .module("b.wasm", COMMAND)
        .module("a.wasm", COMMAND)
        .put("README", b"");
    let said = folder.build();
    assert_eq!(said.code, 0, "{}", said.error);
    assert!(
        said.error
            .ends_with("plain.img: 2 routes, 2 files, 256 KiB\n"),
        "{}",
        said.error
    );
    let list = folder.run("list {img}");
    assert_eq!(list.code, 0);
    assert_eq!(
        list.out,
        "tenant default  port 8080\n  \
         /a  a.wasm  text/plain  deadline 10000000 us  stack 512 KiB  memory 64 MiB  \
         request 4 MiB  response 64 MiB\n  \
         /b  b.wasm  text/plain  deadline 10000000 us  stack 512 KiB  memory 64 MiB  \
         request 4 MiB  response 64 MiB\n\
         modules\n  a.wasm  92 B\n  b.wasm  92 B\n"
    );
    assert_eq!(folder.run("ports {img}").out, "8080\n");
    assert_eq!(folder.run("ports {img} --port 81").out, "81\n");
    let verify = folder.run("verify {img}");
    assert_eq!((verify.code, verify.error.as_str()), (0, ""));
    assert!(
        verify
            .out
            .ends_with("plain.img: 2 routes, 2 modules, all well\n")
    );
}

#[test]
fn only_what_the_spec_names_is_on_the_disk() {
    let folder = Folder::new("spec");
    folder
        .module("sub dir/a.wasm", COMMAND)
        .module("other.wasm", COMMAND);
    folder.spec(&[("/a", "sub dir/a.wasm.so"), ("/b", "./sub dir//a.wasm")]);
    assert_eq!(folder.build().code, 0);
    let list = folder.run("list {img}");
    assert!(
        list.out.contains("tenant gwu  port 10000\n"),
        "{}",
        list.out
    );
    assert!(
        list.out.ends_with("modules\n  sub dir/a.wasm  92 B\n"),
        "{}",
        list.out
    );
    assert_eq!(folder.run("ports {img}").out, "10000\n");
    assert_eq!(folder.run("ports {dir}").out, "10000\n");
    assert_eq!(folder.run("list {dir}").out, list.out);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let first = Folder::new("same-1");
    first
        .module("sub/b.wasm", COMMAND)
        .module("a.wasm", COMMAND);
    first.spec(&[("/a", "a.wasm"), ("/b", "sub/b.wasm")]);
    // The same files, made in another order and at another time, in a folder of another name.
    let second = Folder::new("same-2");
    second
        .spec(&[("/a", "a.wasm"), ("/b", "sub/b.wasm")])
        .put("z", b"not on the disk");
    second
        .module("a.wasm", COMMAND)
        .module("sub/b.wasm", COMMAND);
    let module = fs::File::options()
        .write(true)
        .open(second.path("a.wasm"))
        .unwrap();
    module
        // Host's time: any that is long past.
        .set_modified(SystemTime::now() - Duration::from_secs(100_000))
        .unwrap();
    assert_eq!((first.build().code, second.build().code), (0, 0));
    let before = fs::read(first.image()).unwrap();
    assert!(fs::read(second.image()).unwrap() == before);
    // Change times count seconds.
    // Host's time: files have times in seconds.
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(first.build().code, 0);
    assert!(fs::read(first.image()).unwrap() == before);
}

#[test]
fn other_tools_can_read_the_disk() {
    let folder = Folder::new("tools");
    folder.module("a.wasm", COMMAND);
    assert_eq!(folder.build().code, 0);
    let tool = |name: &str, arguments: &[&str]| {
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let mut command = Command::new(name);
        command
            .env("PATH", path)
            .args(arguments)
            .arg(folder.image())
            .output()
            .unwrap()
    };
    let e2fsck = tool("e2fsck", &["-fn"]);
    assert!(e2fsck.status.success(), "{e2fsck:?}");
    let debugfs = tool("debugfs", &["-R", "cat a.wasm"]);
    assert_eq!(debugfs.stdout, wat::parse_str(COMMAND).unwrap());
}

#[test]
fn a_disk_holds_many_and_large_modules() {
    let folder = Folder::new("many");
    let data = "x".repeat(3_000_000);
    let memory = format!("(memory (export \"memory\") 64) (data (i32.const 0) \"{data}\")");
    folder.module(
        "large.wasm",
        &format!("(module {memory} (func (export \"_start\")))"),
    );
    for index in 0..300 {
        folder.module(&format!("{index}.wasm"), COMMAND);
    }
    let said = folder.build();
    assert_eq!(said.code, 0, "{}", said.error);
    assert_eq!(
        folder
            .run("list {img}")
            .out
            .matches("  text/plain  ")
            .count(),
        301
    );
}

#[test]
fn a_folder_with_nothing_in_it_becomes_a_disk_with_nothing_on_it() {
    let folder = Folder::new("none");
    let said = folder.build();
    assert_eq!(said.code, 0);
    let warning = "warning: there is neither a functions.json nor a module (NAME.wasm)\n";
    assert!(said.error.starts_with(warning), "{}", said.error);
}

/// A bad module, its text or bytes, and what is said of it.
fn bad_modules() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let with = |text: &str| wat(&format!("(module {text} (memory (export \"memory\") 1))"));
    let start = r#"(func (export "_start"))"#;
    let import = |text: &str| with(&format!("(import {text}) {start}"));
    let good = wat(COMMAND);
    vec![
        (
            "empty",
            vec![],
            "header, offset 0x0: unexpected end-of-file",
        ),
        (
            "text",
            b"(module)".to_vec(),
            "header, offset 0x0: not WebAssembly: it does not begin with \"\\0asm\"\n",
        ),
        (
            "cut",
            good[..good.len() - 3].to_vec(),
            "code section, offset 0x59: unexpected end-of-file",
        ),
        (
            "unbalanced",
            with("(func (export \"_start\") i32.const 1)"),
            "code section, offset 0x33: type mismatch: values remaining on stack at end of block",
        ),
        (
            "shared",
            with(&format!("(memory 1 1 shared) {start}")),
            "memory section, offset 0x15: threads must be enabled for shared memories",
        ),
        (
            "memories",
            with(&format!("{} {start}", "(memory 1)".repeat(10))),
            "memory section, offset 0x14: 11 memories, and 10 are the most",
        ),
        (
            "nothing",
            wat("(module)"),
            "end of the module, offset 0x8: not a WASI command: it does not export a function \"_start\" \
             without parameters or results",
        ),
        (
            "no-start",
            with(""),
            "export section, offset 0xf: not a WASI command: it does not export a function \"_start\" \
             without parameters or results",
        ),
        (
            "start-type",
            with("(func (export \"_start\") (param i32))"),
            "export section, offset 0x1b: not a WASI command: it does not export a function \"_start\" \
             without parameters or results",
        ),
        (
            "start-memory",
            with("(export \"_start\" (memory 0))"),
            "export section, offset 0x10: not a WASI command: it does not export a function \"_start\" \
             without parameters or results",
        ),
        (
            "no-memory",
            wat(&format!("(module {start})")),
            "export section, offset 0x14: not a WASI command: it does not export its memory as \"memory\"",
        ),
        (
            "import",
            import("\"env\" \"f\" (func)"),
            "import section, offset 0x11: it imports \"env\" \"f\", which nobody provides; nothing that was linked had it: link with what defines it",
        ),
        (
            "wasi-import",
            import("\"wasi_snapshot_preview1\" \"fd_frob\" (func)"),
            "import section, offset 0x11: it imports \"wasi_snapshot_preview1\" \"fd_frob\", which nobody provides; WASI preview 1 has no such function",
        ),
        (
            "import-type",
            import("\"wasi_snapshot_preview1\" \"proc_exit\" (func)"),
            "import section, offset 0x11: it imports \"proc_exit\" with a type that it does not have",
        ),
        (
            "component",
            b"\0asm\x0d\0\x01\0".to_vec(),
            "header, offset 0x4: a component, not a module: compile it for wasm32-wasip1, not for wasm32-wasip2",
        ),
    ]
}

#[test]
fn each_bad_module_is_named_with_its_fault_and_no_image_is_made() {
    let folder = Folder::new("bad");
    folder.module("good.wasm", COMMAND);
    for (name, bytes, _) in bad_modules() {
        folder.put(&format!("{name}.wasm"), &bytes);
    }
    let all_are_named = |said: &str| {
        for (name, _, fault) in bad_modules() {
            let line = format!("error: {name}.wasm: {}\n", fault.trim_end());
            assert!(said.contains(&line), "{line}\n{said}");
        }
        assert_eq!(
            said.matches("error: ").count(),
            bad_modules().len(),
            "{said}"
        );
    };
    let said = folder.build();
    assert_eq!(said.code, 1);
    assert!(!folder.image().exists());
    all_are_named(&said.error);
    assert!(
        said.error
            .ends_with("bad.img is not written (see --allow-invalid)\n"),
        "{}",
        said.error
    );

    let kept = folder.run("build {dir} -o {img} --keep-invalid");
    assert_eq!(kept.code, 0, "{}", kept.error);
    let verify = folder.run("verify {img}");
    assert_eq!((verify.code, verify.out.as_str()), (1, ""));
    all_are_named(&verify.error);
    assert!(
        verify
            .error
            .ends_with("bad.img: 15 of 16 modules and folders cannot be used\n"),
        "{}",
        verify.error
    );
    let list = folder.run("list {img}");
    assert!(
        list.out
            .contains("  import-type.wasm  left out: import section, offset 0x11: it imports"),
        "{}",
        list.out
    );
}

#[test]
fn bad_modules_are_left_out_and_reported_where_that_is_allowed() {
    let folder = Folder::new("allowed");
    folder.module("good.wasm", COMMAND);
    for (name, bytes, _) in bad_modules() {
        folder.put(&format!("{name}.wasm"), &bytes);
    }
    let said = folder.run("build {dir} {img} --allow-invalid");
    assert_eq!(said.code, 0, "{}", said.error);
    for (name, _, fault) in bad_modules() {
        let line = format!("warning: {name}.wasm: left out: {}\n", fault.trim_end());
        assert!(said.error.contains(&line), "{line}\n{}", said.error);
    }
    assert!(
        said.error.contains(": 1 routes, 1 files, "),
        "{}",
        said.error
    );
    assert_eq!(folder.run("verify {img}").code, 0);
}

#[test]
fn what_needs_a_bad_module_or_folder_is_left_out_and_the_rest_of_a_spec_is_on_the_disk() {
    let folder = Folder::new("allowed-spec");
    folder.module("good.wasm", COMMAND).put("bad.wasm", b"text");
    let route = |route: &str, path: &str, more: &str| {
        format!(r#"{{"route": "{route}", "path": "{path}", "relative-deadline-us": 5{more}}}"#)
    };
    let spec = |routes: &[String]| {
        let routes = routes.join(", ");
        let text = format!(r#"[{{"name": "t", "port": 80, "routes": [{routes}]}}]"#);
        folder.put("functions.json", text.as_bytes());
        folder.run("build {dir} {img} --allow-invalid")
    };
    let bad = [
        route("/bad", "bad.wasm", ""),
        route("/none", "none.wasm", ""),
        route("/folder", "good.wasm", r#", "folder": "nowhere""#),
    ];
    let said = spec(&[&bad[..], &[route("/good", "good.wasm", "")]].concat());
    assert_eq!(said.code, 0, "{}", said.error);
    for line in [
        "warning: bad.wasm: left out: header, offset 0x0: not WebAssembly",
        "warning: none.wasm: left out: there is no such file\n",
        "warning: route /folder: left out: folder nowhere: ",
        ": 1 routes, 2 files, ",
    ] {
        assert!(said.error.contains(line), "{line}\n{}", said.error);
    }

    let said = spec(&bad);
    assert_eq!(said.code, 1);
    let last = "luge-image: no route is left to serve, and ";
    assert!(said.error.contains(last), "{}", said.error);

    folder.put("functions.json", b"[");
    let said = folder.run("build {dir} {img} --allow-invalid");
    assert_eq!(said.code, 1, "a spec with a mistake stays one");
    assert!(
        said.error.starts_with("luge-image: functions.json:"),
        "{}",
        said.error
    );
    let both = folder.run("build {dir} {img} --allow-invalid --keep-invalid");
    assert_eq!(both.code, 2, "{}", both.error);
}

#[test]
fn a_module_that_is_missing_or_too_long_is_named() {
    let folder = Folder::new("missing");
    folder.spec(&[("/a", "a.wasm"), ("/b", "b.wasm"), ("/c", "a.wasm")]);
    folder.put("b.wasm", &too_long());
    let said = folder.build();
    assert_eq!(said.code, 1);
    let lines: Vec<_> = said.error.lines().collect();
    assert_eq!(lines[0], "error: a.wasm: there is no such file");
    assert!(
        lines[1].starts_with("error: b.wasm: it is 6710"),
        "{}",
        lines[1]
    );
    assert!(
        lines[1].ends_with(" bytes long, and 67108864 are the most"),
        "{}",
        lines[1]
    );
    let kept = folder.run("build {dir} {img} --keep-invalid");
    assert_eq!(kept.code, 0, "{}", kept.error);
    assert_eq!(folder.run("verify {img}").code, 1);
}

#[test]
fn what_nobody_reads_of_a_module_is_left_out_and_what_that_saves_is_said() {
    let folder = Folder::new("slim");
    folder.module("plain.wasm", COMMAND);
    let segments: String = (0..40)
        .map(|at| format!("(data (i32.const {at}) \"x\")"))
        .collect();
    let many = COMMAND.replace("(func (export", &format!("{segments} (func (export"));
    folder.module("many.wasm", &many);
    // More than the kernel takes, if it were not left out.
    folder.put("debug.wasm", &with_section(0, b"\x0b.debug_info", 70 << 20));
    let said = folder.build();
    assert_eq!(said.code, 0, "{}", said.error);
    let lines: Vec<_> = said.error.lines().collect();
    assert!(
        lines[0].starts_with(
            "debug.wasm: 70.0 MiB of custom sections that nobody reads are left out; "
        ),
        "{}",
        said.error
    );
    assert!(
        lines[1].starts_with("many.wasm: 40 data segments are joined to 1; "),
        "{}",
        said.error
    );
    assert!(lines[2].contains(": 3 routes, 3 files, "), "{}", said.error);
    assert!(fs::metadata(folder.image()).unwrap().len() < 1 << 20);
    assert_eq!(folder.run("verify {img}").code, 0);
    assert_eq!(folder.run("verify {dir}").code, 0);
    // A list of the folder says what will be served.
    let sizes = |of: &str| {
        let list = folder.run(&format!("list {of}")).out;
        let modules = list.lines().filter(|line| line.contains(".wasm"));
        modules.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(sizes("{dir}"), sizes("{img}"));

    let added = folder.run("add {img} {dir}/debug.wasm --path again.wasm");
    assert_eq!(added.code, 0, "{}", added.error);
    assert!(
        added
            .error
            .contains("debug.wasm: 70.0 MiB of custom sections"),
        "{}",
        added.error
    );
    assert!(fs::metadata(folder.image()).unwrap().len() < 1 << 20);
}

#[test]
fn a_bad_spec_is_named_with_its_place() {
    let folder = Folder::new("bad-spec");
    folder
        .module("a.wasm", COMMAND)
        .spec(&[("/a", "../a.wasm")]);
    let said = folder.build();
    assert_eq!(said.code, 1);
    assert_eq!(
        said.error,
        "luge-image: functions.json:2:25: \"path\" of route \"/a\" of tenant \"gwu\": \
         \"../a.wasm\" contains \"..\"; what is named lies in the folder of the spec\n"
    );
    for command in ["list {dir}", "verify {dir}", "ports {dir}"] {
        assert_eq!(folder.run(command).code, 1, "{command}");
    }
    let kept = folder.run("build {dir} -o {img} --keep-invalid");
    assert_eq!(kept.code, 0, "{}", kept.error);
    assert!(
        kept.error.contains("warning: functions.json:2:25: "),
        "{}",
        kept.error
    );
    assert_eq!(folder.run("verify {img}").error, said.error);
}

#[test]
fn a_key_without_effect_is_told_by_every_command_that_shows_the_spec() {
    let folder = Folder::new("warned");
    folder.module("a.wasm", COMMAND).put(
        "functions.json",
        br#"[{"name": "t", "port": 80, "routes": [
            {"route": "/a", "path": "a.wasm", "relative-deadline-us": 1,
             "model-bias": 7}]}]"#,
    );
    let warning = "warning: functions.json:3:14: \"model-bias\" has no effect: execution times are not predicted\n";
    let said = folder.build();
    assert!(
        said.code == 0 && said.error.starts_with(warning),
        "{}",
        said.error
    );
    for command in ["list {img}", "verify {img}"] {
        let said = folder.run(command);
        assert_eq!((said.code, said.error.as_str()), (0, warning), "{command}");
    }
}

#[test]
fn an_image_that_is_none_is_said_to_be() {
    let folder = Folder::new("damaged");
    let image = folder.image();
    let error = |command: &str| {
        let said = folder.run(command);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{command}");
        said.error
    };
    let _ = fs::remove_file(&image);
    assert!(error("list {img}").contains("No such file or directory"));
    fs::write(&image, vec![0; 1 << 20]).unwrap();
    assert!(
        error("verify {img}").contains("the image has no ext2, ext3 or ext4 file system on it")
    );
    fs::write(&image, []).unwrap();
    assert!(error("ports {img}").contains("the image cannot be read: sector 2: past the end"));
    folder.module("a.wasm", COMMAND);
    assert_eq!(folder.build().code, 0);
    let whole = fs::read(&image).unwrap();
    fs::write(&image, &whole[..whole.len() / 2]).unwrap();
    let cut = "the image is cut short: it has 256 sectors, its file system 512";
    assert!(error("verify {img}").contains(cut));
}

#[test]
fn a_missing_tool_is_named_with_its_package() {
    let folder = Folder::new("tool");
    folder.module("a.wasm", COMMAND);
    let said = Command::new(env!("CARGO_BIN_EXE_luge-image"))
        .args([
            "build".as_ref(),
            folder.path("").as_os_str(),
            folder.image().as_os_str(),
        ])
        .env("LUGE_E2FSPROGS", folder.path("nowhere"))
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(said.stderr).unwrap(),
        "luge-image: mke2fs is not there; it is in the Debian package e2fsprogs: apt-get install \
         e2fsprogs\n"
    );
}

#[test]
fn wrong_usage_ends_with_2() {
    let folder = Folder::new("usage");
    for usage in [
        "frob",
        "build",
        "build {dir}",
        "build {dir} {img} -o {img}",
        "list",
        "add {img}",
        "add {img} a.wasm --set deadline",
        "remove {img}",
        "list {dir} --port 0",
        "compile {dir}/a.wasm",
        "build {dir} -o {img} --frob",
    ] {
        assert_eq!(folder.run(usage).code, 2, "{usage}");
    }
    assert_eq!(folder.run("--help").code, 0);
    let said = folder.run("build nowhere -o {img}");
    assert_eq!(
        (said.code, said.error.as_str()),
        (1, "luge-image: there is no folder nowhere\n")
    );
}

#[test]
fn nothing_is_left_beside_the_image() {
    let folder = Folder::new("clean");
    folder.module("a.wasm", COMMAND);
    let place = folder.path("out");
    fs::create_dir(&place).unwrap();
    let build = |image: PathBuf| run(["build".into(), folder.path(""), image]).code;
    assert_eq!(build(place.join("disk.img")), 0);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
    assert_eq!(build(place.join("no/disk.img")), 1);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
}

#[test]
fn no_name_in_a_module_reaches_the_terminal_as_it_is() {
    let folder = Folder::new("escape");
    let exports = r#"(export "\1b[2J" (func 0)) (export "\1b[2J" (func 0))"#;
    folder.module(
        "a.wasm",
        &format!("(module (func (export \"_start\")) {exports})"),
    );
    for command in ["verify {dir}", "build {dir} -o {img}"] {
        let said = folder.run(command);
        assert_eq!(said.code, 1);
        assert!(said.error.contains("\\u{1b}[2J"), "{}", said.error);
        assert!(!said.error.contains('\x1b'), "{:?}", said.error);
    }
}
