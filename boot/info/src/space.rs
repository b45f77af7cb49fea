//! Where things go in the kernel's address space.
//!
//! What has a fixed address is placed first; what may go anywhere takes the lowest gap of the
//! dynamic range, with a page left unmapped on either side. Everything is in the higher half: the
//! lower one is the loader's while it works, and belongs to nobody afterwards.

use bootloader_api::config::{Mapping, Mappings};
use heapless::Vec;

use crate::kernel::HIGHER_HALF;
use crate::plan::PlanError;
use crate::range::{PAGE, VirtRange};

/// How the dynamic range ends where the kernel does not say: the last page is never used.
const HIGHEST: u64 = 0xffff_ffff_ffff_f000;

/// The most ranges that can be taken.
const MAX_RANGES: usize = 24;

/// Something that wants addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// Where it wants to be.
    pub wish: Mapping,
    /// How many bytes it needs, in whole pages; 0 if it needs no place at all.
    pub len: u64,
    /// What its address is to be a multiple of, if it may go anywhere.
    pub align: u64,
}

/// The addresses that are taken so far, and where dynamic ones may go.
pub(crate) struct AddressSpace {
    taken: Vec<VirtRange, MAX_RANGES>,
    dynamic: VirtRange,
}

impl AddressSpace {
    pub(crate) fn new(mappings: &Mappings, image: VirtRange) -> Self {
        let start = mappings
            .dynamic_range_start
            .unwrap_or(HIGHER_HALF)
            .max(HIGHER_HALF);
        let end = mappings.dynamic_range_end.unwrap_or(HIGHEST).min(HIGHEST);
        let taken = Vec::from_iter([image]);
        Self {
            taken,
            dynamic: VirtRange::between(start, end),
        }
    }

    /// A place for each wish, in their order.
    pub(crate) fn place<const N: usize>(
        &mut self,
        wishes: [Wish; N],
    ) -> Result<[VirtRange; N], PlanError> {
        let mut places = [VirtRange::between(0, 0); N];
        for fixed_first in [true, false] {
            for (place, wish) in places.iter_mut().zip(wishes) {
                let fixed = matches!(wish.wish, Mapping::FixedAddress(_));
                if fixed == fixed_first && wish.len > 0 {
                    *place = self.place_one(wish)?;
                }
            }
        }
        Ok(places)
    }

    fn place_one(&mut self, wish: Wish) -> Result<VirtRange, PlanError> {
        let place = match wish.wish {
            Mapping::FixedAddress(address) => self.fixed(address, wish.len)?,
            Mapping::Dynamic => self.lowest_gap(wish.len, wish.align)?,
        };
        // More ranges than wishes and a kernel there cannot be.
        self.taken
            .push(place)
            .map_err(|_| PlanError::NoAddress { len: wish.len })?;
        Ok(place)
    }

    fn fixed(&self, address: u64, len: u64) -> Result<VirtRange, PlanError> {
        let place = VirtRange::new(address, len)
            .filter(|place| place.start() % PAGE == 0 && place.start() >= HIGHER_HALF)
            .filter(|place| place.end() <= HIGHEST)
            .ok_or(PlanError::BadAddress { address })?;
        if self.taken.iter().any(|taken| taken.overlaps(&place)) {
            return Err(PlanError::AddressTaken { address });
        }
        Ok(place)
    }

    fn lowest_gap(&self, len: u64, align: u64) -> Result<VirtRange, PlanError> {
        let behind = self
            .taken
            .iter()
            .filter_map(|taken| taken.end().checked_add(PAGE));
        let starts = behind.chain([self.dynamic.start()]);
        let places = starts.filter_map(|start| {
            let start = start
                .max(self.dynamic.start())
                .checked_next_multiple_of(align)?;
            VirtRange::new(start, len)
        });
        let fits = |place: &VirtRange| {
            let with_gaps =
                VirtRange::between(place.start() - PAGE, place.end().saturating_add(PAGE));
            place.end() <= self.dynamic.end() && !self.taken.iter().any(|t| t.overlaps(&with_gaps))
        };
        let lowest = places.filter(fits).min_by_key(|place| place.start());
        lowest.ok_or(PlanError::NoAddress { len })
    }
}
