"""A certificate's whole life, on this machine: `make demo`.

Starts the emulator on a free port and runs the real command line against it, showing each command and what it prints.
Ends with an error as soon as one step does. Files go to a temporary folder, which is listed and removed.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

SECTIGO = [sys.executable, "-m", "sectigo_cli"]
PASSWORD = "demo-Passw0rd"


class Demo:
    """One run: a folder, an environment, a shell's prompt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SECTIGO_", "SIAS_"))}
        homes = {
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "home" / "cache"),
            "XDG_CONFIG_HOME": str(folder / "home" / "config"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
        self.environ = {**kept, **homes}

    def sectigo(self, *words: str, expect: int = 0) -> str:
        """Run the command, show it and what it prints, and return that."""
        return self._run([*SECTIGO, *words], ["sectigo", *words], expect)

    def openssl(self, *words: str) -> str:
        """Run openssl, show it and what it prints, and return that."""
        return self._run(["openssl", *words], ["openssl", *words], 0)

    def unzip(self, path: str, folder: str) -> None:
        """Unpack a ZIP, with what every Python has on board."""
        words = ["-m", "zipfile", "-e", path, folder]
        self._run([sys.executable, *words], ["python3", *words], 0)

    def _run(self, command: list[str], shown: list[str], expect: int) -> str:
        print(f"\n$ {shlex.join(shown)}", flush=True)
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(done.stdout, end="", flush=True)
        if done.returncode != expect:
            _fail(f"exit code {done.returncode}, where {expect} is due")
        return done.stdout


def _fail(why: str) -> NoReturn:
    sys.exit(f"demo: failed: {why}")


def _json(printed: str) -> Any:
    """Return the document in what a command printed, which also holds what it said on stderr."""
    return json.JSONDecoder().raw_decode(printed[printed.index("{") :])[0]


def _say(text: str) -> None:
    print(f"\n# {text}", flush=True)


def _start(demo: Demo) -> subprocess.Popen[str]:
    """Start the emulator, and take over the environment that it prints."""
    words = ["serve", "--addr", ":0", "--delay", "1"]
    print(f"$ sectigo {shlex.join(words)} &", flush=True)
    process = subprocess.Popen(
        [*SECTIGO, *words], env=demo.environ, cwd=demo.folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while "SECTIGO_ENVIRONMENT" not in demo.environ:
        line = process.stdout.readline()
        if not line:
            _fail("the emulator did not start")
        print(line, end="", flush=True)
        name, _, value = line.removeprefix("export ").partition("=")
        demo.environ[name] = shlex.split(value)[0]
    return process


def _order(demo: Demo) -> None:
    _say("who we are, and what may be ordered")
    demo.sectigo("auth")
    demo.sectigo("authorities", "--balances")
    demo.sectigo("profiles", "--id", "423", "--params")

    _say("one certificate, whose key the service makes: order, wait, fetch")
    (demo.folder / "password").write_text(PASSWORD)
    words = [
        "-a",
        "423",
        "-d",
        "vasp.example.com",
        "--dns",
        "api.example.com",
        "--password-file",
        "password",
        "--wait",
    ]
    batch = _json(demo.sectigo("create", *words))
    demo.sectigo("batches", "-i", str(batch["batchId"]), "--status")
    demo.sectigo("download", "-i", str(batch["batchId"]), "-o", "certs")


def _open(demo: Demo) -> None:
    _say("the bundle, opened")
    demo.unzip("certs/10000.zip", "certs")
    if _openssl():
        demo.openssl(
            *("pkcs12", "-in", "certs/vasp.example.com.p12", "-out", "certs/vasp.example.com.pem"),
            *("-nodes", "-passin", "file:password"),
        )
        demo.openssl(
            "x509", "-in", "certs/vasp.example.com.pem", "-noout", "-subject", "-issuer", "-ext", "subjectAltName"
        )
        return
    from sectigo_iot.pki import open_bundle

    (issued,) = open_bundle((demo.folder / "certs" / "10000.zip").read_bytes(), PASSWORD)
    issued.verify()
    print(f"openssl is not installed; the library opens it too: {issued}")


def _upload(demo: Demo) -> None:
    _say("one certificate for a key of our own: request, upload, fetch")
    if _openssl():
        demo.openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-sha384"),
            *("-subj", "/CN=node.example.com/O=Example"),
            *("-addext", "subjectAltName=DNS:node.example.com", "-keyout", "node.key", "-out", "node.csr"),
        )
    else:
        _make_request(demo.folder)
    demo.sectigo("upload", "node.csr", "-p", "423", "--download", "certs")


def _make_request(folder: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "node.example.com")])
    names = x509.SubjectAlternativeName([x509.DNSName("node.example.com")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(names, critical=False)
    request = builder.sign(key, hashes.SHA384())
    (folder / "node.csr").write_bytes(request.public_bytes(serialization.Encoding.PEM))
    print("openssl is not installed; the request is made by Python")


def _revoke(demo: Demo) -> None:
    _say("found, revoked, and seen to be revoked")
    found = _json(demo.sectigo("find", "-n", "vasp.example.com"))
    serial = found["items"][0]["serialNumber"]
    _revocation(demo, "good")
    demo.sectigo("revoke", "-p", "423", "-r", "cessation of operation", "-s", serial)
    demo.sectigo("find", "-s", serial)
    _revocation(demo, "revoked")


def _revocation(demo: Demo, expected: str) -> None:
    """Ask the CA's OCSP responder, at the address in the certificate, and check what it says."""
    from sectigo_iot.pki import open_bundle
    from sectigo_iot.revocation import check_ocsp

    (issued,) = open_bundle((demo.folder / "certs" / "10000.zip").read_bytes(), PASSWORD)
    (demo.folder / "leaf.pem").write_bytes(issued.certificate_pem)
    (demo.folder / "issuing.pem").write_bytes(issued.chain_pem)
    if _openssl():
        url = demo.openssl("x509", "-in", "leaf.pem", "-noout", "-ocsp_uri").strip()
        chain = ("-issuer", "issuing.pem", "-CAfile", "issuing.pem", "-cert", "leaf.pem")
        answer = demo.openssl("ocsp", *chain, "-url", url)
        if f"leaf.pem: {expected}" not in answer:
            _fail(f"the responder does not say {expected}")
    status = check_ocsp(issued.leaf, issued.chain[0])
    print(f"OCSP, asked by the library: {status.status} {status.reason or ''}".rstrip())
    if status.status != expected:
        _fail(f"the responder does not say {expected}")


def _openssl() -> bool:
    return shutil.which("openssl") is not None


def _list(folder: Path) -> None:
    _say("what this has made (and what is removed again)")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            print(f"  {path.stat().st_mode & 0o777:04o} {path.stat().st_size:>6}  {path.relative_to(folder)}")


def main() -> None:
    """Run the demo."""
    began = time.monotonic()
    os.umask(0o077)
    with tempfile.TemporaryDirectory(prefix="sectigo-demo-") as name:
        demo = Demo(Path(name))
        emulator = _start(demo)
        try:
            _order(demo)
            _open(demo)
            _upload(demo)
            _revoke(demo)
            _list(demo.folder)
        finally:
            emulator.send_signal(signal.SIGTERM)
            code = emulator.wait(10)
        if code != 0:
            _fail(f"the emulator ended with exit code {code}")
    print(f"\ndemo: all of it worked, in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
