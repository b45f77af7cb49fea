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
    /// A relative deadline of 0: every request is late when it arrives.
    NoTime(Place),
}

/// Keys that are read and checked but have no effect on the kernel yet, and why.
pub(crate) const NOT_ACTED_ON: [(&str, &str); 12] = [
    ("replenishment-period-us", "tenants have no budgets yet"),
    ("max-budget-us", "tenants have no budgets yet"),
    ("admissions-percentile", "there is no admission control yet"),
    ("expected-execution-us", "Sledge passes it over too"),
    ("path_preprocess", "execution times are not predicted"),
    ("model-bias", "execution times are not predicted"),
    ("model-scale", "execution times are not predicted"),
    ("model-num-of-param", "execution times are not predicted"),
    ("model-beta1", "execution times are not predicted"),
    ("model-beta2", "execution times are not predicted"),
    (
        "max-exec-us",
        "requests have a deadline but no budget of CPU time yet",
    ),
    (
        "on-miss",
        "a request is ended at its deadline, whatever this says",
    ),
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
