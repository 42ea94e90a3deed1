"""What is unpacked is judged by the real `openssl`; what it packs in the live service's form is among the inputs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sectigo_iot.emulator import Emulator
from sectigo_iot.pki import unpack
from tests.commands.conftest import names_in
from tests.conftest import Runner
from tests.unit.pki.downloads import issue, key_pem, whole_store, zipped
from tests.unit.pki.home import PASSWORD, Key, ec_key, home, pem, rsa_key

pytestmark = pytest.mark.needs("openssl")

LIVE = ("-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-nomaciter")


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout + done.stderr


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def live_store(folder: Path, name: str, key: Key, *options: str) -> bytes:
    """Return what `openssl` makes of a key, its certificate and the chain, the root first."""
    (folder / "key").write_bytes(key_pem(key))
    (folder / "leaf").write_bytes(pem(issue(name, key)))
    (folder / "chain").write_bytes(pem(home().root, home().issuing))
    inputs = ("-inkey", folder / "key", "-in", folder / "leaf", "-certfile", folder / "chain", "-name", name)
    openssl("pkcs12", "-export", *inputs, "-passout", f"pass:{PASSWORD}", "-out", folder / "p12", *options)
    return (folder / "p12").read_bytes()


def judge(folder: Path, root: Path) -> None:
    """Have `openssl` say that the chain verifies, that the key is sound, and that it is the certificate's."""
    given = folder / "cert.pem"
    assert openssl("verify", "-x509_strict", "-CAfile", root, "-untrusted", folder / "chain.pem", given).endswith(
        "OK\n"
    )
    assert "valid" in openssl("pkey", "-in", folder / "privkey.pem", "-noout", "-check")
    public = openssl("x509", "-in", given, "-noout", "-pubkey")
    assert openssl("pkey", "-in", folder / "privkey.pem", "-pubout") == public
    assert openssl("pkey", "-in", folder / "full.pem", "-pubout") == public
    for name in ("fullchain.pem", "full.pem"):
        openssl("crl2pkcs7", "-nocrl", "-certfile", folder / name, "-out", folder.parent / "p7")
        listed = openssl("pkcs7", "-in", folder.parent / "p7", "-print_certs", "-noout")
        subjects = [
            line.rpartition("CN")[2].strip(" =") for line in listed.splitlines() if line.startswith("subject")
        ]
        assert subjects == ["live.example.com", "TEST Issuing", "TEST Root"]


@pytest.mark.parametrize("kind", ["RSA", "P-256"])
@pytest.mark.parametrize("form", [LIVE, ("-descert",), (), ("-keypbe", "aes-128-cbc", "-macalg", "sha512")])
def test_what_openssl_packs_comes_out_whole(tmp_path: Path, target: Path, form: tuple[str, ...], kind: str) -> None:
    key = rsa_key() if kind == "RSA" else ec_key("live")
    (tmp_path / "root").write_bytes(pem(home().root))
    entries = {"*.live.example.com.p12": live_store(tmp_path, "live.example.com", key, *form)}
    (tmp_path / "24.zip").write_bytes(zipped(entries))
    [one] = unpack(tmp_path / "24.zip", target, password=PASSWORD)
    assert one.name == "_.live.example.com"
    judge(one.installed.path, tmp_path / "root")


def test_openssl_opens_what_was_modernized_without_its_legacy_provider(tmp_path: Path, target: Path) -> None:
    (tmp_path / "old.p12").write_bytes(live_store(tmp_path, "live.example.com", rsa_key(), *LIVE))
    unpack(tmp_path / "old.p12", target, password=PASSWORD, format="p12", modernize=True)
    password = ("-passin", f"pass:{PASSWORD}")
    told = openssl("pkcs12", "-in", target / "old/old.p12", *password, "-info", "-nodes", "-out", tmp_path / "out")
    assert "PBES2, PBKDF2, AES-256-CBC" in told
    assert "MAC: sha256" in told
    assert (tmp_path / "out").read_text().count("BEGIN CERTIFICATE") == 3


def test_der(tmp_path: Path, target: Path) -> None:
    (tmp_path / "a.p12").write_bytes(whole_store("a.example.com"))
    unpack(tmp_path / "a.p12", target, password=PASSWORD, format="der")
    folder = target / "a"
    public = openssl("x509", "-inform", "DER", "-in", folder / "cert.der", "-noout", "-pubkey")
    assert openssl("pkey", "-inform", "DER", "-in", folder / "privkey.der", "-pubout") == public
    assert "TEST Root" in openssl("x509", "-inform", "DER", "-in", folder / "chain-2.der", "-noout", "-subject")


def test_what_the_emulator_issues_in_the_live_form(
    sectigo: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path
    monkeypatch.chdir(here)
    with Emulator(legacy_pkcs12=True, key_type="rsa2048") as service:
        words = ("create", "-d", "vasp.example.com", "--password-out", "pw", "--download", "certs", "--extract")
        done = sectigo(*words, env=service.environ)
        assert done.code == 0, done
        batch = json.loads(done.out)["batchId"]
    folder = here / "certs/vasp.example.com"
    assert names_in(folder) == ["cert.pem", "chain.pem", "full.pem", "fullchain.pem", "privkey.pem"]
    (here / "root").write_text("-----BEGIN" + (folder / "chain.pem").read_text().rpartition("-----BEGIN")[2])
    given = ("-CAfile", here / "root", "-untrusted", folder / "chain.pem", folder / "cert.pem")
    assert openssl("verify", *given).endswith("OK\n")
    assert "valid" in openssl("pkey", "-in", folder / "privkey.pem", "-noout", "-check")
    assert (here / f"certs/{batch}.zip").exists()
