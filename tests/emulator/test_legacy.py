"""PKCS#12 in the live service's form: what programs of today make of it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from sectigo_iot.emulator import Emulator
from sectigo_iot.pki import open_bundle
from tests.emulator.api import PASSWORD, Api

RC2 = "pbeWithSHA1And40BitRC2-CBC"
TRIPLE_DES = "pbeWithSHA1And3-KeyTripleDES-CBC"
WITHOUT_RC2 = (
    "PKCS#12 in the live service's form:"
    " certificates and key under 3DES (there is no `openssl` here, which RC2 needs), SHA-1 MAC"
)


@pytest.fixture(scope="module")
def bundle() -> Iterator[bytes]:
    """What is downloaded for an order."""
    with Emulator(legacy_pkcs12=True) as emulator:
        yield downloaded(emulator)


def downloaded(emulator: Emulator) -> bytes:
    api = Api(emulator)
    number = api.order().json()["batchId"]
    reply = api.get(f"/api/v1/batches/{number}/download")
    api.session.close()
    return reply.content


def p12_in(bundle: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        assert archive.namelist() == ["example.com.p12"]
        return archive.read("example.com.p12")


def openssl(folder: Path, content: bytes, *words: str) -> subprocess.CompletedProcess[str]:
    file = folder / "made.p12"
    file.write_bytes(content)
    command = ["openssl", "pkcs12", "-in", str(file), "-passin", "env:PASSWORD", "-nodes", *words]
    environ = {**os.environ, "PASSWORD": PASSWORD}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.needs("openssl")
def test_openssl_tells_the_form(bundle: bytes, tmp_path: Path) -> None:
    done = openssl(tmp_path, p12_in(bundle), "-info", "-legacy")
    assert done.returncode == 0, done.stderr
    assert re.search(r"MAC: sha1, Iteration 1\b", done.stderr)
    assert f"PKCS7 Encrypted data: {RC2}" in done.stderr
    assert f"Shrouded Keybag: {TRIPLE_DES}" in done.stderr
    assert done.stdout.count("BEGIN CERTIFICATE") == 3
    assert done.stdout.count("BEGIN PRIVATE KEY") == 1
    assert done.stdout.count("localKeyID") == 2


@pytest.mark.needs("openssl")
def test_openssl_3_refuses_it_as_it_is(bundle: bytes, tmp_path: Path) -> None:
    done = openssl(tmp_path, p12_in(bundle))
    assert done.returncode != 0
    assert "unsupported" in done.stderr


@pytest.mark.needs("openssl")
def test_cryptography_opens_it(bundle: bytes) -> None:
    opened = pkcs12.load_pkcs12(p12_in(bundle), PASSWORD.encode())
    assert opened.key is not None
    assert opened.cert is not None
    assert opened.key.public_key() == opened.cert.certificate.public_key()
    assert opened.cert.friendly_name == b"example.com"
    assert len(opened.additional_certs) == 2


@pytest.mark.needs("openssl")
def test_this_library_opens_it(bundle: bytes) -> None:
    (issued,) = open_bundle(bundle, PASSWORD)
    assert issued.private_key is not None
    issued.verify(name="www.example.com")
    assert len(issued.chain) == 2


def test_without_openssl_all_is_under_3des(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with Emulator(legacy_pkcs12=True) as emulator:
            assert WITHOUT_RC2 in emulator.remarks
            content = p12_in(downloaded(emulator))
    opened = pkcs12.load_pkcs12(content, PASSWORD.encode())
    assert opened.key is not None
    assert len(opened.additional_certs) == 2
    assert len(re.findall(re.escape(bytes.fromhex("060a2a864886f70d010c0103")), content)) >= 2


@pytest.mark.needs("openssl")
def test_what_is_made_is_said() -> None:
    with Emulator(legacy_pkcs12=True) as emulator:
        said = "certificates under 40-bit RC2, key under 3DES, SHA-1 MAC of one iteration"
        assert f"PKCS#12 in the live service's form: {said}" in emulator.remarks
    with Emulator() as emulator:
        assert emulator.remarks == []


@pytest.mark.needs("openssl")
def test_an_openssl_without_legacy_algorithms_leaves_3des(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "echo unsupported >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with Emulator(legacy_pkcs12=True) as emulator:
        assert pkcs12.load_pkcs12(p12_in(downloaded(emulator)), PASSWORD.encode()).key is not None


@pytest.mark.needs("openssl")
def test_neither_password_nor_key_is_an_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "arguments"
    program(tmp_path, f'tr "\\0" "\\n" < /proc/$$/cmdline > {seen}; env >> {seen}; exit 1')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with Emulator(legacy_pkcs12=True) as emulator:
        downloaded(emulator)
    told = seen.read_text()
    assert "-export" in told
    assert PASSWORD not in told
    assert "PRIVATE KEY" not in told


@pytest.mark.needs("openssl")
def test_many_at_once() -> None:
    """A pipe is inherited by one child only, and none of them waits for another's."""
    with Emulator(legacy_pkcs12=True) as emulator:
        made: list[bytes] = []
        threads = [threading.Thread(target=lambda: made.append(downloaded(emulator))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    keys = {pkcs12.load_pkcs12(p12_in(each), PASSWORD.encode()).key is not None for each in made}
    assert (len(made), keys) == (8, {True})


def program(folder: Path, script: str) -> None:
    """Put an `openssl` into a folder that is another program."""
    file = folder / "openssl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
