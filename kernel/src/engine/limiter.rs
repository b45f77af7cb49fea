//! How much a guest may have of linear memory and tables, all together.

use wasmi::ResourceLimiter;
use wasmi_core::LimiterError;

/// Bytes per element of a table: a reference is an index of 32 bits.
const ELEMENT_BYTES: usize = 4;

/// Counts down what a guest may still have. Nothing is ever given back, because a guest's memories
/// and tables never shrink.
pub(super) struct Limiter {
    left: usize,
}

impl Limiter {
    /// A guest that may have `bytes` in all.
    pub(super) const fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// Grants elements of a table, of `bytes` each, or none.
    fn grant_elements(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
        bytes: usize,
    ) -> bool {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return false;
        }
        let more = desired.checked_sub(current);
        self.grant(more.and_then(|elements| elements.checked_mul(bytes)))
    }

    /// Grants all of what is asked for, or nothing.
    fn grant(&mut self, bytes: Option<usize>) -> bool {
        let left = bytes.and_then(|bytes| self.left.checked_sub(bytes));
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

/// A refusal is no error: `memory.grow` and `table.grow` answer -1, and what a module wants before
/// its first instruction ends it as out of memory. A growth that is granted but then fails for want
/// of real memory stays counted: the guest is near its end anyway.
impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(self.grant(desired.checked_sub(current)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(self.grant_elements(current, desired, maximum, ELEMENT_BYTES))
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}

#[cfg(feature = "wasmtime")]
impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grant(desired.checked_sub(current)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let pointer = size_of::<usize>();
        Ok(self.grant_elements(current, desired, maximum, pointer))
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_share_one_limit() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.table_growing(0, 11, None).unwrap());
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!limiter.memory_growing(60, 61, None).unwrap());
    }

    #[test]
    fn a_refusal_takes_nothing() {
        let mut limiter = Limiter::new(100);
        assert!(!limiter.memory_growing(0, 101, None).unwrap());
        assert!(!limiter.table_growing(0, usize::MAX, None).unwrap());
        assert!(limiter.memory_growing(0, 100, None).unwrap());
    }

    #[test]
    fn a_table_beyond_its_own_maximum_takes_nothing() {
        let mut limiter = Limiter::new(100);
        assert!(!limiter.table_growing(0, 20, Some(10)).unwrap());
        assert!(limiter.memory_growing(0, 100, None).unwrap());
    }
}
