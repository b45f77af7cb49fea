//! Adding to an image and removing from it.
//!
//! The image is read, changed in memory and written anew, so it has room for whatever it holds, and is the
//! old one until the new one is whole. What is changed are modules and the spec; the rest is taken
//! over as it is, so an image is the same, byte for byte, as if it had been built so.
//!
//! Invariant: an image with a spec stays one that [`Spec::parse`] takes.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use luge_native::artefact;
use luge_spec::command_line::DEFAULT_PORT;
use luge_spec::{FILE_NAME, ModulePath, Route, Spec, edit};

use crate::build::Build;
use crate::compile::Compiler;
use crate::deployment::read_spec;
use crate::module;
use crate::progress::Progress;
use crate::source::Source;
use crate::translation::{self, Need};

/// What is to be added.
pub struct Addition {
    /// The module on the host.
    pub module: PathBuf,
    /// Its path on the image; its name on the host, if none is given.
    pub path: Option<String>,
    /// The route; the path without `.wasm`, if none is given.
    pub route: Option<String>,
    /// Whose route; there must be only one tenant, if none is given.
    pub tenant: Option<String>,
    /// Further keys of the route, and their values.
    pub settings: Vec<(String, String)>,
    /// What becomes of a module that is there.
    pub existing: Existing,
    /// What makes the native code beside it, if there is to be any.
    pub compiler: Option<Compiler>,
}

/// What becomes of what has the same name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is added.
    Refuse,
    /// It is replaced.
    Replace,
}

/// An image that is being changed, and that nobody else changes meanwhile.
pub struct Change {
    image: PathBuf,
    /// Held for its lock.
    _file: File,
    spec: Spec,
    build: Build,
}

impl Change {
    /// Reads all of an image.
    pub fn begin(image: &Path) -> Result<Change> {
        let place = || image.display().to_string();
        // Else a link would be replaced, and not what it points to.
        let image = fs::canonicalize(image).with_context(place)?;
        ensure!(image.is_file(), "{}: not an image", place());
        let file = File::open(&image).with_context(place)?;
        file.try_lock().map_err(|why| match why {
            TryLockError::WouldBlock => anyhow!("{}: somebody else is changing it", place()),
            TryLockError::Error(error) => anyhow!("{}: {error}", place()),
        })?;
        let source = Source::open(&image)?;
        Ok(Change {
            spec: read_spec(&source, DEFAULT_PORT)?.spec,
            build: Build::of_image(&source).with_context(place)?,
            image,
            _file: file,
        })
    }

    /// Adds a module, and a route for it unless it has one. Returns what was added, in words.
    pub fn add(&mut self, addition: &Addition, progress: Progress) -> Result<String> {
        let host = || addition.module.display().to_string();
        let length = fs::metadata(&addition.module).with_context(host)?.len();
        ensure!(
            length <= module::LARGEST_TO_SLIM,
            "{}: it is {length} bytes long, and {} are the most",
            host(),
            module::LARGEST_TO_SLIM
        );
        let bytes = fs::read(&addition.module).with_context(host)?;
        let served = module::serve(bytes).with_context(host)?;
        served.report(&host());
        let bytes = served.bytes;
        let path = addition.path_on_image()?;
        let is_new = self.put_module(addition, &path, bytes.clone())?;
        if self.build.files.contains_key(FILE_NAME) {
            self.add_to_spec(addition, &path)?;
        } else {
            addition.expect_plain(&path)?;
        }
        if let Some(compiler) = &addition.compiler {
            self.build
                .add_native(compiler, path.as_str(), &bytes, "1/1", progress)?;
        }
        self.check_translation(&path, &bytes, progress)?;
        Ok(format!(
            "{} {path}",
            if is_new { "added" } else { "replaced" }
        ))
    }

    /// Refuses a module that is to run in the interpreter and that this cannot translate.
    fn check_translation(&self, path: &ModulePath, bytes: &[u8], progress: Progress) -> Result<()> {
        let tenants = self.spec.tenants.iter();
        let routes = tenants.flat_map(|tenant| &tenant.routes);
        let needs = routes.filter(|route| route.module == *path).map(Need::of);
        // Without a spec its route is not there yet.
        let need = needs.max().unwrap_or(Need::WithoutNativeCode);
        let has_native = || {
            let file = self.build.files.get(&artefact::path(path.as_str()));
            file.is_some_and(|file| artefact::open(file, bytes).is_ok())
        };
        let checked = translation::check(path, bytes, need, has_native, progress);
        if let Some(why) = checked.with_context(|| path.to_string())? {
            eprintln!("warning: {path}: {why}: it runs as native code only");
        }
        Ok(())
    }

    /// Puts a module on the image. Whether it was not there before.
    fn put_module(
        &mut self,
        addition: &Addition,
        path: &ModulePath,
        bytes: Vec<u8>,
    ) -> Result<bool> {
        let files = &mut self.build.files;
        let is_same = files.get(path.as_str()).map(|old| *old == bytes);
        if is_same == Some(false) && addition.existing == Existing::Refuse {
            bail!("{path} is on the image already (see --replace)");
        }
        let is_folder = self.build.folders.contains(path.as_str());
        ensure!(!is_folder, "{path} is a folder on the image");
        let beside = artefact::path(path.as_str());
        if is_same == Some(false) && files.remove(&beside).is_some() {
            eprintln!("note: {beside} is gone, it was made from the old module (see --native)");
        }
        files.insert(path.as_str().to_owned(), bytes);
        Ok(is_same.is_none())
    }

    /// Adds a route, unless there is one already that will do.
    fn add_to_spec(&mut self, addition: &Addition, path: &ModulePath) -> Result<()> {
        let route = addition.route_of(path);
        let tenant = self.tenant(addition.tenant.as_deref())?;
        let known = tenant.routes.iter().find(|known| known.route == route);
        match known {
            Some(known) if addition.existing == Existing::Refuse => {
                let (name, module) = (&tenant.name, &known.module);
                bail!("tenant {name} has a route {route} already, for {module} (see --replace)");
            }
            Some(known) if known.module != *path => bail!(
                "route {route} is for {}, not for {path}: remove it first, or give --path",
                known.module
            ),
            Some(_) => return addition.expect_no_settings(),
            None => {}
        }
        let is_used = tenant.routes.iter().any(|known| known.module == *path);
        if addition.existing == Existing::Replace && addition.route.is_none() && is_used {
            return addition.expect_no_settings();
        }
        let text = self.spec_text()?;
        let object = addition.object(&route, path)?;
        let changed = edit::add_route(FILE_NAME, &text, &tenant.name, &object)?;
        self.take_spec(changed)
    }

    /// The tenant with this name, or the only one.
    fn tenant(&self, name: Option<&str>) -> Result<luge_spec::Tenant> {
        let tenants = &self.spec.tenants;
        let names = || {
            let names: Vec<_> = tenants.iter().map(|tenant| tenant.name.as_str()).collect();
            names.join(", ")
        };
        let found = match (name, tenants.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => bail!("which tenant? --tenant is one of {}", names()),
            (Some(name), _) => tenants.iter().find(|tenant| tenant.name == name),
        };
        let found =
            found.with_context(|| format!("there is no such tenant; there are {}", names()));
        found.cloned()
    }

    /// Removes a route, or a module with its routes, and what only they used. Returns what was removed,
    /// in words.
    pub fn remove(&mut self, what: &str, tenant: Option<&str>) -> Result<String> {
        if let Some(name) = tenant {
            self.tenant(Some(name))?;
        }
        let is_meant = |owner: &str, route: &Route| {
            let is_named = match what.strip_prefix('/') {
                Some(_) => route.route == what,
                None => {
                    route.module.as_str() == what || route.module.as_str() == format!("{what}.wasm")
                }
            };
            is_named && tenant.is_none_or(|tenant| tenant == owner)
        };
        let mut gone = Vec::new();
        for tenant in &self.spec.tenants {
            let routes = tenant.routes.iter();
            gone.extend(
                routes
                    .filter(|route| is_meant(&tenant.name, route))
                    .map(|route| (tenant.name.clone(), route.clone())),
            );
        }
        if what.starts_with('/') && tenant.is_none() && gone.len() > 1 {
            bail!("several tenants have a route {what} (see --tenant)");
        }
        if gone.is_empty() && what != FILE_NAME && self.build.files.contains_key(what) {
            self.remove_tree(what);
            return Ok(format!("removed {what}"));
        }
        ensure!(!gone.is_empty(), "there is no {what} on the image");
        self.remove_routes(&gone)?;
        let names: Vec<_> = gone.iter().map(|(_, route)| route.route.as_str()).collect();
        Ok(format!("removed {}", names.join(", ")))
    }

    fn remove_routes(&mut self, gone: &[(String, Route)]) -> Result<()> {
        let before = used(&self.spec);
        if self.build.files.contains_key(FILE_NAME) {
            let goes = |tenant: &str, route: &str| {
                gone.iter()
                    .any(|(owner, gone)| owner == tenant && gone.route == route)
            };
            for tenant in &self.spec.tenants {
                let all_go = tenant
                    .routes
                    .iter()
                    .all(|route| goes(&tenant.name, &route.route));
                ensure!(
                    !all_go,
                    "tenant {} would have no route left, and each has one at least",
                    tenant.name
                );
            }
            let text = self.spec_text()?;
            self.take_spec(edit::remove_routes(FILE_NAME, &text, goes)?)?;
        } else {
            for tenant in &mut self.spec.tenants {
                tenant
                    .routes
                    .retain(|route| !gone.iter().any(|(_, gone)| gone == route));
            }
        }
        let after = used(&self.spec);
        for path in before.difference(&after) {
            self.remove_tree(path);
        }
        Ok(())
    }

    /// Removes a file, or a folder and all that is in it but what routes use.
    fn remove_tree(&mut self, path: &str) {
        let after = used(&self.spec);
        let below = format!("{path}/");
        let is_free = |name: &String| {
            (name == path || name.starts_with(&below))
                && !after.iter().any(|used| is_in(name, used))
        };
        self.build.files.retain(|name, _| !is_free(name));
        self.build.links.retain(|name, _| !is_free(name));
        self.build.folders.retain(|name| !is_free(name));
    }

    fn spec_text(&self) -> Result<String> {
        let text = self.build.files.get(FILE_NAME).cloned().unwrap_or_default();
        String::from_utf8(text).context(FILE_NAME)
    }

    /// Takes a changed spec over, if it is still one.
    fn take_spec(&mut self, text: String) -> Result<()> {
        let (spec, _) = Spec::parse(FILE_NAME, text.as_bytes())?;
        self.spec = spec;
        self.build
            .files
            .insert(FILE_NAME.to_owned(), text.into_bytes());
        Ok(())
    }

    /// Writes the new image in the place of the old one. Returns what it has, in words.
    pub fn finish(mut self, progress: Progress) -> Result<String> {
        if !self.build.files.contains_key(FILE_NAME) {
            let files = self.build.files.keys().map(String::as_str);
            let top = files.filter(|name| !name.contains('/'));
            let (spec, _) = Spec::from_modules(top, DEFAULT_PORT);
            self.spec = spec;
        }
        self.build.routes = self
            .spec
            .tenants
            .iter()
            .map(|tenant| tenant.routes.len())
            .sum();
        self.build.write(&self.image, progress)?;
        Ok(self.build.to_string())
    }
}

/// Whether `name` is `path` or lies below it.
fn is_in(name: &str, path: &str) -> bool {
    name.strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The files and folders that routes use.
fn used(spec: &Spec) -> BTreeSet<String> {
    let routes = spec.tenants.iter().flat_map(|tenant| &tenant.routes);
    routes
        .flat_map(|route| {
            let module = route.module.as_str();
            let folder = route.folder.as_ref().map(ToString::to_string);
            [
                Some(module.to_owned()),
                Some(artefact::path(module)),
                folder,
            ]
        })
        .flatten()
        .collect()
}

impl Addition {
    fn path_on_image(&self) -> Result<ModulePath> {
        let name = match &self.path {
            Some(path) => path.clone(),
            None => {
                let name = self.module.file_name().and_then(|name| name.to_str());
                name.with_context(|| format!("{}: no name", self.module.display()))?
                    .to_owned()
            }
        };
        let path = ModulePath::new(&name).map_err(|why| anyhow!("{name:?} {why}"))?;
        let ends = path.as_str().ends_with(".wasm");
        ensure!(ends, "{path} does not end in .wasm (see --path)");
        Ok(path)
    }

    fn route_of(&self, path: &ModulePath) -> String {
        let stem = path.as_str().trim_end_matches(".wasm");
        let stem = stem.rsplit('/').next().unwrap_or(stem);
        self.route.clone().unwrap_or_else(|| format!("/{stem}"))
    }

    /// On an image without a spec, a module's name is all that there is to say about it.
    fn expect_plain(&self, path: &ModulePath) -> Result<()> {
        let is_plain = self.route.is_none() && self.tenant.is_none() && self.settings.is_empty();
        ensure!(
            is_plain,
            "the image has no {FILE_NAME}: a module's name is its route, and nothing else can be set"
        );
        let (spec, _) = Spec::from_modules([path.as_str()], DEFAULT_PORT);
        let is_routed = spec.tenants.iter().any(|tenant| !tenant.routes.is_empty());
        ensure!(
            is_routed && !path.as_str().contains('/'),
            "the image has no {FILE_NAME}, and {path} would have no route"
        );
        Ok(())
    }

    fn expect_no_settings(&self) -> Result<()> {
        ensure!(
            self.settings.is_empty(),
            "the route is there, and keeps its settings: remove it first to change them"
        );
        Ok(())
    }

    /// The route as it stands in a spec.
    fn object(&self, route: &str, path: &ModulePath) -> Result<String> {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let mut entries = vec![
            ("route".to_owned(), text(route)),
            ("path".to_owned(), text(path.as_str())),
        ];
        if !self.settings.iter().any(|(key, _)| key == DEADLINE) {
            let default = Route::DEFAULT_RELATIVE_DEADLINE_US.to_string();
            entries.push((DEADLINE.to_owned(), default));
        }
        for (key, value) in &self.settings {
            let is_json = serde_json::from_str::<serde_json::Value>(value).is_ok();
            let value = if is_json { value.clone() } else { text(value) };
            entries.push((key.clone(), value));
        }
        let entries: Vec<_> = entries
            .iter()
            .map(|(key, value)| format!("{}: {value}", text(key)))
            .collect();
        Ok(format!("{{{}}}", entries.join(", ")))
    }
}

/// The key that every route has.
const DEADLINE: &str = "relative-deadline-us";
