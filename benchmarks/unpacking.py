"""From a ZIP of PKCS#12 to verified PEM files in place: `sectigo unpack`, a plain loop of Python, one of `openssl`.

    python benchmarks/unpacking.py [--full]

A thousand certificates of each kind, ten thousand with `--full`. The loops load and write, and verify nothing; they
are measured on a part, in turn with the other runs, and multiplied. Each run is a process of its own, into a folder
of its own, all of which go at the end: ext4 is slow to make files where as many were removed a moment ago. The size
is that of the largest process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

PASSWORD = "correct horse"
SECTIGO = str(Path(sys.executable).with_name("sectigo"))
SAMPLES = {"rsa": 60, "p256": 500}
"""Of so many is the plain loop measured, and of 60 that of `openssl`."""
KEYS = 20
MAKING = f"""
import sys, zipfile
from datetime import UTC, datetime, timedelta
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

path, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
now = datetime.now(UTC)
end = now + timedelta(395)

def key(bits=2048):
    return rsa.generate_private_key(65537, bits) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())

def issue(name, public, issuer, signer, ca):
    named = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, each)]) for each in (name, issuer)]
    return (
        x509.CertificateBuilder(*named[::-1], public.public_key(), x509.random_serial_number(), now, end)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, SHA256())
    )

top, middle, keys = key(4096), key(), [key() for _ in range({KEYS})]
root, issuing = issue("TEST Root", top, "TEST Root", top, True), issue("TEST Issuing", middle, "TEST Root", top, True)
builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2048).hmac_hash(SHA256())
protection = builder.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC).build(b"{PASSWORD}")
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
    for number in range(count):
        name, own = f"host-{{number:05}}.example.com", keys[number % {KEYS}]
        leaf = issue(name, own, "TEST Issuing", middle, False)
        store = pkcs12.serialize_key_and_certificates(name.encode(), own, leaf, [issuing, root], protection)
        archive.writestr(f"{{name}}.p12", store)
"""
"""OpenSSL's own form: AES-256 and a SHA-256 MAC of 2,048 iterations; a chain of RSA-2048 up to a root of RSA-4096,
or of P-256 throughout."""
PLAIN = f"""
import sys, zipfile
from pathlib import Path
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

folder = Path(sys.argv[2])
with zipfile.ZipFile(sys.argv[1]) as archive:
    for name in archive.namelist()[: int(sys.argv[3])]:
        key, leaf, others = pkcs12.load_key_and_certificates(archive.read(name), b"{PASSWORD}")
        (folder / name).mkdir()
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / name / "privkey.pem").write_bytes(plain)
        chain = b"".join(each.public_bytes(Encoding.PEM) for each in (leaf, *others))
        (folder / name / "fullchain.pem").write_bytes(chain)
"""
SHELL = f"for each in *.p12; do openssl pkcs12 -in $each -passin 'pass:{PASSWORD}' -nodes -out $each.pem; done"


class Run(NamedTuple):
    """What one process took: seconds, seconds of all processors, MiB of the largest process."""

    seconds: float
    cpu: float
    size: float


def run(*command: str, cwd: Path | None = None) -> Run:
    """Run a command to its end."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=cwd)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed")
    return Run(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def unpacked(folder: Path, file: Path, processes: int) -> Run:
    """Run `sectigo unpack` into a new folder."""
    target = tempfile.mkdtemp(dir=folder)
    words = ("-o", target, "--password-file", str(folder / "password"), "--processes", str(processes))
    return run(SECTIGO, "unpack", str(file), *words)


def plain(folder: Path, file: Path, sample: int) -> Run:
    """Run the plain loop over the first so many."""
    return run(sys.executable, "-c", PLAIN, str(file), tempfile.mkdtemp(dir=folder), str(sample))


def shell(folder: Path, file: Path, sample: int) -> Run:
    """Run `openssl` over the first so many, which are unzipped before."""
    target = tempfile.mkdtemp(dir=folder)
    with zipfile.ZipFile(file) as archive:
        archive.extractall(target, archive.namelist()[:sample])
    return run("sh", "-c", SHELL, cwd=Path(target))


def row(name: str, took: Run, count: int, sample: int | None = None) -> float:
    """Print a line, and return the seconds for all."""
    times = count / (sample or count)
    seconds = took.seconds * times
    part = f"  (from {sample})" if sample else ""
    print(f"  {name:<30}{seconds:8.1f} s{took.cpu * times:9.1f} s of CPU{took.size:8.0f} MiB{part}")
    return seconds


def compare(folder: Path, kind: str, count: int) -> None:
    """Print what the ways take for a ZIP of so many."""
    file = folder / f"{kind}.zip"
    run(sys.executable, "-c", MAKING, str(file), kind, str(count))
    print(f"{count} of {'RSA-2048' if kind == 'rsa' else 'P-256'}, {file.stat().st_size / 1e6:.0f} MB")
    sample = min(count, SAMPLES[kind])
    loop = row("load_key_and_certificates", plain(folder, file, sample), count, sample)
    row("openssl pkcs12", shell(folder, file, min(count, 60)), count, min(count, 60))
    for processes in (1, 2):
        took = unpacked(folder, file, processes)
        seconds = row(f"sectigo unpack, {processes} process{'es' * (processes > 1)}", took, count)
    print(f"  {loop / seconds:.1f} times as fast as the plain loop, and verified")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Prints what is measured beside what; see the top of the file.")
    parser.add_argument("--full", action="store_true", help="ten thousand of each kind")
    count = 10_000 if parser.parse_args().full else 1_000
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name).absolute()
        (folder / "password").write_text(PASSWORD)
        for kind in SAMPLES:
            compare(folder, kind, count)


if __name__ == "__main__":
    main()
