//! Who is told of a fault, and what they find when its function is gone.

use anyhow::{Context, Result, ensure};
use luge_harness::http::{Client, Verb};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine, ports};
use serde_json::json;

use super::cases::CASES;
use super::faults;
use super::origin::Origins;
use crate::guests::{AMPLE_US, text};
use crate::served::route;

/// Two tenants, each with a function that ends by a trap: the first tells its callers, the second does not.
fn two_tenants(lab: &Lab, second: u16) -> Result<Machine> {
    let crash = [route("crash", AMPLE_US)];
    let spec = json!([
        { "name": "open", "port": 9000, "fault-reports": true, "routes": crash },
        { "name": "close", "port": second, "routes": crash },
    ]);
    let folder = lab
        .folder("tenants")?
        .file("functions.json", spec.to_string())?
        .file("crash.wasm", text::module(&CASES[0].fields()))?;
    let disk = Disk::Image(lab.native_image(&folder)?);
    lab.serve(&Boot::new(Kernel::Product).disk(disk))
}

pub fn a_caller_is_told_of_the_fault_only_if_the_tenant_says_so(lab: &Lab) -> Result<()> {
    let second = ports::free()?;
    let machine = two_tenants(lab, second)?;
    let told = machine.client().get("/crash")?;
    told.expect_status(500)?;
    told.expect_outcome("trap unreachable")?;
    let text = told.text();
    let module = text::module(&CASES[0].fields());
    let at = Origins::of(&module)?.only("inner", CASES[0].blamed)?;
    for wanted in [
        " open /crash: trap unreachable\n  #UD at rip=0x".to_owned(),
        format!("\n  in inner (function 5) at {at:#x}\n  called by middle (function 6) at 0x"),
    ] {
        ensure!(text.contains(&wanted), "no {wanted:?} in {text}");
    }
    ensure!(
        told.header("content-type") == Some("text/plain; charset=utf-8"),
        "{told:?}"
    );
    let other = Client::new(second).get("/crash")?;
    other.expect_status(500)?;
    ensure!(
        other.text() == "500 Internal Server Error: trap unreachable\n",
        "{}",
        other.text()
    );
    let whose: Vec<_> = faults(&machine.client())?
        .iter()
        .map(|fault| fault["tenant"].clone())
        .collect();
    ensure!(whose == ["close", "open"], "{whose:?}");
    Ok(())
}

pub fn who_is_not_the_operator_is_not_told_of_faults(lab: &Lab) -> Result<()> {
    let second = ports::free()?;
    let machine = two_tenants(lab, second)?;
    machine.client().get("/crash")?.expect_status(500)?;
    for page in ["/faults", "/faults.json"] {
        machine
            .client()
            .get(page)?
            .expect_status(200)
            .context(page)?;
        Client::new(second)
            .get(page)?
            .expect_status(404)
            .context(page)?;
        machine
            .client()
            .post(page, b"")?
            .expect_status(405)
            .context(page)?;
    }
    Ok(())
}

pub fn a_function_that_was_replaced_after_its_fault_is_reported_as_it_was(lab: &Lab) -> Result<()> {
    let crash = text::module(&CASES[0].fields());
    let folder = lab.folder("disk")?.file("crash.wasm", crash.clone())?;
    let disk = Disk::Image(lab.native_image(&folder)?);
    // The log has nothing of the fault, so nobody has asked for its places before the function is gone.
    let boot = Boot::new(Kernel::Product)
        .disk(disk)
        .append("log=error,main=info admin_token=a-token-of-the-scenarios");
    let machine = lab.serve(&boot)?;
    let client = machine.client();
    let admin = "/admin/functions/crash";
    let fields = [("authorization", "Bearer a-token-of-the-scenarios")];
    client.get("/crash")?.expect_outcome("trap unreachable")?;
    client
        .put(admin, &fields, &text::module("(func (export \"_start\"))"))?
        .expect_status(200)?;
    client.get("/crash")?.expect("")?;
    client
        .ask(Verb::Delete, admin, &fields)?
        .expect_status(200)?;
    client.get("/crash")?.expect_status(404)?;
    let other = text::module("(func $other (export \"_start\") unreachable)");
    client.put(admin, &fields, &other)?.expect_status(201)?;
    client.get("/crash")?.expect_outcome("trap unreachable")?;
    let all = faults(&client)?;
    ensure!(all.len() == 2, "{all:?}");
    // What is deployed runs in the interpreter.
    ensure!(
        all[0]["function"].is_null() && all[0]["route"] == "/crash",
        "{}",
        all[0]
    );
    let at = Origins::of(&crash)?.only("inner", CASES[0].blamed)?;
    let told = (&all[1]["function"], &all[1]["offset"], &all[1]["route"]);
    ensure!(
        told == (&json!("inner"), &json!(at), &json!("/crash")),
        "{}",
        all[1]
    );
    Ok(())
}
