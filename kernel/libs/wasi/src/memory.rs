//! A guest's linear memory: the one place where a guest's pointer becomes a slice.
//!
//! Invariant: nothing is read or written outside of the bytes that the guest owns. A pointer may
//! have any alignment. No bytes lie nowhere: with a length of zero any pointer is right, as an empty slice
//! of Zig's points outside of memory.

use crate::Errno;

/// What a call can see of a guest's memory. Every access is checked and answers [`Errno::Fault`].
pub(crate) struct Memory<'a>(pub(crate) &'a mut [u8]);

/// Size of an element of a scatter or gather list: pointer and length.
pub(crate) const BUFFER: u32 = 8;

/// One element of such a list.
#[derive(Clone, Copy)]
pub(crate) struct Buffer {
    pub(crate) pointer: u32,
    pub(crate) length: u32,
}

impl Memory<'_> {
    pub(crate) fn bytes(&self, pointer: u32, length: u32) -> Result<&[u8], Errno> {
        if length == 0 {
            return Ok(&[]);
        }
        let start = pointer as usize;
        let end = start.checked_add(length as usize).ok_or(Errno::Fault)?;
        self.0.get(start..end).ok_or(Errno::Fault)
    }

    pub(crate) fn bytes_mut(&mut self, pointer: u32, length: u32) -> Result<&mut [u8], Errno> {
        if length == 0 {
            return Ok(&mut []);
        }
        let start = pointer as usize;
        let end = start.checked_add(length as usize).ok_or(Errno::Fault)?;
        self.0.get_mut(start..end).ok_or(Errno::Fault)
    }

    pub(crate) fn array<const N: usize>(&self, pointer: u32) -> Result<[u8; N], Errno> {
        let start = pointer as usize;
        let tail = self.0.get(start..).ok_or(Errno::Fault)?;
        tail.first_chunk().copied().ok_or(Errno::Fault)
    }

    pub(crate) fn put<const N: usize>(
        &mut self,
        pointer: u32,
        value: [u8; N],
    ) -> Result<(), Errno> {
        let tail = self.0.get_mut(pointer as usize..).ok_or(Errno::Fault)?;
        *tail.first_chunk_mut().ok_or(Errno::Fault)? = value;
        Ok(())
    }

    pub(crate) fn put_u32(&mut self, pointer: u32, value: u32) -> Result<(), Errno> {
        self.put(pointer, value.to_le_bytes())
    }

    pub(crate) fn put_u64(&mut self, pointer: u32, value: u64) -> Result<(), Errno> {
        self.put(pointer, value.to_le_bytes())
    }

    /// The address of element `index` of an array whose elements are `size` bytes.
    pub(crate) fn element(array: u32, index: u32, size: u32) -> Result<u32, Errno> {
        let offset = index.checked_mul(size).ok_or(Errno::Fault)?;
        array.checked_add(offset).ok_or(Errno::Fault)
    }

    /// Element `index` of the scatter or gather list at `list`.
    pub(crate) fn buffer(&self, list: u32, index: u32) -> Result<Buffer, Errno> {
        let bytes: [u8; 8] = self.array(Self::element(list, index, BUFFER)?)?;
        let [p0, p1, p2, p3, l0, l1, l2, l3] = bytes;
        Ok(Buffer {
            pointer: u32::from_le_bytes([p0, p1, p2, p3]),
            length: u32::from_le_bytes([l0, l1, l2, l3]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_ends_at_the_end_is_inside() {
        let memory = Memory(&mut [7; 16]);
        assert_eq!(memory.bytes(12, 4), Ok(&[7; 4][..]));
        assert_eq!(memory.bytes(16, 0), Ok(&[][..]));
        assert_eq!(memory.array::<8>(8), Ok([7; 8]));
    }

    #[test]
    fn a_range_that_leaves_memory_is_a_fault() {
        let mut bytes = [0; 16];
        let mut memory = Memory(&mut bytes);
        for (pointer, length) in [(13, 4), (16, 1), (u32::MAX, 1), (1, u32::MAX)] {
            assert_eq!(memory.bytes(pointer, length), Err(Errno::Fault));
            assert!(memory.bytes_mut(pointer, length).is_err());
        }
        assert_eq!(memory.put_u64(9, 1), Err(Errno::Fault));
        assert_eq!(memory.put_u32(u32::MAX, 1), Err(Errno::Fault));
    }

    #[test]
    fn no_bytes_lie_at_any_address() {
        let mut bytes = [0; 16];
        let mut memory = Memory(&mut bytes);
        for pointer in [0, 15, 16, 17, 0xaaaa_aaaa, u32::MAX] {
            assert_eq!(memory.bytes(pointer, 0), Ok(&[][..]));
            assert_eq!(memory.bytes_mut(pointer, 0), Ok(&mut [][..]));
        }
    }

    #[test]
    fn an_element_whose_address_overflows_is_a_fault() {
        assert_eq!(Memory::element(u32::MAX - 3, 1, 8), Err(Errno::Fault));
        assert_eq!(Memory::element(0, u32::MAX, 8), Err(Errno::Fault));
        assert_eq!(Memory::element(16, 2, 8), Ok(32));
    }
}
