//! Memory that is counted as a tenant's, so that each is sure of its share.
//!
//! Key type: [`Charged`], what one sandbox has. Stacks, arenas and linear memories are counted, before they are mapped; what
//! the kernel has for a tenant is not, nor are bodies, which have a share of memory of their own.

use luge_memory::shares::Holder;

use super::{frames, idle};
use crate::arch::paging::PAGE_BYTES;

/// Pages that are counted as a tenant's. They are anybody's when this is dropped.
#[derive(Debug)]
pub struct Charged {
    /// None: whatever it takes is counted as nobody's.
    tenant: Option<Holder>,
    pages: u64,
}

impl Charged {
    /// Whatever it is, it is nobody's.
    pub const NOBODYS: Self = Self {
        tenant: None,
        pages: 0,
    };

    /// Nothing yet, for this tenant.
    #[must_use]
    pub const fn to(tenant: Holder) -> Self {
        Self {
            tenant: Some(tenant),
            pages: 0,
        }
    }

    /// So many bytes more. False if what is free is kept for others, even without what waits to be used again.
    #[inline]
    #[must_use]
    pub fn more(&mut self, bytes: u64) -> bool {
        match self.tenant {
            None => true,
            Some(tenant) => self.more_of(tenant, bytes.div_ceil(PAGE_BYTES)),
        }
    }

    #[inline(never)]
    fn more_of(&mut self, tenant: Holder, pages: u64) -> bool {
        let is_charged = idle::or_without(|| frames::charge(tenant, pages).then_some(()));
        self.pages += if is_charged.is_some() { pages } else { 0 };
        is_charged.is_some()
    }

    /// So many bytes more, which are taken already.
    pub fn taken(&mut self, bytes: u64) {
        if let Some(tenant) = self.tenant {
            let pages = bytes.div_ceil(PAGE_BYTES);
            frames::count(tenant, pages);
            self.pages += pages;
        }
    }

    /// So many bytes less.
    #[inline]
    pub fn less(&mut self, bytes: u64) {
        if let Some(tenant) = self.tenant {
            self.less_of(tenant, bytes.div_ceil(PAGE_BYTES));
        }
    }

    #[inline(never)]
    fn less_of(&mut self, tenant: Holder, pages: u64) {
        self.pages -= pages;
        frames::take_charge_back(tenant, pages);
    }

    /// Gives all of it back, and is nobody's.
    #[inline]
    pub fn end(&mut self) {
        if let Some(tenant) = self.tenant {
            self.less_of(tenant, self.pages);
            self.tenant = None;
        }
    }
}

/// Whether a tenant may have so many bytes more now, once what waits to be used again has made way.
#[must_use]
pub fn may_have(tenant: Holder, bytes: u64) -> bool {
    Charged::to(tenant).more(bytes)
}

impl Drop for Charged {
    #[inline]
    fn drop(&mut self) {
        self.end();
    }
}
