//! What it costs to start a large module, and how much of that is the module's own code.
//!
//! The interpreter of JavaScript is asked to run a script that does nothing. Beside it lies the same module
//! with an empty `_start`, whose request costs what the kernel and the engine do for it alone: the instance, its
//! memory, its data and its table, and the way back.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use luge_harness::{Boot, Disk, Kernel, Lab};
use serde_json::json;
use wasmparser::{Parser, Payload, TypeRef};

use crate::Served;

/// The operators with which an emptied function is filled, and how a function ends.
const NOP: u8 = 0x01;
const END: u8 = 0x0b;

/// Figures `request-js-ENGINE` and `request-js-without-its-code-ENGINE`.
pub fn figures(lab: &Lab, engine: &str) -> Result<BTreeMap<String, u64>> {
    let boot = boot(lab, engine)?;
    let served = Served::begin(lab, &boot)?;
    let whole = served.instructions_of(|client| client.post("/js", b"0")?.expect(""))?;
    let idle = served.instructions_of(|client| client.post("/idle", b"0")?.expect(""))?;
    Ok(BTreeMap::from([
        (format!("request-js-{engine}"), whole),
        (format!("request-js-without-its-code-{engine}"), idle),
    ]))
}

fn boot(lab: &Lab, engine: &str) -> Result<Boot> {
    let js = std::fs::read(lab.workshop().programs()?.join("js.wasm"))?;
    let routes = ["js", "idle"].map(|name| {
        json!({ "route": format!("/{name}"), "path": format!("{name}.wasm"),
            "relative-deadline-us": 60_000_000, "stack-size": 2 << 20 })
    });
    let spec = json!([{ "name": "main", "port": 8080, "routes": routes }]);
    let folder = lab
        .folder(&format!("{engine}-startup"))?
        .file("functions.json", spec.to_string())?
        .file("js.wasm", &js)?
        .file("idle.wasm", without_its_code(js)?)?;
    let disk = Disk::Image(lab.native_image(&folder)?);
    Ok(Boot::new(Kernel::Product)
        .disk(disk)
        .append(&format!("engine={engine}")))
}

/// The same module, byte for byte, but that its `_start` does nothing.
fn without_its_code(mut module: Vec<u8>) -> Result<Vec<u8>> {
    let (mut imported, mut start, mut bodies) = (0, None, Vec::new());
    for payload in Parser::new(0).parse_all(&module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports {
                    imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    start = start.or((export.name == "_start").then_some(export.index as usize));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.range()),
            _ => {}
        }
    }
    let start = start.context("there is a _start")?;
    let body = start.checked_sub(imported).and_then(|at| bodies.get(at));
    let body = module.get_mut(body.context("it has a body")?.clone());
    let body = body.context("which is there")?;
    ensure!(body.len() >= 2, "a body has locals and an end");
    body.fill(NOP);
    body[0] = 0;
    body[body.len() - 1] = END;
    Ok(module)
}
