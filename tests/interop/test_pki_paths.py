"""`openssl verify` is the witness: what it accepts and refuses, `verify` accepts and refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from sectigo_iot.emulator import Emulator
from sectigo_iot.errors import BundleError
from sectigo_iot.pki import IssuedCertificate, open_bundle
from sectigo_iot.pki.chain import order_chain
from tests.emulator.api import PASSWORD, Api
from tests.unit.pki.home import NOW, build, ec_key, home, pem

pytestmark = pytest.mark.needs("openssl")

NAME = "a.example.com"


def openssl(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *arguments], capture_output=True, check=check, text=True)


def openssl_verifies(folder: Path, issued: IssuedCertificate, root: bytes, name: str = NAME) -> bool:
    (folder / "leaf.pem").write_bytes(issued.certificate_pem)
    (folder / "others.pem").write_bytes(pem(*issued.chain, *issued.others))
    (folder / "roots.pem").write_bytes(root)
    # Level 2 asks for what RSA-2048 has.
    how = ("-auth_level", "2", "-purpose", "sslserver", "-verify_hostname", name, "-no-CApath", "-no-CAstore")
    others = ("-untrusted", folder / "others.pem") if issued.chain or issued.others else ()
    files = ("-CAfile", folder / "roots.pem", *others, folder / "leaf.pem")
    done = openssl("verify", *how, *files, check=False)
    assert done.returncode == 0 or "verification failed" in done.stderr, done.stderr
    return done.returncode == 0


def verifies(issued: IssuedCertificate, root: bytes, name: str = NAME) -> bool:
    try:
        issued.verify(root, name)
    except BundleError:
        return False
    return True


@cache
def weak_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


def constrained(domain: str) -> x509.Certificate:
    constraints = x509.NameConstraints([x509.DNSName(domain)], None)
    return home().sub_ca(extra=((constraints, False),))


def for_usage(usage: x509.ObjectIdentifier) -> x509.Certificate:
    return home().sub_ca(extra=((x509.ExtendedKeyUsage([usage]), True),))


def old_root() -> x509.Certificate:
    return build("Old Root", ec_key("old"), "Old Root", ec_key("old"), ca=True)


def cross() -> x509.Certificate:
    return build("TEST Root", home().root_key, "Old Root", ec_key("old"), ca=True)


def leaf() -> x509.Certificate:
    return home().issue(extra=((x509.SubjectAlternativeName([x509.DNSName(NAME)]), False),))


def weak_leaf() -> x509.Certificate:
    names = x509.SubjectAlternativeName([x509.DNSName(NAME)])
    return build(NAME, weak_key(), "TEST Issuing", home().issuing_key, ca=False, extra=((names, False),))


def expired() -> x509.Certificate:
    return home().sub_ca(start=NOW - timedelta(days=9), days=5)


def expired_root() -> x509.Certificate:
    key = home().root_key
    return build("TEST Root", key, "TEST Root", key, ca=True, start=NOW - timedelta(days=9), days=5)


Parts = tuple[x509.Certificate, list[x509.Certificate], list[x509.Certificate]]
CASES: dict[str, tuple[Callable[[], Parts], bool]] = {
    "plain": (lambda: (leaf(), [home().issuing], [home().root]), True),
    "without the issuing CA": (lambda: (leaf(), [], [home().root]), False),
    "another root": (lambda: (leaf(), [home().issuing], [old_root()]), False),
    "name permitted": (lambda: (leaf(), [constrained("example.com")], [home().root]), True),
    "name not permitted": (lambda: (leaf(), [constrained("example.org")], [home().root]), False),
    "CA for servers": (lambda: (leaf(), [for_usage(ExtendedKeyUsageOID.SERVER_AUTH)], [home().root]), True),
    "CA for code": (lambda: (leaf(), [for_usage(ExtendedKeyUsageOID.CODE_SIGNING)], [home().root]), False),
    "RSA-1024": (lambda: (weak_leaf(), [home().issuing], [home().root]), False),
    "expired": (lambda: (leaf(), [expired()], [home().root]), False),
    "renewed": (lambda: (leaf(), [expired(), home().issuing], [home().root]), True),
    "renewed root": (lambda: (leaf(), [home().issuing], [expired_root(), home().root]), True),
    "expired root": (lambda: (leaf(), [home().issuing], [expired_root()]), False),
    "cross, new root": (lambda: (leaf(), [home().issuing, cross()], [home().root]), True),
    "cross, old root": (lambda: (leaf(), [home().issuing, cross(), home().root], [old_root()]), True),
}


@pytest.mark.parametrize("case", CASES)
def test_openssl_agrees(tmp_path: Path, case: str) -> None:
    make, good = CASES[case]
    certificate, others, roots = make()
    issued = IssuedCertificate("a", certificate, tuple(others))
    assert openssl_verifies(tmp_path, issued, pem(*roots)) is good
    assert verifies(issued, pem(*roots)) is good


@pytest.mark.parametrize("digest", ["-sha256", "-sha1"])
def test_the_root_that_openssl_makes_verifies(tmp_path: Path, digest: str) -> None:
    root, key = tmp_path / "own.pem", tmp_path / "own.key"
    subject = ("-subj", "/O=Example/CN=Own Root", "-days", "7300", "-newkey", "rsa:2048", "-nodes", "-keyout", key)
    openssl("req", "-x509", digest, *subject, "-out", root)
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / "a.key")
    openssl("req", "-new", *new_key, "-subj", f"/CN={NAME}", "-out", tmp_path / "a.csr")
    (tmp_path / "ext").write_text(f"subjectAltName=DNS:{NAME}\n")
    made = openssl("x509", "-req", "-in", tmp_path / "a.csr", "-CA", root, "-CAkey", key, "-CAcreateserial",
                   "-days", "30", "-extfile", tmp_path / "ext")  # fmt: skip
    issued = IssuedCertificate("a", x509.load_pem_x509_certificate(made.stdout.encode()), ())
    [anchor] = x509.load_pem_x509_certificates(root.read_bytes())
    with pytest.raises(x509.ExtensionNotFound):
        anchor.extensions.get_extension_for_class(x509.KeyUsage)
    bundled = IssuedCertificate("a", issued.leaf, order_chain(issued.leaf, [anchor]))
    assert bundled.chain == (anchor,)
    bundled.verify(name=NAME, at=issued.not_before)
    with pytest.raises(BundleError, match=r"'a\.example\.com' expired on"):
        bundled.verify(at=issued.not_after + timedelta(seconds=1))
    for asked, good in ((NAME, True), ("b.example.com", False)):
        assert openssl_verifies(tmp_path, issued, root.read_bytes(), asked) is good
        assert verifies(issued, root.read_bytes(), asked) is good


@pytest.mark.parametrize("key_type", ["p256", "rsa2048"])
def test_what_the_emulator_issues_verifies(tmp_path: Path, key_type: str) -> None:
    with Emulator(key_type=key_type) as emulator:
        api = Api(emulator)
        number = api.order().json()["batchId"]
        content = api.get(f"/api/v1/batches/{number}/download").content
        root = emulator.root_certificate
        api.session.close()
    [issued] = open_bundle(content, PASSWORD)
    issued.verify()
    issued.verify(root)
    for asked, good in (("www.example.com", True), ("example.org", False)):
        assert openssl_verifies(tmp_path, issued, root, asked) is good
        assert verifies(issued, root, asked) is good
    assert not openssl_verifies(tmp_path, issued, pem(home().root), "www.example.com")
    assert not verifies(issued, pem(home().root), "www.example.com")
    assert isinstance(issued.private_key, rsa.RSAPrivateKey) is (key_type == "rsa2048")
