//! The Trace Event Format, as its specification of that name has it ("JSON Object Format").
//!
//! There are two groups of tracks. In "cpu" a slice is a turn of a sandbox on the CPU, named by its route
//! and number. In "requests" each sandbox has a track of its own, with its life as a slice and everything
//! else as instants.

use core::fmt::{self, Write};

use crate::{Event, Kind, NO_ROUTE, Ring};

/// The groups of tracks.
const CPU: u8 = 0;
const REQUESTS: u8 = 1;

/// A ring as JSON, written event by event. The ring may go on meanwhile.
///
/// What is written is what was there when it began. An event whose place was taken before its turn came is
/// lost, and counted as such at the end.
pub struct Trace {
    /// The number of the event that is to be written next.
    next: u64,
    /// That of the first that is not written any more.
    end: u64,
    lost: u64,
    is_begun: bool,
    /// Whose turn on the CPU the slice is that is open.
    running: Option<Event>,
}

impl Trace {
    /// The events that are there now.
    #[must_use]
    pub const fn new(ring: &Ring) -> Self {
        Self {
            next: ring.lost(),
            end: ring.lost() + ring.len() as u64,
            lost: ring.lost(),
            is_begun: false,
            running: None,
        }
    }

    /// Writes the next event, with what it needs around it; `name` tells the name of a route by its number.
    /// Says whether more follows.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_next<'n>(
        &mut self,
        out: &mut dyn Write,
        ring: &Ring,
        name: impl Fn(u16) -> Option<&'n str>,
    ) -> Result<bool, fmt::Error> {
        if !self.is_begun {
            self.is_begun = true;
            write_beginning(out)?;
        }
        // Where the numbers go on, if the ring was faster.
        let first = ring.lost().min(self.end);
        let is_behind = self.next < first;
        self.lost += first.saturating_sub(self.next);
        self.next = self.next.max(first);
        let event = ring.get(self.next).filter(|_| self.next < self.end);
        let Some(event) = event else {
            write!(out, "\n],\"otherData\":{{\"lost\":{}}}}}\n", self.lost)?;
            return Ok(false);
        };
        if let Some(running) = self.running.take_if(|_| is_behind) {
            // The end of that turn is among what was lost.
            let at_ns = event.at_ns;
            Line::on_cpu(&Event { at_ns, ..running }, 'E').write(out, &name)?;
        }
        for line in lines(event, self.running.is_some()).into_iter().flatten() {
            line.write(out, &name)?;
        }
        self.running = match event.kind {
            Kind::Dispatch => Some(*event),
            Kind::Preempt | Kind::Block | Kind::Finish => None,
            _ => self.running,
        };
        self.next += 1;
        Ok(true)
    }
}

/// One line of the JSON.
struct Line<'e> {
    event: &'e Event,
    process: u8,
    phase: char,
    label: Option<&'static str>,
}

impl<'e> Line<'e> {
    const fn on_cpu(event: &'e Event, phase: char) -> Self {
        Self {
            event,
            process: CPU,
            phase,
            label: None,
        }
    }

    fn write<'n>(&self, out: &mut dyn Write, name: impl Fn(u16) -> Option<&'n str>) -> fmt::Result {
        write!(out, ",\n{{\"name\":\"")?;
        let route = self.event.route;
        let name = name(route).filter(|_| route != NO_ROUTE);
        write_escaped(out, name.unwrap_or("host"))?;
        match self.label {
            Some(label) => write!(out, " {label}")?,
            None => write!(out, " #{}", self.event.task)?,
        }
        let Event { at_ns, task, .. } = self.event;
        let thread = if self.process == CPU { 0 } else { *task };
        write!(
            out,
            "\",\"ph\":\"{}\",\"ts\":{}.{:03},\"pid\":{},\"tid\":{thread}",
            self.phase,
            at_ns / 1_000,
            at_ns % 1_000,
            self.process,
        )?;
        // An instant is drawn on its own track alone.
        let scope = if self.phase == 'i' {
            ",\"s\":\"t\""
        } else {
            ""
        };
        write!(out, "{scope}}}")
    }
}

/// What an event is on the two groups of tracks. `is_running` is whether the CPU's track has a slice open.
fn lines(event: &Event, is_running: bool) -> [Option<Line<'_>>; 2] {
    let on_cpu = |phase| Some(Line::on_cpu(event, phase));
    let of_request = |phase, label| {
        Some(Line {
            process: REQUESTS,
            label,
            ..Line::on_cpu(event, phase)
        })
    };
    let instant = of_request('i', Some(event.kind.as_str()));
    // Of what was running when the first event was written, the beginning is lost.
    let end_of_turn = || is_running.then(|| on_cpu('E')).flatten();
    match event.kind {
        Kind::Arrive => [of_request('B', None), None],
        Kind::Finish => [end_of_turn(), of_request('E', None)],
        Kind::Kill => [instant, of_request('E', None)],
        Kind::Dispatch => [on_cpu('B'), None],
        Kind::Preempt => [end_of_turn(), None],
        Kind::Block => [end_of_turn(), instant],
        Kind::Admit | Kind::Refuse | Kind::Resume | Kind::Miss => [instant, None],
    }
}

fn write_beginning(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    write_process(out, CPU, "cpu")?;
    out.write_str(",\n")?;
    write_process(out, REQUESTS, "requests")
}

fn write_process(out: &mut dyn Write, process: u8, name: &str) -> fmt::Result {
    write!(
        out,
        "{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":{process},\"tid\":0,\"args\":{{\"name\":\"{name}\"}}}}"
    )
}

/// A text as JSON wants it.
fn write_escaped(out: &mut dyn Write, text: &str) -> fmt::Result {
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(out, "\\{character}")?,
            '\0'..='\x1f' => write!(out, "\\u{:04x}", u32::from(character))?,
            _ => write!(out, "{character}")?,
        }
    }
    Ok(())
}
