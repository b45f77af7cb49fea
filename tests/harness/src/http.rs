//! A client of the machine: ordinary requests, and bytes that no ordinary client would send.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ureq::{Agent, SendBody};

/// How long a request may take, all in all, and a connection be silent. A machine that does not answer is ended by its
/// own limit, which ends its connections; this is for mistakes of the harness, and longer than any host can need.
const BACKSTOP: Duration = Duration::from_secs(30 * 60);

/// Most bytes of a response that are read.
const MOST: u64 = 64 << 20;

/// A client with a connection of its own that it keeps.
pub struct Client {
    agent: Agent,
    port: u16,
}

/// A method without a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET.
    Get,
    /// DELETE.
    Delete,
}

/// A response, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names, in small letters, and values, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// A client of the machine behind `port` of 127.0.0.1.
    #[must_use]
    pub fn new(port: u16) -> Client {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Host's time: no machine is judged by it.
            .timeout_global(Some(BACKSTOP))
            .max_redirects(0)
            .build();
        Client {
            agent: config.into(),
            port,
        }
    }

    /// Asks for `path`.
    ///
    /// # Errors
    /// No response came.
    pub fn get(&self, path: &str) -> Result<Response> {
        let response = self.agent.get(self.url(path)).call();
        receive(response).with_context(|| format!("GET {path}"))
    }

    /// Sends `body` with its length.
    ///
    /// # Errors
    /// No response came.
    pub fn post(&self, path: &str, body: &[u8]) -> Result<Response> {
        let response = self.agent.post(self.url(path)).send(body);
        receive(response).with_context(|| format!("POST {path}, {} bytes", body.len()))
    }

    /// Sends `body` in chunks, without saying its length first.
    ///
    /// # Errors
    /// No response came.
    pub fn post_chunked(&self, path: &str, mut body: &[u8]) -> Result<Response> {
        let bytes = body.len();
        let response = self
            .agent
            .post(self.url(path))
            .send(SendBody::from_reader(&mut body));
        receive(response).with_context(|| format!("POST {path}, {bytes} bytes in chunks"))
    }

    /// Sends `body` by PUT, with these header fields.
    ///
    /// # Errors
    /// No response came.
    pub fn put(&self, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Result<Response> {
        let mut request = self.agent.put(self.url(path));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        receive(request.send(body)).with_context(|| format!("PUT {path}, {} bytes", body.len()))
    }

    /// Asks for `path` by DELETE or GET, with these header fields.
    ///
    /// # Errors
    /// No response came.
    pub fn ask(&self, verb: Verb, path: &str, fields: &[(&str, &str)]) -> Result<Response> {
        let mut request = match verb {
            Verb::Get => self.agent.get(self.url(path)),
            Verb::Delete => self.agent.delete(self.url(path)),
        };
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        receive(request.call()).with_context(|| format!("{verb:?} {path}"))
    }

    /// Sends `body` as JSON.
    ///
    /// # Errors
    /// No response came.
    pub fn post_json(&self, path: &str, body: &serde_json::Value) -> Result<Response> {
        let request = self.agent.post(self.url(path));
        let request = request.header("content-type", "application/json");
        receive(request.send(body.to_string())).with_context(|| format!("POST {path}"))
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

fn receive(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Response> {
    let mut response = response?;
    let headers = response.headers().iter();
    let headers = headers
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let status = response.status().as_u16();
    let body = response
        .body_mut()
        .with_config()
        .limit(MOST)
        .read_to_vec()?;
    Ok(Response {
        status,
        headers,
        body,
    })
}

impl Response {
    /// The value of a header, by its name in small letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// What became of the sandbox: the value of `luge-outcome`.
    #[must_use]
    pub fn outcome(&self) -> Option<&str> {
        self.header("luge-outcome")
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Checks that this is a 200 with `body`.
    ///
    /// # Errors
    /// It is not.
    pub fn expect(&self, body: impl AsRef<[u8]>) -> Result<()> {
        let expected = body.as_ref();
        self.expect_status(200)?;
        if self.body == expected {
            return Ok(());
        }
        let (length, wanted) = (self.body.len(), expected.len());
        let at = self
            .body
            .iter()
            .zip(expected)
            .take_while(|(a, b)| a == b)
            .count();
        bail!(
            "the body has {length} bytes, {wanted} were expected; they differ from byte {at} on: {}",
            self.excerpt()
        )
    }

    /// Checks the status.
    ///
    /// # Errors
    /// It is another one.
    pub fn expect_status(&self, status: u16) -> Result<()> {
        let (came, outcome) = (self.status, self.outcome());
        ensure!(
            came == status,
            "status {came}, outcome {outcome:?}, expected {status}: {}",
            self.excerpt()
        );
        Ok(())
    }

    /// Checks that the sandbox ended with `outcome`, for instance `trap stack-overflow`.
    ///
    /// # Errors
    /// The status is not 500, or the outcome another one.
    pub fn expect_outcome(&self, outcome: &str) -> Result<()> {
        self.expect_status(500)?;
        ensure!(
            self.outcome() == Some(outcome),
            "outcome {:?}, expected {outcome:?}",
            self.outcome()
        );
        Ok(())
    }

    fn excerpt(&self) -> String {
        self.text().chars().take(200).collect()
    }
}

/// A connection on which anything may be sent.
pub struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects to the machine behind `port` of 127.0.0.1.
    ///
    /// # Errors
    /// Whatever connecting fails with.
    pub fn connect(port: u16) -> Result<Raw> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connecting")?;
        // Host's time: no machine is judged by it.
        stream.set_read_timeout(Some(BACKSTOP))?;
        stream.set_write_timeout(Some(BACKSTOP))?;
        stream.set_nodelay(true)?;
        Ok(Raw { stream })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The other side has closed, or takes nothing.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref()).context("sending")
    }

    /// The connection itself.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Everything up to the end of the stream.
    ///
    /// # Errors
    /// The other side neither sends nor closes.
    pub fn read_to_end(&mut self) -> Result<String> {
        let mut all = Vec::new();
        self.stream
            .read_to_end(&mut all)
            .context("reading to the end")?;
        Ok(String::from_utf8_lossy(&all).into_owned())
    }

    /// A body in chunks, without trailers.
    ///
    /// # Errors
    /// The stream ends before, or there is something else in it.
    pub fn read_chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                ensure!(line.len() < 20, "no size of a chunk: {line:?}");
                let mut byte = [0];
                self.stream.read_exact(&mut byte).context("a size line")?;
                line.push(byte[0]);
            }
            let size = std::str::from_utf8(&line)?.trim_end();
            let size = usize::from_str_radix(size, 16).context("a chunk's size")?;
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk).context("a chunk")?;
            ensure!(chunk.ends_with(b"\r\n"), "a chunk ends elsewhere");
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Everything up to the end of a response's head.
    ///
    /// # Errors
    /// The stream ends before, or nothing comes.
    pub fn read_head(&mut self) -> Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            ensure!(
                self.stream.read(&mut byte).context("reading a head")? == 1,
                "no whole head came"
            );
            head.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&head).into_owned())
    }
}

/// The status code in the first line of a response.
///
/// # Errors
/// This is no response.
pub fn status_of(response: &str) -> Result<u16> {
    let code = response
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    let code = code.with_context(|| {
        format!(
            "no response: {:?}",
            response.chars().take(80).collect::<String>()
        )
    })?;
    code.parse().context("a status code")
}
