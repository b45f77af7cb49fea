//! Chromium without a window, steered through ChromeDriver as the WebDriver standard has it (W3C, "WebDriver").

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::http::{Client, Response, Verb};
use crate::{ports, process};

/// How often a page is looked at until it has come to what is waited for. A look is work of the browser's, so that
/// they take as much longer on a busy host as the page does.
const LOOKS: u32 = 1_000;
/// The time between two looks.
const GLANCE: Duration = Duration::from_millis(200);

/// What Chromium is started with. As root it has no sandbox of its own; it speaks to nobody but the page's host.
const SWITCHES: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// The colours that a person has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A browser that runs. Dropping it ends it.
pub struct Browser {
    driver: Child,
    client: Client,
    session: String,
}

impl Browser {
    /// Starts one, with nothing in it.
    ///
    /// # Errors
    /// There is no ChromeDriver, or no Chromium that it can start.
    pub fn start() -> Result<Browser> {
        let port = ports::free()?;
        let mut driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver (Debian: chromium-driver)")?;
        let client = Client::new(port);
        while client.get("/status").is_err() {
            let has_ended = driver.try_wait()?.is_some();
            ensure!(!has_ended, "chromedriver ended and did not listen");
            process::pause();
        }
        let mut browser = Browser {
            driver,
            client,
            session: String::new(),
        };
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": SWITCHES },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        }}});
        let session = value(&browser.client.post_json("/session", &wanted)?)?;
        let id = session["sessionId"].as_str().context("a session")?;
        browser.session = format!("/session/{id}");
        Ok(browser)
    }

    /// Opens a page, at this port of 127.0.0.1.
    ///
    /// # Errors
    /// It does not load.
    pub fn open(&self, port: u16, path: &str) -> Result<()> {
        let url = format!("http://127.0.0.1:{port}{path}");
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    /// Runs the body of a function of JavaScript in the page, with these arguments, and gives what it returns;
    /// of a promise, what that comes to.
    ///
    /// # Errors
    /// What the script throws.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        let body = json!({ "script": script, "args": arguments });
        self.post("/execute/sync", &body)
    }

    /// Waits until a script returns something that is true, and gives that.
    ///
    /// # Errors
    /// It did not, however often it was tried; `what` says in the error what was waited for.
    pub fn wait(&self, what: &str, script: &str) -> Result<Value> {
        for _ in 0..LOOKS {
            let found = self.run(script, &[])?;
            if !matches!(found, Value::Null | Value::Bool(false)) {
                return Ok(found);
            }
            // Host's time: the least that a look takes, and not how long they are waited for.
            std::thread::sleep(GLANCE);
        }
        bail!("the page did not show {what}")
    }

    /// Clicks on an element as a person would.
    ///
    /// # Errors
    /// There is none, or it is hidden.
    pub fn click(&self, selector: &str) -> Result<()> {
        let element = self.element(selector)?;
        self.post(&format!("{element}/click"), &json!({})).map(drop)
    }

    /// Types text into an element, behind what is there.
    ///
    /// # Errors
    /// There is none, or it takes no text.
    pub fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.element(selector)?;
        self.post(&format!("{element}/value"), &json!({ "text": text }))
            .map(drop)
    }

    fn element(&self, selector: &str) -> Result<String> {
        let body = json!({ "using": "css selector", "value": selector });
        let found = self.post("/element", &body)?;
        let id = found.as_object().and_then(|object| object.values().next());
        let id = id.and_then(Value::as_str).context("an element")?;
        Ok(format!("/element/{id}"))
    }

    /// Lets the page be so large, in pixels, and in these colours.
    ///
    /// # Errors
    /// The browser does not know how.
    pub fn look_like(&self, (width, height): (u32, u32), scheme: Scheme) -> Result<()> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.command("Emulation.setDeviceMetricsOverride", &metrics)?;
        let scheme = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", &features)
    }

    /// A command of Chromium's own, beyond the standard.
    fn command(&self, name: &str, parameters: &Value) -> Result<()> {
        let body = json!({ "cmd": name, "params": parameters });
        self.post("/goog/cdp/execute", &body).map(drop)
    }

    /// Writes what is to be seen into a file, as PNG.
    ///
    /// # Errors
    /// There is no picture, or no file.
    pub fn picture(&self, file: &Path) -> Result<()> {
        let path = format!("{}/screenshot", self.session);
        let picture = value(&self.client.get(&path)?)?;
        let bytes = STANDARD.decode(picture.as_str().context("a picture")?)?;
        fs::write(file, bytes).with_context(|| file.display().to_string())
    }

    /// What the browser has to say of the page since this was last asked: complaints of its own and of scripts.
    ///
    /// # Errors
    /// It does not keep that.
    pub fn complaints(&self) -> Result<Vec<String>> {
        let entries = self.post("/se/log", &json!({ "type": "browser" }))?;
        let entries = entries.as_array().context("a list")?;
        Ok(entries
            .iter()
            .map(|entry| entry["message"].to_string())
            .collect())
    }

    /// The addresses that the page has asked for since this was last asked.
    ///
    /// # Errors
    /// The browser does not keep them.
    pub fn asked_for(&self) -> Result<Vec<String>> {
        let entries = self.post("/se/log", &json!({ "type": "performance" }))?;
        let mut addresses = Vec::new();
        for entry in entries.as_array().context("a list")? {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap_or("{}"))?;
            let message = &message["message"];
            if message["method"] == "Network.requestWillBeSent" {
                let address = message["params"]["request"]["url"].as_str();
                addresses.push(address.context("an address")?.to_owned());
            }
        }
        Ok(addresses)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let path = format!("{}{path}", self.session);
        value(&self.client.post_json(&path, body)?).with_context(|| path)
    }
}

/// What an answer of the driver's says ("WebDriver", "Processing Model").
fn value(response: &Response) -> Result<Value> {
    let mut answer: Value = serde_json::from_slice(&response.body)?;
    let value = answer["value"].take();
    if response.status != 200 {
        bail!("{}: {}", value["error"], value["message"]);
    }
    Ok(value)
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.client.ask(Verb::Delete, &self.session, &[]);
        }
        let _ = process::signal(&self.driver, Signal::SIGTERM);
        process::end(&mut self.driver);
    }
}
