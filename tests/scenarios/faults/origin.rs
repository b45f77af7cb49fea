//! Where an instruction is in a module, found by reading the module.

use anyhow::{Context, Result};
use wasmparser::{KnownCustom, Name, Operator, Parser, Payload, TypeRef};

/// A module's functions: what each is called, and its instructions with where they are, in bytes from the
/// beginning of the file.
pub struct Origins<'m> {
    functions: Vec<Function<'m>>,
}

struct Function<'m> {
    index: u64,
    name: &'m str,
    operators: Vec<(Operator<'m>, u64)>,
}

impl<'m> Origins<'m> {
    /// Reads a module.
    pub fn of(module: &'m [u8]) -> Result<Origins<'m>> {
        let (mut imported, mut functions, mut names) = (0, Vec::new(), Vec::new());
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports {
                        imported += u64::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    let operators = body.get_operators_reader()?.into_iter_with_offsets();
                    let operators =
                        operators.map(|found| found.map(|(what, at)| (what, at as u64)));
                    functions.push(Function {
                        index: imported + functions.len() as u64,
                        name: "",
                        operators: operators.collect::<Result<_, _>>()?,
                    });
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(section) = section.as_known() {
                        for part in section {
                            if let Name::Function(map) = part? {
                                names.extend(map.into_iter().collect::<Result<Vec<_>, _>>()?);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        for function in &mut functions {
            let named = names
                .iter()
                .find(|name| u64::from(name.index) == function.index);
            function.name = named.map_or("", |name| name.name);
        }
        Ok(Origins { functions })
    }

    fn function(&self, name: &str) -> Result<&Function<'m>> {
        let mut all = self.functions.iter();
        let found = all.find(|function| function.name == name);
        found.with_context(|| format!("the module has no {name}"))
    }

    /// The function's number.
    pub fn index(&self, name: &str) -> Result<u64> {
        Ok(self.function(name)?.index)
    }

    /// Where its only instruction is that is `wanted`.
    pub fn only(&self, name: &str, wanted: impl Fn(&Operator) -> bool) -> Result<u64> {
        let mut all = self.function(name)?.operators.iter();
        let (_, at) = all
            .find(|(operator, _)| wanted(operator))
            .with_context(|| format!("{name} has no such instruction"))?;
        anyhow::ensure!(
            !all.any(|(operator, _)| wanted(operator)),
            "{name} has more than one such instruction"
        );
        Ok(*at)
    }

    /// Where its only call is.
    pub fn call(&self, name: &str) -> Result<u64> {
        self.only(name, |operator| matches!(operator, Operator::Call { .. }))
    }
}
