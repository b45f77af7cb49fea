//! What a debugger is told of a task's standing.

use luge_sched::Standing;

fn place_of(standing: &Standing, name: &str) -> *const u8 {
    let found = Standing::LAYOUT.iter().find(|(other, _)| *other == name);
    let offset = found.expect("there is one").1;
    std::ptr::from_ref(standing)
        .cast::<u8>()
        .wrapping_add(offset)
}

fn word_at(standing: &Standing, name: &str) -> u64 {
    // SAFETY: the offset is that of a word of the standing.
    unsafe { place_of(standing, name).cast::<u64>().read_unaligned() }
}

fn byte_at(standing: &Standing, name: &str) -> u8 {
    // SAFETY: the offset is that of a byte of the standing.
    unsafe { place_of(standing, name).read() }
}

#[test]
fn a_debugger_finds_a_standing_where_the_layout_says() {
    let mut standing = Standing::new(7, 9_000, Some(500), 300);
    standing.charge(40);
    assert_eq!(word_at(&standing, "standing.arrival"), 7);
    assert_eq!(word_at(&standing, "standing.deadline_ns"), 9_000);
    assert_eq!(word_at(&standing, "standing.estimate_ns"), 300);
    assert_eq!(word_at(&standing, "standing.ran_ns"), 40);
    assert_eq!(byte_at(&standing, "standing.is_booked"), 1);
    standing.miss();
    assert_eq!(byte_at(&standing, "standing.is_booked"), 0);
}
