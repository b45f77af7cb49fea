//! Tests of WASI that others wrote: programs in C of Node.js, each a function (`tests/guests/wasi`).

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use luge_harness::Lab;
use luge_harness::disk::Folder;
use serde_json::{Value, json};

use super::report::Case;
use crate::served::AMPLE_US;
use crate::served::{route_with, spec};

/// Where the recipe and the table of what is expected are.
const FOLDER: &str = "tests/guests/wasi";
/// What stands before a program's name in a report.
pub const SET: &str = "node";
/// How many programs there are at least, where there are any.
const PROGRAMS: usize = 20;

/// The programs that could be had, built, and what is expected of each; nothing where their source is missing.
pub struct Others {
    modules: PathBuf,
    pub cases: Vec<Case>,
    /// The programs, and the routes by which they are served.
    routes: Vec<(String, String)>,
}

impl Others {
    pub fn build(lab: &Lab) -> Result<Others> {
        let root = lab.workshop().root();
        let modules = lab.folder("others")?.path().clone();
        let mut recipe = Command::new(root.join(FOLDER).join("build.sh"));
        lab.workshop().run(recipe.arg(&modules))?;
        let table = fs::read_to_string(root.join(FOLDER).join("cases.json"))?;
        let table: Value = serde_json::from_str(&table)?;
        let table = table.as_array().context("the table is a list")?;
        let mut others = Others {
            modules,
            cases: Vec::new(),
            routes: Vec::new(),
        };
        let programs = others.programs()?;
        for program in &programs {
            let rows = table.iter().filter(|row| row["program"] == **program);
            let rows: Vec<&Value> = rows.collect();
            ensure!(!rows.is_empty(), "the table does not speak of {program}");
            rows.iter().try_for_each(|row| others.add(program, row))?;
        }
        ensure!(
            programs.is_empty() || others.routes.len() >= PROGRAMS,
            "there are only {} programs",
            others.routes.len()
        );
        Ok(others)
    }

    /// Whether their source could not be had.
    pub fn are_missing(&self) -> bool {
        self.routes.is_empty()
    }

    /// The names of the modules, in order.
    fn programs(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.modules)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            names.extend(name.strip_suffix(".wasm").map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    fn add(&mut self, program: &str, row: &Value) -> Result<()> {
        if let Some(why) = row["left_out"].as_str() {
            println!("{SET}/{program} is left out: {why}");
            return Ok(());
        }
        let text = |key: &str, usual: &str| row[key].as_str().unwrap_or(usual).to_owned();
        let route = text("route", program);
        self.cases.push(Case {
            file: format!("{SET}/{program}"),
            name: text("name", program),
            request: format!("/{route}{}", text("query", "")),
            body: text("body", "").into_bytes(),
            outcome: text("outcome", "exit 0"),
            answer: text("answer", ""),
        });
        let both = (program.to_owned(), route);
        if !self.routes.contains(&both) {
            self.routes.push(both);
        }
        Ok(())
    }

    /// A folder from which they are served.
    pub fn folder(&self, lab: &Lab) -> Result<Folder> {
        let route = |(program, route): &(String, String)| {
            let path = json!({ "path": format!("{program}.wasm") });
            route_with(route, AMPLE_US, &path)
        };
        let routes: Vec<Value> = self.routes.iter().map(route).collect();
        let mut folder = lab
            .folder("others-disk")?
            .file("functions.json", spec(&routes))?;
        for (program, _) in &self.routes {
            let module = format!("{program}.wasm");
            folder = folder.copy(&module, self.modules.join(&module))?;
        }
        Ok(folder)
    }
}
