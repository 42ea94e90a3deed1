"""download: where it goes, what it says, what it never does to what stood there before."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from sectigo_iot.emulator import Emulator
from tests.commands.conftest import names_in
from tests.commands.lying_service import Answer, LyingService, document, html, ready, text, waiting
from tests.conftest import Runner
from tests.packages import PYTHONPATH

DOWNLOAD = "GET /api/v1/batches/24/download"
RC2_40 = bytes.fromhex("060a2a864886f70d010c0106")


def archive(**entries: bytes) -> Answer:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as opened:
        for name, content in entries.items():
            opened.writestr(name.replace("__", "/").replace("_", "."), content)
    return Answer(target.getvalue(), 200, "application/octet-stream")


@pytest.fixture
def batch(sectigo: Runner, shared: Emulator, here: Path) -> str:
    """A batch that is ready, and an empty current folder."""
    done = sectigo("create", "-d", "example.com", "-p", "secrtpasswrd", env=shared.environ)
    return str(json.loads(done.out)["batchId"])


OPEN = (
    "after unzipping, unencrypt with your password using "
    "`openssl pkcs12 -in example.com.p12 -out example.com.crt -nodes`"
)


def test_the_two_lines(sectigo: Runner, shared: Emulator, batch: str) -> None:
    for flag, folder in (("-o", "one"), ("--outdir", "two/")):
        done = sectigo("download", "-i", batch, flag, folder, env=shared.environ)
        name = folder.rstrip("/")
        assert done.code == 0, done
        assert done.out == f"downloaded batch {batch} to {name}/{batch}.zip\n{OPEN}\n"
        assert done.err == f"sectigo: made the folder {name}\n"
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o700
        assert stat.S_IMODE(Path(f"{name}/{batch}.zip").stat().st_mode) == 0o600
        assert names_in(name) == [f"{batch}.zip"]


def test_without_a_folder_it_comes_here(sectigo: Runner, shared: Emulator, batch: str) -> None:
    done = sectigo("download", "--id", batch, env=shared.environ)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"downloaded batch {batch} to {batch}.zip\n")
    assert names_in() == [f"{batch}.zip"]


@pytest.mark.needs("openssl")
def test_the_second_line_works(sectigo: Runner, shared: Emulator, batch: str) -> None:
    done = sectigo("download", "-i", batch, env=shared.environ)
    zipfile.ZipFile(f"{batch}.zip").extractall()
    found = re.search("`(.*)`", done.out)
    assert found
    ran = subprocess.run(f"{found[1]} -passin pass:secrtpasswrd", shell=True, capture_output=True, check=False)
    assert ran.returncode == 0, ran
    assert Path("example.com.crt").read_text().count("BEGIN CERTIFICATE") == 3


OPENING = {
    "one PKCS#12": (archive(a_p12=b"0"), "-in a.p12 -out a.crt -nodes`"),
    "one that is old": (archive(a_p12=b"0" + RC2_40), "`openssl pkcs12 -legacy -in a.p12 -out a.crt -nodes`"),
    "one with blanks": (archive(**{"a b_p12": b"0"}), "-in 'a b.p12' -out 'a b.crt' -nodes`"),
    "one in a folder": (archive(d__a_p12=b"0"), "-in d/a.p12 -out d/a.crt -nodes`"),
    "one with other things": (archive(read_me=b"x", a_pfx=b"0"), "-in a.pfx -out a.crt -nodes`"),
    "two": (archive(a_p12=b"0", b_p12=b"0"), "-in INFILE.p12 -out OUTFILE.crt -nodes` for each of a.p12, b.p12"),
    "many": (archive(**{f"{n}_p12": b"0" for n in range(7)}), "0.p12, 1.p12, 2.p12, 3.p12, 4.p12 and 2 more"),
    "none": (archive(a_pem=b"x", b_crt=b"y"), "after unzipping, the certificates are in a.pem, b.crt"),
}


@pytest.mark.parametrize(("answer", "said"), OPENING.values(), ids=OPENING)
def test_how_to_open_it(sectigo: Runner, liar: LyingService, here: Path, answer: Answer, said: str) -> None:
    liar.answers[DOWNLOAD] = answer
    done = sectigo("download", "-i", "24", env=liar.environ)
    assert (done.code, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first == "downloaded batch 24 to 24.zip"
    assert second.endswith(said)
    assert Path("24.zip").read_bytes() == answer.body


def test_a_file_that_stands_there(sectigo: Runner, shared: Emulator, batch: str) -> None:
    Path(f"{batch}.zip").write_text("mine")
    done = sectigo("download", "-i", batch, env=shared.environ)
    assert (done.code, done.out) == (2, "")
    assert f"{batch}.zip exists already, and is left as it is" in done.err
    assert f"`sectigo download -i {batch} -o . --force` replaces it" in done.err
    assert Path(f"{batch}.zip").read_text() == "mine"
    assert sectigo("download", "-i", batch, "--force", env=shared.environ).code == 0
    assert zipfile.is_zipfile(f"{batch}.zip")
    assert stat.S_IMODE(Path(f"{batch}.zip").stat().st_mode) == 0o600


FOLDERS = {
    "no parent": ("a/b", "a/b is missing, and so is a"),
    "a plain file": ("file", "file is no folder"),
    "below a plain file": ("file/x", "file/x is missing, and so is file"),
    "a link to nowhere": ("link", "File exists"),
    "where nothing can be made": ("/proc/x", "/proc"),
    "where nothing can be written": ("/proc", "/proc cannot be written to"),
    "a name that is too long": ("x" * 300, "File name too long"),
}


@pytest.mark.parametrize(("folder", "said"), FOLDERS.values(), ids=FOLDERS)
def test_a_folder_that_cannot_be(sectigo: Runner, liar: LyingService, here: Path, folder: str, said: str) -> None:
    Path("file").write_text("mine")
    Path("link").symlink_to("nowhere/at/all")
    done = sectigo("download", "-i", "24", "-o", folder, env=liar.environ)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert liar.asked == []


def test_not_ready(sectigo: Runner, liar: LyingService, here: Path) -> None:
    liar.answers.update(waiting(24))
    liar.answers[DOWNLOAD] = document({"message": "too early"}, 400)
    done = sectigo("download", "-i", "24", env=liar.environ)
    assert (done.code, done.out) == (8, "")
    assert "batch 24 is not ready yet: the service says CREATED" in done.err
    assert "--wait" in done.err
    late = sectigo("download", "-i", "24", "--wait", "--timeout", "0", env=liar.environ)
    assert (late.code, late.out) == (8, "")
    assert liar.asked.count(DOWNLOAD) == 1
    assert names_in() == []


def test_wait_then_fetch(sectigo: Runner, liar: LyingService, here: Path) -> None:
    liar.answers.update(ready(24))
    liar.answers[DOWNLOAD] = archive(a_p12=b"0")
    done = sectigo("download", "-i", "24", "--wait", env=liar.environ)
    assert done.code == 0, done
    assert done.err == "sectigo: batch 24 is ready: 1 issued\n"
    assert done.out.splitlines()[0] == "downloaded batch 24 to 24.zip"


def test_a_batch_that_is_over(sectigo: Runner, liar: LyingService, here: Path) -> None:
    liar.answers.update(waiting(24))
    liar.answers["GET /api/v1/batches/24/status"] = text("Not Acceptable. Status: REMOVED_AFTER_EXPIRATION")
    liar.answers[DOWNLOAD] = document({"message": "gone"}, 400)
    done = sectigo("download", "-i", "24", env=liar.environ)
    assert (done.code, done.out) == (1, "")
    assert "batch 24 ended as REMOVED_AFTER_EXPIRATION" in done.err


BAD = {
    "HTML": html(),
    "JSON": document({"error": "not ready", "success": False}),
    "null": document(None),
    "nothing": Answer(b"", 200, "application/octet-stream"),
    "text that calls itself a ZIP": Answer(b"hello", 200, "application/zip"),
    "half a ZIP": archive(a_p12=b"0" * 100)._replace(body=archive(a_p12=b"0" * 100).body[:-30]),
    "a ZIP that leads outside": archive(**{"..__x_p12": b"0"}),
    "a ZIP of nothing": archive(),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
@pytest.mark.parametrize("flags", [(), ("--force",)], ids=["", "force"])
def test_what_is_no_sound_zip_is_not_kept(
    sectigo: Runner, liar: LyingService, here: Path, answer: Answer, flags: tuple[str, ...]
) -> None:
    liar.answers[DOWNLOAD] = answer
    if flags:
        Path("24.zip").write_text("the good one")
    done = sectigo("download", "-i", "24", *flags, env=liar.environ)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("sectigo: error: ")
    assert done.err.count("\n") == 1
    assert [(p.name, p.read_text()) for p in here.iterdir()] == ([("24.zip", "the good one")] if flags else [])


def test_an_unknown_batch(sectigo: Runner, shared: Emulator, here: Path) -> None:
    done = sectigo("download", "-i", "99", env=shared.environ)
    assert (done.code, done.out) == (1, "")
    assert "there is no such batch" in done.err
    assert names_in() == []


# Faults of the disk, in a child


def child(*words: str, env: Mapping[str, str], file_size: int) -> tuple[int, str]:
    """Run the command where no file may grow beyond a size, as on a full disk."""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "sectigo_cli", *words],
        env={**os.environ, "PYTHONPATH": PYTHONPATH, **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size)),
    )
    return done.returncode, done.stderr


def test_a_full_disk(sectigo: Runner, shared: Emulator, batch: str) -> None:
    assert sectigo("auth", env=shared.environ).code == 0
    Path(f"{batch}.zip").write_text("the good one")
    code, err = child("download", "-i", batch, "--force", env=shared.environ, file_size=1000)
    assert code == 1
    assert "File too large" in err
    assert err.startswith("sectigo: error: ")
    assert err.count("\n") == 1
    assert names_in() == [f"{batch}.zip"]
    assert Path(f"{batch}.zip").read_text() == "the good one"


def test_a_full_disk_under_the_password(sectigo: Runner, shared: Emulator, here: Path, nothing_spent: None) -> None:
    assert sectigo("auth", env=shared.environ).code == 0
    words = ("create", "-d", "example.com", "--password-out", "pw")
    code, err = child(*words, env=shared.environ, file_size=10)
    assert (code, err) == (1, "sectigo: error: pw: File too large\n")
    assert names_in() == []


# The first run, as root, imports all that is needed: nobody may not be able to read the interpreter's files.
AS_NOBODY = """
import os, sys
from sectigo_cli.main import main
home, batch = sys.argv[1:]
main(["create", "-d", "example.com", "--password-out", "root/pw", "--download", "root"])
os.environ["XDG_CACHE_HOME"] = os.environ["XDG_CONFIG_HOME"] = home
os.setgroups([]), os.setgid(65534), os.setuid(65534)
print("as nobody", file=sys.stderr)
for words in (
    ["download", "-i", batch, "-o", "root"],
    ["download", "-i", batch, "-o", "root/new"],
    ["create", "-d", "example.com", "--password-out", "root/other"],
):
    print(main(words), file=sys.stderr)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_folder_that_is_another_s(shared: Emulator, batch: str) -> None:
    with tempfile.TemporaryDirectory() as work:
        home = Path(work, "home")
        for folder, mode in ((Path(work), 0o755), (Path(work, "root"), 0o755), (home, 0o777)):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
        done = subprocess.run(
            [sys.executable, "-B", "-c", AS_NOBODY, str(home), batch],
            env={**os.environ, "PYTHONPATH": PYTHONPATH, **shared.environ, "XDG_CACHE_HOME": f"{work}/cache"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            cwd=work,
        )
        found = names_in(Path(work, "root"))
    before, _, after = done.stderr.partition("as nobody\n")
    assert "is ready" in before, done
    assert after.splitlines() == [
        "sectigo: error: root cannot be written to: Permission denied",
        "2",
        "sectigo: error: root/new: Permission denied",
        "2",
        "sectigo: error: root cannot be written to: Permission denied",
        "2",
    ]
    assert len(found) == 2, "only what root has written is there"
