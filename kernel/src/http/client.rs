//! One connection, from its first byte to its last.
//!
//! ```text
//!  Reading ──head of a function──▶ Receiving ──body──▶ Running ──ended──▶ Sending
//!   ▲  │                              │                                  ▲ │
//!   │  ├── page, refusal ─────────────┴── refusal ───────────────────────┤ │
//!   │  └── long page ──▶ Writing ──────── last part ─────────────────────┘ │
//!   └──────────────── everything sent, connection kept ───────────────────┘
//! ```
//! What is queued to be sent is sent in every phase, as far as the socket has room.

mod answers;
mod probes;

use core::cell::Cell;
use core::mem;

use luge_http::{
    Accepted, Connection, Date, Event, Expired, Head, Holder, Limits, Method, Outgoing,
    Persistence, Reading, Refusal, Status, Yields, continue_line,
};

use super::admin::{self, Demand};
use super::exchange::{Call, Progress};
use super::fate::{Fate, Moved};
use super::kept;
use super::pages;
use super::readers::{self, Lacks};
use super::work::{Purpose, Work};
use super::writing::Writing;
use super::{SECOND_NS, Surroundings};
use crate::arch::time::{Instant, earlier};
use crate::mm::bodies::Body;
use crate::mm::idle;
use crate::net::{Link, Peer, Stack};
use probes::Probes;

/// What a client is told whose body finds no room beside those of the others.
const NO_BODY_ROOM: Refusal = Refusal::new(
    Status::ServiceUnavailable,
    "there is no room for the body beside those of other requests",
);
/// Methods of functions.
const FUNCTION_METHODS: &str = "GET, HEAD, POST, PUT, OPTIONS";
/// Methods of the host's own pages.
const PAGE_METHODS: &str = "GET, HEAD, OPTIONS";

enum Phase {
    Reading,
    Receiving(Purpose),
    Running(Work),
    Writing(Writing),
    Sending,
}

/// A connection and what happens on it.
pub(super) struct Client {
    port: u16,
    link: Link,
    connection: Connection<Body>,
    outgoing: Outgoing,
    phase: Phase,
    /// What follows the answer.
    persistence: Persistence,
    /// How fast it takes its answer.
    reading: Reading,
    /// How it is found out whether the client still waits, once it has said that it will send nothing more.
    probes: Probes,
    /// Its place is wanted.
    is_given_up: bool,
    /// When what it reads arrived, at the latest; a request that came before the one ahead of it was answered arrived
    /// when it was.
    arrived: Instant,
    /// Its request is a HEAD: answers have no body, whoever they are from.
    is_head: bool,
}

/// What a connection may take.
fn limits() -> Limits {
    Limits {
        idle_time_ns: kept::seconds() * SECOND_NS,
        answer_time_ns: readers::answer_time_ns(),
        ..Limits::default()
    }
}

impl Client {
    pub(super) fn new(link: Link, now: Instant) -> Self {
        Self {
            port: link.port(),
            link,
            connection: Connection::new(limits(), now.as_ns()),
            outgoing: Outgoing::new(),
            phase: Phase::Reading,
            persistence: Persistence::KeepAlive,
            reading: Reading::new(&limits()),
            probes: Probes::default(),
            is_given_up: false,
            arrived: now,
            is_head: false,
        }
    }

    /// Gives the link back; a function that still runs for it is cancelled.
    pub(super) fn leave(self) -> Link {
        if let Phase::Running(work) = &self.phase {
            work.cancel();
        }
        self.link
    }

    /// Bytes of request body that are in memory for this client.
    pub(super) fn body_bytes(&self) -> usize {
        match &self.phase {
            Phase::Receiving(_) => self.connection.body_bytes(),
            Phase::Running(work) => work.body_bytes(),
            Phase::Reading | Phase::Writing(_) | Phase::Sending => 0,
        }
    }

    /// Whether a body that it sends takes memory.
    pub(super) fn has_part_of_body(&self) -> bool {
        matches!(self.phase, Phase::Receiving(_)) && self.connection.body_bytes() > 0
    }

    /// What it holds its place with, as one of many: `takes` is how much it has of what there is need of.
    pub(super) fn holder(&self, place: usize, takes: usize, yields: Option<Yields>) -> Holder {
        Holder {
            index: place,
            port: self.port,
            peer: self.link.peer(),
            takes,
            yields,
        }
    }

    /// Whether its socket can be given to another. Not while a request of it is served, nor if something has come that
    /// its next step looks at.
    pub(super) fn yields(&self, stack: &Stack, now: Instant) -> Option<Yields> {
        match &self.phase {
            _ if self.is_given_up => None,
            Phase::Reading | Phase::Receiving(_) => {
                let yields = self.connection.yields(now.as_ns())?;
                (!self.has_unread(stack)).then_some(yields)
            }
            Phase::Running(work) if !work.is_answering() => None,
            Phase::Running(_) | Phase::Writing(_) | Phase::Sending => {
                let left_ns = self.slow_reader_ns(now)?;
                Some(match self.has_unread(stack) {
                    true => Yields::Unread(left_ns),
                    false => Yields::Slow(left_ns),
                })
            }
        }
    }

    /// How long it has left to take something, in nanoseconds, if it has been slow in taking its answer.
    fn slow_reader_ns(&self, now: Instant) -> Option<u64> {
        let left_ns = self.reading.left_ns(now.as_ns())?;
        let is_slow = left_ns + Limits::NOT_SLOW_YET_NS <= Limits::default().body_pause_ns;
        is_slow.then_some(left_ns)
    }

    /// Whether the sandbox that runs for it, which has what a request to `port` lacks, can make way for that: if it is slow
    /// in taking the answer.
    pub(super) fn yields_sandbox(&self, lacks: Lacks, port: u16, now: Instant) -> Option<Yields> {
        match &self.phase {
            Phase::Running(work) if !self.is_given_up && work.has(lacks, self.port == port) => {
                self.slow_reader_ns(now).map(Yields::Slow)
            }
            _ => None,
        }
    }

    /// Whether the memory of its part of a body can be given to another. One that waits for more is the last to go.
    pub(super) fn yields_body(&self, stack: &Stack, now: Instant) -> Option<Yields> {
        if self.is_given_up || !self.has_part_of_body() {
            return None;
        }
        match self.connection.yields(now.as_ns())? {
            Yields::Slow(left_ns) if self.has_unread(stack) => Some(Yields::Unread(left_ns)),
            yields => Some(yields),
        }
    }

    /// Has it given up by its next step, since others have need of what it has.
    pub(super) fn give_up(&mut self) {
        self.is_given_up = true;
    }

    /// Whether something that it has sent has not been looked at.
    fn has_unread(&self, stack: &Stack) -> bool {
        stack.can_read(&self.link)
    }

    /// Does what can be done now.
    pub(super) fn step(&mut self, stack: &mut Stack, around: &Surroundings<'_>) -> Fate {
        let peer = stack.peer(&self.link);
        if peer == Peer::Gone {
            return Fate::Close;
        }
        if mem::take(&mut self.is_given_up) {
            match self.phase {
                Phase::Reading if self.connection.is_idle() => return Fate::Close,
                Phase::Reading | Phase::Receiving(_) => {}
                Phase::Running(_) | Phase::Writing(_) | Phase::Sending => {
                    readers::count_made_room();
                    return self.give_reader_up();
                }
            }
            let refusal = self.connection.give_up();
            let _ = self.refuse(refusal, around);
        }
        self.arrived = around.now;
        loop {
            let went_on = match mem::replace(&mut self.phase, Phase::Reading) {
                Phase::Reading => self.read(stack, around, None),
                Phase::Receiving(purpose) => self.read(stack, around, Some(purpose)),
                Phase::Running(work) => self.run(work, around.date),
                Phase::Writing(writing) => self.write(writing, around),
                Phase::Sending => self.sent(),
            };
            self.flush(stack, around.now);
            match went_on {
                Moved::On => {}
                Moved::Not => break,
                Moved::Out(fate) => return fate,
            }
        }
        self.linger(peer, stack, around.now)
    }

    /// Reads on, towards a head or (for `purpose`) towards the end of its body.
    fn read(
        &mut self,
        stack: &mut Stack,
        around: &Surroundings<'_>,
        purpose: Option<Purpose>,
    ) -> Moved {
        let now_ns = around.now.as_ns();
        if purpose.is_none() && stack.can_read(&self.link) && idle::is_kernel_short() {
            let refusal = self.connection.turn_away();
            return self.refuse(refusal, around);
        }
        let (event, was_read) = match purpose {
            Some(_) => self.next_event(stack, now_ns, &around.body_room),
            None => self.next_event(stack, now_ns, &Cell::new(usize::MAX)),
        };
        match (event, purpose) {
            (Some(Event::Head(head)), _) => self.decide(head, around),
            (Some(Event::Body(body)), Some(purpose)) => self.start(purpose, body, around),
            (Some(Event::Body(_)), None) => unreachable!("a body belongs to something"),
            (Some(Event::Refused(refusal)), _) => self.refuse(refusal, around),
            (None, purpose) => {
                self.phase = purpose.map_or(Phase::Reading, Phase::Receiving);
                match self.connection.expire(now_ns) {
                    Some(Expired::Idle) => Moved::Out(Fate::Close),
                    Some(Expired::Refused(refusal)) => self.refuse(refusal, around),
                    None if was_read => Moved::On,
                    None if stack.can_read(&self.link) => {
                        if around.waits_for_body_room(self.has_part_of_body()) {
                            return Moved::Not;
                        }
                        self.refuse(NO_BODY_ROOM, around)
                    }
                    None => Moved::Not,
                }
            }
        }
    }

    /// Feeds the connection up to its next event, with `room` bytes at most; also says whether it took
    /// anything.
    fn next_event(
        &mut self,
        stack: &mut Stack,
        now_ns: u64,
        room: &Cell<usize>,
    ) -> (Option<Event<Body>>, bool) {
        let (connection, mut event, mut was_read) = (&mut self.connection, None, false);
        stack.read(&self.link, |bytes| {
            if event.is_some() {
                return 0;
            }
            let most = room.get().saturating_add(connection.body_spare_bytes());
            let bytes = &bytes[..bytes.len().min(most)];
            let before = connection.body_bytes();
            let received = connection.receive(bytes, now_ns);
            let grown_by = connection.body_bytes().saturating_sub(before);
            room.set(room.get().saturating_sub(grown_by));
            was_read |= received.taken > 0;
            event = received.event;
            received.taken
        });
        (event, was_read)
    }

    /// A head is complete: whose is it?
    fn decide(&mut self, head: Head, around: &Surroundings<'_>) -> Moved {
        self.is_head = head.method == Method::Head;
        self.probes = Probes::of(head.version);
        let is_page_method = matches!(head.method, Method::Get | Method::Head);
        if let Method::Other(_) = head.method {
            return self.not_allowed(FUNCTION_METHODS, around);
        }
        if let Some(found) = pages::find(&head, self.port, around) {
            return match head.method {
                _ if is_page_method || found.is_misdirected() => self.page(found, &head, around),
                Method::Options => self.options(PAGE_METHODS, around),
                _ => self.not_allowed(PAGE_METHODS, around),
            };
        }
        match admin::demand(&head, self.port, around) {
            Demand::None => {}
            Demand::Found(found) => return self.page(found, &head, around),
            Demand::NotAllowed(methods) => return self.not_allowed(methods, around),
            Demand::Options(methods) => return self.options(methods, around),
            Demand::Upload(upload) => return self.receive(Purpose::Upload(upload), around),
        }
        if head.method == Method::Delete {
            return self.not_allowed(FUNCTION_METHODS, around);
        }
        let function = around.table.lookup(self.port, &head.path);
        if head.method == Method::Options {
            return match (function, &*head.path) {
                (Some(_), _) => self.options(FUNCTION_METHODS, around),
                // What can be asked of the server, whoever else has its pages.
                (None, "/" | "*") => self.options(PAGE_METHODS, around),
                (None, _) => self.nothing_there(&head, around),
            };
        }
        let Some(function) = function else {
            return self.nothing_there(&head, around);
        };
        let call = Call::new(function.clone(), head);
        self.receive(Purpose::Call(call), around)
    }

    /// The body is wanted.
    fn receive(&mut self, purpose: Purpose, around: &Surroundings<'_>) -> Moved {
        let limit = purpose.body_limit();
        if self.connection.announces_much()
            && let Some(refused) = purpose.refused_already(around.now)
        {
            self.persistence = self.connection.decline();
            return self.turn_away(refused, around);
        }
        match self.connection.accept(limit, around.now.as_ns()) {
            Accepted::Complete => return self.start(purpose, Body::default(), around),
            Accepted::Body => {}
            Accepted::BodyAfterContinue => self.outgoing.push_fixed(continue_line()),
            Accepted::Refused(refusal) => return self.refuse(refusal, around),
        }
        self.phase = Phase::Receiving(purpose);
        Moved::On
    }

    /// Everything that the function needs is here.
    fn start(&mut self, purpose: Purpose, body: Body, around: &Surroundings<'_>) -> Moved {
        self.persistence = purpose.persistence();
        match purpose.start(body, self.arrived, around.date) {
            Ok(work) => {
                self.phase = Phase::Running(work);
                Moved::On
            }
            Err(refused) => {
                if let Some(lacks) = refused.lacks {
                    around.lacks.set(Some((lacks, self.port)));
                }
                self.turn_away(refused, around)
            }
        }
    }

    fn run(&mut self, mut work: Work, date: Option<Date>) -> Moved {
        match work.go_on(&mut self.outgoing, date) {
            Progress::Running => {
                self.phase = Phase::Running(work);
                Moved::Not
            }
            Progress::Answered(persistence) => {
                self.persistence = persistence;
                self.phase = Phase::Sending;
                Moved::On
            }
            Progress::Broken => Moved::Out(Fate::Abort),
        }
    }

    /// Once everything is sent: the next request, or the end.
    fn sent(&mut self) -> Moved {
        if !self.outgoing.is_empty() {
            self.phase = Phase::Sending;
            return Moved::Not;
        }
        match self.persistence {
            Persistence::Close => Moved::Out(Fate::Close),
            Persistence::KeepAlive => {
                self.arrived = Instant::now();
                self.connection.finish(self.arrived.as_ns());
                self.reading = Reading::new(&limits());
                self.is_head = false;
                self.phase = Phase::Reading;
                Moved::On
            }
        }
    }

    /// Writes as much as the socket has room for.
    fn flush(&mut self, stack: &mut Stack, now: Instant) {
        let mut taken = 0;
        while let Some(bytes) = self.outgoing.front() {
            let all = bytes.len();
            let written = stack.write(&self.link, bytes);
            taken += written;
            if written > 0 {
                self.outgoing.advance(written);
            }
            if written < all {
                break;
            }
        }
        let has_more = !self.outgoing.is_empty();
        self.reading.took(taken, now.as_ns(), has_more);
    }

    /// It takes its answer too slowly. What was begun is broken off.
    fn give_reader_up(&self) -> Fate {
        if let Phase::Running(work) = &self.phase {
            work.give_reader_up();
        }
        Fate::Abort
    }

    /// Nothing can be done now: how long is that to go on?
    fn linger(&mut self, peer: Peer, stack: &mut Stack, now: Instant) -> Fate {
        let mut looks_at = None;
        if peer == Peer::Finished && !stack.can_read(&self.link) {
            match self.phase {
                // Nothing more will come, so this request will never be complete.
                Phase::Reading | Phase::Receiving(_) => return Fate::Close,
                Phase::Running(_) => looks_at = Some(self.probe(stack, now)),
                Phase::Writing(_) | Phase::Sending => {}
            }
        }
        if let Some(too_slow) = self.reading.too_slow(now.as_ns()) {
            readers::count(too_slow);
            return self.give_reader_up();
        }
        let gives_up = self.reading.ends_at_ns().map(Instant::from_ns);
        // While an answer is sent, a deadline for what was read is nobody's any more.
        let deadline = match &self.phase {
            Phase::Reading | Phase::Receiving(_) => {
                self.connection.deadline_ns().map(Instant::from_ns)
            }
            Phase::Running(work) => work.until(),
            Phase::Writing(_) | Phase::Sending => None,
        };
        Fate::Stay(earlier(deadline, earlier(gives_up, looks_at)))
    }

    /// Whether only its peer has something to do now, until the moment that its step has named: nothing is to be sent, and
    /// what has come was taken, since a step that leaves something of a head unread ends in a refusal.
    pub(super) fn rests(&self) -> bool {
        matches!(self.phase, Phase::Reading) && self.outgoing.is_empty()
    }

    /// The ticket with which it waits to write a part of a page.
    pub(super) fn waits_with(&self) -> Option<u64> {
        match &self.phase {
            Phase::Writing(writing) if self.outgoing.is_empty() => Some(writing.ticket()),
            _ => None,
        }
    }

    /// Whether a function runs for it.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running(_))
    }
}
