//! What the kernel will make of a folder or an image.

use std::collections::BTreeMap;

use anyhow::Result;
use luge_native::artefact;
use luge_spec::{FILE_NAME, FolderPath, LARGEST_SPEC, ModulePath, Route, Spec, SpecError, Tenant};
use thiserror::Error;

use crate::folder::{self, Contents, Unusable};
use crate::module::{self, Unfit};
use crate::progress::Progress;
use crate::source::{ReadError, Source};
use crate::translation::{self, Need, NoEngine, Untranslatable};

/// A spec, and what there is of its modules.
pub struct Deployment {
    /// The spec, or what stands in for it.
    pub spec: Spec,
    /// The text of the spec, if there is one.
    pub text: Option<Vec<u8>>,
    /// What its author should know.
    pub warnings: Vec<String>,
    /// Each module that a route names: its length in bytes, or why it cannot be used.
    pub modules: BTreeMap<ModulePath, Result<u64, Refusal>>,
    /// Those of them that the interpreter cannot translate and that the native code beside them runs, and why.
    pub native_only: BTreeMap<ModulePath, Untranslatable>,
    /// Each folder that a route names: what is in it, or why it cannot be used.
    pub folders: BTreeMap<FolderPath, Result<Contents, Unusable>>,
}

/// What a source says is deployed.
pub struct SpecText {
    /// The spec, or what stands in for it.
    pub spec: Spec,
    text: Option<Vec<u8>>,
    warnings: Vec<String>,
}

/// The spec is no good.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct SpecRefused(SpecError);

/// Why the kernel will leave a module out.
#[derive(Debug, Error)]
pub enum Refusal {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is not a module that runs.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// It is to run in the interpreter, which cannot translate it.
    #[error(transparent)]
    NoEngine(#[from] NoEngine),
}

/// What a module is checked with.
struct Checks<'s> {
    source: &'s Source,
    /// Whether native code will be put beside each module.
    makes_native: bool,
    progress: Progress,
    native_only: BTreeMap<ModulePath, Untranslatable>,
}

impl Deployment {
    /// Reads the spec and checks every module. `port` is the only tenant's where there is no spec; `makes_native` says
    /// whether native code will be put beside each module of a folder.
    pub fn read(
        source: &Source,
        port: u16,
        makes_native: bool,
        progress: Progress,
    ) -> Result<Deployment> {
        let SpecText {
            spec,
            text,
            mut warnings,
        } = read_spec(source, port)?;
        let mut folders = BTreeMap::new();
        for path in routes_of(&spec).filter_map(|(_, route)| route.folder.as_ref()) {
            folders
                .entry(path.clone())
                .or_insert_with(|| folder::contents(source, path));
        }
        let mut checks = Checks {
            source,
            makes_native,
            progress,
            native_only: BTreeMap::new(),
        };
        let modules = checks.check_all(&spec);
        let native_only = checks.native_only;
        for (path, why) in &native_only {
            warnings.push(format!("{path}: {why}: it runs as native code only"));
        }
        Ok(Deployment {
            spec,
            text,
            warnings,
            modules,
            native_only,
            folders,
        })
    }

    /// The modules that the kernel will leave out, and why.
    pub fn invalid(&self) -> impl Iterator<Item = (&ModulePath, &Refusal)> {
        self.modules
            .iter()
            .filter_map(|(path, found)| Some((path, found.as_ref().err()?)))
    }

    /// The routes whose folders the kernel will not mount, the folders, and why.
    pub fn unusable(&self) -> impl Iterator<Item = (&str, &FolderPath, &Unusable)> {
        self.routes().filter_map(|(_, route)| {
            let path = route.folder.as_ref()?;
            let why = self.folders.get(path)?.as_ref().err()?;
            Some((route.route.as_str(), path, why))
        })
    }

    /// Forgets the modules that the kernel would leave out and the folders that it would not mount. Routes that need
    /// them stay in the spec, and are not served.
    pub fn leave_out_invalid(&mut self) {
        self.modules.retain(|_, found| found.is_ok());
        self.folders.retain(|_, found| found.is_ok());
    }

    /// The routes whose module and folder have not been left out.
    pub fn served(&self) -> impl Iterator<Item = (&Tenant, &Route)> {
        self.routes().filter(|(_, route)| {
            let folder = route.folder.as_ref();
            self.modules.contains_key(&route.module)
                && folder.is_none_or(|path| self.folders.contains_key(path))
        })
    }

    /// All routes, in the order of the spec.
    pub fn routes(&self) -> impl Iterator<Item = (&Tenant, &Route)> {
        routes_of(&self.spec)
    }
}

fn routes_of(spec: &Spec) -> impl Iterator<Item = (&Tenant, &Route)> {
    let tenants = spec.tenants.iter();
    tenants.flat_map(|tenant| tenant.routes.iter().map(move |route| (tenant, route)))
}

/// Reads the spec alone.
pub fn read_spec(source: &Source, port: u16) -> Result<SpecText> {
    match source.read(FILE_NAME, LARGEST_SPEC) {
        Ok(text) => {
            let (spec, warnings) = Spec::parse(FILE_NAME, &text).map_err(SpecRefused)?;
            let warnings = warnings.iter().map(ToString::to_string).collect();
            Ok(SpecText {
                spec,
                text: Some(text),
                warnings,
            })
        }
        Err(ReadError::NotFound) => from_modules(source, port),
        Err(why) => Err(anyhow::anyhow!("{FILE_NAME}: {why}")),
    }
}

fn from_modules(source: &Source, port: u16) -> Result<SpecText> {
    let files = source.files()?;
    let (spec, unroutable) = Spec::from_modules(files.iter().map(String::as_str), port);
    let mut warnings: Vec<_> = unroutable.iter().map(ToString::to_string).collect();
    if spec.tenants.iter().all(|tenant| tenant.routes.is_empty()) {
        warnings.push(format!(
            "there is neither a {FILE_NAME} nor a module (NAME.wasm)"
        ));
    }
    Ok(SpecText {
        spec,
        text: None,
        warnings,
    })
}

impl Checks<'_> {
    /// Checks each module that a route names.
    fn check_all(&mut self, spec: &Spec) -> BTreeMap<ModulePath, Result<u64, Refusal>> {
        let mut needs = BTreeMap::new();
        for (_, route) in routes_of(spec) {
            let need = needs.entry(route.module.clone()).or_insert(Need::Never);
            *need = Need::of(route).max(*need);
        }
        let checked = needs.into_iter().map(|(path, need)| {
            let found = self.check(&path, need);
            (path, found)
        });
        checked.collect()
    }

    /// Checks a module, and gives the length of what is served.
    fn check(&mut self, path: &ModulePath, need: Need) -> Result<u64, Refusal> {
        let mut bytes = self.source.read_module(path)?;
        match self.source {
            Source::Folder(_) => bytes = module::serve(bytes)?.bytes,
            Source::Image(_) => module::check(&bytes)?,
        }
        let has_native = || self.has_native(path, &bytes);
        let why = translation::check(path, &bytes, need, has_native, self.progress)?;
        if let Some(why) = why {
            self.native_only.insert(path.clone(), why);
        }
        Ok(bytes.len() as u64)
    }

    /// Whether native code that was made of a module is beside it, or will be.
    fn has_native(&self, path: &ModulePath, module: &[u8]) -> bool {
        match self.source {
            Source::Folder(_) => self.makes_native,
            Source::Image(_) => {
                let file = self
                    .source
                    .read(&artefact::path(path.as_str()), LARGEST_NATIVE);
                file.is_ok_and(|file| artefact::open(&file, module).is_ok())
            }
        }
    }
}

/// The longest file of native code that the kernel reads, in bytes.
const LARGEST_NATIVE: u64 = 256 << 20;
