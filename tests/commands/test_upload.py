"""upload: one file or many, PEM or ZIP, one batch; every fault named before anything is sent."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sectigo_iot.emulator import Emulator
from tests.commands.conftest import balance
from tests.commands.lying_service import CUT, UPLOAD, Answer, LyingService, document, html
from tests.commands.signing_requests import private_key, request
from tests.conftest import Runner

ONE, TWO, THREE = (request(f"{name}.example.com") for name in ("one", "two", "three"))


def zipped(**entries: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("_", "."), content)
    return target.getvalue()


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    contents = {
        "one.csr": ONE,
        "many.pem": TWO + b"\n" + THREE,
        "all.zip": zipped(a_csr=ONE, b_pem=TWO),
        "key.csr": ONE + private_key(),
        "cut.csr": TWO + ONE[:200],
        "bad.csr": TWO + ONE.replace(b"BEGIN CERTIFICATE REQUEST-----\nM", b"BEGIN CERTIFICATE REQUEST-----\nA"),
        "text.csr": b"hello\n",
        "empty.csr": b"",
        "fake.zip": b"PK\x03\x04 this is no ZIP",
        "foreign.zip": zipped(a_csr=ONE, readme_txt=b"hello"),
    }
    for name, content in contents.items():
        Path(name).write_bytes(content)


GOOD = {
    "a PEM": (("one.csr",), 1, "one.csr"),
    "several requests in one PEM": (("many.pem",), 2, "many.pem"),
    "a ZIP": (("all.zip",), 2, "all.zip"),
    "several files": (("one.csr", "many.pem"), 3, "requests.zip"),
    "a path": (("./one.csr",), 1, "one.csr"),
}


@pytest.mark.parametrize(("paths", "size", "name"), GOOD.values(), ids=GOOD)
def test_one_batch_of_all_that_is_given(
    sectigo: Runner, shared: Emulator, paths: tuple[str, ...], size: int, name: str
) -> None:
    before = balance(shared)
    done = sectigo("upload", *paths, "-p", "423", env=shared.environ)
    assert done.code == 0, done
    batch = json.loads(done.out)
    assert (batch["size"], batch["batchName"]) == (size, name)
    plural = "" if size == 1 else "s"
    assert done.err == f"sectigo: ordering {size} certificate{plural} of profile 423\n"
    assert balance(shared) == before - size


@pytest.mark.parametrize(
    "words", [("-p", "423", "one.csr"), ("one.csr", "--profile", "423"), ("one.csr",), ("one.csr", "-P", "423")]
)
def test_where_the_profile_may_stand(sectigo: Runner, shared: Emulator, words: tuple[str, ...]) -> None:
    done = sectigo("upload", *words, env=shared.environ)
    assert done.code == 0, done
    assert json.loads(done.out)["profile"] == "CipherTrace EE"


def test_only_the_requests_are_sent(sectigo: Runner, liar: LyingService) -> None:
    der = x509.load_pem_x509_csr(ONE).public_bytes(Encoding.DER)
    for content in (b"a private remark\r\n" + ONE.replace(b"\n", b"\r\n"), der):
        Path("odd.csr").write_bytes(content)
        assert sectigo("upload", "odd.csr", "-p", "8", env=liar.environ).code == 0
        sent = liar.bodies[UPLOAD]
        assert ONE in sent
        assert b"remark" not in sent


def test_flags_between_the_files(sectigo: Runner, shared: Emulator) -> None:
    done = sectigo("upload", "one.csr", "-p", "423", "many.pem", env=shared.environ)
    assert json.loads(done.out)["size"] == 3


NO_PROFILE = {
    "none": (None, "which profile?", "`sectigo authorities`"),
    "unknown": ("Nonesuch", "no authority has the name 'Nonesuch'", "-p ID"),
}


@pytest.mark.parametrize(("name", "said", "hint"), NO_PROFILE.values(), ids=NO_PROFILE)
def test_no_profile(sectigo: Runner, liar: LyingService, name: str | None, said: str, hint: str) -> None:
    env = {**liar.environ, **({"SECTIGO_PROFILE": name} if name else {})}
    done = sectigo("upload", "one.csr", env=env)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert hint in done.err
    assert UPLOAD not in liar.asked


FAULTS = {
    "a missing file": (("none.csr",), ["none.csr: No such file or directory"]),
    "a folder": ((".",), [".: Is a directory"]),
    "no request": (("text.csr",), ["text.csr: holds no certificate signing request"]),
    "nothing": (("empty.csr",), ["empty.csr: holds no certificate signing request"]),
    "a ZIP that is none": (("fake.zip",), ["fake.zip: the ZIP is cut short or damaged"]),
    "a ZIP with something else": (("foreign.zip",), ["foreign.zip/readme.txt: is neither a .csr nor a .pem file"]),
    "a private key": (("key.csr",), ["key.csr: holds a private key: it must not be uploaded"]),
    "a damaged one, second in its file": (("bad.csr",), ["bad.csr, request 2: it is not a PKCS#10 request"]),
    "a cut one, second in its file": (("cut.csr",), ["cut.csr, request 2: "]),
    "faults in several files": (
        ("one.csr", "text.csr", "bad.csr"),
        ["2 faults, nothing was sent:", "text.csr: holds no", "bad.csr, request 2: "],
    ),
}


@pytest.mark.parametrize(("paths", "said"), FAULTS.values(), ids=FAULTS)
def test_faults_are_named_by_file_and_position(
    sectigo: Runner, liar: LyingService, paths: tuple[str, ...], said: list[str]
) -> None:
    done = sectigo("upload", *paths, "-p", "8", env=liar.environ)
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert len(lines) == len(said)
    for line, part in zip(lines, said, strict=True):
        assert part in line
    assert "PRIVATE KEY" not in done.err
    assert liar.asked == []


@pytest.mark.parametrize("paths", [("one.csr", "one.csr"), ("one.csr", "./one.csr"), ("all.zip", "one.csr")])
def test_a_request_that_is_given_twice(sectigo: Runner, liar: LyingService, paths: tuple[str, str]) -> None:
    done = sectigo("upload", *paths, "-p", "8", env=liar.environ)
    assert (done.code, done.out) == (2, "")
    assert "each would be paid for" in done.err
    assert liar.asked == []


@pytest.mark.parametrize("answer", [CUT, html(), document(None), Answer(), document({}, 502)])
def test_a_reply_that_is_lost(sectigo: Runner, liar: LyingService, answer: Answer) -> None:
    liar.answers[UPLOAD] = answer
    done = sectigo("upload", "one.csr", "-p", "8", env=liar.environ)
    assert (done.code, done.out) == (5, "")
    assert "'one.csr'" in done.err
    assert "do not repeat it" in done.err
    assert liar.asked.count(UPLOAD) == 1


def test_wait_and_download(sectigo: Runner, shared: Emulator) -> None:
    done = sectigo("upload", "one.csr", "-p", "423", "--wait", "--download", "certs", env=shared.environ)
    assert done.code == 0, done
    batch = json.loads(done.out)["batchId"]
    assert f"batch {batch} is ready: 1 issued\n" in done.err
    assert f"downloaded batch {batch} to certs/{batch}.zip\n" in done.err
    with zipfile.ZipFile(f"certs/{batch}.zip") as archive:
        names = archive.namelist()
    assert f"after unzipping, the certificates are in {', '.join(names)}\n" in done.err
    assert Path("certs").stat().st_mode & 0o777 == 0o700


def test_a_download_folder_that_cannot_be(sectigo: Runner, liar: LyingService) -> None:
    done = sectigo("upload", "one.csr", "-p", "8", "--download", "one.csr", env=liar.environ)
    assert (done.code, done.out) == (2, "")
    assert "one.csr is no folder" in done.err
    assert liar.asked == []


def test_of_very_many_faults_some_are_told(sectigo: Runner, liar: LyingService, here: Path) -> None:
    Path("all.csr").write_text(
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n" * 1000
    )
    done = sectigo("upload", "all.csr", "-p", "42", env=liar.environ)
    assert (done.code, done.out, liar.asked) == (2, "", [])
    lines = done.err.splitlines()
    assert len(lines) <= 104
    assert any(line.startswith("  and ") and line.endswith(" more") for line in lines)
