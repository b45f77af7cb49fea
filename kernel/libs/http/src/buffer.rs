//! Where bytes of a request are put: memory that grows with what arrives, and is refused instead of failing the whole
//! server.

use alloc::vec::Vec;
use core::ops::Deref;

use crate::status::{Refusal, Status};

/// The final length of a body, where nobody has said it.
pub(crate) const UNKNOWN: usize = usize::MAX;

/// There is no memory for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// Bytes one behind the other, empty at first: a body, or a head that comes in pieces.
pub trait Storage: Default + Deref<Target = [u8]> {
    /// Puts `bytes` behind what is there. In the end it will be `total` bytes, or [`usize::MAX`] if nobody has said how
    /// many: a promised length alone should cost nothing.
    ///
    /// # Errors
    /// [`NoMemory`]; what was there is still there.
    fn put(&mut self, bytes: &[u8], total: usize) -> Result<(), NoMemory>;

    /// How many bytes of memory it takes: at least its length.
    fn memory_bytes(&self) -> usize;
}

/// It doubles, but never beyond the total, so that in the end no byte is wasted. To double is to copy: this is for what
/// stays short.
impl Storage for Vec<u8> {
    fn put(&mut self, bytes: &[u8], total: usize) -> Result<(), NoMemory> {
        let length = self.len() + bytes.len();
        if length > self.capacity() {
            let capacity = length.max(total.min(2 * self.len()));
            let more = capacity - self.len();
            self.try_reserve_exact(more).map_err(|_| NoMemory)?;
        }
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.capacity()
    }
}

impl From<NoMemory> for Refusal {
    fn from(_: NoMemory) -> Self {
        let detail = "there is no memory for the request";
        Refusal::new(Status::ServiceUnavailable, detail)
    }
}
