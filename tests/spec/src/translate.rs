//! From a file of the official suite to a script.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context, Result, anyhow, bail};
use luge_conformance::{Action, Expected};
use luge_trap::Trap;
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::{Id, Span};
use wast::{QuoteWat, Wast, WastDirective, WastExecute, WastInvoke};

use crate::groups::Steps;
use crate::modules::{Compiler, Module};
use crate::values;

/// What became of a file.
pub struct Translated {
    /// The script's file.
    pub script: Vec<u8>,
    /// How many steps it has.
    pub steps: usize,
    /// How many assertions are about the text format, so about no engine: the text's parser refused it, as it
    /// should.
    pub text: usize,
}

/// A file of the suite.
pub struct Source<'s> {
    /// Its name.
    pub name: &'s str,
    /// What it says.
    pub text: &'s str,
    /// What it says of modules in these lines is no longer so: they are good.
    pub taken_back: &'s [u32],
    /// What begins in these lines is left out.
    pub left_out: Range<u32>,
}

/// Translates a file.
pub fn translate(compiler: &Compiler, spectest: Module, source: &Source<'_>) -> Result<Translated> {
    let Source {
        name,
        text,
        taken_back,
        ref left_out,
    } = *source;
    let mut lexer = Lexer::new(text);
    // Tests of names have characters in them that look like others.
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer)?;
    let file = parser::parse::<Wast>(&buffer)?;
    let mut translator = Translator {
        compiler,
        text,
        taken_back,
        steps: Steps::new(spectest),
        current: None,
        named: BTreeMap::new(),
        definition: None,
        definitions: BTreeMap::new(),
        text_only: 0,
    };
    for directive in file.directives {
        let line = translator.line(directive.span());
        if left_out.contains(&line) {
            continue;
        }
        translator
            .directive(directive)
            .with_context(|| format!("{name}:{line}"))?;
    }
    Ok(Translated {
        steps: translator.steps.len(),
        text: translator.text_only,
        script: translator.steps.write(name),
    })
}

struct Translator<'t> {
    compiler: &'t Compiler,
    text: &'t str,
    taken_back: &'t [u32],
    steps: Steps,
    /// The instance that is meant where none is named.
    current: Option<u32>,
    named: BTreeMap<String, u32>,
    /// The same of modules that are defined without an instance.
    definition: Option<u32>,
    definitions: BTreeMap<String, u32>,
    text_only: usize,
}

impl Translator<'_> {
    fn line(&self, span: Span) -> u32 {
        span.linecol_in(self.text).0 as u32 + 1
    }

    fn directive(&mut self, directive: WastDirective<'_>) -> Result<()> {
        let line = self.line(directive.span());
        match directive {
            WastDirective::Module(mut module) => {
                let place = self.add(module.encode()?)?;
                let instance = self.steps.instantiate(line, place, Expected::Done);
                self.made(module.name(), instance);
            }
            WastDirective::ModuleDefinition(mut module) => {
                let place = self.add(module.encode()?)?;
                self.steps
                    .step(line, Action::Compile(place), Expected::Done);
                self.definition = Some(place);
                if let Some(id) = module.name() {
                    self.definitions.insert(id.name().to_owned(), place);
                }
            }
            WastDirective::ModuleInstance {
                instance, module, ..
            } => {
                let place = match module {
                    Some(id) => self.definitions.get(id.name()).copied(),
                    None => self.definition,
                };
                let place = place.ok_or_else(|| anyhow!("no such definition"))?;
                let number = self.steps.instantiate(line, place, Expected::Done);
                self.made(instance, number);
            }
            WastDirective::AssertMalformed { module, .. }
            | WastDirective::AssertInvalid { module, .. } => self.refused(line, module)?,
            // Sections that nobody here looks at.
            WastDirective::AssertMalformedCustom { .. }
            | WastDirective::AssertInvalidCustom { .. } => self.text_only += 1,
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module)?;
                self.steps.register(line, instance, name);
            }
            WastDirective::Invoke(invoke) => {
                let action = self.invoke(&invoke)?;
                self.steps.step(line, action, Expected::Done);
            }
            WastDirective::AssertReturn { exec, results, .. } => {
                let results = results.iter().map(values::result).collect::<Result<_>>()?;
                self.execute(line, exec, Expected::Values(results))?;
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                self.execute(line, exec, Expected::traps(traps(message)?))?;
            }
            WastDirective::AssertException { exec, .. } => {
                self.execute(line, exec, Expected::trap(Trap::UncaughtException))?;
            }
            WastDirective::AssertExhaustion { call, .. } => {
                let action = self.invoke(&call)?;
                self.steps
                    .step(line, action, Expected::trap(Trap::StackOverflow));
            }
            WastDirective::AssertUnlinkable { mut module, .. } => {
                let place = self.add(module.encode()?)?;
                self.steps.instantiate(line, place, Expected::Unlinkable);
            }
            other => bail!("a test of another proposal: {other:?}"),
        }
        Ok(())
    }

    fn add(&mut self, wasm: Vec<u8>) -> Result<u32> {
        Ok(self.steps.module(self.compiler.compile(wasm)?))
    }

    fn made(&mut self, name: Option<Id<'_>>, instance: u32) {
        self.current = Some(instance);
        if let Some(id) = name {
            self.named.insert(id.name().to_owned(), instance);
        }
    }

    fn instance(&self, name: Option<Id<'_>>) -> Result<u32> {
        let instance = match name {
            Some(id) => self.named.get(id.name()).copied(),
            None => self.current,
        };
        instance.ok_or_else(|| anyhow!("no such instance"))
    }

    /// A module that is to be refused; if the text is refused already, no engine has a say.
    fn refused(&mut self, line: u32, mut module: QuoteWat<'_>) -> Result<()> {
        match module.encode() {
            Ok(wasm) => {
                let place = self.add(wasm)?;
                let expected = if self.taken_back.contains(&line) {
                    Expected::Done
                } else {
                    Expected::Refused
                };
                self.steps.step(line, Action::Compile(place), expected);
            }
            Err(_) => self.text_only += 1,
        }
        Ok(())
    }

    fn invoke(&self, invoke: &WastInvoke<'_>) -> Result<Action> {
        Ok(Action::Invoke {
            instance: self.instance(invoke.module)?,
            name: invoke.name.to_owned(),
            arguments: invoke
                .args
                .iter()
                .map(values::argument)
                .collect::<Result<_>>()?,
        })
    }

    fn execute(&mut self, line: u32, what: WastExecute<'_>, expected: Expected) -> Result<()> {
        let action = match what {
            WastExecute::Invoke(invoke) => self.invoke(&invoke)?,
            WastExecute::Get { module, global, .. } => Action::Get {
                instance: self.instance(module)?,
                name: global.to_owned(),
            },
            WastExecute::Wat(mut module) => {
                let place = self.add(module.encode()?)?;
                self.steps.instantiate(line, place, expected);
                return Ok(());
            }
        };
        self.steps.step(line, action, expected);
        Ok(())
    }
}

/// The traps that the suite calls so.
fn traps(message: &str) -> Result<&'static [Trap]> {
    let names: &[(&str, &[Trap])] = &[
        ("unreachable", &[Trap::Unreachable]),
        ("integer divide by zero", &[Trap::IntegerDivideByZero]),
        ("integer overflow", &[Trap::IntegerOverflow]),
        ("invalid conversion", &[Trap::BadConversionToInteger]),
        ("out of bounds memory access", &[Trap::MemoryOutOfBounds]),
        ("out of bounds table access", &[Trap::TableOutOfBounds]),
        // Early tests do not say of what.
        (
            "out of bounds",
            &[Trap::MemoryOutOfBounds, Trap::TableOutOfBounds],
        ),
        ("undefined", &[Trap::TableOutOfBounds]),
        ("uninitialized", &[Trap::IndirectCallToNull]),
        ("indirect call", &[Trap::BadSignature]),
    ];
    let named = names.iter().find(|(name, _)| message.starts_with(name));
    named
        .map(|(_, traps)| *traps)
        .ok_or_else(|| anyhow!("a trap of another proposal: {message}"))
}
