//! Tenants and routes for tests.

use luge_sched::{Group, RouteTerms, TenantId, TenantTerms};

/// A millisecond, in nanoseconds.
pub const MS: u64 = 1_000_000;

/// A tenant without limits in this group.
pub fn tenant(group: Group) -> TenantTerms {
    TenantTerms {
        group,
        most_at_once: None,
        most_waiting: None,
        most_memory: None,
    }
}

/// A route without limits of this tenant.
pub fn route(tenant: TenantId, deadline_ns: u64, estimate_ns: u64) -> RouteTerms {
    RouteTerms {
        tenant,
        relative_deadline_ns: deadline_ns,
        budget_ns: None,
        given_estimate_ns: Some(estimate_ns),
        percentile: 99,
        most_at_once: None,
        most_waiting: None,
        memory: 1,
    }
}
