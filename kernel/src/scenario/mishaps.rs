//! Devices that misbehave after two seconds.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use virtio_drivers::transport::DeviceType;

use crate::arch::time::{Instant, scenario};
use crate::virtio;
use crate::virtio::scenario::{Mishap, strike};

const MISHAPS: [(&str, Mishap); 4] = [
    ("card-wrong-buffer", Mishap::WrongBuffer),
    ("card-wrong-buffers", Mishap::WrongBuffers),
    ("card-needs-reset", Mishap::NeedsReset),
    ("card-silent", Mishap::Silent),
];
const AT_NS: u64 = 2_000_000_000;

/// Which it is, as an index; beyond the last when it has happened.
static MISHAP: AtomicUsize = AtomicUsize::new(MISHAPS.len());

/// Has the device misbehave as `name` says. False if there is no such mishap.
pub fn begin(name: &str) -> bool {
    if name == "card-missing" {
        drop(virtio::take(DeviceType::Network));
        return true;
    }
    let Some(index) = MISHAPS.iter().position(|(other, _)| *other == name) else {
        return false;
    };
    MISHAP.store(index, Relaxed);
    scenario::on_look(|| {
        if Instant::now() < Instant::from_ns(AT_NS) {
            return;
        }
        if let Some((_, mishap)) = MISHAPS.get(MISHAP.swap(MISHAPS.len(), Relaxed)) {
            strike(*mishap);
        }
    });
    true
}
