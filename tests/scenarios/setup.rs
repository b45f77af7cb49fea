//! What set-up promises on a machine that has everything, and on one that lacks something. `tests/setup` runs it where
//! nothing is set up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Result, ensure};
use luge_harness::Lab;

scenarios![
    set_up_is_silent_where_all_is_there,
    set_up_removes_nothing_and_says_what_is_missing_and_why,
    a_relative_target_folder_is_the_same_to_cargo_and_the_scripts,
];

/// Runs `script` in a shell that has read `setup.sh`, with `folder` as `$1`.
fn shell(lab: &Lab, script: &str, folder: &Path) -> Result<Output> {
    let script = format!(". .cargo/setup.sh; {script}");
    let mut bash = Command::new("bash");
    bash.args(["-euc", &script, "bash"]).arg(folder);
    Ok(bash.current_dir(lab.workshop().root()).output()?)
}

fn set_up_is_silent_where_all_is_there(lab: &Lab) -> Result<()> {
    let folder = lab.folder("unused")?;
    let output = shell(lab, "setup rust qemu disk guests", folder.path())?;
    let said = String::from_utf8_lossy(&output.stderr);
    // Without rustup the compiler in use is told, and nothing is installed.
    let told: Vec<_> = said
        .lines()
        .filter(|line| !line.contains("tool chain"))
        .collect();
    ensure!(
        output.status.success() && told.is_empty(),
        "{:?}: {said}",
        output.status
    );
    Ok(())
}

/// An apt-get that would have to remove a package, and says so as the real one does.
const APT_GET: &str = r#"#!/bin/sh
echo "$*" >> "$(dirname "$0")/calls"
echo "The following packages will be REMOVED:"
echo "  qemu-utils"
echo "0 upgraded, 1 newly installed, 1 to remove and 0 not upgraded."
echo "E: Packages need to be removed but remove is disabled."
exit 100
"#;

fn set_up_removes_nothing_and_says_what_is_missing_and_why(lab: &Lab) -> Result<()> {
    let folder = lab.folder("stand-in")?.file("apt-get", APT_GET)?;
    let stand_in = folder.path().join("apt-get");
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755))?;
    let script = r#"
        PATH=$1:$PATH setup_target=$1/target
        setup_has() { [ "$1" = apt-get ]; }
        setup_may_install() { setup_as_root=(env); }
        setup qemu"#;
    let output = shell(lab, script, folder.path())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(2),
        "{:?}: {said}",
        output.status
    );
    for line in [
        "setup: this is missing, and could not be installed from here:\n",
        "  on Debian: apt-get install qemu-system-x86 seabios\n",
        "setup: apt-get: it would have to remove qemu-utils",
    ] {
        ensure!(said.contains(line), "no {line:?} in: {said}");
    }
    let calls = fs::read_to_string(folder.path().join("calls"))?;
    let installs: Vec<_> = calls
        .lines()
        .filter(|call| call.starts_with("install"))
        .collect();
    ensure!(installs.len() == 2, "once more after an update: {calls}");
    ensure!(
        installs.iter().all(|call| call.contains(" --no-remove ")),
        "{calls}"
    );
    Ok(())
}

fn a_relative_target_folder_is_the_same_to_cargo_and_the_scripts(lab: &Lab) -> Result<()> {
    let folder = lab.folder("elsewhere")?;
    let setup = lab.workshop().root().join(".cargo/setup.sh");
    let output = Command::new("bash")
        .args([
            "-euc",
            r#". "$1"; echo "$CARGO_TARGET_DIR $setup_target""#,
            "bash",
        ])
        .arg(setup)
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", "built")
        .output()?;
    let built = folder.path().join("built").display().to_string();
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said.trim() == format!("{built} {built}"), "{said}");
    Ok(())
}
