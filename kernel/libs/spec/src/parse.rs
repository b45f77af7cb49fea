//! From the text of a spec to a [`Spec`]: tenants here, their routes in [`route`].

mod route;

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::error::{Expected, Label, Place, Problem, SpecError};
use crate::fields::{Fields, found};
use crate::json::{Entry, Kind, Source, Value};
use crate::model::{Limits, Route, Spec, Tenant};
use crate::warning::{NOT_ACTED_ON, Warning, WarningKind};

const TENANT_KEYS: [&str; 9] = [
    "name",
    "port",
    PERIOD,
    BUDGET,
    "max-concurrency",
    "max-queue",
    "max-memory",
    "fault-reports",
    "routes",
];

/// How many requests there may be of something.
const COUNT: RangeInclusive<u64> = 1..=1_000_000;
/// Memory of all sandboxes of a tenant: from what the smallest of them may have.
const MEMORY: RangeInclusive<u64> = *Limits::MEMORY.start()..=1 << 40;
/// Periods, budgets and deadlines in microseconds.
const DURATION_US: RangeInclusive<u64> = 0..=Route::LONGEST_US;
const PERIOD: &str = "replenishment-period-us";
const BUDGET: &str = "max-budget-us";
const NAME: &str = "a name, without control characters";

impl Spec {
    /// Reads a spec. `file` is its name as errors and warnings show it.
    ///
    /// The table in the crate's documentation says what is right. What has no effect comes back as warnings.
    ///
    /// # Errors
    /// [`SpecError`]: the first thing that is wrong, with its place.
    pub fn parse(file: &str, text: &[u8]) -> Result<(Spec, Vec<Warning>), SpecError> {
        let (source, root) = Source::open(file, text)?;
        let mut reader = Reader {
            source: &source,
            noted: Vec::new(),
            warnings: Vec::new(),
        };
        let spec = reader.spec(root)?;
        Ok((spec, reader.into_warnings()))
    }
}

/// Reads the text and remembers what its author should know.
struct Reader<'s, 'a> {
    source: &'s Source<'a>,
    /// Keys without effect, where each stands first, and how often.
    noted: Vec<(&'static str, usize, usize)>,
    warnings: Vec<Warning>,
}

impl<'s, 'a> Reader<'s, 'a> {
    fn spec(&mut self, root: Value<'a>) -> Result<Spec, SpecError> {
        if root.kind() != Kind::Array {
            let problem = Problem::NotAnArray(found(root));
            return Err(self.source.error(root.offset, problem));
        }
        let mut seen: Vec<(Tenant, usize, usize)> = Vec::new();
        for (index, element) in self.source.elements(root)?.into_iter().enumerate() {
            let tenant = self.tenant(index + 1, element, &seen)?;
            seen.push(tenant);
        }
        if seen.is_empty() {
            return Err(self.source.error(root.offset, Problem::Empty(None)));
        }
        Ok(Spec {
            tenants: seen.into_iter().map(|(tenant, ..)| tenant).collect(),
        })
    }

    /// One tenant, and where its name and its port stand.
    fn tenant(
        &mut self,
        number: usize,
        value: Value<'a>,
        others: &[(Tenant, usize, usize)],
    ) -> Result<(Tenant, usize, usize), SpecError> {
        let fields = self.object(value, number, "name", &TENANT_KEYS, Place::Tenant)?;
        let name_at = fields.required("name")?;
        let name = fields.text("name", name_at, NAME, |t| !t.chars().any(char::is_control))?;
        let port_at = fields.required("port")?;
        let port = fields.integer("port", port_at, 1..=u64::from(u16::MAX))?;
        let port = u16::try_from(port).unwrap_or(u16::MAX);
        self.refuse_same_tenant(others, (&name, name_at.offset), (port, port_at.offset))?;
        let tenant = Tenant {
            name,
            port,
            replenishment_period_us: fields.integer_or(PERIOD, DURATION_US, 0)?,
            max_budget_us: fields.integer_or(BUDGET, DURATION_US, 0)?,
            max_concurrency: fields.integer_if_any("max-concurrency", COUNT)?,
            max_queue: fields.integer_if_any("max-queue", COUNT)?,
            max_memory: fields.bytes_if_any("max-memory", MEMORY)?,
            fault_reports: fields.boolean_or("fault-reports", false)?,
            routes: self.routes(&fields)?,
        };
        self.check_reservation(&fields, &tenant);
        Ok((tenant, name_at.offset, port_at.offset))
    }

    /// Refuses a tenant whose name or port another one has already.
    fn refuse_same_tenant(
        &self,
        others: &[(Tenant, usize, usize)],
        (name, name_at): (&str, usize),
        (port, port_at): (u16, usize),
    ) -> Result<(), SpecError> {
        let line = |offset| self.source.position(offset).line;
        if let Some((_, first, _)) = others.iter().find(|(other, ..)| other.name == name) {
            let problem = Problem::DuplicateTenant {
                name: name.into(),
                first_line: line(*first),
            };
            return Err(self.source.error(name_at, problem));
        }
        if let Some((other, _, first)) = others.iter().find(|(other, ..)| other.port == port) {
            let owner = other.name.clone();
            let problem = Problem::DuplicatePort {
                port,
                owner,
                first_line: line(*first),
            };
            return Err(self.source.error(port_at, problem));
        }
        Ok(())
    }

    /// Warns of a reservation that is none, or of more than there is.
    fn check_reservation(&mut self, fields: &Fields, tenant: &Tenant) {
        let (budget, period) = (tenant.max_budget_us, tenant.replenishment_period_us);
        let key = match (budget, period) {
            (0, 1..) => PERIOD,
            (1.., 0) => BUDGET,
            _ if budget > period => BUDGET,
            _ => return,
        };
        let place = fields.place.clone();
        self.warn(
            fields,
            key,
            WarningKind::Reservation {
                place,
                budget,
                period,
            },
        );
    }

    fn routes(&mut self, tenant: &Fields<'s, 'a>) -> Result<Vec<Route>, SpecError> {
        let array = tenant.required("routes")?;
        if array.kind() != Kind::Array {
            return Err(tenant.bad_value("routes", array, Expected::Words("an array of routes")));
        }
        let mut routes: Vec<(Route, usize)> = Vec::new();
        for (index, element) in self.source.elements(array)?.into_iter().enumerate() {
            let (route, offset) = self.route(index + 1, element, &tenant.place)?;
            if let Some((_, first)) = routes.iter().find(|(other, _)| other.route == route.route) {
                let problem = Problem::DuplicateRoute {
                    route: route.route,
                    tenant: tenant.place.clone(),
                    first_line: self.source.position(*first).line,
                };
                return Err(self.source.error(offset, problem));
            }
            routes.push((route, offset));
        }
        if routes.is_empty() {
            let problem = Problem::Empty(Some(tenant.place.clone()));
            return Err(self.source.error(array.offset, problem));
        }
        Ok(routes.into_iter().map(|(route, _)| route).collect())
    }

    /// Opens an element of an array that must be an object, and finds out what it calls itself.
    fn object(
        &self,
        value: Value<'a>,
        number: usize,
        name: &str,
        known: &[&'static str],
        place: impl Fn(Label) -> Place,
    ) -> Result<Fields<'s, 'a>, SpecError> {
        if value.kind() != Kind::Object {
            let problem = Problem::NotAnObject(place(Label::Number(number)), found(value));
            return Err(self.source.error(value.offset, problem));
        }
        let entries = self.source.entries(value)?;
        let label = match entries.iter().find(|e| e.key == name) {
            Some(Entry { value, .. }) if value.kind() == Kind::Text && value.raw.len() > 2 => {
                Label::Name(self.source.text(*value)?)
            }
            _ => Label::Number(number),
        };
        Fields::check(self.source, place(label), value.offset, entries, known)
    }

    /// Notes that a key, if it is there, has no effect.
    fn note(&mut self, fields: &Fields, key: &'static str) {
        if fields.get(key).is_none() {
            return;
        }
        match self.noted.iter_mut().find(|(noted, ..)| *noted == key) {
            Some((_, _, times)) => *times += 1,
            None => self.noted.push((key, fields.offset_of(key), 1)),
        }
    }

    fn warn(&mut self, fields: &Fields, key: &str, kind: WarningKind) {
        let position = self.source.position(fields.offset_of(key));
        self.warnings.push(Warning { position, kind });
    }

    /// All warnings, in the order of the file.
    fn into_warnings(mut self) -> Vec<Warning> {
        for (key, offset, times) in self.noted {
            let (_, why) = NOT_ACTED_ON
                .iter()
                .find(|(known, _)| *known == key)
                .expect("only such keys are noted");
            let kind = WarningKind::NotActedOn { key, why, times };
            self.warnings.push(Warning {
                position: self.source.position(offset),
                kind,
            });
        }
        self.warnings
            .sort_by_key(|w| (w.position.line, w.position.column));
        self.warnings
    }
}
