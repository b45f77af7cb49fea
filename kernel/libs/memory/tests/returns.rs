//! What goes back goes back whole, in pieces, each page once.

use luge_memory::layout::PAGE_BYTES;
use luge_memory::returns::{Piece, Returns};

const MOST: u32 = 64;

#[test]
fn every_page_of_every_span_is_in_one_piece_and_the_first_of_a_slot_comes_last() {
    let mut returns = Returns::<8>::none();
    let spans = [(3, 1), (0, 63), (7, 64), (1, 65), (2, 1_000)];
    for (slot, pages) in spans {
        returns.push(slot, pages);
    }
    assert_eq!(returns.pages(), 1 + 63 + 64 + 65 + 1_000);
    let mut mapped = [0, 0, 0, 0, 0, 0, 0, 0_u64];
    for (slot, pages) in spans {
        mapped[slot as usize] = u64::from(pages) * PAGE_BYTES;
    }
    while let Some(Piece { slot, bytes }) = returns.next_piece(MOST) {
        assert!(bytes.end - bytes.start <= u64::from(MOST) * PAGE_BYTES);
        assert!(bytes.start.is_multiple_of(u64::from(MOST) * PAGE_BYTES));
        assert_eq!(mapped[slot as usize], bytes.end, "from the end down");
        mapped[slot as usize] = bytes.start;
    }
    assert_eq!(mapped, [0; 8]);
    assert_eq!(returns.pages(), 0);
}

#[test]
fn a_slot_can_come_again_once_its_span_is_gone() {
    let mut returns = Returns::<1>::none();
    for _ in 0..3 {
        returns.push(0, 2);
        let whole = Piece {
            slot: 0,
            bytes: 0..2 * PAGE_BYTES,
        };
        assert_eq!(returns.next_piece(MOST), Some(whole));
        assert_eq!(returns.next_piece(MOST), None);
    }
}

#[test]
fn what_comes_later_goes_first_and_the_rest_is_not_forgotten() {
    let mut returns = Returns::<2>::none();
    returns.push(0, 130);
    let _ = returns.next_piece(MOST);
    returns.push(1, 1);
    let slots: Vec<_> = core::iter::from_fn(|| returns.next_piece(MOST))
        .map(|piece| piece.slot)
        .collect();
    assert_eq!(slots, [1, 0, 0]);
}
