//! A deployment as a person reads it.

use std::fmt;

use luge_spec::{Answer, Engine, OnMiss, Route, Tenant};

use crate::deployment::Deployment;

/// Tenants with their routes, one line each, then the modules.
pub struct List<'d>(pub &'d Deployment);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = |text: fn(&Route) -> &str| {
            let lengths = self
                .0
                .routes()
                .map(|(_, route)| text(route).chars().count());
            lengths.max().unwrap_or(0)
        };
        let widths = (longest(|r| &r.route), longest(|r| r.module.as_str()));
        for tenant in &self.0.spec.tenants {
            write_tenant(f, tenant)?;
            for route in &tenant.routes {
                write_route(f, route, widths)?;
            }
        }
        writeln!(f, "modules")?;
        for (path, found) in &self.0.modules {
            match found {
                Ok(length) => writeln!(f, "  {path}  {}", Bytes(*length))?,
                Err(why) => writeln!(f, "  {path}  left out: {why}")?,
            }
        }
        Ok(())
    }
}

fn write_tenant(f: &mut fmt::Formatter<'_>, tenant: &Tenant) -> fmt::Result {
    write!(f, "tenant {}  port {}", tenant.name, tenant.port)?;
    if tenant.max_budget_us > 0 || tenant.replenishment_period_us > 0 {
        let (budget, period) = (tenant.max_budget_us, tenant.replenishment_period_us);
        write!(f, "  budget {budget} us in {period} us")?;
    }
    write_counts(f, tenant.max_concurrency, tenant.max_queue)?;
    if let Some(memory) = tenant.max_memory {
        write!(f, "  memory {}", Bytes(memory))?;
    }
    writeln!(f)
}

/// How many requests may be there, if that is limited.
fn write_counts(
    f: &mut fmt::Formatter<'_>,
    at_once: Option<u32>,
    waiting: Option<u32>,
) -> fmt::Result {
    if let Some(most) = at_once {
        write!(f, "  at once {most}")?;
    }
    if let Some(most) = waiting {
        write!(f, "  waiting {most}")?;
    }
    Ok(())
}

/// `widths` are those of the columns for routes and modules.
fn write_route(f: &mut fmt::Formatter<'_>, route: &Route, widths: (usize, usize)) -> fmt::Result {
    let limits = &route.limits;
    let (route_width, module_width) = widths;
    write!(
        f,
        "  {:route_width$}  {:module_width$}  {}  deadline {} us  stack {}  memory {}  request {}  response {}",
        route.route,
        route.module.as_str(),
        route.content_type,
        route.relative_deadline_us,
        Bytes(limits.stack),
        Bytes(limits.memory),
        Bytes(limits.request),
        Bytes(limits.response),
    )?;
    if let Some(time) = route.max_exec_us {
        write!(f, "  cpu {time} us")?;
    }
    if let Some(time) = route.expected_execution_us {
        write!(f, "  expected {time} us")?;
    }
    write_counts(f, route.max_concurrency, route.max_queue)?;
    if route.on_miss == OnMiss::Run {
        write!(f, "  on miss: run")?;
    }
    match route.engine {
        Some(Engine::Wasmi) => write!(f, "  engine wasmi")?,
        Some(Engine::Wasmtime) => write!(f, "  engine wasmtime")?,
        None => {}
    }
    if let Some(folder) = &route.folder {
        write!(f, "  folder {folder}")?;
    }
    if let Some(answer) = &route.answer {
        write_answer(f, answer)?;
    }
    for (name, _) in &route.environ {
        write!(f, "  ${name}")?;
    }
    writeln!(f)
}

fn write_answer(f: &mut fmt::Formatter<'_>, answer: &Answer) -> fmt::Result {
    if let Some(file) = &answer.file {
        write!(f, "  response /tmp/{file}")?;
    }
    if answer.success != Answer::default().success {
        let codes: Vec<String> = answer.success.iter().map(u32::to_string).collect();
        write!(f, "  success exit {}", codes.join(" "))?;
    }
    Ok(())
}

/// A number of bytes, in the largest unit that divides it, or with one digit after the point.
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(size, _)| self.0 >= *size) {
            None => write!(f, "{} B", self.0),
            Some((size, unit)) if self.0.is_multiple_of(size) => {
                write!(f, "{} {unit}", self.0 / size)
            }
            Some((size, unit)) => write!(f, "{:.1} {unit}", self.0 as f64 / size as f64),
        }
    }
}
