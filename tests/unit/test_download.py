"""Fetching a batch: under a plain name, private, whole or not there at all."""

from __future__ import annotations

import builtins
import io
import os
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot import (
    APIError,
    BundleError,
    DeadlineError,
    InvalidReplyError,
    IoTManager,
    MemoryTokenStore,
    NotFoundError,
    SectigoError,
    TargetExistsError,
    TokenPair,
    TransportError,
)
from tests.unit.lying_server import (
    HANG,
    PARAMS,
    RESET,
    Clock,
    LyingServer,
    answer,
    blunt_server,
    json_answer,
    lies,
    settings_at,
    token,
)

OLD = b"what stood there before"


def archive(content: bytes = b"content") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("example.com.p12", content)
    return file.getvalue()


ZIP = archive()


def sent(body: bytes = ZIP, name: str | None = "attachment; filename=24.zip", **more: Any) -> bytes:
    headers = {} if name is None else {"Content_Disposition": name}
    return answer(200, body, **{"media_type": "application/octet-stream", **headers, **more})


def promised(length: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + body


CUT = promised(len(ZIP) + 100, ZIP)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_bundle_is_kept_under_the_servers_name(tmp_path: Path) -> None:
    with lies(sent(name='attachment; filename="certs.zip"')) as (_, client):
        path = client.download(24, tmp_path)
    assert path == tmp_path / "certs.zip"
    assert path.read_bytes() == ZIP
    assert names(tmp_path) == ["certs.zip"]


def test_a_batch_will_do_in_place_of_its_id(client: IoTManager, tmp_path: Path) -> None:
    batch = client.create_single_cert_batch(423, "first", PARAMS)
    path = client.download(batch, str(tmp_path))
    assert path.name == f"{batch.batch_id}.zip"
    assert client.download_bytes(batch) == path.read_bytes()
    assert zipfile.is_zipfile(path)


def test_the_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with lies(sent()) as (_, client):
            path = client.download(24, tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_current_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with lies(sent()) as (_, client):
        assert client.download(24) == Path("24.zip")
    assert names(tmp_path) == ["24.zip"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (None, "24.zip"),
        ("", "24.zip"),
        ("attachment", "24.zip"),
        ("attachment; filename=certs.zip", "certs.zip"),
        ('attachment; filename="my certs.zip"', "my certs.zip"),
        ("attachment; filename*=UTF-8''caf%C3%A9.zip", "café.zip"),
        ("attachment; filename*=nonsense''x%FF.zip", None),
        ('attachment; filename="../../certs.zip"', "certs.zip"),
        ('attachment; filename="/etc/certs.zip"', "certs.zip"),
        ('attachment; filename="..\\\\..\\\\certs.zip"', "certs.zip"),
        ('attachment; filename="C:\\\\certs.zip"', "certs.zip"),
        ("attachment; filename*=UTF-8''..%2F..%2Fcerts.zip", "certs.zip"),
        ('attachment; filename=".."', "24.zip"),
        ('attachment; filename="."', "24.zip"),
        ('attachment; filename=""', "24.zip"),
        ('attachment; filename=".zip"', "24.zip"),
        ('attachment; filename="dir/"', "24.zip"),
        ('attachment; filename=".bashrc"', "24.zip"),
        ('attachment; filename="passwd"', "24.zip"),
        ('attachment; filename="a\x1b[31mb.zip"', None),
        ('attachment; filename="a$(id);b.zip"', "a__id__b.zip"),
        ('attachment; filename="CERTS.ZIP"', "CERTS.ZIP"),
        ("filename=certs.zip", None),
        (f'attachment; filename="{"x" * 300}.zip"', f"{'x' * 196}.zip"),
        ("attachment; filename*=UTF-8''%00%0A.zip", None),
        ("attachment; filename*0=a; filename*1=b.zip", "ab.zip"),
    ],
)
def test_the_name_is_reduced_to_a_plain_one(header: str | None, name: str | None, tmp_path: Path) -> None:
    with lies(sent(name=header)) as (_, client):
        path = client.download(24, tmp_path)
    assert path.parent == tmp_path
    assert names(tmp_path) == [path.name]
    assert path.name.isprintable()
    assert path.name.lower().endswith(".zip")
    assert not path.name.startswith(".")
    assert name in (None, path.name)


def test_what_stands_there_is_not_replaced_unless_told(tmp_path: Path) -> None:
    (tmp_path / "24.zip").write_bytes(OLD)
    with lies(sent()) as (_, client):
        with pytest.raises(TargetExistsError, match=r"24\.zip exists already") as caught:
            client.download(24, tmp_path)
        assert caught.value.path == str(tmp_path / "24.zip")
        assert (tmp_path / "24.zip").read_bytes() == OLD
        client.download(24, tmp_path, replace=True)
    assert (tmp_path / "24.zip").read_bytes() == ZIP
    assert names(tmp_path) == ["24.zip"]


def test_a_link_that_leads_nowhere_counts_as_standing_there(tmp_path: Path) -> None:
    (tmp_path / "24.zip").symlink_to(tmp_path / "elsewhere")
    with lies(sent()) as (_, client):
        with pytest.raises(TargetExistsError):
            client.download(24, tmp_path)
        client.download(24, tmp_path, replace=True)
    assert names(tmp_path) == ["24.zip"]
    assert not (tmp_path / "24.zip").is_symlink()


def test_what_comes_in_between_is_not_replaced(tmp_path: Path) -> None:
    def sneak(_done: int, _total: int | None) -> None:
        (tmp_path / "24.zip").write_bytes(OLD)

    with lies(sent()) as (_, client), pytest.raises(TargetExistsError):
        client.download(24, tmp_path, on_progress=sneak)
    assert (tmp_path / "24.zip").read_bytes() == OLD
    assert names(tmp_path) == ["24.zip"]


BAD = {
    "cut": (CUT, TransportError),
    "cut at once": (promised(100, b""), TransportError),
    "too short a length": (promised(len(ZIP) - 30, ZIP[:-30]), BundleError),
    "html": (answer(200, "<html>Sorry</html>", "text/html"), InvalidReplyError),
    "html as octets": (sent(b"<html>Sorry</html>"), BundleError),
    "json": (json_answer({"success": False, "error": "no"}), InvalidReplyError),
    "null": (answer(200, "null"), InvalidReplyError),
    "plain text": (answer(200, "Processing", "text/plain"), InvalidReplyError),
    "empty": (sent(b""), BundleError),
    "no zip": (sent(b"PK\x03\x04" + b"\0" * 100), BundleError),
    "garbage": (sent(os.urandom(300)), BundleError),
    "damaged": (sent(ZIP.replace(b"content", b"CONTENT")), BundleError),
    "an error": (answer(500, "down", "text/plain"), APIError),
    "not found": (answer(404), NotFoundError),
}


@pytest.mark.parametrize(("reply", "error"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("replace", [True, False])
def test_a_failed_download_leaves_everything_as_it_was(
    reply: bytes, error: type[SectigoError], replace: bool, tmp_path: Path
) -> None:
    if replace:
        (tmp_path / "24.zip").write_bytes(OLD)
    with lies(reply) as (_, client), pytest.raises(error) as caught:
        client.download(24, tmp_path, replace=replace)
    assert caught.value.message.isprintable()
    assert names(tmp_path) == (["24.zip"] if replace else [])
    assert not replace or (tmp_path / "24.zip").read_bytes() == OLD


@pytest.mark.parametrize(("reply", "error"), BAD.values(), ids=BAD)
def test_a_failed_download_into_memory_is_the_same_error(reply: bytes, error: type[SectigoError]) -> None:
    with lies(reply) as (_, client), pytest.raises(error):
        client.download_bytes(24)


def test_a_download_that_breaks_off_begins_again(tmp_path: Path) -> None:
    ticks = Clock()
    with lies(CUT, RESET, CUT, sent(), ticks=ticks) as (server, client):
        path = client.download(24, tmp_path)
        assert len(server.calls) == 4
    assert path.read_bytes() == ZIP
    assert len(ticks.slept) == 3
    assert names(tmp_path) == ["24.zip"]


def test_a_download_that_always_breaks_off_ends_in_time(tmp_path: Path) -> None:
    ticks = Clock()
    with lies(CUT, ticks=ticks, timeout=20) as (_, client), pytest.raises(TransportError, match="broke off"):
        client.download(24, tmp_path)
    assert sum(ticks.slept) < 20
    assert names(tmp_path) == []


def test_a_download_that_hangs_is_given_up(tmp_path: Path) -> None:
    with LyingServer(HANG) as server, IoTManager(settings_at(server.url, timeout=0.3)) as client:
        client.authenticate()
        with pytest.raises(DeadlineError):
            client.download(24, tmp_path)
    assert names(tmp_path) == []


def test_a_download_whose_body_stops_is_given_up(tmp_path: Path) -> None:
    with blunt_server(promised(1000, ZIP), stall=True) as host:
        store = MemoryTokenStore()
        store.save(f"http://{host}", "jane", TokenPair(token(), token(), time.time()))
        with (
            IoTManager(settings_at(f"http://{host}", timeout=0.3, token_store=store)) as client,
            pytest.raises(DeadlineError, match=r"download: .* did not answer within 0\.3 s"),
        ):
            client.download(24, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("media_type", ["application/octet-stream", "application/zip", "Application/ZIP; x=y", None])
def test_a_zip_may_be_called_by_several_types(media_type: str | None, tmp_path: Path) -> None:
    with lies(sent(media_type=media_type)) as (_, client):
        assert client.download(24, tmp_path).read_bytes() == ZIP


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    large = archive(os.urandom(200_000))
    with lies(sent(large)) as (_, client):
        client.download(24, tmp_path, on_progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(large), len(large))
    assert len(told) > 2
    assert told == sorted(told)


def test_a_download_beyond_the_limit_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sectigo_iot.api.batches.LARGEST_DOWNLOAD", 100_000)
    with lies(sent(archive(os.urandom(200_000)))) as (_, client), pytest.raises(BundleError, match="larger than"):
        client.download(24, tmp_path)
    assert names(tmp_path) == []


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(_done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    with lies(sent()) as (_, client), pytest.raises(KeyboardInterrupt):
        client.download(24, tmp_path, on_progress=interrupt)
    assert names(tmp_path) == []


FULL_DISK = """
import resource, signal, sys
from sectigo_iot import IoTManager, MemoryTokenStore, Settings
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
settings = Settings("jane", "correct", None, sys.argv[1], "testing", token_store=MemoryTokenStore(), environ={})
with IoTManager(settings) as client:
    client.authenticate()
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    try:
        client.download(24, sys.argv[2], replace=True)
    except OSError as error:
        print("OSError", error.errno)
"""


def test_a_full_disk_leaves_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "24.zip").write_bytes(OLD)
    with LyingServer(sent(archive(os.urandom(200_000)))) as server:
        command = [sys.executable, "-c", FULL_DISK, server.url, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "OSError 27\n"
    assert names(tmp_path) == ["24.zip"]
    assert (tmp_path / "24.zip").read_bytes() == OLD


def test_a_folder_that_is_none_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with lies(sent()) as (server, client):
        for folder in (tmp_path / "missing", tmp_path / "file", tmp_path / "file" / "x"):
            with pytest.raises(SectigoError, match="is no folder"):
                client.download(24, folder)
        assert server.seen == []


def test_a_download_into_memory_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lies(sent()) as (_, client):
        client.authenticate()

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a file was opened")

        monkeypatch.setattr(builtins, "open", refuse)
        monkeypatch.setattr(os, "open", refuse)
        assert client.download_bytes(24) == ZIP
