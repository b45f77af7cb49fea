//! gdb in batch mode, with `tests/gdb/luge.py`: on a machine that waits for it, or on a core.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::boot::Kernel;
use crate::lab::Lab;
use crate::transcript::Transcript;

/// A gdb that runs. Dropping it ends it. It ends at the latest when its machine does, so nothing here has a limit.
pub struct Gdb {
    child: Child,
    /// What it says, and what it complains about.
    pub said: Arc<Transcript>,
    complaints: Arc<Transcript>,
}

impl Gdb {
    /// gdb on the machine that waits on `port`, with `kernel` on it. It carries out `commands`, and then ends
    /// the machine.
    ///
    /// # Errors
    /// Something does not build, or gdb cannot be started.
    pub fn attach(lab: &Lab, kernel: &Kernel, port: u16, commands: &[&str]) -> Result<Gdb> {
        let port = format!("set $luge_port = {port}");
        let first = ["-ex", &port];
        Self::start(lab, kernel, &first, &[commands, &["kill"]].concat())
    }

    /// gdb on the core of a machine with `kernel` on it.
    ///
    /// # Errors
    /// Something does not build, or gdb cannot be started.
    pub fn on_core(lab: &Lab, kernel: &Kernel, core: &Path, commands: &[&str]) -> Result<Gdb> {
        let core = core.to_str().context("a path of letters")?;
        Self::start(lab, kernel, &["-c", core], commands)
    }

    fn start(lab: &Lab, kernel: &Kernel, first: &[&str], commands: &[&str]) -> Result<Gdb> {
        let shop = lab.workshop();
        let mut gdb = Command::new("gdb");
        gdb.args(["-nx", "-batch"]).args(first);
        for (name, path) in [("kernel", shop.kernel(kernel)?), ("loader", shop.loader()?)] {
            gdb.args(["-ex", &format!("set $luge_{name} = \"{}\"", path.display())]);
        }
        gdb.arg("-x").arg(shop.root().join("tests/gdb/luge.py"));
        for command in commands {
            gdb.args(["-ex", command]);
        }
        let mut child = gdb
            .current_dir(shop.root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting gdb")?;
        let said = Transcript::follow(child.stdout.take().context("a piped output")?);
        let complaints = Transcript::follow(child.stderr.take().context("a piped output")?);
        Ok(Gdb {
            child,
            said,
            complaints,
        })
    }

    /// Waits until gdb says a line with `words` in it.
    ///
    /// # Errors
    /// It ended without.
    pub fn says(&self, words: &str) -> Result<String> {
        self.said
            .wait_for(|line| line.contains(words))
            .with_context(|| format!("gdb did not say {words:?}:\n{}", self.all()))
    }

    /// Waits for gdb's end. Gives all that it said, its complaints last.
    ///
    /// # Errors
    /// Whatever waiting fails with.
    pub fn end(mut self) -> Result<String> {
        self.child.wait()?;
        self.said.wait_closed();
        self.complaints.wait_closed();
        Ok(self.all())
    }

    fn all(&self) -> String {
        format!("{}\n{}", self.said.text(), self.complaints.text())
    }
}

impl Drop for Gdb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
