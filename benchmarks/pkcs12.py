"""What it costs to open a PKCS#12: the fast way, `cryptography` alone, and `openssl pkcs12`, in turn in one run.

    python benchmarks/pkcs12.py [ROUNDS]

Of each line the fastest round counts. The chain is put in order and the key proven to belong to the leaf in both ways
of the library; `openssl` does neither.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from serving import rounds_wanted

from sectigo_iot.pki import open_pkcs12
from sectigo_iot.pki.pkcs12 import open_pkcs12_plainly

PASSWORD = "correct horse"
LIVE = ("-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-nomaciter")
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Case(NamedTuple):
    """A form of file: what it is called, the file, how often each way opens it in a round, and the aim in ms."""

    name: str
    file: Path
    fast: int
    plain: int
    aim: float | None


def named(common_name: str) -> x509.Name:
    """Return a subject."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certificate(subject: str, key: Key, issuer: str, signer: Key) -> x509.Certificate:
    """Return a certificate for a year."""
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=365))
    authority = x509.BasicConstraints(ca=subject != "a.example.com", path_length=None)
    return builder.add_extension(authority, critical=True).sign(signer, SHA256())


def exported(folder: Path, name: str, key: Key, *options: str) -> Path:
    """Return a file that `openssl` makes of a key, its certificate, and two CAs with RSA keys."""
    issuing, root = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    chain = (
        certificate("a.example.com", key, "TEST Issuing", issuing),
        certificate("TEST Issuing", issuing, "TEST Root", root),
        certificate("TEST Root", root, "TEST Root", root),
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    inputs = folder / f"{name}.pem"
    inputs.write_bytes(private + b"".join(one.public_bytes(Encoding.PEM) for one in chain))
    file = folder / f"{name}.p12"
    command: list[str | Path] = [
        "openssl",
        "pkcs12",
        "-export",
        "-in",
        inputs,
        "-out",
        file,
        "-passout",
        f"pass:{PASSWORD}",
        *options,
    ]
    subprocess.run(command, check=True)
    return file


def cases(folder: Path) -> list[Case]:
    """Return what is measured."""
    large, small = rsa.generate_private_key(65537, 4096), rsa.generate_private_key(65537, 2048)
    return [
        Case("RSA-2048, OpenSSL's default", exported(folder, "modern", small), 50, 5, 2.0),
        Case("RSA-4096, OpenSSL's default", exported(folder, "large", large), 30, 2, 5.0),
        Case("RSA-4096, the live service's form", exported(folder, "live", large, *LIVE), 30, 2, 8.0),
        Case(
            "P-256, OpenSSL's default", exported(folder, "ec", ec.generate_private_key(ec.SECP256R1())), 50, 50, None
        ),
    ]


def each(count: int, call: Callable[[], object]) -> float:
    """Return the ms of one call, on the average of some."""
    before = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - before) / count * 1000


def by_openssl(file: Path) -> None:
    """Open a file by the program."""
    command: list[str | Path] = [
        "openssl",
        "pkcs12",
        "-in",
        file,
        "-passin",
        f"pass:{PASSWORD}",
        "-nodes",
        "-out",
        "/dev/null",
    ]
    subprocess.run([*command, "-legacy"] if file.stem == "live" else command, check=True)


def measured(case: Case) -> tuple[float, float, float]:
    """Return the ms of each way: fast, plain, and the program."""
    data = case.file.read_bytes()
    return (
        each(case.fast, lambda: open_pkcs12(data, PASSWORD)),
        each(case.plain, lambda: open_pkcs12_plainly(data, PASSWORD)),
        each(3, lambda: by_openssl(case.file)),
    )


def main() -> None:
    """Measure all in turn, and print a table."""
    rounds = rounds_wanted(5)
    with tempfile.TemporaryDirectory() as folder:
        chosen = cases(Path(folder))
        found = [[measured(case) for case in chosen] for _ in range(rounds)]
    print(f"{'ms for each file':36}{'fast':>9}{'aim':>7}{'plain':>10}{'openssl':>10}")
    for at, case in enumerate(chosen):
        fast, plain, program = (min(one[at][way] for one in found) for way in range(3))
        aim = "" if case.aim is None else f"{case.aim:.0f}"
        ratios = f"plain {plain / fast:.1f} x, openssl {program / fast:.1f} x"
        print(f"{case.name:36}{fast:9.2f}{aim:>7}{plain:10.2f}{program:10.2f}   {ratios}")
        print(f"{'':36}of {rounds} rounds, with {case.fast}, {case.plain} and 3 files each, the fastest")


if __name__ == "__main__":
    main()
