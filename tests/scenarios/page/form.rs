//! The form calls functions, and shows what came of it as text.

use anyhow::{Result, ensure};
use luge_harness::{Boot, Browser, Disk, Kernel, Lab};
use serde_json::{Value, json};

use crate::served::{AMPLE_US, route, spec};

use super::{ILL_ROUTE, ILL_TENANT, machine, newer, page_of, rows};

/// Fills the form in and sends it.
pub fn call(browser: &Browser, route: &str, method: &str, query: &str, body: &str) -> Result<()> {
    let fill = "['route', 'method', 'query', 'body'].forEach((name, at) => {
        const field = document.getElementById('call-' + name);
        field.value = arguments[at];
        if (field.value !== arguments[at]) throw new Error(name + ' cannot be ' + arguments[at]);
    })";
    let values = [route, method, "", ""].map(Value::from);
    browser.run(fill, &values)?;
    for (field, text) in [("#call-query", query), ("#call-body", body)] {
        if !text.is_empty() {
            browser.type_into(field, text)?;
        }
    }
    browser.click("#call-go")
}

/// Waits for the answer's status, and gives what else is shown of it: outcome, body, the names of its times.
pub fn answer(browser: &Browser, status: &str) -> Result<(String, String, Vec<String>)> {
    let script = format!(
        "return document.getElementById('answer-status').textContent.startsWith({status:?})
        && document.getElementById('call-stop').disabled"
    );
    browser.wait(status, &script)?;
    let shown = browser.run("return ['answer-outcome', 'answer-body'].map((id) => document.getElementById(id).textContent)
        .concat([[...document.querySelectorAll('#answer-times dt')].map((it) => it.textContent)])", &[])?;
    Ok(serde_json::from_value(shown)?)
}

pub fn the_form_calls_a_function_and_shows_what_came_of_it(lab: &Lab) -> Result<()> {
    let machine = machine(lab, "")?;
    let browser = page_of(&machine)?;
    let times = ["Waited", "Ran", "In the browser"];
    for (route, method, query, body, status, wanted) in [
        ("/fib", "GET", "n=20", "", "200", ("exit 0", "6765\n")),
        ("/echo", "POST", "", "a\nb", "200", ("exit 0", "a\nb")),
        (
            "/wrong",
            "GET",
            "",
            "",
            "500",
            (
                "trap unreachable",
                "500 Internal Server Error: trap unreachable\n",
            ),
        ),
        (
            "/late",
            "PUT",
            "",
            "x",
            "504",
            ("over-deadline", "504 Gateway Timeout: over-deadline\n"),
        ),
        (ILL_ROUTE, "GET", "n=7", "", "200", ("exit 0", "13\n")),
        ("/fib", "HEAD", "n=7", "", "200", ("exit 0", "")),
    ] {
        call(&browser, route, method, query, body)?;
        let (outcome, text, shown) = answer(&browser, status)?;
        ensure!(
            (&*outcome, &*text) == wanted,
            "{route}: {outcome:?}, {text:?}"
        );
        ensure!(shown == times, "{route}: {shown:?}");
    }
    // One that takes long can be seen, and stopped.
    call(&browser, "/sleep", "GET", "", "")?;
    browser.wait(
        "the sandbox",
        "return document.querySelector('#sandboxes tbody tr')?.cells[1].textContent === 'sleeping'",
    )?;
    browser.picture(&lab.folder("pictures")?.path().join("called.png"))?;
    browser.click("#call-stop")?;
    answer(&browser, "stopped")?;
    browser.wait(
        "its end",
        "return !document.querySelector('#sandboxes tbody tr')",
    )?;
    Ok(())
}

/// Markup that would tell of itself.
const HURT: &str =
    "<script>window.hurt=1</script><img src=x onerror='window.hurt=1'><svg onload=window.hurt=1>";

/// What is in the page that its own markup does not have; and whether anything has told of itself.
const STRANGERS: &str = "return [window.hurt ?? null, document.querySelectorAll('img, iframe, object, embed, form + form').length,
    document.querySelectorAll('script').length,
    [...document.querySelectorAll('*')].filter((it) => [...it.attributes].some((a) => /^on|^style$/.test(a.name))).length]";

pub fn nothing_that_is_shown_is_taken_for_markup(lab: &Lab) -> Result<()> {
    let machine = machine(lab, "")?;
    let browser = page_of(&machine)?;
    let shown = rows(&browser, "routes")?;
    for name in [format!("{ILL_ROUTE}main"), format!("/fib{ILL_TENANT}")] {
        ensure!(shown.contains_key(&name), "{name}: {:?}", shown.keys());
    }
    call(&browser, "/echo", "POST", "", HURT)?;
    let (_, text, _) = answer(&browser, "200")?;
    ensure!(text == HURT, "{text}");
    newer(&browser)?;
    let strangers = browser.run(STRANGERS, &[])?;
    ensure!(strangers == json!([null, 0, 1, 0]), "{strangers}");
    // The page did not even need its policy for that.
    let complaints = browser.complaints()?;
    ensure!(
        !complaints.iter().any(|it| it.contains("Content Security")),
        "{complaints:?}"
    );
    for address in browser.asked_for()? {
        let own = format!("http://127.0.0.1:{}/", machine.port());
        ensure!(address.starts_with(&own), "asked for {address}");
    }
    // If something got in all the same, the policy would stop it: text is refused as markup and as code, and other
    // hosts are not asked.
    for way in [
        "document.body.innerHTML = '<p>'",
        "document.body.setAttribute('onclick', 'window.hurt = 1')",
        "document.createElement('script').text = 'window.hurt = 1'",
        "setTimeout('window.hurt = 1')",
    ] {
        let refused = format!("try {{ {way}; return null }} catch (e) {{ return e.name }}");
        let refused = browser.run(&refused, &[])?;
        ensure!(refused == "TypeError", "{way}: {refused}");
    }
    browser.complaints()?;
    let foreign =
        "const it = new Image(); it.src = 'http://127.0.0.1:9/x'; document.body.append(it)";
    browser.run(foreign, &[])?;
    newer(&browser)?;
    let complaints = browser.complaints()?;
    ensure!(
        complaints.iter().any(|it| it.contains("Content Security")),
        "{complaints:?}"
    );
    Ok(())
}

/// A name that would be markup, of signs that names of functions are shown with.
const ILL_NAME: &str = "<img/src=x/onerror=window.hurt=1>";
/// A function that has it, and goes wrong.
const ILL_NAMED: &str = r#"(module (memory (export "memory") 1)
    (func $"<img/src=x/onerror=window.hurt=1>" unreachable)
    (func (export "_start") (call $"<img/src=x/onerror=window.hurt=1>")))"#;

pub fn the_report_of_a_fault_is_shown_with_its_names_as_text(lab: &Lab) -> Result<()> {
    let spec = spec(&[route("wrong", AMPLE_US)]);
    let folder = lab.folder("disk")?.file("functions.json", spec)?;
    let folder = folder.file("wrong.wasm", wat::parse_str(ILL_NAMED)?)?;
    let disk = Disk::Image(lab.native_image(&folder)?);
    let boot = Boot::new(Kernel::Product)
        .disk(disk)
        .append("admission=off engine=wasmtime");
    let machine = lab.serve(&boot)?;
    let browser = page_of(&machine)?;
    call(&browser, "/wrong", "GET", "", "")?;
    answer(&browser, "500")?;
    let report = "return document.querySelector('#faults details')?.textContent ?? null";
    let report = browser.wait("the fault", report)?;
    let report = report.as_str().unwrap_or_default();
    for part in [
        "/wrong",
        "trap unreachable",
        ILL_NAME,
        "Backtrace",
        "RIP",
        "#UD",
    ] {
        ensure!(report.contains(part), "no {part}: {report}");
    }
    newer(&browser)?;
    let strangers = browser.run(STRANGERS, &[])?;
    ensure!(strangers == json!([null, 0, 1, 0]), "{strangers}");
    browser.run("document.querySelector('#faults details').open = true; document.querySelector('#faults').scrollIntoView()", &[])?;
    browser.picture(&lab.folder("pictures")?.path().join("fault.png"))
}
