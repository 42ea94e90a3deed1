"""What an inventory costs, whole process, beside a shell loop of `openssl x509`.

    python benchmarks/inventory.py [CERTIFICATES]

So many certificates (10,000 if none are said) are laid out as `sectigo unpack` installs them, five files each, all
with one key, which does not matter here. Then `sectigo inventory` reads all of them, three times in each format, and
`openssl x509 -enddate` 200 of them, in a loop as monitoring scripts have it; what the loop takes is scaled. Of each
line the fastest run counts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from serving import SECTIGO

COUNT, LOOPED, ROUNDS = 10_000, 200, 3
LOOP = 'for file in "$0"/*/cert.pem; do openssl x509 -noout -enddate -in "$file"; done'


class Run(NamedTuple):
    """One process: how long it took (s), what it took of the processor (s), its largest size (MiB)."""

    wall: float
    processor: float
    size: float


def lay_out(folder: Path, count: int) -> None:
    """Write the tree: a folder of versions, and links."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    root = certificate(key, "TEST Root", 3650, ca=True).public_bytes(Encoding.PEM)
    for number in range(count):
        name = f"host-{number:05}.example.com"
        leaf = certificate(key, name, 1 + number % 390, ca=False).public_bytes(Encoding.PEM)
        version = folder / ".versions" / name / "20260101T000000Z-0001"
        version.mkdir(parents=True)
        files = {
            "cert": leaf,
            "chain": root,
            "fullchain": leaf + root,
            "privkey": private,
            "full": private + leaf + root,
        }
        for each, data in files.items():
            (version / f"{each}.pem").write_bytes(data)
        (folder / name).symlink_to(version.relative_to(folder))


def certificate(key: ec.EllipticCurvePrivateKey, name: str, days: int, *, ca: bool) -> x509.Certificate:
    """Make a certificate that has so many days left."""
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TEST Root")]),
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=10),
        not_valid_after=now + timedelta(days=days),
    )
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    return builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, hashes.SHA256())


def run(command: list[str]) -> Run:
    """Run a process, and those that it starts, to its end."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as here:
        everything, some = Path(here, "all"), Path(here, "some")
        lay_out(everything, count)
        lay_out(some, LOOPED)
        lines = {
            f"inventory, {form}": [SECTIGO, "inventory", str(everything), "--format", form]
            for form in ("table", "html")
        }
        lines["openssl x509, scaled"] = ["sh", "-c", LOOP, str(some)]
        print(f"{count} certificates; s: fastest, processor; MiB at the peak")
        for line, command in lines.items():
            best = min(run(command) for _ in range(ROUNDS))
            scale = count / LOOPED if "scaled" in line else 1
            print(f"{line:<24}{best.wall * scale:8.2f} {best.processor * scale:8.2f} {best.size:8.1f}")


if __name__ == "__main__":
    main()
