"""What the order commands tell to type does what they say, for the book at hand; what cannot be is said at once."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sectigo_cli.order_shown import trouble
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import OrderBook, OrderState
from sectigo_iot.pki import RequestSpec, make_requests
from tests.commands.conftest import names_in
from tests.conftest import Runner

LOST = "lost-reply,call=createSingleCertBatch,nth=1"
OFFLINE = {"SECTIGO_ENDPOINT": "http://127.0.0.1:9", "SECTIGO_ENVIRONMENT": "testing"}
"""Nobody listens there."""

pytestmark = pytest.mark.usefixtures("book")


def state_of(book: str | Path, key: str) -> OrderState:
    """Return how an order stands."""
    with OrderBook(book) as opened:
        return opened.get(key).state


def test_what_was_given_up_is_gone_on_with_as_it_is_told(sectigo: Runner, book: Path) -> None:
    with Emulator(faults=(LOST,)) as service:
        line = ("order", "lost.example.com", "-o", "certs")
        assert sectigo(*line, env=service.environ).code == 5
        assert sectigo("orders", "resolve", "lost.example.com", "--give-up").code == 0
        told = sectigo(*line, env=service.environ)
        assert (told.code, "orders retry" in told.err) == (1, False)
        assert "`sectigo orders resolve lost.example.com --absent` goes on" in told.err
        refused = sectigo("orders", "retry", "lost.example.com")
        assert refused.code == 2
        assert "`sectigo orders resolve lost.example.com --batch ID`, or --absent" in refused.err
        anew = sectigo("orders", "retry", "lost.example.com", "--order-anew")
        assert (anew.code, "nobody is there to be asked" in anew.err) == (2, False)
        assert sectigo("orders", "resolve", "lost.example.com", "--absent", "--yes").code == 0
        assert sectigo(*line, env=service.environ).code == 0
    assert state_of(book, "lost.example.com") is OrderState.DELIVERED


def test_nobody_is_asked_about_an_order_that_it_cannot_be_done_with(sectigo: Runner, service: Emulator) -> None:
    assert sectigo("order", "a.example.com", "-o", "certs", env=service.environ).code == 0
    lines = {
        ("retry", "a.example.com", "--order-anew"): "is delivered",
        ("retry", "nobody", "--order-anew"): "no order with the key 'nobody'",
        ("resolve", "a.example.com", "--absent"): "there is nothing to resolve",
        ("resolve", "nobody", "--absent"): "no order with the key 'nobody'",
    }
    for line, words in lines.items():
        done = sectigo("orders", *line, terminal=True, stdin="n\n")
        assert (done.code, "[y/N]" in done.err) == (2, False), done
        assert words in done.err


def test_what_is_told_before_the_book_is_opened_names_it_too(sectigo: Runner) -> None:
    missing = sectigo("orders", "--book", "no.db")
    assert missing.code == 2
    assert "`sectigo order DOMAIN --book no.db`" in missing.err
    assert "`sectigo orders --book no.db` lists" in sectigo("orders", "retry", "--book", "no.db").err
    hook = sectigo("order", "a.example.com", "--no-wait", "--deploy-hook", "true", "--book", "no.db", env=OFFLINE)
    assert "`sectigo worker --book no.db`" in hook.err
    secret = sectigo("orders", "retry", "--book", "postgresql://me:s3cr3t@db.example.com/x")
    assert "`sectigo orders --book URL` lists" in secret.err
    assert "s3cr3t" not in secret.err


def test_a_worker_of_another_service_is_told_the_whole_line(sectigo: Runner, service: Emulator) -> None:
    assert sectigo("order", "a.example.com", "--no-wait", "--book", "other.db", env=OFFLINE).code == 0
    done = sectigo("worker", "--once", "--book", "other.db", env=service.environ)
    assert done.code == 2
    assert "`sectigo -e http://127.0.0.1:9 worker --book other.db` carries them" in done.err


@pytest.mark.parametrize("where", ["the line", "a table"])
def test_a_key_that_would_pass_for_an_option_is_refused(sectigo: Runner, where: str, service: Emulator) -> None:
    Path("t.csv").write_text("name,key\na.example.com,-x\n")
    words = ("a.example.com", "--key=-x") if where == "the line" else ("--file", "t.csv")
    done = sectigo("order", *words, "--no-wait", env=service.environ)
    assert done.code == 2
    assert "no - in front" in done.err
    assert sectigo("order", "a.example.com", "--key", "x-", "--no-wait", env=service.environ).code == 0


def test_a_renewal_that_needs_a_request_says_how_it_gets_one(sectigo: Runner, book: Path, service: Emulator) -> None:
    (made,) = make_requests([RequestSpec(("own.example.com",))], kind="P-256")
    Path("own.csr").write_bytes(made.request_pem)
    assert sectigo("order", "--csr", "own.csr", "--key", "it is", "-o", "certs", env=service.environ).code == 0
    done = sectigo("orders", "renew", "it is")
    assert done.code == 2
    assert "`sectigo orders renew 'it is' --csr FILE`" in done.err
    assert sectigo("orders", "renew", "it is", "--csr", "own.csr").code == 0
    with OrderBook(book) as opened:
        order = opened.get("it is")
    # So a worker puts it, when the renewal is due.
    lacking = replace(order, attention="its renewal needs a new signing request: its key is not kept here")
    assert "is not kept here; `sectigo orders renew 'it is' --csr FILE` gives it one" in str(trouble(lacking))
    assert "--csr" not in str(trouble(replace(order, attention="something else")))


def test_a_book_that_cannot_be_reached_is_not_called_missing(sectigo: Runner) -> None:
    Path("loop").symlink_to("loop")
    for place in ("loop/b.db", "sqlite:///loop/b.db"):
        done = sectigo("orders", "--book", place)
        assert done.code == 2
        assert f"the order book {place}: Too many levels of symbolic links" in done.err


AS_NOBODY = """
import os, sys
from sectigo_cli import order_books, order_looking
from sectigo_cli.commands import orders
from sectigo_cli.main import main
import sectigo_iot.orders
# Everything is loaded then.
main(["orders", "--book", sys.argv[1] + "/b.db/b.db"])
os.setgid(65534)
os.setuid(65534)
sys.exit(main(["orders", "--book", sys.argv[1] + "/b.db"]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_cannot_be_entered(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(0o700)
    line = [sys.executable, "-c", AS_NOBODY, str(tmp_path / "closed")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"sectigo: error: the order book {tmp_path}/closed/b.db: Permission denied"


def test_an_empty_book_has_no_orders(sectigo: Runner, book: Path) -> None:
    done = sectigo("orders")
    assert (done.code, done.out, done.err) == (0, "", f"sectigo: no orders in sqlite:///{book}\n")
    assert "no such order is in " in sectigo("orders", "--state", "planned").err


def test_a_book_that_is_made_is_told_of_and_a_rehearsal_makes_none(
    sectigo: Runner, book: Path, service: Emulator
) -> None:
    line = ("order", "a.example.com", "-o", "certs", "--no-wait")
    rehearsal = sectigo(*line, "--book", "new/typo.db", "--dry-run", env=service.environ)
    assert (rehearsal.code, json.loads(rehearsal.out)[0]["state"]) == (0, None), rehearsal
    assert "made the order book" not in rehearsal.err
    assert sectigo(*line, "--dry-run", env=service.environ).code == 0
    assert (names_in(), book.parent.exists()) == ([], False)
    assert (
        "sectigo: made the order book new/typo.db\n"
        in sectigo(*line, "--book", "new/typo.db", env=service.environ).err
    )
    again = sectigo(*line, "--book", "new/typo.db", "--dry-run", env=service.environ)
    assert json.loads(again.out)[0]["state"] == "planned"
    assert "made the order book" not in again.err


def test_what_is_a_file_is_not_a_stream(sectigo: Runner, book: Path) -> None:
    Path("a.csr").touch()
    key = sectigo("order", "--csr", "a.csr", "--key-file", "-", env=OFFLINE)
    assert (key.code, "--key-file is a file or a folder, and not standard input" in key.err) == (2, True)
    assert sectigo("orders").code == 0
    copy = sectigo("orders", "backup", "-")
    assert (copy.code, "a backup is a file, and not standard output" in copy.err) == (2, True)
    assert names_in() == ["a.csr"]


def test_a_server_that_is_away_is_not_waited_for_by_who_looks(sectigo: Runner) -> None:
    done = sectigo("orders", "--book", "postgresql://me@127.0.0.1:9/x")
    assert done.code == 1
    assert "the server is away" in done.err
    assert "look whether it runs, and at its name and port; then try again" in done.err


@contextlib.contextmanager
def without(monkeypatch: pytest.MonkeyPatch, module: str) -> Iterator[None]:
    """Have a package be none that is installed."""
    with monkeypatch.context() as patch:
        for name in [name for name in sys.modules if name.partition(".")[0] == module]:
            patch.delitem(sys.modules, name)
        patch.setitem(sys.modules, module, None)
        yield


def test_a_driver_that_is_not_installed(sectigo: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    with without(monkeypatch, "psycopg"):
        done = sectigo("orders", "--book", "postgresql://me@127.0.0.1:9/x")
    assert (done.code, done.err.splitlines()) == (
        1,
        [
            "sectigo: error: the driver for PostgreSQL is not installed",
            "sectigo: hint: pip install 'sectigo-iot[postgresql]'",
        ],
    )


UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")
ON_A_FULL_DISK = """
import contextlib, os, subprocess, sys
from sectigo_cli.main import main
from sectigo_iot.orders import OrderBook, OrderRequest
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", sys.argv[1]], check=True)
os.chdir(sys.argv[1])
with OrderBook("book") as book:
    book.place("a", OrderRequest(names=("a.example.com",)))
with contextlib.suppress(OSError), open("fill", "wb", buffering=0) as file:
    while True:
        file.write(bytes(4096))
codes = [main([*line, "--book", "book"]) for line in (["orders"], ["orders", "cancel", "a"])]
os.environ["SECTIGO_BOOK"] = "new"
codes.append(main(["orders"]))
os.unlink("fill")
codes.append(main(["orders", "--book", "book"]))
print(codes)
"""


@pytest.mark.needs("unshare")
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    trial = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True, check=False)
    if trial.returncode != 0:
        pytest.skip("this machine lets nobody mount a file system in a namespace of their own")
    line = [*UNSHARE, sys.executable, "-c", ON_A_FULL_DISK, str(disk)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[1, 1, 1, 0]", done
    assert done.stderr.splitlines() == [
        line
        for name in ("book", "book", "new")
        for line in (
            f"sectigo: error: the order book sqlite:///{disk}/{name}: the disk is full",
            "sectigo: hint: make room, and try again: nothing was changed",
        )
    ]
