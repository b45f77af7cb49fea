//! What a route may be called.

use crate::error::Expected;

/// Pages of the host; no tenant may have them.
const HOST_PAGES: [&str; 12] = [
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/trace",
    "/routes.json",
    "/sandboxes.json",
    "/faults",
    "/faults.json",
    "/records",
    "/logs",
    "/logs.json",
];

/// Where functions are deployed while the machine runs; no tenant may have it or anything below.
pub const ADMIN_PAGE: &str = "/admin/functions";

/// Longest route in bytes; a request's line has to hold it.
const LONGEST: usize = 255;

/// Why text is no route.
pub enum NoRoute {
    /// It is not a path of a URL.
    Malformed(Expected),
    /// It is a page of the host.
    HostPage,
}

/// Checks that `route` can be the path of a request and is free.
pub fn check(route: &str) -> Result<(), NoRoute> {
    let sound = |byte: u8| byte.is_ascii_graphic() && !b"?#\"\\<>".contains(&byte);
    if !route.starts_with('/') || route.len() > LONGEST || !route.bytes().all(sound) {
        return Err(NoRoute::Malformed(Expected::Words(
            "a path from \"/\" on, at most 255 letters, digits and signs, no blanks, ? or #",
        )));
    }
    let below = route.strip_prefix(ADMIN_PAGE);
    let is_admin = below.is_some_and(|below| below.is_empty() || below.starts_with('/'));
    if HOST_PAGES.contains(&route) || is_admin {
        Err(NoRoute::HostPage)
    } else {
        Ok(())
    }
}
