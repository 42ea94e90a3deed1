"""What goes wrong after an order: it stands, and the user is told how to go on; no empty folder is left behind."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from tests.commands.conftest import names_in
from tests.commands.lying_service import (
    BATCH,
    CREATE,
    CUT,
    UPLOAD,
    Answer,
    LyingService,
    document,
    html,
    ready,
    text,
    waiting,
)
from tests.commands.signing_requests import request
from tests.conftest import Runner

INFO, STATUS = "GET /api/v1/batches/24/processing_info", "GET /api/v1/batches/24/status"
DOWNLOAD = "GET /api/v1/batches/24/download"
STANDS = "sectigo: hint: the order stands as batch 24: "
ORDER = ("create", "-d", "example.com", "-p", "secrtpasswrd")

TROUBLES = {
    "a lost connection": (INFO, CUT),
    "a login that is not accepted any more": (STATUS, document({"message": "token revoked"}, 401)),
    "an authority that is taken away": (STATUS, document({"message": "no"}, 403)),
    "no such batch": (INFO, Answer(b"", 404)),
    "HTML": (INFO, html()),
    "a status that is none": (STATUS, text("x" * 5000)),
    "a download that is none": (DOWNLOAD, html()),
    "a download that fails": (DOWNLOAD, document({"message": "oops"}, 500)),
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sectigo_iot.transport.pause", lambda *_: None)


@pytest.mark.parametrize(("call", "answer"), TROUBLES.values(), ids=TROUBLES)
def test_the_order_stands_whatever_goes_wrong_after_it(
    sectigo: Runner, liar: LyingService, here: Path, call: str, answer: Answer
) -> None:
    liar.answers.update({**(waiting(24) if call == STATUS else ready(24)), call: answer})
    done = sectigo(*ORDER, "--download", "my certs", "--timeout", "0", env=liar.environ)
    assert done.code == 8, done
    assert json.loads(done.out) == BATCH
    *_, error, hint = done.err.splitlines()
    assert error.startswith("sectigo: error: ")
    assert hint == STANDS + "`sectigo download -i 24 -o 'my certs' --wait` goes on"
    assert liar.asked.count(CREATE) == 1
    assert names_in() == [], "the folder that was made, and is empty, is gone again"


def test_an_upload_stands_as_well(sectigo: Runner, liar: LyingService, here: Path) -> None:
    Path("one.csr").write_bytes(request("one.example.com"))
    liar.answers[INFO] = document({"message": "token revoked"}, 401)
    done = sectigo("upload", "one.csr", "-p", "8", "--wait", env=liar.environ)
    assert done.code == 8
    assert done.err.endswith(STANDS + "`sectigo download -i 24 --wait` goes on\n")


def test_after_the_time_is_over_the_hint_names_the_batch(sectigo: Runner, liar: LyingService) -> None:
    liar.answers.update(waiting(24))
    done = sectigo(*ORDER, "--wait", "--timeout", "0", env=liar.environ)
    assert done.code == 8
    assert done.err.splitlines()[-2:] == [
        "sectigo: error: batch 24 is not ready after 0 s: the service says CREATED",
        STANDS + "`sectigo download -i 24 --wait` goes on",
    ]


def test_a_file_that_stands_where_the_download_should_go(sectigo: Runner, liar: LyingService, here: Path) -> None:
    Path("24.zip").write_text("mine")
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("a.p12", b"0")
    liar.answers.update({**ready(24), DOWNLOAD: Answer(bundle.getvalue(), 200, "application/octet-stream")})
    done = sectigo(*ORDER, "--download", ".", env=liar.environ)
    assert done.code == 8
    assert done.err.endswith(STANDS + "`sectigo download -i 24 -o . --force` replaces it\n")
    assert Path("24.zip").read_text() == "mine"


def test_a_disk_that_fails_after_the_order(
    sectigo: Runner, liar: LyingService, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sectigo_iot import IoTManager

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "certs/24.zip")

    monkeypatch.setattr(IoTManager, "download", fail)
    liar.answers.update(ready(24))
    done = sectigo(*ORDER, "--download", "certs", env=liar.environ)
    assert done.code == 8
    assert done.err.splitlines()[-2:] == [
        "sectigo: error: certs/24.zip: No space left on device",
        STANDS + "`sectigo download -i 24 -o certs --wait` goes on",
    ]


def test_a_folder_that_was_made_for_nothing_is_removed(sectigo: Runner, liar: LyingService, here: Path) -> None:
    for words in (
        ("download", "-i", "24", "-o", "certs"),
        ("create", "-d", "example.com", "-a", "9", "--download", "c"),
    ):
        assert sectigo(*words, env=liar.environ).code != 0
        assert names_in() == []
    Path("certs").mkdir()
    assert sectigo("download", "-i", "24", "-o", "certs", env=liar.environ).code == 1
    assert names_in() == ["certs"], "one that stood there before is left"


def test_two_downloads_make_the_same_folder(
    sectigo: Runner, liar: LyingService, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists = Path.exists

    def late(path: Path, **options: bool) -> bool:
        found = exists(path, **options)
        if path.name == "certs":
            path.mkdir(exist_ok=True)
        return found

    monkeypatch.setattr(Path, "exists", late)
    done = sectigo("download", "-i", "24", "-o", "certs", env=liar.environ)
    assert "File exists" not in done.err
    assert DOWNLOAD in liar.asked


def test_what_fails_while_the_batch_is_printed_tells_its_id(
    sectigo: Runner, liar: LyingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sectigo_cli import ordered

    def fail(*_: object) -> None:
        raise SystemExit(7)

    monkeypatch.setattr(ordered, "print_json", fail)
    done = sectigo(*ORDER, env=liar.environ)
    assert (done.code, done.err.count("sectigo: the order was accepted as batch 24\n")) == (7, 1)
    assert UPLOAD not in liar.asked
