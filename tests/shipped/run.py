#!/usr/bin/env python3
"""Programs that nobody wrote for Luge, as people ship them: each answers as in the reference runtime, or is refused.

    tests/shipped/run.py                all programs of manifest.json, in both engines
    tests/shipped/run.py NAME…          only these
    tests/shipped/run.py --table        writes the table of kernel/docs/programs.md anew and ends

A program passes in an engine if its outcome and the bytes of its answer are those of the reference; one that the
manifest says is refused passes if `luge-image verify` gives the reason of the manifest, and so does one in the
interpreter that only native code runs. All refused ones together are
served with `--allow-invalid` beside a good program, which must answer. A program that cannot be brought (no network, no
compiler) is left out, which is said; it is no failure. The last line is `N passed, M failed`.
"""

import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys

from collect import HERE, ROOT, TARGET, WORK, Missing, module_of
from luge import Machine, reasons

ENGINES = ["wasmi", "wasmtime"]
# Modules of so many bytes share a disk.
DISK = 20 << 20


def main(words):
    """Runs what the words ask for; gives the exit status."""
    programs = json.loads((HERE / "manifest.json").read_text())["programs"]
    if words == ["--table"]:
        return write_table(programs)
    unknown = set(words) - {it["name"] for it in programs}
    if unknown:
        sys.exit(f"run.py: the manifest has no {', '.join(sorted(unknown))}")
    there = collect([it for it in programs if not words or it["name"] in words])
    failures, passed = [], 0
    for checks in [check_refused(there), *(check_running(there, engine) for engine in ENGINES)]:
        for name, wrong in checks:
            print(f"{name:40} {wrong or 'ok'}", flush=True)
            passed += not wrong
            failures += [f"{name}: {wrong}"] if wrong else []
    if failures:
        print("\nfailures:\n" + "\n".join(failures))
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures or not passed else 0


def collect(programs):
    """Pairs of a program and its module, of all that can be brought."""
    there = []
    for program in programs:
        try:
            there.append((program, module_of(program)))
        except Missing as why:
            print(f"{program['name']} is left out: {why}", flush=True)
    return there


def runs(program, engine):
    """Whether an engine runs the program."""
    return program["outcome"] != "refused" and (engine != "wasmi" or "interpreter" not in program)


def check_refused(programs):
    """The image tool refuses each for the reason that the manifest names, and a good program beside them answers."""
    # Without native code beside them, all are for the interpreter.
    refused = [it for it in programs if not runs(it[0], "wasmi")]
    said = reasons("refused", refused) if refused else {}
    for program, _ in refused:
        reason = program.get("interpreter") or program["reason"]
        found = reason in said[program["name"]]
        yield f"{program['name']} verify", "" if found else f"not {reason!r}: {said[program['name']]!r}"
    good = [it for it in programs if all(runs(it[0], engine) for engine in ENGINES)]
    good = sorted(good, key=lambda it: it[1].stat().st_size)[:1]
    for engine in ENGINES if good and refused else []:
        unfit = [it for it in refused if not runs(it[0], engine)]
        yield from answers(f"refused-{engine}", unfit + good, good, engine)


def check_running(programs, engine):
    """Each answers as in the reference."""
    for number, group in enumerate(disks([it for it in programs if runs(it[0], engine)])):
        yield from answers(f"disk-{number}", group, group, engine)


def answers(disk, programs, asked, engine):
    """A disk with these programs: those that are asked answer as in the reference, and the kernel goes on."""
    expected = {program["name"]: reference(program, module) for program, module in asked}
    try:
        with Machine(disk, programs, engine) as machine:
            for program, _ in asked:
                yield f"{program['name']} {engine}", differs(machine, program, expected[program["name"]])
            yield f"{disk} {engine} goes on", "" if machine.serves() else f"it does not answer: {machine.log}"
    except RuntimeError as error:
        yield f"{disk} {engine}", str(error)


def disks(programs):
    """Groups of programs that share a disk: small ones together, a large one alone."""
    group, size = [], 0
    for program, module in sorted(programs, key=lambda it: it[1].stat().st_size):
        if group and size + module.stat().st_size > DISK:
            yield group
            group, size = [], 0
        group.append((program, module))
        size += module.stat().st_size
    if group:
        yield group


def differs(machine, program, expected):
    """In what the answer is not the reference's; empty if in nothing."""
    outcome, body = expected
    if outcome != program["outcome"]:
        return f"the reference has {outcome}, the manifest {program['outcome']}"
    try:
        answered, answer = machine.answer(program)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}; {machine.log}"
    if answered != outcome:
        return f"{answered}, not {outcome}: {answer[:200]!r}; {machine.log}"
    if answer != body:
        return f"{len(answer)} bytes {answer[:80]!r}, not {len(body)} bytes {body[:80]!r}"
    return ""


def reference(program, module):
    """The outcome and the answer of the reference, which are kept for the next run."""
    case = {key: program.get(key, "") for key in ("name", "asked", "stdin")}
    case |= {"module": str(module), "data": str(HERE / "data")}
    key = hashlib.sha256(json.dumps(case).encode())
    for file in sorted((HERE / "data").iterdir()):
        key.update(file.read_bytes())
    work = WORK / "reference" / f"{program['name']}-{key.hexdigest()[:12]}"
    if not (work / "outcome").exists():
        shutil.rmtree(work, ignore_errors=True)
        case["work"] = str(work)
        tool = [TARGET / "tools/reference/bin/python", HERE / "reference.py"]
        done = subprocess.run(tool, input=json.dumps(case), capture_output=True, text=True, check=True)
        (work / "outcome").write_text(json.loads(done.stdout)["outcome"])
    file = program.get("settings", {}).get("response-file")
    answer = work / file.removeprefix("/") if file else work / "stdout"
    return (work / "outcome").read_text(), answer.read_bytes() if answer.exists() else b""


def write_table(programs):
    """The rows of the table, between the marks of the page."""
    page = ROOT / "kernel/docs/programs.md"
    text = page.read_text()
    begin, end = "<!-- shipped: begin -->\n", "<!-- shipped: end -->"
    before, after = text.split(begin)[0], text.split(end)[1]
    rows = ["| program | version | from | module | outcome |", "|---|---|---|---|---|"]
    rows += [row(program) for program in programs]
    page.write_text(before + begin + "\n".join(rows) + "\n" + end + after)
    return 0


def row(program):
    """A line of the table."""
    origin = f"{program['from']}: `{program['package']}`"
    outcome = f"refused: {program['reason']}" if program["outcome"] == "refused" else f"as the reference: {program['outcome']}"
    if "interpreter" in program:
        outcome += f", in native code alone: {program['interpreter']}"
    return f"| {program['name']} | {program['version']} | {origin} | {size(program['bytes'])} | {outcome} |"


def size(count):
    """A number of bytes for people."""
    return f"{count / 2**20:.1f} MiB" if count >= 1 << 20 else f"{max(1, count >> 10)} KiB"


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
