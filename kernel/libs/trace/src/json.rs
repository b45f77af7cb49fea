//! The Trace Event Format, as its specification of that name has it ("JSON Object Format").
//!
//! There are two groups of tracks. In "cpu" a slice is a turn of a sandbox on the CPU, named by its route
//! and number. In "requests" each sandbox has a track of its own, with its life as a slice and everything
//! else as instants.

use core::fmt::{self, Display, Formatter};

use crate::{Event, Kind, NO_ROUTE, Ring};

/// The groups of tracks.
const CPU: u8 = 0;
const REQUESTS: u8 = 1;

/// A ring as JSON.
pub struct Trace<'a, N> {
    ring: &'a Ring,
    name: N,
}

impl<'a, N: Fn(u16) -> Option<&'a str>> Trace<'a, N> {
    /// The ring's events, with `name` to tell the name of a route by its number.
    pub const fn new(ring: &'a Ring, name: N) -> Self {
        Self { ring, name }
    }

    fn write(&self, f: &mut Formatter<'_>, out: &Out<'_>) -> fmt::Result {
        write!(f, ",\n{{\"name\":\"")?;
        let route = out.event.route;
        let name = (self.name)(route).filter(|_| route != NO_ROUTE);
        write_escaped(f, name.unwrap_or("host"))?;
        match out.label {
            Some(label) => write!(f, " {label}")?,
            None => write!(f, " #{}", out.event.task)?,
        }
        let Event { at_ns, task, .. } = out.event;
        let thread = if out.process == CPU { 0 } else { *task };
        write!(
            f,
            "\",\"ph\":\"{}\",\"ts\":{}.{:03},\"pid\":{},\"tid\":{thread}",
            out.phase,
            at_ns / 1_000,
            at_ns % 1_000,
            out.process,
        )?;
        // An instant is drawn on its own track alone.
        let scope = if out.phase == 'i' { ",\"s\":\"t\"" } else { "" };
        write!(f, "{scope}}}")
    }
}

/// One line of the JSON.
struct Out<'e> {
    event: &'e Event,
    process: u8,
    phase: char,
    label: Option<&'static str>,
}

/// What an event is on the two groups of tracks. `is_running` is whether the CPU's track has a slice open.
fn lines(event: &Event, is_running: bool) -> [Option<Out<'_>>; 2] {
    let line = |process, phase, label| {
        Some(Out {
            event,
            process,
            phase,
            label,
        })
    };
    let instant = line(REQUESTS, 'i', Some(event.kind.as_str()));
    // Of what was running when the ring's oldest event was written, the beginning is lost.
    let end_of_turn = || is_running.then(|| line(CPU, 'E', None)).flatten();
    match event.kind {
        Kind::Arrive => [line(REQUESTS, 'B', None), None],
        Kind::Finish => [end_of_turn(), line(REQUESTS, 'E', None)],
        Kind::Kill => [instant, line(REQUESTS, 'E', None)],
        Kind::Dispatch => [line(CPU, 'B', None), None],
        Kind::Preempt => [end_of_turn(), None],
        Kind::Block => [end_of_turn(), instant],
        Kind::Admit | Kind::Refuse | Kind::Resume | Kind::Miss => [instant, None],
    }
}

impl<'a, N: Fn(u16) -> Option<&'a str>> Display for Trace<'a, N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"lost\":{}}},\"traceEvents\":[",
            self.ring.lost()
        )?;
        write_process(f, CPU, "cpu")?;
        f.write_str(",\n")?;
        write_process(f, REQUESTS, "requests")?;
        let mut is_running = false;
        for event in self.ring.events() {
            for line in lines(event, is_running).into_iter().flatten() {
                self.write(f, &line)?;
            }
            is_running = match event.kind {
                Kind::Dispatch => true,
                Kind::Preempt | Kind::Block | Kind::Finish => false,
                _ => is_running,
            };
        }
        f.write_str("\n]}\n")
    }
}

fn write_process(f: &mut Formatter<'_>, process: u8, name: &str) -> fmt::Result {
    write!(
        f,
        "{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":{process},\"tid\":0,\"args\":{{\"name\":\"{name}\"}}}}"
    )
}

/// A text as JSON wants it.
fn write_escaped(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(character))?,
            _ => write!(f, "{character}")?,
        }
    }
    Ok(())
}
