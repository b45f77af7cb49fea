//! What the page looks like, on which screen and in which colours ever.

use anyhow::{Result, ensure};
use luge_harness::Lab;
use luge_harness::browser::Scheme;
use serde_json::json;

use super::form::{answer, call};
use super::{DESK, PHONE, machine, newer, page_of};

/// The texts whose colours are not apart enough: WCAG 2.2, "Contrast (Minimum)" (1.4.3), wants 4.5. And how many texts
/// there are.
const CONTRAST: &str = "
    const parse = (c) => c.match(/[0-9.]+/g).map(Number);
    const luminance = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const ground = (it) => { for (; it; it = it.parentElement) { const c = parse(getComputedStyle(it).backgroundColor); if (c.length < 4 || c[3] === 1) return c; }
        throw new Error('no ground'); };
    const texts = [...document.querySelectorAll('body *')].filter((it) => it.checkVisibility() && !['SCRIPT', 'NOSCRIPT'].includes(it.tagName)
        && [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && !it.disabled);
    const bad = texts.map((it) => { const [a, b] = [parse(getComputedStyle(it).color), ground(it)].map(luminance);
        return [it.tagName + '.' + it.className + ' ' + it.textContent.slice(0, 30), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]; })
        .filter(([, ratio]) => !(ratio >= 4.5));
    return [texts.length, bad, parse(getComputedStyle(document.body).backgroundColor)[0]];";

pub fn the_page_is_readable_on_a_phone_in_light_and_in_dark(lab: &Lab) -> Result<()> {
    let machine = machine(lab, "")?;
    let client = machine.client();
    for path in ["/fib?n=10", "/wrong", "/late", "/echo"] {
        client.get(path)?;
    }
    let browser = page_of(&machine)?;
    call(&browser, "/fib", "GET", "n=30", "")?;
    answer(&browser, "200")?;
    let pictures = lab.folder("pictures")?;
    for (name, size, scheme) in [
        ("light.png", DESK, Scheme::Light),
        ("dark.png", DESK, Scheme::Dark),
        ("phone-light.png", PHONE, Scheme::Light),
        ("phone.png", PHONE, Scheme::Dark),
        ("narrow.png", (280, 900), Scheme::Light),
    ] {
        browser.look_like(size, scheme)?;
        newer(&browser)?;
        browser.picture(&pictures.path().join(name))?;
        let width = browser.run(
            "return [document.documentElement.scrollWidth, innerWidth]",
            &[],
        )?;
        ensure!(
            width[0].as_u64() <= width[1].as_u64(),
            "{name}: as wide as {width}"
        );
        ensure!(width[1] == json!(size.0), "{name}: {width}");
        let contrast = browser.run(CONTRAST, &[])?;
        ensure!(
            contrast[0].as_u64() > Some(60) && contrast[1] == json!([]),
            "{name}: {contrast}"
        );
        let is_dark = contrast[2].as_u64() < Some(128);
        ensure!(is_dark == (scheme == Scheme::Dark), "{name}: {contrast}");
    }
    // Without a mouse: everything that does something can be reached, and has a name.
    let nameless = browser.run("return [...document.querySelectorAll('button, a, input, select, textarea, summary')].filter((it) =>
        it.tabIndex < 0 || !(it.textContent.trim() || it.labels?.length)).length", &[])?;
    ensure!(nameless == 0, "{nameless} without a name");
    Ok(())
}
