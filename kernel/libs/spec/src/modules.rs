//! The spec of a disk that has none: every module of the top folder is a route.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::model::{Route, Spec, Tenant};
use crate::module_path::ModulePath;
use crate::route_path::{self, NoRoute};

/// A module that cannot have a route because of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unroutable {
    /// The module's file.
    pub file: String,
    /// The route it would have had.
    pub route: String,
    /// Whether a page of the host has it.
    pub taken: bool,
}

impl Spec {
    /// Name of the only tenant where there is no spec.
    pub const DEFAULT_TENANT: &'static str = "default";

    /// One tenant on `port` with a route `/NAME` for each file `NAME.wasm`, by name; other files
    /// are no modules. Every setting has its default. Without a module, the tenant has no route.
    pub fn from_modules<'n>(
        files: impl IntoIterator<Item = &'n str>,
        port: u16,
    ) -> (Spec, Vec<Unroutable>) {
        let mut routes = Vec::new();
        let mut unroutable = Vec::new();
        for file in files.into_iter().collect::<BTreeSet<_>>() {
            let Some(name) = file.strip_suffix(".wasm") else {
                continue;
            };
            match route(name, file) {
                Ok(route) => routes.push(route),
                Err(why) => unroutable.push(why),
            }
        }
        let tenant = Tenant {
            routes,
            ..Tenant::alone(port)
        };
        (
            Spec {
                tenants: vec![tenant],
            },
            unroutable,
        )
    }
}

impl Tenant {
    /// The only tenant, on `port`, without a route.
    #[must_use]
    pub fn alone(port: u16) -> Tenant {
        Tenant {
            name: Spec::DEFAULT_TENANT.to_owned(),
            port,
            replenishment_period_us: 0,
            max_budget_us: 0,
            max_concurrency: None,
            max_queue: None,
            max_memory: None,
            fault_reports: false,
            routes: Vec::new(),
        }
    }
}

/// The route of one module.
fn route(name: &str, file: &str) -> Result<Route, Unroutable> {
    let route = format!("/{name}");
    let why = |taken| Unroutable {
        file: file.to_owned(),
        route: format!("/{name}"),
        taken,
    };
    route_path::check(&route).map_err(|e| why(matches!(e, NoRoute::HostPage)))?;
    let module = ModulePath::new(file).map_err(|_| why(false))?;
    Ok(Route::new(route, module))
}

impl fmt::Display for Unroutable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unroutable { file, route, taken } = self;
        match taken {
            true => write!(
                f,
                "{file:?} has no route: {route:?} is one of the host's own pages"
            ),
            false => write!(f, "{file:?} has no route: its name cannot stand in a URL"),
        }
    }
}
