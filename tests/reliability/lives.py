"""A certificate's whole life in processes, as loud as can be, and everything that comes out of them."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12

import sectigo_iot
from sectigo_iot.emulator import Emulator
from tests.commands.signing_requests import request
from tests.packages import PYTHONPATH
from tests.reliability.figures import share
from tests.reliability.parrots import FROM_FILE, GIVEN, LOGIN
from tests.reliability.sought import Search

WRONG = "wr0ng-Pa55word"
KEY_PASSWORD = "opens-the-key-4711"
TOLD = "pkcs12 password: "
LOGGERS = sorted(
    {
        name
        for path in Path(str(sectigo_iot.__file__)).parent.rglob("*.py")
        for name in re.findall(r"getLogger\(\"(sectigo_iot[\w.]*)\"\)", path.read_text())
    }
)
LOUD = f"""
import logging, sys
log, children = sys.argv.pop(1), []
handler = logging.FileHandler(log)
logging.basicConfig(level=logging.DEBUG, handlers=[handler])
logging.getLogger("sectigo_iot").addHandler(handler)
for name in {LOGGERS}:
    logging.getLogger(name).setLevel(logging.DEBUG)
starts = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")
sys.addaudithook(lambda event, args: event in starts and children.append((event, args)))
from sectigo_cli.__main__ import run
try:
    code = run()
finally:
    logging.getLogger().debug("children: %r", children)
sys.exit(code)
"""
"""The command with every library's log at DEBUG, in a file, and with what it starts in there too."""


def key_of(zipped: Path, password: str) -> str:
    """Return the private key out of a bundle, as PEM has it but for its lines."""
    with zipfile.ZipFile(zipped) as archive:
        data = archive.read(archive.namelist()[0])
    key, _, _ = pkcs12.load_key_and_certificates(data, password.encode())
    return body_of(key)


def body_of(key: Any) -> str:
    assert isinstance(key, EllipticCurvePrivateKey)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return "".join(pem.decode().splitlines()[1:-1])


class Life:
    """Runs commands as processes, as loud as can be, and searches what comes out for every secret in use so far."""

    def __init__(self, environ: dict[str, str], home: Path, here: Path, search: Search) -> None:
        self._environ, self._home, self._here, self.search = environ, home, here, search
        self._scratch = here.parent / "scratch"
        self._scratch.mkdir()
        self.secrets = {LOGIN, GIVEN, FROM_FILE, WRONG, KEY_PASSWORD}
        self.runs = 0
        self._came_out: list[tuple[str, str]] = []

    def run(self, *words: str, code: int = 0, stdin: str = "") -> str:
        self.runs += 1
        log, trace = f"{self.runs}.log", f"{self.runs}.har"
        done = subprocess.run(
            [sys.executable, "-c", LOUD, log, "--verbose", "--trace", trace, *words],
            env={**os.environ, "PYTHONPATH": PYTHONPATH, "TMPDIR": str(self._scratch), **self._environ},
            cwd=self._here,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done
        self._keep(words, done.stdout, self._without_told(done.stderr), log, trace)
        return done.stdout

    def _without_told(self, err: str) -> str:
        """Take the one line away that shows a generated password, and remember that."""
        told = [line for line in err.splitlines() if line.startswith(TOLD)]
        self.secrets |= {line.removeprefix(TOLD) for line in told}
        assert len(told) <= 1
        return err.replace(f"{told[0]}\n", "", 1) if told else err

    def _keep(self, words: tuple[str, ...], out: str, err: str, log: str, trace: str) -> None:
        logged = (self._here / log).read_text()
        assert "children: []" in logged, "whatever it starts has a command line and an environment"
        self._came_out += [
            (f"stdout of {words}", out),
            (f"stderr of {words}", err),
            (f"log of {words}", logged),
            (f"trace of {words}", (self._here / trace).read_text()),
        ]
        for path in (self._home / ".cache").rglob("*.json"):
            kept = json.loads(path.read_text())
            self.secrets |= {kept["accessToken"], kept["refreshToken"]}

    def age(self, seconds: int) -> None:
        """Make the kept session older than it is."""
        for path in (self._home / ".cache").rglob("*.json"):
            kept = json.loads(path.read_text())
            path.write_text(json.dumps({**kept, "received": kept["received"] - seconds}))

    def judge(self) -> None:
        """Search everything for everything, and every file that is not for its owner alone, or is temporary."""
        for where, text in self._came_out:
            self.search.look(where, text, self.secrets)
        for folder in (self._home, self._here, self._scratch):
            for path in [path for path in folder.rglob("*") if path.is_file()]:
                if folder == self._scratch or stat.S_IMODE(path.stat().st_mode) != 0o600:
                    self.search.look(str(path), path.read_bytes(), self.secrets)


def live(life: Life, here: Path) -> None:
    """Be refused, log in, order, fetch and look; in full also order in every way, refresh, find, revoke, log out."""
    life.run("-p", WRONG, "auth", code=4)
    life.run("create", "-d", "a.example.com", "-p", GIVEN, "--download", ".")
    (bundle,) = here.glob("*.zip")
    life.secrets.add(key_of(bundle, GIVEN))
    life.run("create", "-d", "b.example.com")
    life.run("auth", "--debug")
    if share(1, 0):
        at_length(life, here)


MORE: list[tuple[str, ...]] = [
    ("authorities",),
    ("profiles",),
    ("organization",),
    ("licenses",),
    ("create", "-d", "c.example.com", "--password-file", "pw", "--wait"),
    ("create", "-d", "d.example.com", "--password-out", "generated"),
    ("create", "-d", "e.example.com", "-p", GIVEN, "--dry-run"),
    ("call", "currentUserOrganization"),
    ("validate",),
    ("auth", "--cache"),
]


def at_length(life: Life, here: Path) -> None:
    (here / "pw").touch(0o600)
    (here / "pw").write_text(f"{FROM_FILE}\n")
    (here / "one.csr").write_bytes(request("one.example.com"))
    for words in MORE:
        life.run(*words)
    life.secrets.add((here / "generated").read_text().strip())
    life.run("create", "-d", "e.example.com", "--password-file", "-", stdin=FROM_FILE)
    life.run("create", "-a", "489", "-P", "489", "-d", "e.example.com", "-p", GIVEN, code=2)
    life.run("call", "batches", "--method", "POST", "--data", json.dumps({"password": GIVEN}), code=1)
    life.run("download", "-i", "99", code=1)
    # There is no keyring, which it says: the log-in itself is done.
    life.run("auth", "--login", code=1)
    life.age(1000)
    batch = str(json.loads(life.run("upload", "one.csr", "-p", "423"))["batchId"])
    for wish in ("--info", "--status", "--explain"):
        life.run("batches", "-i", batch, wish)
    life.run("download", "-i", batch)
    found = json.loads(life.run("find", "-n", "a.example.com"))
    life.age(10_000)
    life.run("revoke", "-p", "423", "-s", found["items"][0]["serialNumber"])
    life.run("auth", "--logout")


def load(path: Path) -> Any:
    return serialization.load_pem_private_key(path.read_bytes(), KEY_PASSWORD.encode())


def client_files(service: Emulator, folder: Path) -> dict[str, str]:
    """Write what a client needs for a log-in by certificate, its key under a password; return the variables."""
    folder.mkdir()
    service.write_client_files(folder)
    path = folder / "client-key.pem"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(KEY_PASSWORD.encode())
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    return {
        "SECTIGO_CA_FILE": str(folder / "ca.pem"),
        "SECTIGO_CLIENT_CERT": str(folder / "client.pem"),
        "SECTIGO_CLIENT_KEY": str(path),
        "SECTIGO_CLIENT_KEY_PASSWORD": KEY_PASSWORD,
    }
