"""The gateway and a fake backend as processes, for the tests of Python clients.

Both binaries come from the environment (FORTRESS_BIN, FAKE_OLLAMA_BIN) or from ../../target/debug. Nothing here asserts.
"""

import json
import os
import re
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

BINARIES = Path(__file__).resolve().parents[2] / "target" / "debug"
DEADLINE = 30.0
ADDRESS = re.compile(r"http://127\.0\.0\.1:[1-9][0-9]*")


def binary(variable, name):
    path = Path(os.environ.get(variable, BINARIES / name)).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: build it with `cargo build --workspace`, or set {variable}")
    return str(path)


def until(condition, what):
    """Polls an observable condition; its value when true."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise TimeoutError(f"not within {DEADLINE} s: {what}")


class Process:
    """A child whose standard output is read to its end, so that it never blocks on a full pipe."""

    def __init__(self, command, **options):
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        self.lines = []
        threading.Thread(target=lambda: self.lines.extend(self.child.stdout), daemon=True).start()

    def find(self, pattern):
        def search():
            found = next((match for line in list(self.lines) if (match := pattern.search(line))), None)
            if not found and self.child.poll() is not None:
                raise RuntimeError("ended early:\n" + "".join(self.lines))
            return found

        return until(search, f"{pattern.pattern} in the output")[0]

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Fake:
    """The scriptable backend; see crates/testkit for what it answers."""

    def __init__(self, *arguments):
        command = [binary("FAKE_OLLAMA_BIN", "fake-ollama"), *arguments]
        self.process = Process(command, stdin=subprocess.PIPE)
        self.url = self.process.find(ADDRESS)

    def control(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/__fake/{path}", data=data)) as answer:
            return json.load(answer)

    def hold(self):
        self.control("hold", {})

    def release(self, frames=1):
        self.control(f"release?{frames}", {})

    def open(self):
        self.control("open", {})

    def script(self, **changes):
        self.control("script", changes)

    def request(self, marker):
        """The last request whose body holds the marker, or None."""
        return next((r for r in reversed(self.control("records")["requests"]) if marker in r["body"]), None)

    def wait_for(self, marker, condition=lambda request: True):
        """Waits until a request with the marker meets the condition."""
        end = time.monotonic() + DEADLINE
        version = -1
        while time.monotonic() < end:
            records = self.control(f"records?after={version}")
            version = records["version"]
            for request in records["requests"]:
                if marker in request["body"] and condition(request):
                    return request
        raise TimeoutError(f"no such request; the last one with {marker!r}: {self.request(marker)}")

    def stop(self):
        self.process.child.stdin.close()
        self.process.child.wait(20)


class Fortress:
    """A gateway with one backend, one user and one key, all made by the command line while it runs."""

    def __init__(self, backend):
        self.folder = tempfile.TemporaryDirectory(prefix="fortress-")
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment = {
            **inherited,
            "DATA_DIR": str(Path(self.folder.name) / "data"),
            "PROXY_PORT": "0",
            "OLLAMA_SERVERS": backend,
            "ADMIN_USER": "admin",
            "ADMIN_PASSWORD": "correct horse battery",
        }
        self.binary = binary("FORTRESS_BIN", "ollama-fortress")
        self.process = Process([self.binary], env=self.environment, cwd=self.folder.name)
        self.url = self.process.find(ADDRESS)
        until(lambda: self.get("/readyz") == 200, "ready")
        self.run("user", "add", "clients")
        self.key = self.run("key", "create", "--user", "clients", "--name", "clients").strip()
        until(lambda: b"llama3.2" in self.tags(), "models in the catalogue")

    def run(self, *arguments):
        """One command of the command line; its standard output."""
        done = subprocess.run(
            [self.binary, *arguments], env=self.environment, cwd=self.folder.name, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"{arguments} ended with {done.returncode}: {done.stderr}\n{''.join(self.process.lines)}")
        return done.stdout

    def get(self, path):
        try:
            with urllib.request.urlopen(self.url + path) as answer:
                return answer.status
        except OSError:
            return None

    def tags(self):
        request = urllib.request.Request(self.url + "/api/tags", headers={"Authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def stop(self):
        self.process.stop()
        self.folder.cleanup()
