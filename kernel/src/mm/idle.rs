//! What waits, mapped, to be used again, and is given up before anybody is refused memory.
//!
//! Pieces of bodies that go back in any case come first, then parked arenas, since they are the quickest to be made again, then linear memories that wait, then
//! pooled stacks.

use super::arena::parked;
use super::{bodies, frames, memories, stacks};

/// Gives up one of them. False if nothing waits.
pub fn give_up_one() -> bool {
    bodies::give_back_some()
        || parked::give_up_one()
        || memories::give_up_one()
        || stacks::give_up_one()
}

/// What `attempt` gives; what waits is given up one by one while it gives nothing.
pub fn or_without<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        let got = attempt();
        if got.is_some() || !give_up_one() {
            return got;
        }
    }
}

/// Whether the kernel has less than half of its reserve, though all that waits has made way. Then it begins nothing new:
/// what is left is for the allocations of what is under way, which Rust takes to be infallible.
#[must_use]
pub fn is_kernel_short() -> bool {
    or_without(|| frames::spares_half_of_reserve(0).then_some(())).is_none()
}

/// Whether there is room for a guest that needs `bytes` more, once what waits has made way.
#[must_use]
pub fn make_room(bytes: u64) -> bool {
    or_without(|| frames::has_room_for_guest(bytes).then_some(())).is_some()
}
