//! Rules of `luge-image add` and `remove`.

mod folder;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use folder::{COMMAND, Folder, too_long};

/// Another command.
const OTHER: &str = r#"(module (memory (export "memory") 2) (func (export "_start")))"#;

/// A folder with modules and without a spec, and its image.
fn plain(name: &str, modules: &[&str]) -> Folder {
    let folder = Folder::new(name);
    for module in modules {
        folder.module(module, COMMAND);
    }
    assert_eq!(folder.build().code, 0);
    folder
}

/// A folder with a spec of these routes, for modules that are there, and its image.
fn specified(name: &str, routes: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(name);
    for (_, path) in routes {
        folder.module(path, COMMAND);
    }
    folder.spec(routes);
    assert_eq!(folder.build().code, 0);
    folder
}

/// What the tool says that refuses; the image must be what it was, with nothing beside it.
fn refused(folder: &Folder, arguments: &str) -> String {
    let before = fs::read(folder.image()).unwrap();
    let said = folder.run(arguments);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{arguments}");
    assert!(fs::read(folder.image()).unwrap() == before, "{arguments}");
    expect_nothing_beside(&folder.image());
    said.error
}

fn expect_nothing_beside(image: &Path) {
    let name = image.file_name().unwrap().to_str().unwrap();
    let drafts = fs::read_dir(image.parent().unwrap()).unwrap();
    let mut drafts = drafts.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let draft = format!(".{name}.");
    assert_eq!(drafts.find(|found| found.starts_with(&draft)), None);
}

/// The files of the image of `one` are those of `other`, byte for byte.
fn expect_same(one: &Folder, other: &Folder) {
    assert!(fs::read(one.image()).unwrap() == fs::read(other.image()).unwrap());
}

#[test]
fn an_image_is_the_same_whether_a_module_was_there_or_was_added() {
    let built = plain("add-built", &["a.wasm", "b.wasm", "c.wasm"]);
    let added = plain("add-added", &["a.wasm", "c.wasm"]);
    added.module("b.wasm", COMMAND);
    let said = added.run("add {img} {dir}/b.wasm");
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.error);
    assert!(
        said.error
            .ends_with(".img: added b.wasm: 3 routes, 3 files, 256 KiB\n"),
        "{}",
        said.error
    );
    expect_same(&added, &built);
}

#[test]
fn an_image_is_the_same_whether_a_module_was_never_there_or_was_removed() {
    let built = plain("remove-built", &["a.wasm", "c.wasm"]);
    for name in ["b", "b.wasm", "/b"] {
        let removed = plain("remove-removed", &["a.wasm", "b.wasm", "c.wasm"]);
        let said = removed.run(&format!("remove {{img}} {name}"));
        assert_eq!(said.code, 0, "{}", said.error);
        assert!(said.error.contains(": removed /b: 2 routes, 2 files, "));
        expect_same(&removed, &built);
    }
}

#[test]
fn a_route_is_added_that_answers_in_a_file_or_by_its_exit_code() {
    let folder = specified("add-answer", &[("/a", "a.wasm")]);
    folder.module("b.wasm", OTHER);
    let said = folder.run(
        "add {img} {dir}/b.wasm --route /b --set response-file=/tmp/out.o \
         --set success-exit-codes=[0,1]",
    );
    assert_eq!(said.code, 0, "{}", said.error);
    let list = folder.run("list {img}").out;
    assert!(
        list.contains("  response /tmp/out.o  success exit 0 1\n"),
        "{list}"
    );
    let said = folder.run("add {img} {dir}/b.wasm --route /c --set response-file=/out.o");
    assert_eq!(said.code, 1, "{}", said.error);
    assert!(
        said.error.contains("\"response-file\" of route \"/c\""),
        "{}",
        said.error
    );
}

#[test]
fn a_route_is_added_to_the_spec_with_its_settings() {
    let folder = specified("add-spec", &[("/a", "a.wasm")]);
    folder.module("sub/b.wasm", OTHER);
    let said = folder.run(
        "add {img} {dir}/sub/b.wasm --path mine/b.wasm --route /other \
         --set max-memory=131072 --set http-resp-content-type=text/html --set environ={\"A\":\"b\"}",
    );
    assert_eq!(said.code, 0, "{}", said.error);
    let list = folder.run("list {img}").out;
    let route =
        "  /other  mine/b.wasm  text/html  deadline 10000000 us  stack 512 KiB  memory 128 KiB  ";
    assert!(list.contains(route), "{list}");
    assert!(list.contains("  $A\n"), "{list}");
    assert_eq!(folder.run("verify {img}").code, 0);

    let said = folder.run("add {img} {dir}/a.wasm --route /again --set relative-deadline-us=7");
    assert_eq!(
        said.code, 0,
        "the same module may have two routes: {}",
        said.error
    );
    let list = folder.run("list {img}").out;
    assert!(
        list.contains("  /again  a.wasm       text/plain  deadline 7 us"),
        "{list}"
    );
}

#[test]
fn what_only_a_removed_route_used_goes_with_it() {
    let folder = Folder::new("remove-spec");
    folder
        .module("a.wasm", COMMAND)
        .module("b.wasm", COMMAND)
        .put("data/one.txt", b"1")
        .put("data/shared/two.txt", b"2");
    let route = |route, path, folder| {
        format!(
            r#"{{"route": "{route}", "path": "{path}", "relative-deadline-us": 5000, "folder": "{folder}"}}"#
        )
    };
    let spec = |routes: &[String]| {
        let routes = routes.join(", ");
        let text = format!(r#"[{{"name": "gwu", "port": 10000, "routes": [{routes}]}}]"#);
        folder.put("functions.json", text.as_bytes());
        assert_eq!(folder.build().code, 0);
        fs::read(folder.image()).unwrap()
    };
    let kept = [
        route("/b", "b.wasm", "data/shared"),
        route("/c", "a.wasm", "data/shared"),
    ];
    let without = spec(&kept);
    let alone = spec(&kept[..1]);
    let [b, c] = kept;
    spec(&[route("/a", "a.wasm", "data"), b, c]);
    assert_eq!(folder.run("remove {img} /a").code, 0);
    assert!(fs::read(folder.image()).unwrap() == without);
    assert_eq!(folder.run("remove {img} a.wasm").code, 0);
    assert!(fs::read(folder.image()).unwrap() == alone);
    let said = refused(&folder, "remove {img} /b");
    assert!(said.ends_with("tenant gwu would have no route left, and each has one at least\n"));
}

#[test]
fn a_module_is_replaced_only_when_that_is_asked_for() {
    let folder = specified("replace", &[("/a", "a.wasm"), ("/b", "b.wasm")]);
    let routes = folder.run("list {img}").out;
    let routes = routes.split("modules\n").next().unwrap();
    folder.module("a.wasm", OTHER);
    let said = refused(&folder, "add {img} {dir}/a.wasm");
    assert!(
        said.ends_with("luge-image: a.wasm is on the image already (see --replace)\n"),
        "{said}"
    );
    let said = folder.run("add {img} {dir}/a.wasm --replace");
    assert_eq!(said.code, 0, "{}", said.error);
    assert!(
        said.error.contains(": replaced a.wasm: 2 routes, "),
        "{}",
        said.error
    );
    assert!(folder.run("list {img}").out.starts_with(routes));
    let added = fs::read(folder.image()).unwrap();
    assert_eq!(folder.build().code, 0);
    assert!(fs::read(folder.image()).unwrap() == added);
}

#[test]
fn native_code_of_a_module_that_was_replaced_is_gone_and_that_is_said() {
    let folder = plain("stale", &["a.wasm", "b.wasm"]);
    // Somebody else's tool has put files beside the modules.
    for name in ["a.cwasm", "b.cwasm"] {
        folder.put(name, b"native");
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let write = format!("write {} {name}", folder.path(name).display());
        let debugfs = Command::new("debugfs")
            .env("PATH", path)
            .args(["-w", "-R", &write])
            .arg(folder.image())
            .output()
            .unwrap();
        assert!(debugfs.status.success());
    }
    let files = |folder: &Folder| folder.run("add {img} {dir}/b.wasm").error;
    assert!(
        files(&folder).contains("2 routes, 4 files"),
        "others' files stay"
    );
    folder.module("a.wasm", OTHER);
    let said = folder.run("add {img} {dir}/a.wasm --replace");
    let note = "note: a.cwasm is gone, it was made from the old module (see --native)\n";
    assert!(said.error.starts_with(note), "{}", said.error);
    assert!(said.error.contains("2 routes, 3 files"), "{}", said.error);
    assert_eq!(folder.run("remove {img} b").code, 0);
    assert!(files(&folder).contains("added b.wasm: 2 routes, 2 files"));
}

#[test]
fn what_cannot_be_added_is_said_and_the_image_stays_as_it_was() {
    let folder = specified("refused", &[("/a", "a.wasm"), ("/b", "sub/b.wasm")]);
    folder
        .put("text.wasm", b"(module)")
        .module("c.wasm", OTHER)
        .put("c.txt", b"")
        .put("long.wasm", &too_long());
    for (arguments, said) in [
        (
            "add {img} {dir}/none.wasm",
            "none.wasm: No such file or directory (os error 2)\n",
        ),
        (
            "add {img} {dir}/text.wasm",
            "text.wasm: header, offset 0x0: not WebAssembly: it does not begin with \"\\0asm\"\n",
        ),
        (
            "add {img} {dir}/long.wasm",
            " bytes long, and 67108864 are the most\n",
        ),
        (
            "add {img} {dir}/c.wasm --path c.txt",
            "c.txt does not end in .wasm (see --path)\n",
        ),
        (
            "add {img} {dir}/c.wasm --path ../c.wasm",
            "what is named lies in the folder of the spec\n",
        ),
        (
            "add {img} {dir}/c.wasm --route /a",
            "tenant gwu has a route /a already, for a.wasm (see --replace)\n",
        ),
        (
            "add {img} {dir}/c.wasm --route /a --replace",
            "route /a is for a.wasm, not for c.wasm: remove it first, or give --path\n",
        ),
        (
            "add {img} {dir}/a.wasm --replace --set max-exec-us=1",
            "the route is there, and keeps its settings: remove it first to change them\n",
        ),
        (
            "add {img} {dir}/c.wasm --tenant x",
            "there is no such tenant; there are gwu\n",
        ),
        (
            "add {img} {dir}/c.wasm --route /healthz",
            "is one of the host's own pages\n",
        ),
        (
            "add {img} {dir}/c.wasm --route c",
            "no blanks, ? or #, not \"c\"\n",
        ),
        (
            "add {img} {dir}/c.wasm --set max-memry=1",
            "(did you mean \"max-memory\"?)\n",
        ),
        (
            "add {img} {dir}/c.wasm --set stack-size=1",
            "32768 to 8388608, not 1\n",
        ),
        ("remove {img} /c", "there is no /c on the image\n"),
        (
            "remove {img} functions.json",
            "there is no functions.json on the image\n",
        ),
        (
            "remove {img} a --tenant x",
            "there is no such tenant; there are gwu\n",
        ),
    ] {
        let error = refused(&folder, arguments);
        assert!(error.ends_with(said), "{arguments}: {error}");
    }
    for arguments in ["add {dir} {dir}/c.wasm", "remove {dir} a"] {
        let error = folder.run(arguments).error;
        assert!(error.ends_with(": not an image\n"), "{error}");
    }
}

#[test]
fn on_an_image_without_a_spec_a_modules_name_is_all_that_can_be_said() {
    let folder = plain("plain-add", &["a.wasm"]);
    folder
        .module("b.wasm", COMMAND)
        .module("healthz.wasm", COMMAND);
    for more in ["--route /x", "--tenant default", "--set max-exec-us=1"] {
        let error = refused(&folder, &format!("add {{img}} {{dir}}/b.wasm {more}"));
        assert!(error.contains("the image has no functions.json: a module's name is its route"));
    }
    for (module, path) in [("healthz.wasm", "healthz.wasm"), ("b.wasm", "sub/b.wasm")] {
        let error = refused(
            &folder,
            &format!("add {{img}} {{dir}}/{module} --path {path}"),
        );
        assert!(
            error.ends_with(&format!("{path} would have no route\n")),
            "{error}"
        );
    }
}

#[test]
fn several_tenants_are_told_apart() {
    let folder = Folder::new("tenants");
    let route = r#"{"route": "/a", "path": "a.wasm", "relative-deadline-us": 5}"#;
    let text = format!(
        r#"[{{"name": "x", "port": 1, "routes": [{route}]}}, {{"name": "y", "port": 2, "routes": [{route}]}}]"#
    );
    folder.module("a.wasm", COMMAND).module("b.wasm", COMMAND);
    folder.put("functions.json", text.as_bytes());
    assert_eq!(folder.build().code, 0);
    let error = refused(&folder, "add {img} {dir}/b.wasm");
    assert!(
        error.ends_with("which tenant? --tenant is one of x, y\n"),
        "{error}"
    );
    assert_eq!(folder.run("add {img} {dir}/b.wasm --tenant y").code, 0);
    let error = refused(&folder, "remove {img} /a");
    assert!(
        error.ends_with("several tenants have a route /a (see --tenant)\n"),
        "{error}"
    );
    let said = folder.run("remove {img} /a --tenant y");
    assert_eq!(said.code, 0, "{}", said.error);
    let list = folder.run("list {img}").out;
    let (first, second) = (
        list.find("  /a  a.wasm").unwrap(),
        list.find("tenant y").unwrap(),
    );
    assert!(
        first < second && list[second..].contains("  /b  b.wasm"),
        "{list}"
    );
    assert_eq!(list.matches("  /a  ").count(), 1, "{list}");
}

#[test]
fn when_the_hosts_disk_is_full_the_old_image_stays() {
    let folder = plain("full", &["a.wasm"]);
    let zeroes = "x".repeat(1_000_000);
    let data = format!("(memory (export \"memory\") 32) (data (i32.const 0) \"{zeroes}\")");
    folder.module(
        "big.wasm",
        &format!("(module {data} (func (export \"_start\")))"),
    );
    let before = fs::read(folder.image()).unwrap();
    // No file may have more than 500 blocks of 512 or 1024 bytes, which is an error as for a full disk.
    let said = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 500; exec \"$0\" add \"$1\" \"$2\"",
        ])
        .arg(env!("CARGO_BIN_EXE_luge-image"))
        .args([folder.image(), folder.path("big.wasm")])
        .output()
        .unwrap();
    let error = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{error}");
    assert!(error.contains("File too large"), "{error}");
    assert!(fs::read(folder.image()).unwrap() == before);
    expect_nothing_beside(&folder.image());
    assert_eq!(
        folder.run("add {img} {dir}/big.wasm").code,
        0,
        "with room it works"
    );
}

#[test]
fn an_image_that_somebody_else_changes_is_left_alone() {
    let folder = plain("locked", &["a.wasm"]);
    folder.module("b.wasm", COMMAND);
    let file = fs::File::open(folder.image()).unwrap();
    file.lock().unwrap();
    let error = refused(&folder, "add {img} {dir}/b.wasm");
    assert!(error.ends_with("somebody else is changing it\n"), "{error}");
    drop(file);
    assert_eq!(folder.run("add {img} {dir}/b.wasm").code, 0);
}

#[test]
fn rights_and_links_of_the_old_image_stay() {
    let folder = plain("rights", &["a.wasm", "b.wasm"]);
    let mode = |mode| fs::Permissions::from_mode(mode);
    fs::set_permissions(folder.image(), mode(0o640)).unwrap();
    let link = folder.path("link.img");
    symlink(folder.image(), &link).unwrap();
    let said = folder::run(["remove".into(), link.clone(), "a".into()]);
    assert_eq!(said.code, 0, "{}", said.error);
    assert!(fs::symlink_metadata(link).unwrap().is_symlink());
    let mode = fs::metadata(folder.image()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(!folder.run("list {img}").out.contains("a.wasm"));
}

#[test]
fn there_are_inodes_for_as_many_files_as_anybody_adds_and_their_bytes_stay_the_same() {
    let folder = specified("inodes", &[("/a", "a.wasm")]);
    for index in 0..3_000 {
        folder.put(&format!("data/{index}.txt"), b"");
    }
    let text = r#"[{"name": "gwu", "port": 1, "routes": [{"route": "/a", "path": "a.wasm",
        "relative-deadline-us": 5, "folder": "data"}]}]"#;
    folder.put("functions.json", text.as_bytes());
    let said = folder.build();
    assert_eq!(said.code, 0, "{}", said.error);
    folder.module("b.wasm", COMMAND);
    let said = folder.run("add {img} {dir}/b.wasm");
    assert_eq!(said.code, 0, "{}", said.error);
    assert!(
        said.error.contains("2 routes, 3003 files"),
        "{}",
        said.error
    );
    assert_eq!(folder.run("verify {img}").code, 0);
    let before = fs::read(folder.image()).unwrap();
    for change in ["remove {img} b", "add {img} {dir}/b.wasm"] {
        assert_eq!(folder.run(change).code, 0);
    }
    assert!(fs::read(folder.image()).unwrap() == before);
}

#[test]
fn progress_is_told_when_it_is_wanted_and_not_where_nobody_looks() {
    let folder = plain("progress", &["a.wasm"]);
    folder.module("b.wasm", COMMAND);
    let quiet = folder.run("build {dir} {img}").error;
    assert_eq!(quiet.lines().count(), 1, "a pipe is no terminal: {quiet}");
    let told = folder.run("build {dir} {img} --progress always").error;
    assert!(told.contains("writing 2 files ... 256 KiB in "), "{told}");
    assert!(told.contains("reading them back ... 184 B in "), "{told}");
    let told = folder.run("remove {img} a --progress always").error;
    assert!(told.contains("writing 1 files ... "), "{told}");
    let told = folder.run("add {img} {dir}/a.wasm --progress never").error;
    assert_eq!(told.lines().count(), 1, "{told}");
}
