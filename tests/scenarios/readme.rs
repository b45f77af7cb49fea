//! Sections of the README, as what somebody does who reads them: files that are written, commands that are typed,
//! answers that are expected.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use luge_harness::{Lab, Machine};

/// The folder of functions in the README.
const FUNCTIONS: &str = "/tmp/functions";
/// Where its machine answers.
const ADDRESS: &str = "http://127.0.0.1:8080";

/// A section: its text between the heading and the next one of its level or above.
pub struct Section {
    text: String,
}

/// What stands between two fences.
struct Block<'a> {
    kind: &'a str,
    text: &'a str,
    /// The text before it, back to the block before.
    before: &'a str,
}

/// A command, and what it is to print.
#[derive(Debug, PartialEq)]
pub struct Exchange {
    command: String,
    answer: String,
}

impl Section {
    /// The section with this heading, its marks included.
    pub fn of(readme: &str, heading: &str) -> Result<Section> {
        let start = format!("\n{heading}\n");
        let (_, rest) = readme.split_once(&start).context(heading.to_owned())?;
        let level = heading.chars().take_while(|mark| *mark == '#').count();
        let mut text = String::new();
        let mut is_fenced = false;
        for line in rest.lines() {
            is_fenced ^= line.starts_with("```");
            let marks = line.chars().take_while(|mark| *mark == '#').count();
            if !is_fenced && (1..=level).contains(&marks) {
                break;
            }
            text.push_str(line);
            text.push('\n');
        }
        Ok(Section { text })
    }

    /// The section of this project's README.
    pub fn read(lab: &Lab, heading: &str) -> Result<Section> {
        let readme = lab.workshop().root().join("README.md");
        Section::of(&std::fs::read_to_string(readme)?, heading)
    }

    fn blocks(&self) -> Vec<Block<'_>> {
        let parts: Vec<&str> = self.text.split("```").collect();
        let pairs = parts.chunks_exact(2);
        pairs
            .filter_map(|pair| {
                let (kind, text) = pair[1].split_once('\n')?;
                let before = pair[0];
                Some(Block { kind, text, before })
            })
            .collect()
    }

    /// The files that are to be put into the folder of functions, by their names: a block belongs to the last
    /// path that was named before it.
    pub fn files(&self) -> Vec<(&str, &str)> {
        let of = |block: &Block| -> Option<(&str, &str)> {
            let (_, rest) = block.before.rsplit_once("`/tmp/functions/")?;
            let (name, _) = rest.split_once('`')?;
            let is_text = !matches!(block.kind, "sh" | "console");
            is_text.then_some(())?;
            // Both live as long as the section.
            let start = |part: &str| part.as_ptr() as usize - self.text.as_ptr() as usize;
            let slice = |part: &str| &self.text[start(part)..start(part) + part.len()];
            Some((slice(name), slice(block.text)))
        };
        self.blocks().iter().filter_map(of).collect()
    }

    /// What is typed into a shell, line by line, without what is said of it.
    pub fn typed(&self) -> Vec<String> {
        let blocks = self.blocks();
        let lines = blocks.iter().filter(|block| block.kind == "sh");
        let lines = lines.flat_map(|block| block.text.lines());
        lines
            .map(|line| line.split("  #").next().unwrap_or(line).trim().to_owned())
            .collect()
    }

    /// What is typed and begins with `start`, without that.
    pub fn typed_after(&self, start: &str) -> Vec<String> {
        let typed = self.typed().into_iter();
        typed
            .filter_map(|line| Some(line.strip_prefix(start)?.to_owned()))
            .collect()
    }

    /// What is asked and answered.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let mut exchanges = Vec::new();
        let blocks = self.blocks();
        for block in blocks.iter().filter(|block| block.kind == "console") {
            for line in block.text.lines() {
                if let Some(command) = line.strip_prefix("$ ") {
                    exchanges.push(Exchange {
                        command: command.to_owned(),
                        answer: String::new(),
                    });
                } else if let Some(exchange) = exchanges.last_mut() {
                    exchange.answer.push_str(line);
                    exchange.answer.push('\n');
                }
            }
        }
        exchanges
    }

    /// Writes the files, and runs the compilers that are typed.
    pub fn build(&self, lab: &Lab, folder: &Path) -> Result<()> {
        for (name, text) in self.files() {
            std::fs::write(folder.join(name), text)?;
        }
        for line in self.typed() {
            if line.starts_with("rustc ") || line.starts_with("clang ") {
                let line = line.replace(FUNCTIONS, &folder.display().to_string());
                lab.workshop()
                    .run(Command::new("bash").args(["-c", &line]))?;
            }
        }
        Ok(())
    }

    /// Asks all that is asked; each answer must be the one that stands there.
    pub fn ask(&self, lab: &Lab, machine: &Machine) -> Result<()> {
        let address = format!("http://127.0.0.1:{}", machine.port());
        let exchanges = self.exchanges();
        ensure!(!exchanges.is_empty(), "nothing is asked");
        for Exchange { command, answer } in exchanges {
            let line = command.replace(ADDRESS, &address);
            ensure!(line != command, "it asks nobody: {command}");
            let shell = ["-o", "pipefail", "-c", &line];
            let said = lab.workshop().run(Command::new("bash").args(shell))?;
            let said = said.replace('\r', "");
            if !fits(&answer, &said) {
                bail!("{command}\n--- answers\n{said}--- and not\n{answer}");
            }
        }
        Ok(())
    }
}

/// Whether a text is as expected, where `…` stands for anything.
fn fits(expected: &str, text: &str) -> bool {
    let parts: Vec<&str> = expected.split('…').collect();
    let [first, middle @ .., last] = &parts[..] else {
        return expected == text;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    for part in middle {
        let Some((_, behind)) = rest.split_once(part) else {
            return false;
        };
        rest = behind;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# A\n\n## One\nPut this into `/tmp/functions/a.c`:\n\n```c\nint x;\n# no heading\n```\n\n\
        ```sh\nclang a.c   # compiles\n```\n\n### Deeper\n\n```console\n$ curl u\none\n…three\n$ curl v\n```\n\n## Two\n";

    #[test]
    fn a_section_ends_at_the_next_heading_of_its_level() {
        let section = Section::of(README, "## One").unwrap();
        assert!(section.text.contains("### Deeper") && !section.text.contains("## Two"));
        assert!(Section::of(README, "## Three").is_err());
    }

    #[test]
    fn files_commands_and_answers_are_told_apart() {
        let section = Section::of(README, "## One").unwrap();
        assert_eq!(section.files(), [("a.c", "int x;\n# no heading\n")]);
        assert_eq!(section.typed(), ["clang a.c"]);
        let [one, two] = &section.exchanges()[..] else {
            panic!("two are asked")
        };
        assert_eq!((&*one.command, &*one.answer), ("curl u", "one\n…three\n"));
        assert_eq!((&*two.command, &*two.answer), ("curl v", ""));
    }

    #[test]
    fn three_dots_stand_for_anything_and_nothing_else_does() {
        assert!(fits("a…c\n", "abc\n") && fits("a\n…\nd\n", "a\nb\nc\nd\n"));
        assert!(fits("same\n", "same\n") && !fits("same\n", "same\nmore\n"));
        assert!(!fits("a…c\n", "abc\nd\n") && !fits("a…b…c", "acb"));
    }
}
