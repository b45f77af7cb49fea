//! The one-shot timer: how long the CPU may be left alone.

/// When the timer must fire next, in nanoseconds since boot; None if nothing will ever be due, so
/// that the timer can stay off.
///
/// - `quantum_end`: when the running task's turn ends; None if no task runs, or if it has the CPU
///   to itself until something else happens;
/// - `io_wakeup`: when the network wants to be polled at the latest;
/// - `sleepers`: when the first of the sleeping tasks wants to wake.
///
/// What is due already fires at once: the answer is never before `now`.
#[must_use]
pub fn next_event(
    now: u64,
    quantum_end: Option<u64>,
    io_wakeup: Option<u64>,
    sleepers: Option<u64>,
) -> Option<u64> {
    let first = [quantum_end, io_wakeup, sleepers]
        .into_iter()
        .flatten()
        .min()?;
    Some(first.max(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_stays_off_when_nothing_will_be_due() {
        assert_eq!(next_event(5, None, None, None), None);
    }

    #[test]
    fn the_first_event_decides() {
        assert_eq!(next_event(5, Some(30), Some(20), Some(10)), Some(10));
        assert_eq!(next_event(5, Some(10), Some(30), Some(20)), Some(10));
        assert_eq!(next_event(5, Some(20), Some(10), Some(30)), Some(10));
    }

    #[test]
    fn one_event_is_enough() {
        assert_eq!(next_event(5, Some(10), None, None), Some(10));
        assert_eq!(next_event(5, None, Some(10), None), Some(10));
        assert_eq!(next_event(5, None, None, Some(10)), Some(10));
    }

    #[test]
    fn what_is_overdue_fires_now_and_not_in_the_past() {
        assert_eq!(next_event(50, Some(10), Some(60), None), Some(50));
    }
}
