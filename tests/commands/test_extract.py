"""--extract: from an order or a download to files in place; what was fetched stays where that fails."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sectigo_iot.emulator import Emulator
from tests.commands.conftest import names_in
from tests.commands.lying_service import Answer, LyingService, ready
from tests.conftest import Runner
from tests.unit.pki.downloads import issue, key_pem, whole_store, zipped
from tests.unit.pki.home import PASSWORD, ec_key, home, pem, request

DOWNLOAD = "GET /api/v1/batches/24/download"


@pytest.fixture(autouse=True)
def folder(here: Path) -> Path:
    Path("pw").write_text("secrtpasswrd\n")
    return here


def fits(folder: str) -> bool:
    """Whether the key in a folder is that of the certificate in it."""
    key = load_pem_private_key(Path(folder, "privkey.pem").read_bytes(), None)
    leaf = x509.load_pem_x509_certificate(Path(folder, "fullchain.pem").read_bytes())
    return key.public_key() == leaf.public_key()


def test_from_a_domain_name_to_files_in_place(sectigo: Runner, shared: Emulator) -> None:
    words = ("create", "-d", "x.example.com", "--password-out", "new", "--download", "certs", "--extract")
    done = sectigo(*words, env=shared.environ)
    assert done.code == 0, done
    batch = json.loads(done.out)["batchId"]
    assert done.err.splitlines() == [
        "sectigo: made the folder certs",
        f"sectigo: batch {batch} is ready: 1 issued",
        f"downloaded batch {batch} to certs/{batch}.zip",
        "unpacked into certs: x.example.com",
    ]
    assert names_in("certs") == sorted([".versions", f"{batch}.zip", "x.example.com"])
    assert fits("certs/x.example.com")


def test_a_given_password_is_read_once(sectigo: Runner, shared: Emulator) -> None:
    words = ("create", "-d", "y.example.com", "--password-file", "-", "--download", "certs", "--extract")
    done = sectigo(*words, env=shared.environ, stdin="secrtpasswrd\n")
    assert done.code == 0, done
    assert fits("certs/y.example.com")
    assert "secrtpasswrd" not in done.out + done.err


def test_a_request_of_ones_own_with_its_key(sectigo: Runner, shared: Emulator) -> None:
    Path("n.csr").write_bytes(request("n.example.com", ("n.example.com",), ec_key("n")))
    Path("n.key").write_bytes(key_pem(ec_key("n")))
    words = ("upload", "n.csr", "-p", "423", "--download", "certs", "--extract", "--key", "n.key")
    done = sectigo(*words, env=shared.environ)
    assert done.code == 0, done
    assert "unpacked into certs: n.example.com" in done.err
    assert fits("certs/n.example.com")


def test_a_download_prints_what_is_in_place(sectigo: Runner, shared: Emulator) -> None:
    batch = json.loads(sectigo("create", "-d", "z.example.com", "-p", "secrtpasswrd", env=shared.environ).out)[
        "batchId"
    ]
    words = ("download", "-i", str(batch), "-o", "certs", "--extract", "--password-file", "pw", "--format", "p12")
    done = sectigo(*words, env=shared.environ)
    assert done.code == 0, done
    assert done.err == f"sectigo: made the folder certs\ndownloaded batch {batch} to certs/{batch}.zip\n"
    (told,) = json.loads(done.out)
    assert (told["name"], told["files"]) == ("z.example.com", ["z.example.com.p12"])


def bundle(data: bytes) -> dict[str, Answer]:
    return {**ready(24), DOWNLOAD: Answer(data, 200, "application/octet-stream")}


def test_what_was_fetched_stays_where_it_cannot_be_unpacked(sectigo: Runner, liar: LyingService) -> None:
    Path("right").write_text(PASSWORD)
    liar.answers.update(bundle(zipped({"a.p12": whole_store("a")})))
    options = ("--format", "p12", "--keep", "2", "--deploy-hook", "echo done")
    words = ("download", "-i", "24", "-o", "my certs", "--extract", "--password-file", "pw", *options)
    done = sectigo(*words, env=liar.environ)
    assert (done.code, done.out) == (1, "")
    goes_on = "sectigo unpack 'my certs/24.zip' -o 'my certs' --format p12 --keep 2 --deploy-hook 'echo done'"
    assert f"sectigo: my certs/24.zip stays: `{goes_on}` goes on" in done.err
    assert "sectigo: error: a.p12: the password does not open this PKCS#12" in done.err
    assert names_in("my certs") == ["24.zip"]
    assert sectigo(*shlex.split(goes_on)[1:], "--password-file", "right").code == 0
    assert names_in("my certs/a") == ["a.p12"]


@pytest.mark.parametrize("trouble", ["no bundle", "another password", "a hook"])
def test_the_order_stands_where_it_cannot_be_unpacked(sectigo: Runner, liar: LyingService, trouble: str) -> None:
    data = zipped({"a.p12": b"0" * 99 if trouble == "no bundle" else whole_store("a")})
    liar.answers.update(bundle(data))
    password = PASSWORD if trouble == "a hook" else "secrtpasswrd"
    words = (
        "create",
        "-d",
        "a.example.com",
        "-p",
        password,
        "--download",
        "certs",
        "--extract",
        "--deploy-hook",
        "false",
    )
    done = sectigo(*words, env=liar.environ)
    assert done.code == 8, done
    *_, error, hint = done.err.splitlines()
    assert error.startswith("sectigo: error: ")
    goes_on = "sectigo unpack certs/24.zip -o certs --deploy-hook false"
    assert hint == f"sectigo: hint: the order stands as batch 24, and was fetched: `{goes_on}` goes on"
    assert Path("certs/24.zip").read_bytes() == data
    assert Path("certs/a").exists() is (trouble == "a hook")


def test_without_a_key_the_certificates_are_in_place(sectigo: Runner, liar: LyingService) -> None:
    liar.answers.update(bundle(zipped({"a.pem": pem(issue("a"), home().issuing, home().root)})))
    done = sectigo("download", "-i", "24", "--extract", env=liar.environ)
    assert done.code == 0
    assert "sectigo: 1 of 1 without a private key: it stayed where the request was made" in done.err
    assert names_in("a") == ["cert.pem", "chain.pem", "fullchain.pem"]


def test_a_password_file_means_nothing_without_extract(sectigo: Runner) -> None:
    done = sectigo("download", "-i", "24", "--password-file", "pw")
    assert (done.code, "--password-file is about what is unpacked" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--extract",), "there is nothing to extract"),
        (("--key", "k"), "--key is about what is unpacked"),
        (("--modernize", "--download", "c"), "--modernize is about what is unpacked"),
        (("--download", "c", "--extract", "--modernize"), "--modernize is about a PKCS#12"),
        (("--download", "c", "--extract", "--key", "none"), "none: No such file"),
        (("--download", "c", "--extract", "--key", "pw"), "pw holds no private key"),
        (("--download", "c", "--extract", "--grant", "no such user"), "there is no user 'no such user'"),
        (("--download", "c", "--extract", "--root", "none"), "none: No such file"),
    ],
)
@pytest.mark.parametrize("order", [("create", "-d", "example.com"), ("upload", "r.csr", "-p", "423")])
def test_what_is_asked_for_wrongly_orders_nothing(
    sectigo: Runner, shared: Emulator, nothing_spent: None, order: tuple[str, ...], words: tuple[str, ...], told: str
) -> None:
    Path("r.csr").write_bytes(request("r.example.com", ("r.example.com",)))
    done = sectigo(*order, *words, env=shared.environ)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert names_in() == ["pw", "r.csr"]
