//! `poll_oneoff`.

use crate::at_path::{Open, made};
use crate::calls::{Answer, CURRENT, STDERR, STDIN, STDOUT, TMP, answer, at, of, read, seek, time};
use crate::clocks::{MONOTONIC, PROCESS, REALTIME};
use crate::errno::{BADF, FAULT, INVAL, NOTCAPABLE, NOTSUP};
use crate::streams::BODY;
use crate::{hostile, raw, tests};

/// `subscription`
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Wanted {
    user: u64,
    /// A byte, and nothing behind it.
    tag: u64,
    /// The clock, or the descriptor: four bytes, and nothing behind them.
    number: u64,
    timeout: u64,
    precision: u64,
    flags: u16,
}

/// `event`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    user: u64,
    errno: u16,
    tag: u8,
    bytes: u64,
    flags: u16,
}

const _: () = assert!(size_of::<Wanted>() == 48 && size_of::<Event>() == 32);

const CLOCK: u8 = 0;
const READABLE: u8 = 1;
const WRITABLE: u8 = 2;
/// `subclockflags`: a time of the clock, not of now.
const ABSOLUTE: u16 = 1;
/// `eventrwflags`
const HANG_UP: u16 = 1;

const MS: u64 = 1_000_000;
const HOUR: u64 = 3_600_000 * MS;

impl Wanted {
    const fn clock(user: u64, clock: u32, timeout: u64, flags: u16) -> Self {
        Self {
            user,
            tag: CLOCK as u64,
            number: clock as u64,
            timeout,
            precision: 0,
            flags,
        }
    }

    const fn stream(user: u64, tag: u8, fd: u32) -> Self {
        Self {
            tag: tag as u64,
            ..Self::clock(user, fd, 0, 0)
        }
    }

    pub const fn readable(user: u64, fd: u32) -> Self {
        Self::stream(user, READABLE, fd)
    }

    const fn writable(user: u64, fd: u32) -> Self {
        Self::stream(user, WRITABLE, fd)
    }
}

impl Event {
    pub fn answer(&self) -> Answer<u64> {
        answer(self.errno.into()).map(|()| self.bytes)
    }

    const fn of(user: u64, tag: u8, errno: u16) -> Self {
        Self {
            user,
            errno,
            tag,
            bytes: 0,
            flags: 0,
        }
    }
}

pub fn poll(wanted: &[Wanted]) -> Answer<Vec<Event>> {
    let (mut events, mut happened) = (vec![Event::default(); wanted.len()], 0usize);
    let place = at(&mut *events);
    // SAFETY: there is room for as many events as there are subscriptions.
    answer(unsafe { raw::poll_oneoff(of(wanted), place, wanted.len(), at(&mut happened)) })?;
    events.truncate(happened);
    Ok(events)
}

pub fn sleep(ns: u64) {
    let events = poll(&[Wanted::clock(7, MONOTONIC, ns, 0)]);
    assert_eq!(events.unwrap(), [Event::of(7, CLOCK, 0)]);
}

tests![
    nothing_to_wait_for_is_invalid,
    a_time_from_now_is_waited_for,
    a_time_of_a_clock_is_waited_for,
    a_time_that_has_passed_is_not_waited_for,
    no_time_is_no_wait,
    the_earlier_of_two_times_is_an_event_alone,
    times_that_have_passed_are_all_events,
    processor_time_is_an_event_of_its_own_error,
    an_unknown_clock_is_an_event_of_its_own_error,
    what_is_ready_ends_a_wait,
    an_unread_body_is_readable,
    a_body_that_was_read_has_hung_up,
    streams_are_writable,
    a_file_is_readable_to_its_end,
    who_may_not_be_read_is_an_event_of_its_own_error,
    an_unknown_descriptor_is_an_event_of_its_own_error,
    an_unknown_kind_is_invalid,
    user_data_comes_back,
    events_that_leave_memory_are_a_fault,
];

fn nothing_to_wait_for_is_invalid() {
    assert_eq!(poll(&[]), Err(INVAL));
}

fn a_time_from_now_is_waited_for() {
    for clock in [MONOTONIC, REALTIME] {
        let before = time(clock);
        let events = poll(&[Wanted::clock(1, clock, 3 * MS, 0)]).unwrap();
        assert_eq!(events, [Event::of(1, CLOCK, 0)]);
        assert!(time(clock) >= before + 3 * MS);
    }
}

fn a_time_of_a_clock_is_waited_for() {
    for clock in [MONOTONIC, REALTIME] {
        let until = time(clock) + 3 * MS;
        let events = poll(&[Wanted::clock(1, clock, until, ABSOLUTE)]).unwrap();
        assert_eq!(events, [Event::of(1, CLOCK, 0)]);
        assert!(time(clock) >= until);
    }
}

fn a_time_that_has_passed_is_not_waited_for() {
    for clock in [MONOTONIC, REALTIME] {
        let events = poll(&[Wanted::clock(1, clock, 1, ABSOLUTE)]).unwrap();
        assert_eq!(events, [Event::of(1, CLOCK, 0)]);
    }
}

fn no_time_is_no_wait() {
    let events = poll(&[Wanted::clock(1, MONOTONIC, 0, 0)]).unwrap();
    assert_eq!(events, [Event::of(1, CLOCK, 0)]);
}

fn the_earlier_of_two_times_is_an_event_alone() {
    let late = Wanted::clock(1, MONOTONIC, HOUR, 0);
    let early = Wanted::clock(2, MONOTONIC, MS, 0);
    assert_eq!(poll(&[late, early]).unwrap(), [Event::of(2, CLOCK, 0)]);
}

fn times_that_have_passed_are_all_events() {
    let at = |user| Wanted::clock(user, MONOTONIC, 1, ABSOLUTE);
    let late = Wanted::clock(9, MONOTONIC, HOUR, 0);
    let events = poll(&[at(1), late, at(2)]).unwrap();
    assert_eq!(events, [Event::of(1, CLOCK, 0), Event::of(2, CLOCK, 0)]);
}

fn processor_time_is_an_event_of_its_own_error() {
    let events = poll(&[Wanted::clock(1, PROCESS, MS, 0)]).unwrap();
    assert_eq!(events[0].answer(), Err(NOTSUP));
}

fn an_unknown_clock_is_an_event_of_its_own_error() {
    let events = poll(&[Wanted::clock(1, 4, MS, 0)]).unwrap();
    assert_eq!(events[0].answer(), Err(INVAL));
}

fn what_is_ready_ends_a_wait() {
    let late = Wanted::clock(1, MONOTONIC, HOUR, 0);
    let events = poll(&[late, Wanted::writable(2, STDOUT)]).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].user, events[0].tag), (2, WRITABLE));
}

fn an_unread_body_is_readable() {
    read(STDIN, 4).unwrap();
    let events = poll(&[Wanted::readable(1, STDIN)]).unwrap();
    assert_eq!(events[0].answer(), Ok(BODY.len() as u64 - 4));
    assert_eq!((events[0].tag, events[0].flags), (READABLE, 0));
}

fn a_body_that_was_read_has_hung_up() {
    read(STDIN, 100).unwrap();
    let events = poll(&[Wanted::readable(1, STDIN)]).unwrap();
    assert_eq!((events[0].answer(), events[0].flags), (Ok(0), HANG_UP));
}

fn streams_are_writable() {
    let both = [Wanted::writable(1, STDOUT), Wanted::writable(2, STDERR)];
    let events = poll(&both).unwrap();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.answer().unwrap() > 0));
}

fn a_file_is_readable_to_its_end() {
    let fd = made("file", b"contents");
    seek(fd, -3, CURRENT).unwrap();
    let events = poll(&[Wanted::readable(1, fd), Wanted::writable(2, fd)]).unwrap();
    assert_eq!(events[0].answer(), Ok(3));
    assert!(events[1].answer().is_ok());
}

fn who_may_not_be_read_is_an_event_of_its_own_error() {
    let events = poll(&[Wanted::readable(1, STDOUT), Wanted::readable(2, STDIN)]).unwrap();
    assert_eq!(events[0].answer(), Err(NOTCAPABLE));
    assert!(events[1].answer().is_ok());
}

fn an_unknown_descriptor_is_an_event_of_its_own_error() {
    let events = poll(&[Wanted::readable(1, 100), Wanted::writable(2, 101)]).unwrap();
    assert_eq!(events[0].answer(), Err(BADF));
    assert_eq!(events[1].answer(), Err(BADF));
}

fn an_unknown_kind_is_invalid() {
    assert_eq!(poll(&[Wanted::stream(1, 3, STDIN)]), Err(INVAL));
}

fn user_data_comes_back() {
    for user in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
        let events = poll(&[Wanted::writable(user, STDOUT)]).unwrap();
        assert_eq!(events[0].user, user);
    }
}

fn events_that_leave_memory_are_a_fault() {
    let wanted = [Wanted::clock(1, MONOTONIC, 0, 0)];
    let (mut happened, mut event) = (0usize, Event::default());
    let end = hostile::end();
    // SAFETY: a call that fails writes nothing.
    let all = unsafe {
        [
            raw::poll_oneoff(of(&wanted), end - 31, 1, at(&mut happened)),
            raw::poll_oneoff(end - 47, at(&mut event), 1, at(&mut happened)),
            raw::poll_oneoff(of(&wanted), at(&mut event), 1, end - 3),
        ]
    };
    assert_eq!(all.map(answer), [Err(FAULT); 3]);
    let fd = Open::DIRECTORY.at(TMP, ".").unwrap();
    let events = poll(&[Wanted::readable(1, fd)]).unwrap();
    assert!(events[0].answer().is_err());
}
