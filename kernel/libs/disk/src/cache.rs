//! A bounded cache of pieces of files.
//!
//! Invariant: it never holds more than it was made for, and a piece that it holds is whole: it is as the
//! disk has it, up to the end of the file.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Bytes in a piece. The file system reads as much ahead in one request to the device.
pub const PIECE_BYTES: usize = 32 << 10;

/// A file, by its number, and which of its pieces.
pub type Key = (u32, u32);

/// No piece's: no file has this many.
const NOBODYS: Key = (u32::MAX, u32::MAX);

/// Pieces, the least recently used of which make room for others.
pub struct Cache {
    pieces: Vec<Piece>,
    places: BTreeMap<Key, usize>,
    most: usize,
    /// Counts uses.
    clock: u64,
    /// Where the piece is that was found last.
    last: usize,
}

struct Piece {
    key: Key,
    bytes: Vec<u8>,
    used_at: u64,
}

impl Cache {
    /// A cache of at most `bytes` bytes, empty.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Cache {
            pieces: Vec::new(),
            places: BTreeMap::new(),
            most: bytes / PIECE_BYTES,
            clock: 0,
            last: 0,
        }
    }

    /// A piece, if it is there.
    pub fn get(&mut self, key: Key) -> Option<&[u8]> {
        self.last = self.find(key)?;
        let piece = self.pieces.get_mut(self.last)?;
        self.clock += 1;
        piece.used_at = self.clock;
        Some(&piece.bytes)
    }

    /// Where a piece is, if it is there. Files are read from their beginnings to their ends, and were so the first time, so
    /// it is mostly the one behind the last.
    fn find(&self, key: Key) -> Option<usize> {
        let next = self.last + 1;
        match self.pieces.get(next) {
            Some(piece) if piece.key == key => Some(next),
            _ => self.places.get(&key).copied(),
        }
    }

    /// Has `fill` read a piece, and keeps it. `None` if there is no room for any piece; `fill` was not
    /// called then.
    ///
    /// # Errors
    /// Those of `fill`; then the piece is not there.
    pub fn put<E>(
        &mut self,
        key: Key,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Option<Result<&[u8], E>> {
        let place = self.room()?;
        self.clock += 1;
        let piece = &mut self.pieces[place];
        self.places.remove(&piece.key);
        piece.key = NOBODYS;
        piece.bytes.clear();
        // Should it not come to be, it is the first to make room.
        piece.used_at = 0;
        if let Err(error) = fill(&mut piece.bytes) {
            piece.bytes.clear();
            return Some(Err(error));
        }
        piece.key = key;
        piece.used_at = self.clock;
        self.places.insert(key, place);
        Some(Ok(&piece.bytes))
    }

    /// The place of a piece that may be replaced: a new one, or the one that was not used for longest.
    fn room(&mut self) -> Option<usize> {
        if self.pieces.len() < self.most {
            let mut bytes = Vec::new();
            let reserved = bytes.try_reserve_exact(PIECE_BYTES);
            if reserved.and(self.pieces.try_reserve(1)).is_ok() {
                self.pieces.push(Piece {
                    key: NOBODYS,
                    bytes,
                    used_at: 0,
                });
                return Some(self.pieces.len() - 1);
            }
        }
        let places = self.pieces.iter().enumerate();
        places
            .min_by_key(|(_, piece)| piece.used_at)
            .map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(cache: &mut Cache, key: Key) {
        let filled = cache.put(key, |bytes| {
            bytes.extend([key.0 as u8, key.1 as u8]);
            Ok::<_, ()>(())
        });
        assert_eq!(filled, Some(Ok(&[key.0 as u8, key.1 as u8][..])));
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let mut cache = Cache::new(3 * PIECE_BYTES + 1);
        for key in [(1, 0), (1, 1), (2, 0)] {
            put(&mut cache, key);
        }
        assert_eq!(cache.get((1, 0)), Some(&[1, 0][..]));
        put(&mut cache, (3, 0));
        assert_eq!(cache.get((1, 1)), None);
        for key in [(1, 0), (2, 0), (3, 0)] {
            assert_eq!(cache.get(key), Some(&[key.0 as u8, key.1 as u8][..]));
        }
        assert_eq!(cache.pieces.len(), 3);
    }

    #[test]
    fn a_piece_that_cannot_be_read_is_not_there_and_makes_room_first() {
        let mut cache = Cache::new(2 * PIECE_BYTES);
        put(&mut cache, (1, 0));
        assert_eq!(cache.put((1, 1), |_| Err(7)), Some(Err(7)));
        assert_eq!(cache.get((1, 1)), None);
        put(&mut cache, (1, 2));
        assert_eq!(cache.get((1, 0)), Some(&[1, 0][..]));
    }

    #[test]
    fn what_made_room_for_a_piece_that_cannot_be_read_is_not_found_behind_another() {
        let mut cache = Cache::new(2 * PIECE_BYTES);
        put(&mut cache, (1, 0));
        put(&mut cache, (1, 1));
        assert_eq!(cache.get((1, 0)), Some(&[1, 0][..]));
        assert_eq!(cache.put((2, 0), |_| Err(7)), Some(Err(7)));
        assert_eq!(cache.get((1, 1)), None);
    }

    #[test]
    fn pieces_are_found_in_whatever_order_they_lie_and_are_asked_for() {
        let mut cache = Cache::new(8 * PIECE_BYTES);
        let keys = [(1, 0), (1, 1), (2, 0), (1, 3), (1, 2), (2, 1)];
        for key in keys {
            put(&mut cache, key);
        }
        let orders = keys.into_iter().chain(keys.into_iter().rev());
        for key in orders.chain([(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)]) {
            assert_eq!(cache.get(key), Some(&[key.0 as u8, key.1 as u8][..]));
        }
        assert_eq!(cache.get((2, 2)), None);
    }

    #[test]
    fn a_cache_without_room_reads_nothing() {
        let mut cache = Cache::new(PIECE_BYTES - 1);
        assert_eq!(cache.put((1, 0), |_| -> Result<(), ()> { panic!() }), None);
    }
}
