"""Serves programs by Luge, as anybody would: a folder, `qemu-run.sh`, and requests over HTTP.

The environment variable `QEMU_RUN` adds options of `qemu-run.sh`, like `--no-build`.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse

from collect import HERE, ROOT, TARGET, WORK

# To compile the largest module takes minutes on a busy machine, and so does its answer in the interpreter.
START, ANSWER, LIFE = 1500, 600, 3600


class Machine:
    """A machine that serves these programs in an engine, to be used with `with`."""

    def __init__(self, name, programs, engine):
        self.log = WORK / "logs" / f"{name}-{engine}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        command = [ROOT / "qemu-run.sh", "--modules", folder_of(name, programs), "--engine", engine, "--allow-invalid"]
        command += ["--port", self.port, "--memory", "3G", "--timeout", LIFE, *os.environ.get("QEMU_RUN", "").split()]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def __enter__(self):
        until = time.monotonic() + START
        while not self.serves():
            if self.process.poll() is not None:
                raise RuntimeError(f"the machine ended with {self.process.returncode}: {self.log}")
            if time.monotonic() > until:
                self.__exit__()
                raise RuntimeError(f"the machine did not begin to serve: {self.log}")
            time.sleep(1)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(60)

    def serves(self):
        """Whether it answers at all."""
        try:
            return self.ask("GET", "/healthz", b"")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, method, path, body):
        """Status, outcome and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER)
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.getheader("luge-outcome"), response.read()

    def answer(self, program):
        """What the program answers: its outcome, and the body. A route that is still being made is asked again."""
        query = "&".join(f"a{i}={urllib.parse.quote(it, safe='')}" for i, it in enumerate(program["asked"]))
        until = time.monotonic() + START
        while True:
            status, outcome, body = self.ask("POST", f"/{program['name']}?{query}", program.get("stdin", "").encode())
            if status != 503 or time.monotonic() > until:
                break
            time.sleep(2)
        return outcome or ("exit 0" if status == 200 else f"status {status}"), body

    def text(self):
        """Its log."""
        return self.log.read_text(errors="replace")


def free_port():
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def folder_of(name, programs):
    """A folder with these programs, the data and the spec; `programs` are pairs of an entry and its module."""
    folder = WORK / "disks" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(HERE / "data", folder / "data")
    routes = []
    for program, module in programs:
        os.link(module, folder / f"{program['name']}.wasm")
        routes.append(
            {
                "route": f"/{program['name']}",
                "path": f"{program['name']}.wasm",
                "folder": "data",
                "relative-deadline-us": 600_000_000,
                "max-memory": 512 << 20,
                "stack-size": 4 << 20,
                **program.get("settings", {}),
            }
        )
    spec = [{"name": "main", "port": 8080, "routes": routes}]
    (folder / "functions.json").write_text(json.dumps(spec, indent=1))
    return folder


def reasons(name, programs):
    """Why `luge-image verify` refuses each of these modules: what it says of it, or nothing, by the program's name."""
    folder = folder_of(name, programs)
    subprocess.run(["cargo", "build", "-q", "-p", "luge-image"], cwd=ROOT, check=True)
    tool = [TARGET / "debug/luge-image", "verify", folder]
    done = subprocess.run(tool, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return {it["name"]: "\n".join(line for line in lines if f"{it['name']}.wasm" in line) for it, _ in programs}
