//! Shares of what cannot be taken back as long as it is used: places of sandboxes, frames.
//!
//! Half of what there is is divided equally, and kept for whom it belongs to: a tenant finds its part of that free
//! whenever it comes. Whoever asks first has the other half. So nobody has to be ended for somebody else, and one that is busy
//! beside others that are idle has more than half of everything; one that is alone has all.

use alloc::vec::Vec;
use core::num::NonZeroU32;

/// Of what there is, one part in so many is kept for whom it belongs to.
const KEPT_PART: u64 = 2;

/// A tenant, by its number in the order of [`Shares::add`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder(NonZeroU32);

impl Holder {
    /// Its place among the others.
    const fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// What each tenant has, and what is kept for it.
///
/// Invariant: `kept` is the sum of what each is sure of and does not have.
#[derive(Debug, Default)]
pub struct Shares {
    total: u64,
    kept: u64,
    holders: Vec<Share>,
}

#[derive(Debug)]
struct Share {
    has: u64,
    /// It never has more, so no more is kept.
    most: u64,
    /// What it is sure to get.
    sure: u64,
}

impl Share {
    const fn kept(&self) -> u64 {
        self.sure.saturating_sub(self.has)
    }
}

impl Shares {
    /// Of nothing, for nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            total: 0,
            kept: 0,
            holders: Vec::new(),
        }
    }

    /// Adds a tenant, which never wants more than `most`.
    pub fn add(&mut self, most: u64) -> Holder {
        self.holders.push(Share {
            has: 0,
            most,
            sure: 0,
        });
        self.divide();
        let number = u32::try_from(self.holders.len()).ok();
        Holder(
            number
                .and_then(NonZeroU32::new)
                .expect("few tenants, and one"),
        )
    }

    /// So much there is in all, what is taken included.
    pub fn set_total(&mut self, total: u64) {
        if self.total != total {
            self.total = total;
            self.divide();
        }
    }

    #[cold]
    fn divide(&mut self) {
        let sure = self.total / KEPT_PART / (self.holders.len() as u64).max(1);
        for share in &mut self.holders {
            share.sure = sure.min(share.most);
        }
        self.kept = self.holders.iter().map(Share::kept).sum();
    }

    /// Whether the tenant may have `amount` more, where so much is `free`: of what is its own, or of what is kept for nobody.
    #[must_use]
    pub fn may_take(&self, holder: Holder, amount: u64, free: u64) -> bool {
        let share = &self.holders[holder.place()];
        let kept_for_others = self.kept - share.kept();
        free >= amount && (share.kept() >= amount || free - amount >= kept_for_others)
    }

    /// The tenant has `amount` more.
    pub fn take(&mut self, holder: Holder, amount: u64) {
        let share = &mut self.holders[holder.place()];
        let kept = share.kept();
        share.has += amount;
        self.kept -= kept - share.kept();
    }

    /// The tenant has given `amount` back.
    ///
    /// # Panics
    /// If it does not have so much.
    pub fn give_back(&mut self, holder: Holder, amount: u64) {
        let share = &mut self.holders[holder.place()];
        assert!(amount <= share.has, "what is given back was taken");
        let kept = share.kept();
        share.has -= amount;
        self.kept += share.kept() - kept;
    }

    /// What the tenant has.
    #[must_use]
    pub fn has(&self, holder: Holder) -> u64 {
        self.holders[holder.place()].has
    }

    /// What the tenant is sure to get, of which it may have some.
    #[must_use]
    pub fn sure(&self, holder: Holder) -> u64 {
        self.holders[holder.place()].sure
    }
}
