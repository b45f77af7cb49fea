//! What is logged: a level for all modules, and others for single ones.

use alloc::string::String;
use alloc::vec::Vec;

use log::{Level, LevelFilter};

/// The levels that are logged.
#[derive(Clone, Debug)]
pub struct Levels {
    general: LevelFilter,
    modules: Vec<(String, LevelFilter)>,
}

impl Levels {
    /// `general`, and for each of `modules` and what is inside it the level beside it. If several are for a
    /// module, the last of them counts.
    #[must_use]
    pub const fn new(general: LevelFilter, modules: Vec<(String, LevelFilter)>) -> Self {
        Self { general, modules }
    }

    /// Whether `module` logs at `level`.
    #[must_use]
    pub fn allow(&self, module: &str, level: Level) -> bool {
        let is_of = |(name, _): &&(String, LevelFilter)| {
            let inside = module.strip_prefix(name.as_str());
            inside.is_some_and(|inside| inside.is_empty() || inside.starts_with("::"))
        };
        let own = self.modules.iter().rev().find(is_of);
        level <= own.map_or(self.general, |(_, own)| *own)
    }

    /// The most talkative level of all.
    #[must_use]
    pub fn most(&self) -> LevelFilter {
        let levels = self.modules.iter().map(|(_, level)| *level);
        levels.fold(self.general, Ord::max)
    }
}
