//! A page that may be long: written in parts, each when the client has taken the one before.
//!
//! A part is some kilobytes, and so much of a page is in memory at most. Those that wait for a part get
//! one each in the order in which they asked, and between two parts, whoever they are for, the rest of
//! the machine goes on ([`Turns`]).

use alloc::boxed::Box;
use alloc::string::String;
use core::cell::Cell;
use core::fmt::{self, Write};

use luge_http::{
    Date, Framing, Head, Method, Outgoing, Persistence, Response, Status, Version, last_chunk,
};

use super::exchange::push;
use super::{count_host_answer, kept};
use crate::arch::time::Instant;
use crate::functions::Table;
use crate::observe::text::{Rest, Text};

/// A part ends with the line that makes it so long, in bytes.
const PART_BYTES: usize = 2 << 10;
/// Time from the end of a part to the beginning of the next.
const PAUSE_NS: u64 = 200_000;

/// A page that is being written.
pub(super) struct Writing {
    text: Box<dyn Text>,
    content_type: &'static str,
    is_head: bool,
    framing: Framing,
    /// What follows the page.
    persistence: Persistence,
    is_begun: bool,
    ticket: u64,
}

/// What writing a part came to.
#[must_use]
pub(super) enum Part {
    /// It is queued, and more follows.
    More,
    /// It is queued, and it was the last; this becomes of the connection.
    Last(Persistence),
    /// There is no memory for the first; nothing is queued.
    NoMemory,
    /// There is no memory for one, and the connection must be reset for the client to see that.
    Broken,
}

/// Who may write a part, and when.
pub(super) struct Turns {
    /// The number of the next ticket.
    next: Cell<u64>,
    /// When the next part may be written.
    at: Instant,
    turn: Cell<Turn>,
}

/// Whose turn it is to write a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Nobodys,
    /// Whose ticket this is.
    Of(u64),
    /// It was somebody's, who has written.
    Used,
}

impl Turns {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            next: Cell::new(0),
            at: now,
            turn: Cell::new(Turn::Nobodys),
        }
    }

    /// Lets the first of those who wait write a part, if it is time.
    pub(super) fn call(&mut self, now: Instant, waiting: impl Iterator<Item = u64>) {
        let first = waiting.min().filter(|_| self.at <= now);
        self.turn.set(first.map_or(Turn::Nobodys, Turn::Of));
    }

    /// When to call again if somebody waits. To be asked once all have had the chance to write.
    pub(super) fn next_call(&mut self) -> Instant {
        if self.turn.get() == Turn::Used {
            self.at = Instant::now().plus_ns(PAUSE_NS);
        }
        self.at
    }

    /// Whether it is the turn of this ticket, which is used up by that.
    fn take(&self, ticket: u64) -> bool {
        let is_mine = self.turn.get() == Turn::Of(ticket);
        if is_mine {
            self.turn.set(Turn::Used);
        }
        is_mine
    }

    fn ticket(&self) -> u64 {
        let ticket = self.next.get();
        self.next.set(ticket + 1);
        ticket
    }
}

impl Writing {
    /// The answer to a request for this text.
    pub(super) fn new(
        text: Box<dyn Text>,
        content_type: &'static str,
        head: &Head,
        persistence: Persistence,
        turns: &Turns,
    ) -> Self {
        let framing = match head.version {
            Version::Http11 => Framing::ChunkedAlone,
            Version::Http10 => Framing::UntilClose,
        };
        Self {
            text,
            content_type,
            is_head: head.method == Method::Head,
            framing,
            persistence,
            is_begun: false,
            ticket: turns.ticket(),
        }
    }

    /// By which it is called.
    pub(super) fn ticket(&self) -> u64 {
        self.ticket
    }

    /// Whether a part may be written now, which is then to be done.
    pub(super) fn may_go_on(&mut self, outgoing: &Outgoing, turns: &Turns) -> bool {
        let may = outgoing.is_empty() && turns.take(self.ticket);
        if may {
            self.ticket = turns.ticket();
        }
        may
    }

    /// Writes a part.
    pub(super) fn go_on(
        &mut self,
        outgoing: &mut Outgoing,
        table: &Table,
        date: Option<Date>,
    ) -> Part {
        let Ok((text, rest)) = self.next_part(table) else {
            return match (self.is_begun, self.framing) {
                (false, _) => Part::NoMemory,
                // The last chunk is missing, so an orderly end is enough.
                (true, Framing::ChunkedAlone) => Part::Last(Persistence::Close),
                (true, _) => Part::Broken,
            };
        };
        if !self.is_begun {
            self.begin(&text, rest, outgoing, date);
        }
        if self.is_head {
            return Part::Last(self.persistence);
        }
        push(outgoing, self.framing, text.into_bytes());
        if rest == Rest::More {
            return Part::More;
        }
        if self.framing == Framing::ChunkedAlone {
            outgoing.push_fixed(last_chunk());
        }
        Part::Last(self.persistence)
    }

    fn next_part(&mut self, table: &Table) -> Result<(String, Rest), fmt::Error> {
        let mut part = Careful(String::new());
        part.0
            .try_reserve(PART_BYTES * 3 / 2)
            .map_err(|_| fmt::Error)?;
        let mut rest = Rest::More;
        while rest == Rest::More && part.0.len() < PART_BYTES {
            rest = self.text.write_next(&mut part, table)?;
        }
        Ok((part.0, rest))
    }

    /// Queues the head. A page that is one part has its length told.
    fn begin(&mut self, first: &str, rest: Rest, outgoing: &mut Outgoing, date: Option<Date>) {
        if rest == Rest::Nothing {
            self.framing = Framing::Length(first.len() as u64);
        }
        if self.framing == Framing::UntilClose {
            self.persistence = Persistence::Close;
        }
        let response = Response {
            content_type: self.content_type,
            framing: self.framing,
            persistence: self.persistence,
            date,
            kept: kept::fields(),
            ..Response::text(Status::Ok, 0)
        };
        count_host_answer(Status::Ok);
        outgoing.push(response.encode(0));
        self.is_begun = true;
    }
}

/// A text that ends, with an error, where memory does.
pub(super) struct Careful(pub(super) String);

impl Write for Careful {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.0.try_reserve(more.len()).map_err(|_| fmt::Error)?;
        self.0.push_str(more);
        Ok(())
    }
}
