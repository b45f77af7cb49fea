//! Devices that misbehave.

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use virtio_drivers::Error;

use super::ring::Flow;

/// How the network card misbehaves from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mishap {
    /// It does not.
    None,
    /// It returns a buffer that it does not have, once.
    WrongBuffer,
    /// As often as it can.
    WrongBuffers,
    /// It is driven so that it asks for a reset.
    NeedsReset,
    /// It is done with nothing until it is reset.
    Silent,
}

static CARD: AtomicU8 = AtomicU8::new(Mishap::None as u8);

/// Has the card misbehave.
pub fn strike(mishap: Mishap) {
    CARD.store(mishap as u8, Relaxed);
}

fn is(mishap: Mishap) -> bool {
    CARD.load(Relaxed) == mishap as u8
}

pub(super) fn what_is_done(flow: Flow) -> Option<Result<Option<(usize, usize)>, Error>> {
    if is(Mishap::WrongBuffer) {
        strike(Mishap::None);
        return Some(Err(Error::WrongToken));
    }
    if is(Mishap::WrongBuffers) {
        return Some(Err(Error::WrongToken));
    }
    (is(Mishap::Silent) && flow == Flow::ToDevice).then_some(Ok(None))
}

/// Whether the driver is to offend the card, once.
pub(super) fn is_to_be_offended() -> bool {
    let is = is(Mishap::NeedsReset);
    if is {
        strike(Mishap::None);
    }
    is
}

pub(super) fn card_was_reset() {
    if is(Mishap::Silent) {
        strike(Mishap::None);
    }
}
