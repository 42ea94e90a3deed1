"""PKCS#12 in the live service's form: what programs of today make of it."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.ca import legacy
from sectigo_iot.emulator.ca.authority import create_authority
from sectigo_iot.emulator.ca.legacy import make_legacy_pkcs12
from sectigo_iot.pki import open_bundle
from tests.emulator.api import PASSWORD, Api

RC2 = "pbeWithSHA1And40BitRC2-CBC"
TRIPLE_DES = "pbeWithSHA1And3-KeyTripleDES-CBC"
SAID = "PKCS#12 in the live service's form: "
WITH_RC2 = SAID + "certificates under 40-bit RC2, key under 3DES, SHA-1 MAC of one iteration"
WITHOUT_RC2 = SAID + "certificates and key under 3DES ({}), SHA-1 MAC of one iteration"


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


def form_in(said: str) -> tuple[str, ...]:
    """What certificates and key are under, with the iterations of each, if the MAC has one iteration of SHA-1."""
    assert re.search(r"MAC: sha1, Iteration 1\n", said)
    found = re.search(r"PKCS7 Encrypted data: (\S+), Iteration (\d+)\n", said)
    key = re.search(r"Shrouded Keybag: (\S+), Iteration (\d+)\n", said)
    assert found is not None and key is not None
    return *found.groups(), *key.groups()


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
    assert form_in(done.stderr) == (RC2, "2048", TRIPLE_DES, "2048")
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
    monkeypatch.setenv("PATH", str(tmp_path))
    assert is_under_3des(WITHOUT_RC2.format("there is no `openssl` here, which RC2 needs"))


def is_under_3des(said: str) -> bool:
    """Whether an emulator says so, and what it makes is so and can be opened."""
    with Emulator(legacy_pkcs12=True) as emulator:
        assert said in emulator.remarks
        bundle = downloaded(emulator)
    (issued,) = open_bundle(bundle, PASSWORD)
    assert issued.private_key is not None
    opened = pkcs12.load_pkcs12(p12_in(bundle), PASSWORD.encode())
    assert opened.key is not None
    assert len(opened.additional_certs) == 2
    return len(re.findall(re.escape(bytes.fromhex("060a2a864886f70d010c0103")), p12_in(bundle))) >= 2


@pytest.mark.needs("openssl")
def test_openssl_tells_the_form_without_rc2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with Emulator(legacy_pkcs12=True) as emulator:
            content = p12_in(downloaded(emulator))
    done = openssl(tmp_path, content, "-info", "-legacy")
    assert done.returncode == 0, done.stderr
    assert form_in(done.stderr) == (TRIPLE_DES, "2048", TRIPLE_DES, "2048")
    assert done.stdout.count("BEGIN CERTIFICATE") == 3
    assert done.stdout.count("BEGIN PRIVATE KEY") == 1


@pytest.mark.parametrize("password", ["a", "secret under a MAC", "x" * 64, "größer 𝄞", "x" * 200])
def test_the_mac_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    """For a password of any length, and beyond what one unit of UTF-16 holds; for no other, and no other content."""
    monkeypatch.setenv("PATH", str(tmp_path))
    own = create_authority("p256", "http://127.0.0.1:1", time.time)
    made = make_legacy_pkcs12("name", own.issuing.key, own.issuing.certificate, own.chain[1:], password)
    assert pkcs12.load_pkcs12(made, password.encode()).key is not None
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_pkcs12(made, password.encode() + b".")
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_pkcs12(made[:200] + bytes([made[200] ^ 1]) + made[201:], password.encode())


@pytest.mark.needs("openssl")
def test_what_is_made_is_said() -> None:
    with Emulator(legacy_pkcs12=True) as emulator:
        assert WITH_RC2 in emulator.remarks
    with Emulator() as emulator:
        assert emulator.remarks == []


@pytest.mark.parametrize(
    "script", ["echo unsupported >&2; exit 1", "exit 0", "cat"], ids=["fails", "says-nothing", "rubbish"]
)
def test_an_openssl_without_legacy_algorithms_leaves_3des(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    program(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert is_under_3des(WITHOUT_RC2.format(f"{tmp_path / 'openssl'} makes no RC2"))


def test_an_openssl_that_is_no_program_leaves_3des(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = program(tmp_path, "")
    file.write_text("#!/there/is/no/such/shell\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert is_under_3des(WITHOUT_RC2.format(f"{file} makes no RC2"))


def test_an_openssl_that_hangs_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "_PROBE_SECONDS", 0.5)
    calls = tmp_path / "calls"
    file = program(tmp_path, f"echo called >> {calls}; exec sleep 60")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    began = time.monotonic()
    assert is_under_3des(WITHOUT_RC2.format(f"{file} makes no RC2"))
    assert time.monotonic() - began < 5
    assert calls.read_text() == "called\n"


@pytest.mark.needs("openssl")
def test_an_openssl_that_fails_later_leaves_3des(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = program(tmp_path, f'exec {shutil.which("openssl")} "$@"')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with Emulator(legacy_pkcs12=True) as emulator:
        assert WITH_RC2 in emulator.remarks
        file.write_text("#!/bin/sh\nexit 1\n")
        assert pkcs12.load_pkcs12(p12_in(downloaded(emulator)), PASSWORD.encode()).key is not None
    assert "openssl failed: the certificates of a PKCS#12 are under 3DES" in caplog.messages


@pytest.mark.needs("openssl")
def test_neither_password_nor_key_is_an_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "arguments"
    real = shutil.which("openssl")
    program(tmp_path, f'tr "\\0" "\\n" < /proc/$$/cmdline >> {seen}; env >> {seen}; exec {real} "$@"')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with Emulator(legacy_pkcs12=True) as emulator:
        (issued,) = open_bundle(downloaded(emulator), PASSWORD)
    assert issued.private_key is not None
    told = seen.read_text()
    assert told.count("-export") == 2
    assert "\nexample.com\n" in told
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


def program(folder: Path, script: str) -> Path:
    """Put an `openssl` into a folder that is another program."""
    file = folder / "openssl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file
