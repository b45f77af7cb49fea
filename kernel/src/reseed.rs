//! Has the random generator take in, from time to time, what a random number device gives.
//!
//! What comes is mixed with what is there, so that a device that gives nothing, or the same again and again, does no harm.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use log::{info, warn};
use virtio_drivers::transport::DeviceType;

use crate::arch::lock::Lock;
use crate::arch::random;
use crate::arch::time::Instant;
use crate::virtio::{self, Entropy};

/// How often bytes are asked for, and how often it is looked whether they have come, in nanoseconds.
const PERIOD_NS: u64 = 300_000_000_000;
const LOOK_NS: u64 = 250_000_000;

static DEVICE: Lock<Option<Entropy>> = Lock::new(None);
static NEXT_NS: AtomicU64 = AtomicU64::new(u64::MAX);
static HAS_COME: AtomicBool = AtomicBool::new(false);

/// Finds a device, if there is one, and asks it for the first time.
pub fn start() {
    let Some((transport, _)) = virtio::take(DeviceType::EntropySource) else {
        return;
    };
    match Entropy::start(transport) {
        Ok(device) => {
            *DEVICE.lock() = Some(device);
            go_on(Instant::now());
        }
        Err(error) => warn!("random: the random device cannot be used: {error}"),
    }
}

/// Takes in what has come, and asks again when it is time. Returns when it is.
pub fn poll(now: Instant) -> Option<Instant> {
    if NEXT_NS.load(Relaxed) <= now.as_ns() {
        go_on(now);
    }
    let next_ns = NEXT_NS.load(Relaxed);
    (next_ns != u64::MAX).then(|| Instant::from_ns(next_ns))
}

fn go_on(now: Instant) {
    let mut device = DEVICE.lock();
    let Some(entropy) = device.as_mut() else {
        return;
    };
    let came = entropy.answer();
    let wait_ns = match came {
        Ok(Some(seed)) => {
            random::mix(&seed);
            if !HAS_COME.swap(true, Relaxed) {
                info!("random: reseeded from the random device, as every 5 minutes from now on");
            }
            PERIOD_NS
        }
        Ok(None) if entropy.ask().is_ok() => LOOK_NS,
        Ok(None) | Err(_) => {
            warn!("random: the random device broke its contract and is not used any more");
            *device = None;
            u64::MAX
        }
    };
    NEXT_NS.store(now.as_ns().saturating_add(wait_ns), Relaxed);
}
