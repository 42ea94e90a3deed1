"""What takes the place of a certificate in force: no key is lost, and an older certificate is told."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from sectigo_iot.emulator import Emulator
from tests.conftest import Runner
from tests.unit.pki.downloads import issue, key_pem, store, whole_store, zipped
from tests.unit.pki.home import NOW, PASSWORD, ec_key, home, pem, request

NAME = "v.example.com"


@pytest.fixture(autouse=True)
def folder(here: Path) -> Path:
    """A folder with a certificate and its key in force."""
    Path("pw").write_text(f"{PASSWORD}\n")
    Path("first.zip").write_bytes(zipped({f"{NAME}.p12": whole_store(NAME)}))
    return here


@pytest.fixture
def in_force(sectigo: Runner) -> Path:
    assert sectigo("unpack", "first.zip", "-o", "certs", "--password-file", "pw").code == 0
    return Path("certs", NAME).resolve()


def keyless() -> bytes:
    return zipped({f"{NAME}.pem": pem(issue(NAME), home().issuing, home().root)})


def test_a_key_in_force_is_not_lost(sectigo: Runner, in_force: Path) -> None:
    Path("second.zip").write_bytes(keyless())
    done = sectigo("unpack", "second.zip", "-o", "certs")
    assert done.code == 1
    assert (
        f"sectigo: error: {NAME}.pem: it comes without a private key, and the version of {NAME} in force" in done.err
    )
    assert "--key certs/v.example.com/privkey.pem" in done.err
    assert Path("certs", NAME).resolve() == in_force


def test_the_key_in_force_can_be_named(sectigo: Runner, in_force: Path) -> None:
    Path("second.zip").write_bytes(keyless())
    key = f"certs/{NAME}/privkey.pem"
    done = sectigo("unpack", "second.zip", "-o", "certs", "--key", key)
    assert done.code == 0, done
    assert Path("certs", NAME).resolve() != in_force
    assert Path(key).read_bytes() == (in_force / "privkey.pem").read_bytes()


def test_a_certificate_that_never_had_a_key_here_stays_without(sectigo: Runner) -> None:
    Path("second.zip").write_bytes(keyless())
    assert sectigo("unpack", "second.zip", "-o", "certs").code == 0
    assert sectigo("unpack", "second.zip", "-o", "certs").code == 0


@pytest.mark.parametrize("form", ["pem", "der"])
def test_an_older_certificate_is_told(sectigo: Runner, form: str) -> None:
    older = issue(NAME, start=NOW - timedelta(days=9), days=30)
    Path("older.zip").write_bytes(zipped({f"{NAME}.p12": store(older, ec_key(NAME), home().issuing, home().root)}))
    words = ("-o", "certs", "--password-file", "pw", "--format", form)
    assert sectigo("unpack", "first.zip", *words).code == 0
    before = Path("certs", NAME).resolve()
    done = sectigo("unpack", "older.zip", *words)
    assert done.code == 3
    assert f"sectigo: {NAME}: what was in force before is newer than this, and stands in {before}" in done.err
    assert sectigo("unpack", "first.zip", *words).code == 0


def test_a_key_that_fits_no_request_is_told_before_anything_is_paid_for(sectigo: Runner, shared: Emulator) -> None:
    for name in ("a", "b"):
        Path(f"{name}.csr").write_bytes(request(f"{name}.example.com", (f"{name}.example.com",), ec_key(name)))
        Path(f"{name}.key").write_bytes(key_pem(ec_key(name)))
    before = shared.control.orders()["count"]
    words = ("upload", "a.csr", "b.csr", "-p", "423", "--download", "certs", "--extract", "--key")
    done = sectigo(*words, "a.key", env=shared.environ)
    assert (done.code, done.out) == (2, "")
    assert "sectigo: error: no key that --key names fits b.csr, request 1" in done.err
    assert shared.control.orders()["count"] == before
    done = sectigo(*words, "a.key", "--key", "b.key", env=shared.environ)
    assert done.code == 0, done
    assert json.loads(done.out)["size"] == 2


def test_the_password_of_the_log_in_is_another(sectigo: Runner) -> None:
    done = sectigo("unpack", "first.zip", "--password", PASSWORD)
    assert done.code == 2
    assert "hint: --password is that of the log-in: name it with --password-file FILE" in done.err
