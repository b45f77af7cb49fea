//! Whose connection makes room for another.
//!
//! While there is room, anybody may have all of it. When there is need of some, the tenant that has most goes first, within it the
//! peer address that has most, and of its connections the one that has least to lose. So nobody who has no more than an equal
//! share makes room for somebody who has more. Behind a proxy all clients have one address, and among them only the last
//! rule decides.

use core::cmp::Reverse;
use core::net::Ipv4Addr;

/// Why a connection can be given up. Whoever comes first in this order goes first. Each has the time that it has left, in
/// nanoseconds, of which the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Yields {
    /// It has been slow, in sending a request or in taking an answer.
    Slow(u64),
    /// There is no request on it.
    Idle(u64),
    /// It has been slow, and something that it has sent since is acknowledged and has not been looked at.
    Unread(u64),
    /// It is neither slow nor idle yet, and no request has come whole. Only who has more than twice as much as others yields
    /// such.
    Fresh(u64),
}

/// A connection, and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its place in the caller's list.
    pub index: usize,
    /// The port that it came to, which is the tenant's.
    pub port: u16,
    /// The peer's address.
    pub peer: Ipv4Addr,
    /// How much it has of what there is need of.
    pub takes: usize,
    /// Whether it can be given up.
    pub yields: Option<Yields>,
}

/// Who makes room: the place of one of these in the caller's list. It is taken from the holders by that; they are
/// sorted.
pub fn who_yields(holders: &mut [Holder]) -> Option<usize> {
    holders.sort_unstable_by_key(|holder| (holder.port, holder.peer));
    let all = sum(holders);
    let tenants = holders
        .chunk_by(|a, b| a.port == b.port)
        .filter(|tenant| sum(tenant) > 0);
    let tenant_count = tenants.clone().count();
    let mut first = None;
    for tenant in tenants {
        let of_tenant = sum(tenant);
        let peers = tenant
            .chunk_by(|a, b| a.peer == b.peer)
            .filter(|peer| sum(peer) > 0);
        let peer_count = peers.clone().count();
        for peer in peers {
            let of_peer = sum(peer);
            let is_beyond = is_twice_others(of_tenant, all, tenant_count)
                || is_twice_others(of_peer, of_tenant, peer_count);
            for holder in peer {
                let yields = holder
                    .yields
                    .filter(|yields| is_beyond || !matches!(yields, Yields::Fresh(_)));
                let standing =
                    yields.map(|yields| (of_tenant, of_peer, Reverse(yields), holder.index));
                first = first.max(standing);
            }
        }
    }
    let (.., index) = first?;
    let yielder = holders.iter_mut().find(|holder| holder.index == index)?;
    (yielder.takes, yielder.yields) = (0, None);
    Some(index)
}

/// Whether one of `count` has more than twice as much as the others have on average.
fn is_twice_others(has: usize, all: usize, count: usize) -> bool {
    has * (count - 1) > 2 * (all - has)
}

fn sum(holders: &[Holder]) -> usize {
    holders.iter().map(|holder| holder.takes).sum()
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::Yields::{Fresh, Idle, Slow, Unread};
    use super::*;

    /// Connections of a tenant's peer.
    fn of(port: u16, peer: u8, yields: &[Option<Yields>]) -> Vec<Holder> {
        let holders = yields.iter().map(|yields| Holder {
            index: 0,
            port,
            peer: Ipv4Addr::new(10, 0, 0, peer),
            takes: 1,
            yields: *yields,
        });
        holders.collect()
    }

    /// All of these, numbered in this order, and who goes, one after the other.
    fn order(groups: &[Vec<Holder>], most: usize) -> Vec<usize> {
        let mut all = groups.concat();
        for (index, holder) in all.iter_mut().enumerate() {
            holder.index = index;
        }
        (0..most).map_while(|_| who_yields(&mut all)).collect()
    }

    #[test]
    fn among_those_of_one_address_the_slowest_goes_first_and_a_whole_request_never() {
        let all = [
            None,
            Some(Unread(1)),
            Some(Idle(5)),
            Some(Slow(9)),
            Some(Slow(8)),
            Some(Fresh(1)),
        ];
        assert_eq!(order(&[of(80, 1, &all)], 6), [4, 3, 2, 1]);
    }

    #[test]
    fn whoever_has_most_goes_first_until_all_have_as_much() {
        let many = of(80, 1, &[Some(Idle(9)); 4]);
        let few = of(80, 2, &[Some(Slow(1)); 2]);
        let mut gone = order(&[many, few], 6);
        assert!(gone[..2].iter().all(|index| *index < 4), "{gone:?}");
        gone.sort_unstable();
        assert_eq!(gone, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_tenant_is_not_charged_with_what_another_has() {
        let one_address = of(80, 1, &[Some(Slow(1)); 3]);
        let many_addresses: Vec<_> = (1..=5)
            .flat_map(|peer| of(81, peer, &[Some(Idle(9))]))
            .collect();
        let gone = order(&[one_address, many_addresses], 2);
        assert!(gone.iter().all(|index| *index >= 3), "{gone:?}");
    }

    #[test]
    fn only_who_is_far_beyond_its_share_yields_what_is_fresh() {
        let crowd = of(80, 1, &[Some(Fresh(1)); 5]);
        let newcomer = of(80, 2, &[Some(Fresh(1))]);
        let gone = order(&[crowd.clone(), newcomer], 9);
        assert_eq!(gone.len(), 3, "{gone:?}");
        assert!(!gone.contains(&5), "{gone:?}");
        // Alone, it may have everything.
        assert_eq!(order(&[crowd], 9), []);
    }

    #[test]
    fn if_who_has_most_yields_nothing_the_next_does() {
        let busy = of(80, 1, &[None; 9]);
        let other = of(80, 2, &[None, Some(Slow(1))]);
        assert_eq!(order(&[busy, other], 9), [10]);
    }
}
