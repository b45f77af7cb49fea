//! Random bytes: from the processor, or from a seeded generator that says so.

use log::{info, warn};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use x86_64::instructions::random::RdRand;

use super::lock::Lock;
use super::{cpu, time};

/// SDM Vol. 1, "RDRAND": ten tries in a row that fail mean that the unit is broken.
const RDRAND_TRIES: usize = 10;

static GENERATOR: Lock<Option<ChaCha20Rng>> = Lock::new(None);

/// Seeds the generator, from `rdrand` where it works.
pub fn init() {
    let mut seed = [0; 32];
    if cpu::features().rdrand && fill_from_processor(&mut seed).is_some() {
        info!("random: ChaCha20 seeded from rdrand");
    } else {
        fill_from_clocks(&mut seed);
        warn!("random: no rdrand; ChaCha20 seeded from clocks only, which an observer may guess");
    }
    *GENERATOR.lock() = Some(ChaCha20Rng::from_seed(seed));
}

/// Fills `bytes` with random bytes.
///
/// # Panics
/// Before [`init`].
pub fn fill(bytes: &mut [u8]) {
    let mut generator = GENERATOR.lock();
    generator
        .as_mut()
        .expect("random::init runs before anything asks for bytes")
        .fill_bytes(bytes);
}

/// Seeds the generator anew, with what it would have given next and `seed`: whoever knows only one of them knows nothing.
pub fn mix(seed: &[u8; 32]) {
    let mut generator = GENERATOR.lock();
    if let Some(generator) = generator.as_mut() {
        let mut mixed = [0; 32];
        generator.fill_bytes(&mut mixed);
        for (byte, other) in mixed.iter_mut().zip(seed) {
            *byte ^= other;
        }
        *generator = ChaCha20Rng::from_seed(mixed);
    }
}

fn fill_from_processor(seed: &mut [u8; 32]) -> Option<()> {
    let source = RdRand::new()?;
    for chunk in seed.chunks_exact_mut(8) {
        let word = (0..RDRAND_TRIES).find_map(|_| source.get_u64())?;
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    Some(())
}

fn fill_from_clocks(seed: &mut [u8; 32]) {
    for (index, chunk) in seed.chunks_exact_mut(8).enumerate() {
        let mix = time::ticks().rotate_left(17 * index as u32) ^ time::wall_clock_ns();
        chunk.copy_from_slice(&mix.to_le_bytes());
    }
}

/// A generator that everybody can foresee, for scenarios.
#[cfg(feature = "scenarios")]
pub mod scenario {
    use super::{ChaCha20Rng, GENERATOR, SeedableRng};

    /// From here on the generator gives what it gives on any machine, until something is mixed in.
    pub fn forget() {
        *GENERATOR.lock() = Some(ChaCha20Rng::from_seed([0; 32]));
    }
}
