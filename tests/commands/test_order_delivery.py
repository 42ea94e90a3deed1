"""order, worker: what is delivered is put in place once, what stands in the way is told once, in one line."""

from __future__ import annotations

import errno
import os
import pickle
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sectigo_cli.context import Context
from sectigo_cli.order_files import Delivery
from sectigo_iot import IoTManager, SectigoError
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import Bundle, Order, OrderBook, OrderRequest, OrderWorker
from tests.commands.conftest import names_in
from tests.commands.test_order_keys import OFFLINE, PASSWORD, installed_from, pair, state
from tests.conftest import Runner, settings_for
from tests.packages import PYTHONPATH

pytestmark = pytest.mark.usefixtures("book")
MINE = str(os.geteuid())
NAME = "mail.example.net"


def versions(name: str = NAME, folder: str = "certs") -> list[str]:
    return names_in(Path(folder, ".versions", name))


@pytest.fixture(scope="module")
def issued(service: Emulator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Order, Bundle]:
    """An order, and what was issued for it."""
    with (
        IoTManager(settings_for(service)) as client,
        OrderBook(tmp_path_factory.mktemp("issued") / "orders.sqlite3") as book,
    ):
        book.place("k", OrderRequest(names=(NAME,), profile="CipherTrace EE"))
        OrderWorker(book, client).run(until_idle=True)
        bundle = book.bundle("k")
        assert bundle is not None
        return book.get("k"), bundle


def deliver(issued: tuple[Order, Bundle], *, hook: str | None = None, **labels: str) -> list[str]:
    """Deliver what was issued to the folder `certs`, or as the labels say, and return what is said."""
    order, bundle = issued
    said: list[str] = []
    folder = str(Path("certs").absolute())
    labelled = replace(order, wanted=replace(order.wanted, labels={"folder": folder, **labels}))
    Delivery(Context(), said.append, hook=hook)(labelled, bundle)
    return said


def test_a_hook_that_fails_again_and_again_drives_out_no_version_before(
    sectigo: Runner, service: Emulator, issued: tuple[Order, Bundle]
) -> None:
    deliver(issued)
    (before,) = versions()
    line = ("order", NAME, "--keep", "2", "-o", "certs")
    for timeout in ("2", "0.5"):
        failing = sectigo(*line, "--timeout", timeout, "--deploy-hook", "exit 7", env=service.environ)
        assert "the deploy hook failed with exit code 7" in failing.err
        sectigo("orders", "retry", NAME, env=service.environ)
    assert (len(versions()), versions()[0]) == (2, before)
    hook = 'echo "$SECTIGO_INSTALLED_FOLDER" > hooked; test -s "$SECTIGO_INSTALLED_KEY"'
    done = sectigo(*line, "--deploy-hook", hook, env=service.environ)
    assert (done.code, state(done)) == (0, "delivered"), done
    assert Path("hooked").read_text().strip() == os.path.realpath(f"certs/{NAME}")
    assert (len(versions()), versions()[0]) == (2, before)


@pytest.mark.parametrize("form", ["pem", "der", "p12"])
def test_what_stands_there_already_is_not_put_there_again(
    issued: tuple[Order, Bundle], form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        said = deliver(issued, format=form, grant=MINE, hook=f'test -n "$SECTIGO_INSTALLED_{KEYS[form]}"')
        assert said == [f"k: its files are in {Path('certs').absolute() / NAME}"]
        assert f"can read {Path('certs').absolute() / NAME}/" in capsys.readouterr().err
    assert len(versions()) == 1


KEYS = {"pem": "FULL", "der": "KEY", "p12": "PKCS12"}


def _without(name: str) -> Callable[[Path], dict[str, str]]:
    def spoil(path: Path) -> dict[str, str]:
        (path / name).unlink()
        return {}

    return spoil


def _another(path: Path) -> dict[str, str]:
    (path / "cert.pem").write_bytes(b"none")
    return {}


SPOILT: dict[str, Callable[[Path], dict[str, str]]] = {
    "no key": _without("privkey.pem"),
    "no certificate": _without("cert.pem"),
    "another certificate": _another,
    "another form is wanted": lambda _: {"format": "p12"},
    "a user is not let in": lambda _: {"grant": "65533"},
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=list(SPOILT))
def test_what_is_not_whole_is_put_there_once_more(
    issued: tuple[Order, Bundle], spoil: Callable[[Path], dict[str, str]]
) -> None:
    deliver(issued)
    labels = spoil(Path("certs", NAME))
    for _ in range(2):
        deliver(issued, **labels)
    assert len(versions()) == 2


ON_A_SMALL_DISK = """
import pickle, subprocess, sys
from dataclasses import replace
from pathlib import Path
from sectigo_cli.context import Context
from sectigo_cli.order_files import Delivery
from sectigo_iot import SectigoError

disk, (order, bundle) = Path(sys.argv[1]), pickle.load(sys.stdin.buffer)

def attempt(folder):
    labelled = replace(order, wanted=replace(order.wanted, labels={"folder": str(folder)}))
    try:
        Delivery(Context(), lambda line: None)(labelled, bundle)
    except SectigoError as error:
        print(str(error).replace(str(disk), "DISK"))
    else:
        print("delivered", *(each.name for each in sorted(folder.iterdir())))

def mount(*words):
    subprocess.run(["mount", "-t", "tmpfs", *words, "tmpfs", str(disk)], check=True)

mount("-o", "size=64k")
(disk / "filling").write_bytes(bytes(61440))
attempt(disk)
attempt(disk)
(disk / "filling").unlink()
attempt(disk)
mount("-o", "remount,ro")
attempt(disk)
attempt(disk / "new")
"""
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.mark.needs("unshare")
def test_a_disk_that_is_full_or_read_only_is_told_in_the_same_words_each_time(
    issued: tuple[Order, Bundle], tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount a file system in a namespace of their own")
    done = subprocess.run(
        [*UNSHARE, sys.executable, "-c", ON_A_SMALL_DISK, str(disk)],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        input=pickle.dumps(issued),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.decode().splitlines() == [
        "the disk is full: DISK",
        "the disk is full: DISK",
        f"delivered .versions {NAME}",
        "the file system is read-only: DISK",
        "the file system is read-only: DISK/new",
    ], done.stderr.decode()


FAULTS = {
    "quota": (OSError(errno.EDQUOT, "Disk quota exceeded", "certs/.versions/.1f.part/x"), "the disk is full: certs"),
    "rights": (PermissionError(errno.EACCES, "Permission denied", "x"), "there is no permission to write: certs"),
    "no rights to let in": (
        OSError(errno.EPERM, "it cannot be opened to bob: Operation not permitted", "certs/.versions/.2e.part"),
        "certs: it cannot be opened to bob: Operation not permitted",
    ),
    "another installation": (BlockingIOError(errno.EAGAIN, "it is under way", "x"), "certs: it is under way"),
    "no words": (OSError("gone"), "certs: gone"),
}


@pytest.mark.parametrize(("fault", "said"), FAULTS.values(), ids=list(FAULTS))
def test_what_stands_in_the_way_of_files_names_the_folder_alone(
    issued: tuple[Order, Bundle], monkeypatch: pytest.MonkeyPatch, fault: OSError, said: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr("sectigo_iot.pki.installing.switching.locked", refuse)
    with pytest.raises(SectigoError) as raised:
        deliver(issued, folder="certs")
    assert str(raised.value) == said


def test_a_hook_that_cannot_be_run_is_told_by_its_reason(
    issued: tuple[Order, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/random/name")

    monkeypatch.setattr("sectigo_iot.pki.installing.hooks.tempfile.TemporaryFile", refuse)
    with pytest.raises(SectigoError) as raised:
        deliver(issued, hook="true")
    why = "the deploy hook could not be run: No space left on device; the files are in place"
    assert str(raised.value) == why


@pytest.mark.parametrize("more", ["", "--no-wait", "--dry-run"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--grant", "nosuchuser"), "there is no user 'nosuchuser' on this machine"),
        (("--root", "roots.txt"), "roots.txt: it holds no certificate in PEM"),
    ],
)
def test_what_no_delivery_could_do_is_refused_at_once(
    sectigo: Runner, book: Path, words: tuple[str, ...], said: str, more: str
) -> None:
    Path("roots.txt").write_text("no roots")
    done = sectigo("order", "a.example.com", *words, *filter(None, [more]), env=OFFLINE)
    assert (done.code, done.out) == (2, ""), done
    assert said in done.err
    assert "hint: " in done.err
    assert not book.exists()


def test_a_worker_with_roots_that_are_none_does_not_begin(sectigo: Runner, book: Path) -> None:
    Path("roots.txt").write_text("no roots")
    done = sectigo("worker", "--root", "roots.txt", env=OFFLINE)
    assert (done.code, done.out) == (2, ""), done
    assert done.err.startswith("sectigo: error: roots.txt: it holds no certificate in PEM")
    assert not book.exists()


def test_an_encrypted_key_in_the_folder_that_no_request_needs_is_left_shut(
    sectigo: Runner, service: Emulator
) -> None:
    pair("a")
    pair("b", password=PASSWORD)
    Path("wrong").write_text("another\n")
    for words in ((), ("--key-password-file", "wrong")):
        line = ("order", "--csr", "a.csr", "--key-file", ".", "--no-wait", *words)
        done = sectigo(*line, env=service.environ)
        assert (done.code, state(done)) == (0, "planned"), done
    done = sectigo("order", "--csr", "b.csr", "--key-file", ".", "--no-wait", env=service.environ)
    assert (done.code, done.out) == (2, "")
    assert "b.key: the private key is encrypted" in done.err


def test_a_damaged_key_in_the_folder_is_told(sectigo: Runner) -> None:
    pair("a")
    Path("z.key").write_text("none")
    done = sectigo("order", "--csr", "a.csr", "--key-file", ".", "--no-wait", env=OFFLINE)
    assert (done.code, done.out) == (2, "")
    assert "z.key: there is no private key" in done.err


def test_a_key_that_comes_after_the_delivery_is_told_and_how_it_gets_in(sectigo: Runner, service: Emulator) -> None:
    pair("late key", "late.example.com")
    line = ("order", "--csr", "late key.csr", "--key", "k", "-o", "own")
    assert sectigo(*line, env=service.environ).code == 0
    done = sectigo(*line, "--key-file", "late key.key", env=service.environ)
    assert (done.code, done.out) == (2, ""), done
    assert "the order k was placed without its private key" in done.err
    (command,) = re.findall(r"`sectigo (download [^`]*)`", done.err)
    assert sectigo(*shlex.split(command), env=service.environ).code == 0
    assert installed_from("late key", "own/late.example.com")
    assert sectigo(*line, env=service.environ).code == 0


def test_a_key_for_an_order_that_was_withdrawn_is_not_what_is_wrong(sectigo: Runner, service: Emulator) -> None:
    pair("a")
    assert sectigo("order", "--csr", "a.csr", "--no-wait", env=service.environ).code == 0
    assert sectigo("orders", "cancel", "a.example.com", env=service.environ).code == 0
    done = sectigo("order", "--csr", "a.csr", "--key-file", "a.key", env=service.environ)
    assert "another order of this name takes another --key" in done.err, done
