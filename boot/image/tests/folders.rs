//! Rules of `luge-image` for folders that functions read.

mod folder;

use std::fs;
use std::os::unix::fs::symlink;

use folder::{COMMAND, Folder};

/// A folder with a module and a spec whose only route reads `reads`.
fn reading(name: &str, reads: &str) -> Folder {
    let folder = Folder::new(name);
    folder.module("a.wasm", COMMAND);
    let route = format!(
        r#"{{"route": "/a", "path": "a.wasm", "relative-deadline-us": 5000, "folder": "{reads}"}}"#
    );
    let text = format!(r#"[{{"name": "gwu", "port": 10000, "routes": [{route}]}}]"#);
    folder.put("functions.json", text.as_bytes());
    folder
}

#[test]
fn a_routes_folder_is_on_the_disk_with_all_that_is_in_it() {
    let folder = reading("folder", "./data/");
    folder
        .put("data/one.txt", b"1")
        .put("data/deep/er/two.txt", &[2; 5000])
        .put("other/three.txt", b"3");
    fs::create_dir(folder.path("data/empty")).unwrap();
    symlink("deep/er/two.txt", folder.path("data/link")).unwrap();
    let said = folder.build();
    assert_eq!(said.code, 0, "{}", said.error);
    assert!(said.error.contains("1 routes, 4 files, "), "{}", said.error);
    let verify = folder.run("verify {img}");
    assert_eq!((verify.code, verify.error.as_str()), (0, ""));
    let list = folder.run("list {img}").out;
    assert!(list.contains("  folder data\n"), "{list}");
    let before = fs::read(folder.image()).unwrap();
    assert_eq!(folder.build().code, 0);
    assert!(
        fs::read(folder.image()).unwrap() == before,
        "the same input gives the same bytes"
    );
}

#[test]
fn a_folder_that_is_missing_is_named_with_its_route() {
    let folder = reading("missing", "data");
    let said = folder.build();
    assert_eq!(said.code, 1);
    let error = "error: route /a: folder data: there is no such folder\n";
    assert!(said.error.starts_with(error), "{}", said.error);
    let kept = folder.run("build {dir} -o {img} --keep-invalid");
    assert_eq!(kept.code, 0, "{}", kept.error);
    let verify = folder.run("verify {img}");
    assert_eq!((verify.code, verify.error.contains(error)), (1, true));
}

#[test]
fn what_is_no_folder_or_has_no_place_on_a_disk_is_named() {
    let folder = reading("none", "data");
    folder.put("data", b"a file");
    let said = folder.build();
    assert!(
        said.error
            .starts_with("error: route /a: folder data: it is no folder\n"),
        "{}",
        said.error
    );
    fs::remove_file(folder.path("data")).unwrap();
    fs::create_dir(folder.path("data")).unwrap();
    let socket = folder.path("data/socket");
    let _ = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let said = folder.build();
    assert!(
        said.error
            .contains("folder data: data/socket: neither a file, a folder nor a symbolic link"),
        "{}",
        said.error
    );
}

#[test]
fn a_folder_with_too_much_in_it_is_refused() {
    let folder = reading("too-much", "data");
    folder.put("data/long", b"");
    let long = fs::File::options()
        .write(true)
        .open(folder.path("data/long"));
    long.unwrap().set_len((256 << 20) + 1).unwrap();
    let said = folder.build();
    assert!(
        said.error
            .contains("data/long: it is longer than 268435456 bytes"),
        "{}",
        said.error
    );
}
