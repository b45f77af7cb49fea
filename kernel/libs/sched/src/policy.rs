//! The policies, and what can be said of them on the command line.

/// By which order the tasks that are ready get the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The earliest deadline first: what the host is made for. The only one that keeps promises.
    #[default]
    EarliestDeadline,
    /// In the order of arrival.
    FirstIn,
    /// The least of the estimated time still to go first.
    ShortestJob,
    /// In turns of a quantum each.
    RoundRobin,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::EarliestDeadline,
        Self::FirstIn,
        Self::ShortestJob,
        Self::RoundRobin,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EarliestDeadline => "edf",
            Self::FirstIn => "fifo",
            Self::ShortestJob => "sjf",
            Self::RoundRobin => "rr",
        }
    }

    /// The policy with this name on the command line.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

/// How tasks are scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The order.
    pub policy: Policy,
    /// Whether the CPU is taken from a task for one that comes before it. If not, a task runs until it
    /// waits or ends, or has to.
    pub is_preemptive: bool,
    /// How long a task runs at most while another is ready, in nanoseconds.
    pub quantum_ns: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            is_preemptive: true,
            quantum_ns: 1_000_000,
        }
    }
}
