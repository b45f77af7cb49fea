//! Buffers that grow with what arrives, and refuse instead of failing the whole server.

use alloc::vec::Vec;

use crate::status::{Refusal, Status};

/// The final length of a buffer, where nobody has said it.
pub(crate) const UNKNOWN: usize = usize::MAX;

/// Appends to a buffer that will have `total` bytes in the end.
///
/// It doubles, as a `Vec` does, so that a promised length alone costs nothing; but never beyond
/// `total`, so that in the end no byte is wasted.
pub(crate) fn append(buffer: &mut Vec<u8>, bytes: &[u8], total: usize) -> Result<(), Refusal> {
    let length = buffer.len() + bytes.len();
    if length > buffer.capacity() {
        let capacity = length.max(total.min(2 * buffer.len()));
        if buffer.try_reserve_exact(capacity - buffer.len()).is_err() {
            let detail = "there is no memory for the body";
            return Err(Refusal::new(Status::ServiceUnavailable, detail));
        }
    }
    buffer.extend_from_slice(bytes);
    Ok(())
}
