//! Names of functions are the guest's to choose, at any length and in any bytes.

use anyhow::{Context, Result, ensure};
use luge_harness::{Boot, Disk, Kernel, Lab};
use serde_json::json;

use super::{faults, newest, number};
use crate::guests::{AMPLE_US, Engine};
use crate::served::{extend, route};

/// A module whose only function, which is unreachable, is called so: by the bytes of its name section.
fn called(name: &[u8]) -> Result<Vec<u8>> {
    let fields = "(module (memory (export \"memory\") 1) (func (export \"_start\") unreachable))";
    let mut module = wat::parse_str(fields)?;
    let number = |mut value: usize| {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let sized = |bytes: Vec<u8>| [number(bytes.len()), bytes].concat();
    // One function, number 0. WebAssembly Core Specification, "Name Section".
    let functions = [vec![1, 0], sized(name.to_vec())].concat();
    let section = [sized(b"name".to_vec()), vec![1], sized(functions)].concat();
    module.push(0);
    module.extend(sized(section));
    Ok(module)
}

pub fn no_name_in_a_module_harms_the_log_the_text_or_the_json(lab: &Lab) -> Result<()> {
    let names: [(&str, Vec<u8>); 6] = [
        ("markup", b"<script>alert(1)</script>&amp;".to_vec()),
        ("quotes", b"a\"b\\c',{}[]".to_vec()),
        ("controls", b"\x1b[2J\r\nfake line\0\x7f".to_vec()),
        ("bidirectional", "\u{202e}\u{9b}31m\u{2028}é".into()),
        ("long", b"n".repeat(100 << 10)),
        ("invalid", b"\xff\xfe<b>".to_vec()),
    ];
    for engine in [Engine::Wasmtime, Engine::Wasmi] {
        let mut folder = lab.folder(engine.parameter())?;
        let mut routes = Vec::new();
        for (name, bytes) in &names {
            folder = folder.file(&format!("{name}.wasm"), called(bytes)?)?;
            routes.push(route(name, AMPLE_US));
        }
        let mut tenant = json!({ "name": "main", "port": 8080, "routes": routes });
        extend(&mut tenant, &json!({ "fault-reports": true }));
        let folder = folder.file("functions.json", json!([tenant]).to_string())?;
        let image = lab.native_image(&folder)?;
        let boot = Boot::new(Kernel::Product).disk(Disk::Image(image));
        let machine = lab.serve(&boot.append(engine.parameter()))?;
        let client = machine.client();
        for (name, _) in &names {
            let body = client.get(&format!("/{name}"))?;
            body.expect_status(500)?;
            expect_harmless(&body.text()).with_context(|| format!("the body of {name}"))?;
            let fault = newest(&client)?;
            ensure!(fault["route"] == json!(format!("/{name}")), "{fault}");
            if engine == Engine::Wasmtime {
                let called = fault["function"].as_str().context("a name")?;
                let begins = match *name {
                    "markup" => "<script>alert(1)</script>&amp;",
                    "quotes" => "a\"b\\c',{}[]",
                    "long" => "nnnnnnnn",
                    "invalid" => "wasm-function[0]",
                    _ => "",
                };
                ensure!(
                    called.starts_with(begins) && called.len() <= 96,
                    "{called:?}"
                );
                ensure!(number(&fault, "offset")? > 0, "{fault}");
            }
        }
        expect_harmless(&client.get("/faults")?.text())?;
        ensure!(faults(&client)?.len() == names.len(), "one for each");
        let log = machine.serial.lines();
        let of_faults: Vec<_> = log
            .iter()
            .filter(|line| line.contains(" fault: ") || line.contains(" backtrace: "))
            .collect();
        let is_whole = |line: &&&String| line.starts_with('[') && line.len() < 300;
        ensure!(
            of_faults.iter().all(|line| is_whole(&line)),
            "{of_faults:?}"
        );
        ensure!(
            !log.iter().any(|line| line.starts_with("fake line")),
            "a line is the guest's"
        );
    }
    Ok(())
}

/// No control characters but ends of lines, nothing that changes the direction of what follows, and bounded.
fn expect_harmless(text: &str) -> Result<()> {
    let is_harmless =
        |letter: char| letter == '\n' || (!letter.is_control() && letter != '\u{202e}');
    ensure!(text.chars().all(is_harmless), "{text:?}");
    ensure!(text.lines().all(|line| line.len() < 400), "{text}");
    ensure!(!text.contains("\nfake line"), "{text}");
    Ok(())
}
