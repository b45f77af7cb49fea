//! Whether the network card does its work: when to look, and how often it may be reset.

use crate::arch::time::Instant;

/// How often the card is looked at, in nanoseconds.
const LOOK_NS: u64 = 1_000_000_000;
/// A card that has frames to send and is done with none for so long does not work, in nanoseconds.
const STALLED_NS: u64 = 10_000_000_000;
/// A card that works for so long after a reset is mended, in nanoseconds.
const MENDED_NS: u64 = 60_000_000_000;
/// Resets in a row that are worth trying.
const RESETS: u32 = 3;

/// Why a card is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Illness {
    /// It said that it is done with a buffer that it does not have.
    WrongBuffer,
    /// It asks for it. Virtio 1.2, "2.1.1 Driver Requirements: Device Status Field".
    NeedsReset,
    /// It is done with no frame.
    Stalled,
}

impl Illness {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::WrongBuffer => "returned a buffer that it does not have",
            Self::NeedsReset => "asks to be reset",
            Self::Stalled => "has sent no frame for 10 s",
        }
    }
}

/// What is known of a card.
pub(super) struct Health {
    next_look: Instant,
    /// When it last was done with a frame, or had none.
    worked: Instant,
    reset: Instant,
    resets: u32,
}

impl Health {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next_look: now,
            worked: now,
            reset: now,
            resets: 0,
        }
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.next_look <= now;
        if is_due {
            self.next_look = now.plus_ns(LOOK_NS);
        }
        is_due
    }

    /// The card was done with a frame, or has none.
    pub(super) fn works(&mut self, now: Instant) {
        self.worked = now;
    }

    /// Whether the card has not worked for too long.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        now.since(self.worked) > STALLED_NS
    }

    /// The card is to be reset. Whether that is worth trying.
    pub(super) fn may_be_reset(&mut self, now: Instant) -> bool {
        if now.since(self.reset) > MENDED_NS {
            self.resets = 0;
        }
        self.resets += 1;
        (self.reset, self.worked) = (now, now);
        self.resets <= RESETS
    }
}
