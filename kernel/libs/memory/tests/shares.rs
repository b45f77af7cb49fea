//! Shares: what is kept for each, and who may have the rest.

use luge_memory::shares::{Holder, Shares};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

const NO_LIMIT: u64 = u64::MAX;

/// Shares of so much for so many tenants, and how much is free.
struct Pool {
    shares: Shares,
    holders: Vec<Holder>,
    free: u64,
}

impl Pool {
    fn new(total: u64, most: &[u64]) -> Self {
        let mut shares = Shares::new();
        shares.set_total(total);
        let holders = most.iter().map(|&most| shares.add(most)).collect();
        Self {
            shares,
            holders,
            free: total,
        }
    }

    fn take(&mut self, tenant: usize, amount: u64) -> bool {
        let may = self
            .shares
            .may_take(self.holders[tenant], amount, self.free);
        if may {
            self.shares.take(self.holders[tenant], amount);
            self.free -= amount;
        }
        may
    }

    fn give_back(&mut self, tenant: usize, amount: u64) {
        self.shares.give_back(self.holders[tenant], amount);
        self.free += amount;
    }

    /// How many it gets one by one.
    fn take_all(&mut self, tenant: usize) -> u64 {
        (0..).take_while(|_| self.take(tenant, 1)).count() as u64
    }
}

#[test]
fn who_is_alone_has_all() {
    assert_eq!(Pool::new(1_024, &[NO_LIMIT]).take_all(0), 1_024);
}

#[test]
fn whoever_comes_after_one_that_took_all_it_could_finds_its_part_of_one_half() {
    let mut pool = Pool::new(1_024, &[NO_LIMIT; 4]);
    assert_eq!(pool.take_all(0), 1_024 - 3 * 128);
    for tenant in 1..4 {
        assert_eq!(pool.take_all(tenant), 128);
    }
    assert_eq!(pool.free, 0);
}

#[test]
fn what_comes_back_of_one_that_has_more_than_its_part_is_anybodys() {
    let mut pool = Pool::new(100, &[NO_LIMIT; 2]);
    assert_eq!((pool.take_all(0), pool.take_all(1)), (75, 25));
    pool.give_back(0, 10);
    assert!(pool.take(1, 10));
    pool.give_back(1, 20);
    assert!(pool.take(0, 10), "it has 65, the other 15 of its 25");
    assert!(!pool.take(0, 1), "10 are kept");
    assert!(pool.take(1, 10));
}

#[test]
fn no_more_is_kept_than_a_tenant_may_ever_have() {
    let mut pool = Pool::new(100, &[NO_LIMIT, 5]);
    assert_eq!(pool.take_all(0), 95);
    assert_eq!(pool.take_all(1), 5);
}

#[test]
fn many_at_once_are_all_or_nothing() {
    let mut pool = Pool::new(100, &[NO_LIMIT; 2]);
    assert!(!pool.take(0, 76));
    assert!(pool.take(0, 75));
    assert!(!pool.take(1, 26));
    assert!(pool.take(1, 25));
}

/// A program that is made, for instance, takes some for good.
#[test]
fn when_there_is_less_the_parts_are_smaller() {
    let mut pool = Pool::new(1_000, &[NO_LIMIT; 2]);
    let holders = pool.holders.clone();
    assert_eq!(pool.shares.sure(holders[1]), 250);
    pool.shares.set_total(600);
    pool.free = 600;
    assert_eq!(pool.shares.sure(holders[1]), 150);
    assert_eq!((pool.take_all(0), pool.take_all(1)), (450, 150));
    assert_eq!(pool.shares.has(holders[0]), 450);
}

#[test]
fn whatever_happens_each_tenant_gets_what_it_is_sure_of() {
    for seed in 0..200 {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let tenants = 1 + random.next_u32() as usize % 5;
        let total = u64::from(random.next_u32() % 200);
        let most: Vec<_> = (0..tenants)
            .map(|_| match random.next_u32() % 3 {
                0 => u64::from(random.next_u32() % 50),
                _ => NO_LIMIT,
            })
            .collect();
        let mut pool = Pool::new(total, &most);
        for _ in 0..500 {
            let tenant = random.next_u32() as usize % tenants;
            let amount = u64::from(random.next_u32() % 8);
            let has = pool.shares.has(pool.holders[tenant]);
            if random.next_u32().is_multiple_of(3) {
                pool.give_back(tenant, amount.min(has));
                continue;
            }
            let is_sure = has + amount <= pool.shares.sure(pool.holders[tenant]);
            let got = pool.take(tenant, amount);
            assert!(got || !is_sure, "seed {seed}: {has} and {amount} more");
        }
    }
}
