//! Whether there is time for a request: on what is its tenant's, on what everybody shares, or at the cost of what others have
//! beyond their shares.

use super::{Admission, Route};
use crate::book::Booking;
use crate::ready::{Group, Ready, SHARED};
use crate::terms::{Refusal, RouteId, RouteTerms, TenantId};
use crate::ticket::Ticket;
use crate::{CAPACITY_PPM, EXTENDED_PPM, part_of};

/// What is booked beyond the estimate: one part in so many, and so many nanoseconds. Estimates are never
/// exact, and a request that runs over its booking has no promise any more.
const MARGIN_PART: u64 = 32;
const MARGIN_NS: u64 = 20_000;
/// By how much a short booking may be made longer, in nanoseconds: a machine under a hypervisor stands
/// still for a while now and then, and that is charged to whoever runs.
const EXTENSION_NS: u64 = 20_000_000;
/// While a route's estimate is unsettled, bookings are not extended if so many of its requests exceed theirs, or if
/// more than this is promised with it, in millionths of the time.
const FEW_OVER: u32 = 6;
const UNSETTLED_PPM: u64 = CAPACITY_PPM / 2;
/// The longest that a client is told to wait, in seconds.
const LONGEST_RETRY_S: u32 = 60;

impl Admission {
    /// More of what is booked. It is lent if what there was is, or if it is beyond the tenant's share.
    pub(super) fn extension(
        &self,
        ticket: &Ticket,
        left_ns: u64,
        now_ns: u64,
        ready: &Ready,
    ) -> Booking {
        let tenant = self.routes[ticket.route.0].terms.tenant;
        let wanted = (ticket.entry.0, left_ns);
        let lane = ticket.group.booked();
        let is_lent = lane == SHARED.booked()
            && (self.book_of(lane).is_lent(ticket.entry)
                || !self.is_within_share(tenant, wanted, now_ns, ready));
        Booking {
            left_ns,
            tenant: tenant.0,
            is_lent,
        }
    }

    /// What can be booked beyond `booked_ns`. Nothing for the many that exceed their bookings while the estimate is
    /// unsettled: together they would take all the time in which some of them could be done.
    pub(super) fn find_more(
        &self,
        ticket: &Ticket,
        booked_ns: u64,
        now_ns: u64,
        ready: &Ready,
    ) -> Option<u64> {
        let left_ns = booked_ns.max(EXTENSION_NS) - ticket.extended_ns;
        let again_ns = booked_ns.saturating_add(ticket.extended_ns).min(left_ns);
        let route = &self.routes[ticket.route.0];
        let is_unsettled = route.estimate.is_unsettled();
        if again_ns == 0 || (is_unsettled && route.over >= FEW_OVER) {
            return None;
        }
        let capacity_ppm = if is_unsettled {
            UNSETTLED_PPM
        } else {
            EXTENDED_PPM
        };
        let (lane, deadline_ns) = (ticket.group.booked(), ticket.entry.0);
        let supply = ready.supply_to_running(lane, now_ns, capacity_ppm);
        let book = self.book_of(lane);
        [again_ns, again_ns / 4]
            .into_iter()
            .find(|&more_ns| book.test(now_ns, (deadline_ns, more_ns), &supply).is_ok())
    }

    /// The group that a request can run in, and what is to be booked there, if anything is.
    pub(super) fn find_time(
        &mut self,
        route: RouteId,
        deadline_ns: u64,
        now_ns: u64,
        ready: &Ready,
    ) -> Result<(Group, Option<Booking>), Refusal> {
        let Route { terms, at_once, .. } = *self.routes[route.0];
        let own = self.tenants[terms.tenant.0].terms.group;
        if !self.tests_demand {
            return Ok((own, None));
        }
        self.check_demand(route, own, (deadline_ns, now_ns), ready)?;
        let cost_ns = with_margin(self.estimate_ns(route));
        let wanted = (deadline_ns, cost_ns);
        let booking = |is_lent| Booking {
            left_ns: cost_ns,
            tenant: terms.tenant.0,
            is_lent,
        };
        let test = |group: Group| {
            let supply = ready.supply(group.booked(), now_ns, CAPACITY_PPM);
            self.book_of(group.booked()).test(now_ns, wanted, &supply)
        };
        if own.booked() != SHARED.booked() && test(own).is_ok() {
            return Ok((own, Some(booking(false))));
        }
        let shared = test(SHARED);
        let is_within = self.is_within_share(terms.tenant, wanted, now_ns, ready);
        match shared {
            Ok(()) => Ok((own.on_shared(), Some(booking(!is_within)))),
            Err(_) if is_within && self.recall_for(wanted, now_ns, ready) => {
                Ok((own, Some(booking(false))))
            }
            // Not even alone: by its estimate it never fits. It may try without a promise, one at a time,
            // or the estimate could never change.
            Err(_) if at_once == 0 && self.never_fits(cost_ns, &terms, ready) => Ok((own, None)),
            Err(lacking_ns) => Err(Refusal::NoTime {
                retry_after_s: retry_after_s(lacking_ns, ready),
            }),
        }
    }

    /// Whether a request is within its tenant's equal share of what servers leave. One that is alone has all.
    fn is_within_share(
        &self,
        TenantId(tenant): TenantId,
        wanted: (u64, u64),
        now_ns: u64,
        ready: &Ready,
    ) -> bool {
        if self.tenants.len() == 1 {
            return true;
        }
        let is_equal = self.tenants[tenant].terms.group.booked() == SHARED.booked();
        let share = ready.share(CAPACITY_PPM, self.equals);
        let book = self.book_of(SHARED.booked());
        is_equal && book.is_within(now_ns, wanted, tenant, &share)
    }

    /// Finds bookings that are lent and have to go for one that is not. False if that does not help.
    fn recall_for(&mut self, wanted: (u64, u64), now_ns: u64, ready: &Ready) -> bool {
        let supply = ready.supply(SHARED.booked(), now_ns, EXTENDED_PPM);
        let shared = self.books.iter().find(|(of, _)| *of == SHARED.booked());
        let (_, shared) = shared.expect("it is there from the beginning");
        let finds = shared.test_with_recall(now_ns, wanted, &supply, &mut self.recall);
        if !finds {
            self.recall.forget();
        }
        finds
    }

    /// While a route's estimate is unsettled, bookings say too little. So of its requests only as many are let in as
    /// can be done in time if they take as long as the last ones, and one in any case.
    fn check_demand(
        &self,
        route: RouteId,
        group: Group,
        (deadline_ns, now_ns): (u64, u64),
        ready: &Ready,
    ) -> Result<(), Refusal> {
        let route = &self.routes[route.0];
        let within = route.at_once - route.over + 1;
        let Some(demand_ns) = route.estimate.demand_ns(route.over, within) else {
            return Ok(());
        };
        let within_ns = deadline_ns.saturating_sub(now_ns);
        let supply_ns = |group| ready.supply_ns(group, now_ns, within_ns, CAPACITY_PPM);
        let supply_ns = if group.booked() == SHARED.booked() {
            supply_ns(SHARED)
        } else {
            supply_ns(group).saturating_add(supply_ns(SHARED))
        };
        match demand_ns.checked_sub(supply_ns) {
            Some(lacking_ns @ 1..) if route.at_once > 0 => Err(Refusal::NoTime {
                retry_after_s: retry_after_s(lacking_ns, ready),
            }),
            _ => Ok(()),
        }
    }

    fn never_fits(&self, cost_ns: u64, terms: &RouteTerms, ready: &Ready) -> bool {
        cost_ns > ready.supply_ns(SHARED, 0, terms.relative_deadline_ns, CAPACITY_PPM)
    }
}

const fn with_margin(estimate_ns: u64) -> u64 {
    estimate_ns
        .saturating_add(estimate_ns / MARGIN_PART)
        .saturating_add(MARGIN_NS)
}

/// When what is lacking now will have been worked off, at the pace of what everybody shares.
fn retry_after_s(lacking_ns: u64, ready: &Ready) -> u32 {
    let pace_ns = part_of(
        1_000_000_000,
        CAPACITY_PPM.saturating_sub(ready.reserved_ppm()),
    );
    let seconds = lacking_ns.div_ceil(pace_ns.max(1));
    u32::try_from(seconds).map_or(LONGEST_RETRY_S, |s| s.clamp(1, LONGEST_RETRY_S))
}
