//! Sequence numbers that say what a SYN said.
//!
//! ```text
//!  31                                        5   4      3     2..0
//! ┌───────────────────────────────────────────┬───────┬──────┬─────┐
//! │ SipHash of flow, the peer's number, rest  │ epoch │ SACK │ MSS │
//! └───────────────────────────────────────────┴───────┴──────┴─────┘
//! ```
//! Whoever does not see the SYN-ACK guesses one with a chance of 2⁻²⁷.

use siphasher::sip::SipHasher24;

use crate::flow::Flow;

/// Bytes of the key, which must come from a generator that cannot be guessed.
pub const KEY_BYTES: usize = 16;

/// The epoch changes so often, in seconds. A cookie is good for its own epoch and the next.
const EPOCH_S: u64 = 64;
/// How long a cookie is good at the most, in seconds.
pub(crate) const LIFE_S: u64 = 2 * EPOCH_S;

/// The segment sizes that a cookie can say, in bytes: the largest that is not above what the client offered. The second
/// is what holds without the option (RFC 9293, "Maximum Segment Size Option").
const SIZES: [u16; 8] = [48, 536, 1220, 1360, 1400, 1440, 1452, 1460];
const SIZE_MASK: u32 = 0b111;
const SACK: u32 = 1 << 3;
const EPOCH: u32 = 1 << 4;
const HASH_MASK: u32 = !0b1_1111;

/// What of a client's SYN a socket must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The longest segment that the client takes, in bytes.
    pub(crate) segment_bytes: u16,
    /// Whether it understands selective acknowledgements.
    pub(crate) sack: bool,
}

/// Makes cookies and knows its own.
#[derive(Debug)]
pub(crate) struct Cookies(SipHasher24);

impl Cookies {
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(SipHasher24::new_with_key(key))
    }

    /// Our sequence number for a SYN with the sequence number `theirs`.
    pub(crate) fn make(&self, flow: Flow, theirs: u32, offer: Offer, now_s: u64) -> u32 {
        let epoch = now_s / EPOCH_S;
        let size = SIZES.partition_point(|size| *size <= offer.segment_bytes);
        let mut rest = size.saturating_sub(1) as u32;
        if offer.sack {
            rest |= SACK;
        }
        if epoch % 2 == 1 {
            rest |= EPOCH;
        }
        self.hash(flow, theirs, rest, epoch) | rest
    }

    /// What the SYN said that we answered with the sequence number `ours`, if we did.
    pub(crate) fn check(&self, flow: Flow, theirs: u32, ours: u32, now_s: u64) -> Option<Offer> {
        let now = now_s / EPOCH_S;
        let is_odd = u64::from(ours & EPOCH != 0);
        let epoch = match now % 2 == is_odd {
            true => now,
            false => now.checked_sub(1)?,
        };
        let rest = ours & !HASH_MASK;
        let is_ours = self.hash(flow, theirs, rest, epoch) == ours & HASH_MASK;
        is_ours.then_some(Offer {
            segment_bytes: SIZES[(rest & SIZE_MASK) as usize],
            sack: rest & SACK != 0,
        })
    }

    fn hash(&self, flow: Flow, theirs: u32, rest: u32, epoch: u64) -> u32 {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&flow.to_bits().to_le_bytes());
        bytes[8..12].copy_from_slice(&theirs.to_le_bytes());
        bytes[12..16].copy_from_slice(&rest.to_le_bytes());
        bytes[16..].copy_from_slice(&epoch.to_le_bytes());
        self.0.hash(&bytes) as u32 & HASH_MASK
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    const FLOW: Flow = Flow::new(Ipv4Addr::new(10, 0, 2, 7), 4_321, 80);
    const NOW_S: u64 = 1_000;

    fn cookies() -> Cookies {
        Cookies::new(&[7; KEY_BYTES])
    }

    fn offer(segment_bytes: u16, sack: bool) -> Offer {
        Offer {
            segment_bytes,
            sack,
        }
    }

    #[test]
    fn a_cookie_says_what_the_syn_said() {
        for (said, kept) in [
            (0, 48),
            (100, 48),
            (536, 536),
            (1_459, 1_452),
            (9_000, 1_460),
        ] {
            for sack in [false, true] {
                let cookie = cookies().make(FLOW, 99, offer(said, sack), NOW_S);
                let found = cookies().check(FLOW, 99, cookie, NOW_S);
                assert_eq!(found, Some(offer(kept, sack)), "{said}");
            }
        }
    }

    #[test]
    fn a_cookie_is_good_for_two_epochs_and_no_longer() {
        for start_s in [0, EPOCH_S - 1, NOW_S] {
            let cookie = cookies().make(FLOW, 99, offer(1_460, true), start_s);
            let is_good = |now_s| cookies().check(FLOW, 99, cookie, now_s).is_some();
            assert!(is_good(start_s + EPOCH_S), "{start_s}");
            assert!(!is_good(start_s + LIFE_S), "{start_s}");
            assert!(!is_good(start_s + 2 * LIFE_S), "{start_s}");
        }
    }

    #[test]
    fn a_cookie_is_of_one_flow_one_number_and_one_key() {
        let cookie = cookies().make(FLOW, 99, offer(1_460, true), NOW_S);
        let other = Flow::new(FLOW.peer(), FLOW.peer_port() + 1, FLOW.port());
        assert_eq!(cookies().check(other, 99, cookie, NOW_S), None);
        assert_eq!(cookies().check(FLOW, 98, cookie, NOW_S), None);
        let others = Cookies::new(&[8; KEY_BYTES]);
        assert_eq!(others.check(FLOW, 99, cookie, NOW_S), None);
    }

    #[test]
    fn no_bit_of_a_cookie_can_be_changed() {
        let cookie = cookies().make(FLOW, 99, offer(1_460, true), NOW_S);
        for bit in 0..32 {
            let changed = cookie ^ 1 << bit;
            assert_eq!(cookies().check(FLOW, 99, changed, NOW_S), None, "{bit}");
        }
    }
}
