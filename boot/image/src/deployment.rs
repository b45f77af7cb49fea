//! What the kernel will make of a folder or an image.

use std::collections::BTreeMap;

use anyhow::Result;
use luge_spec::{FILE_NAME, FolderPath, LARGEST_SPEC, ModulePath, Route, Spec, SpecError, Tenant};
use thiserror::Error;

use crate::folder::{self, Contents, Unusable};
use crate::module::{self, Unfit};
use crate::source::{ReadError, Source};

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
}

impl Deployment {
    /// Reads the spec and checks every module. `port` is the only tenant's where there is no spec.
    pub fn read(source: &Source, port: u16) -> Result<Deployment> {
        let SpecText {
            spec,
            text,
            warnings,
        } = read_spec(source, port)?;
        let routes = spec.tenants.iter().flat_map(|tenant| &tenant.routes);
        let mut modules = BTreeMap::new();
        let mut folders = BTreeMap::new();
        for route in routes {
            if let Some(path) = &route.folder {
                folders
                    .entry(path.clone())
                    .or_insert_with(|| folder::contents(source, path));
            }
            modules
                .entry(route.module.clone())
                .or_insert_with(|| check(source, &route.module));
        }
        Ok(Deployment {
            spec,
            text,
            warnings,
            modules,
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
        let tenants = self.spec.tenants.iter();
        tenants.flat_map(|tenant| tenant.routes.iter().map(move |route| (tenant, route)))
    }
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

fn check(source: &Source, path: &ModulePath) -> Result<u64, Refusal> {
    let bytes = source.read_module(path)?;
    Ok(match source {
        Source::Folder(_) => module::serve(bytes)?.bytes.len() as u64,
        Source::Image(_) => module::check(&bytes)? as u64,
    })
}
