//! A folder to make an image of, and the tool to do it.
#![allow(dead_code)] // Each test file uses its part.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A command that does nothing.
pub const COMMAND: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
    (memory (export "memory") 1)
    (func (export "_start")))"#;

/// A folder of a test's own, with what is put in it.
pub struct Folder(PathBuf);

/// A command with so many bytes in a section of this number, with `head` before them.
pub fn with_section(number: u8, head: &[u8], bytes: usize) -> Vec<u8> {
    // Numbers in LEB128, all in five bytes.
    let leb = |number: usize| {
        let digits = (0..5).map(|place| (number >> (7 * place)) as u8 & 0x7f);
        digits
            .enumerate()
            .map(|(place, digits)| if place < 4 { digits | 0x80 } else { digits })
            .collect::<Vec<_>>()
    };
    let mut module = wat::parse_str(COMMAND).unwrap();
    module.push(number);
    module.extend(leb(head.len() + bytes));
    module.extend(head);
    module.resize(module.len() + bytes, 7);
    module
}

/// A command that is longer than the kernel takes, all of which is needed: it has a long data segment.
pub fn too_long() -> Vec<u8> {
    // One, passive, of 64 MiB in LEB128.
    with_section(11, &[1, 1, 0x80, 0x80, 0x80, 0x20], 64 << 20)
}

/// A valid command with more local variables than the interpreter takes.
pub fn untranslatable() -> String {
    let locals = "i32 ".repeat(30_001);
    COMMAND.replace(
        "(func (export \"_start\"))",
        &format!("(func (export \"_start\") (local {locals}))"),
    )
}

/// What is said of it.
pub const UNTRANSLATABLE: &str = "the interpreter cannot translate it: \
     encountered function with too many function parameters";

/// What a run of the tool said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub error: String,
}

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn put(&self, name: &str, bytes: &[u8]) -> &Folder {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    pub fn module(&self, name: &str, text: &str) -> &Folder {
        self.put(name, &wat::parse_str(text).unwrap())
    }

    /// A spec of one tenant with these routes and modules.
    pub fn spec(&self, routes: &[(&str, &str)]) -> &Folder {
        let route = |(route, path): &(&str, &str)| {
            format!(r#"{{"route": "{route}", "path": "{path}", "relative-deadline-us": 50000}}"#)
        };
        let routes: Vec<_> = routes.iter().map(route).collect();
        let routes = routes.join(",\n");
        let text = format!("[{{\"name\": \"gwu\", \"port\": 10000, \"routes\": [\n{routes}\n]}}]");
        self.put("functions.json", text.as_bytes())
    }

    pub fn image(&self) -> PathBuf {
        self.0.with_extension("img")
    }

    /// Runs the tool with `{dir}` and `{img}` replaced by this folder and its image.
    pub fn run(&self, arguments: &str) -> Said {
        let (folder, image) = (self.0.display().to_string(), self.image());
        let image = image.display().to_string();
        run(arguments.split(' ').map(|argument| {
            let argument = argument.replace("{dir}", &folder);
            PathBuf::from(argument.replace("{img}", &image))
        }))
    }

    pub fn build(&self) -> Said {
        let _ = fs::remove_file(self.image());
        self.run("build {dir} -o {img}")
    }
}

/// Runs the tool.
pub fn run(arguments: impl IntoIterator<Item = PathBuf>) -> Said {
    let tool = env!("CARGO_BIN_EXE_luge-image");
    let output = Command::new(tool).args(arguments).output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}
