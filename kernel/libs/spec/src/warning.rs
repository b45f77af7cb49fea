//! What is right in a spec and yet has no effect, or not the one that was meant.

use core::fmt;

use crate::error::{Place, Position};

/// Something in a spec that its author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands (first).
    pub position: Position,
    /// What it is.
    pub kind: WarningKind,
}

/// The causes of a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningKind {
    /// The key is read and checked, and has no effect.
    NotActedOn {
        /// The key.
        key: &'static str,
        /// Why it has no effect.
        why: &'static str,
        /// How often the file has it.
        times: usize,
    },
    /// A percentile outside 50 to 99, which counts as [`crate::Route::DEFAULT_PERCENTILE`].
    Percentile {
        /// What the file says.
        value: u8,
        /// The route.
        place: Place,
    },
    /// A tenant's period without a budget, a budget without a period, or a budget longer than its period.
    Reservation {
        /// The tenant.
        place: Place,
        /// Microseconds in each period.
        budget: u32,
        /// The period in microseconds.
        period: u32,
    },
    /// A relative deadline of 0: every request is late when it arrives.
    NoTime(Place),
}

/// Keys that are read and checked but have no effect on the kernel yet, and why.
pub(crate) const NOT_ACTED_ON: [(&str, &str); 7] = [
    (
        "expected-execution-us",
        "it is not a whole number of microseconds from 1 to 3600000000",
    ),
    ("path_preprocess", "execution times are not predicted"),
    ("model-bias", "execution times are not predicted"),
    ("model-scale", "execution times are not predicted"),
    ("model-num-of-param", "execution times are not predicted"),
    ("model-beta1", "execution times are not predicted"),
    ("model-beta2", "execution times are not predicted"),
];

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.kind)
    }
}

impl fmt::Display for WarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WarningKind::NotActedOn { key, why, times } => {
                write!(f, "{key:?} has no effect: {why}{}", Times(*times))
            }
            WarningKind::Percentile { value, place } => write!(
                f,
                "\"admissions-percentile\" of {place} is {value}, not 50 to 99: read as {}",
                crate::Route::DEFAULT_PERCENTILE
            ),
            WarningKind::Reservation {
                place,
                budget: 0,
                period,
            } => write!(
                f,
                "{place} has a period of {period} us and no \"max-budget-us\" in it: nothing is reserved"
            ),
            WarningKind::Reservation {
                place,
                budget,
                period: 0,
            } => write!(
                f,
                "{place} has a budget of {budget} us and no \"replenishment-period-us\": nothing is reserved"
            ),
            WarningKind::Reservation {
                place,
                budget,
                period,
            } => write!(
                f,
                "{place} has a budget of {budget} us in a period of {period} us: the whole CPU is reserved"
            ),
            WarningKind::NoTime(place) => write!(
                f,
                "\"relative-deadline-us\" of {place} is 0: its requests are late on arrival"
            ),
        }
    }
}

/// How often something is found, if more than once.
struct Times(usize);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 | 1 => Ok(()),
            times => write!(f, " (found {times} times)"),
        }
    }
}
