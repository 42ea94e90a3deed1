"""orders: what is shown of the book, what a human answers, and what that costs."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot import IoTManager, OrderBookError
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import OrderBook
from tests.commands.conftest import names_in
from tests.conftest import Runner, settings_for
from tests.orders.test_book_faults import smallest_files

SMALL = 50_000
"""Bytes: less than a book without orders, and more than the index that SQLite keeps beside it while it is open."""
LOST = "lost-reply,call=createSingleCertBatch,nth=1"


pytestmark = pytest.mark.usefixtures("book")


@pytest.fixture
def two(sectigo: Runner, book: Path, service: Emulator) -> Emulator:
    """A service, and a book with an order that is delivered and one that is planned."""
    assert sectigo("order", "a.example.com", "-o", "certs", "--label", "team=red", env=service.environ).code == 0
    assert sectigo("order", "b.example.com", "-o", "certs", "--no-wait", env=service.environ).code == 0
    return service


def states(sectigo: Runner, *words: str) -> dict[str, str]:
    done = sectigo("orders", "list", "--json", *words)
    return {order["key"]: order["state"] for order in json.loads(done.out)}


def shown(sectigo: Runner, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sectigo("orders", "show", key).out)
    return found


@pytest.mark.usefixtures("two")
def test_the_table(sectigo: Runner) -> None:
    done = sectigo("orders")
    assert (done.code, done.err) == (0, "")
    heading, first, second = done.out.splitlines()
    assert heading.split() == ["KEY", "STATE", "SINCE", "BATCH", "WHAT"]
    assert first.split()[:2] == ["a.example.com", "delivered"]
    assert second.split()[:2] == ["b.example.com", "planned"]
    assert first.index("delivered") == second.index("planned") == heading.index("STATE")
    (alone,) = sectigo("orders", "list", "b.example.com").out.splitlines()[1:]
    assert alone.split() == second.split()


FILTERS = {
    "a state": (("--state", "planned"), {"b.example.com"}),
    "two states": (("--state", "planned", "--state", "delivered"), {"a.example.com", "b.example.com"}),
    "a label": (("--label", "team=red"), {"a.example.com"}),
    "a text": (("--match", "B.EX"), {"b.example.com"}),
    "a number": (("--limit", "1"), {"a.example.com"}),
    "attention": (("--attention",), set()),
    "the archive": (("--archived",), set()),
}


@pytest.mark.usefixtures("two")
def test_what_is_listed_can_be_chosen(sectigo: Runner) -> None:
    for words, keys in FILTERS.values():
        assert set(states(sectigo, *words)) == keys, words
    assert "no such order is in " in sectigo("orders", "--attention").err


@pytest.mark.usefixtures("two")
def test_an_order_is_shown_with_its_history_and_without_a_secret(sectigo: Runner) -> None:
    order = shown(sectigo, "a.example.com")
    history = [event["to"] for event in order["history"]]
    assert (history[0], history[-1]) == ("planned", "delivered")
    assert order["certificate"]["serialNumber"].isalnum()
    done = sectigo("orders", "show", "a.example.com", "--password-out", "password")
    secret = Path("password").read_text().strip()
    assert stat.S_IMODE(Path("password").stat().st_mode) == 0o600
    assert secret not in done.out + done.err
    again = sectigo("orders", "show", "a.example.com", "--password-out", "password")
    assert (again.code, again.out) == (2, "")
    none = sectigo("orders", "show", "b.example.com", "--password-out", "other")
    assert (none.code, none.out) == (1, "")
    assert "none was made yet" in none.err


@pytest.mark.usefixtures("two")
def test_the_export_is_for_other_programs(sectigo: Runner) -> None:
    rows = list(csv.DictReader(io.StringIO(sectigo("orders", "export").out)))
    assert [row["key"] for row in rows] == ["a.example.com", "b.example.com"]
    assert rows[0]["serialNumber"] == shown(sectigo, "a.example.com")["certificate"]["serialNumber"]
    document = json.loads(sectigo("orders", "export", "--format", "json", "--state", "planned").out)
    assert [order["key"] for order in document] == ["b.example.com"]


def test_no_cell_of_the_export_is_a_formula(sectigo: Runner) -> None:
    offline = {"SECTIGO_ENDPOINT": "http://127.0.0.1:9", "SECTIGO_ENVIRONMENT": "testing"}
    assert sectigo("order", "a.example.com", "--key", "=1+1", "--no-wait", env=offline).code == 0
    assert sectigo("orders", "export").out.splitlines()[1].startswith("'=1+1,")


def test_an_order_is_withdrawn_and_one_that_was_not_is_told(sectigo: Runner, two: Emulator) -> None:
    done = sectigo("orders", "cancel", "b.example.com", "nobody", "--reason", "not needed")
    assert done.code == 2
    assert "b.example.com: cancelled: not needed" in done.err
    assert "no order with the key 'nobody'" in done.err
    again = sectigo("order", "b.example.com", "-o", "certs", env=two.environ)
    assert (again.code, states(sectigo)["b.example.com"]) == (1, "cancelled")
    delivered = sectigo("orders", "cancel", "a.example.com")
    assert (delivered.code, states(sectigo)["a.example.com"]) == (2, "delivered")


def test_a_renewal_is_planned_once_and_goes_to_the_same_folder(sectigo: Runner, two: Emulator) -> None:
    assert sectigo("orders", "cancel", "b.example.com").code == 0
    for _ in range(2):
        assert "a.example.com~1: planned" in sectigo("orders", "renew", "a.example.com").err
    before = shown(sectigo, "a.example.com")["certificate"]["serialNumber"]
    assert sectigo("worker", "--once", env=two.environ).code == 0
    new = shown(sectigo, "a.example.com~1")
    assert (new["state"], new["renews"], new["names"]) == ("delivered", "a.example.com", ["a.example.com"])
    assert new["certificate"]["serialNumber"] != before
    assert names_in("certs") == [".versions", "a.example.com"]


def test_the_book_is_backed_up_and_what_is_old_put_away(sectigo: Runner, two: Emulator) -> None:
    done = sectigo("orders", "backup", "copy.sqlite3")
    assert (done.code, done.out) == (0, ""), done
    assert stat.S_IMODE(Path("copy.sqlite3").stat().st_mode) == 0o600
    assert set(states(sectigo, "--book", "copy.sqlite3")) == {"a.example.com", "b.example.com"}
    assert sectigo("orders", "backup", "copy.sqlite3").code == 2, "it is not replaced"
    assert "1 order was put away" in sectigo("orders", "archive", "--older-than", "0").err
    assert set(states(sectigo)) == {"b.example.com"}
    assert set(states(sectigo, "--archived")) == {"a.example.com"}
    again = sectigo("order", "a.example.com", "-o", "certs", "--label", "team=red", env=two.environ)
    assert again.code == 0, again
    assert "1 order was in the book already" in again.err


def test_a_backup_that_cannot_be_names_its_own_file_and_leaves_nothing(sectigo: Runner, book: Path) -> None:
    assert sectigo("orders").code == 0
    assert book.stat().st_size > SMALL
    with smallest_files(SMALL):
        full = sectigo("orders", "backup", "copy.sqlite3")
    assert (full.code, full.out) == (1, "")
    assert full.err.startswith("sectigo: error: the backup copy.sqlite3: ")
    assert "sectigo: hint: make room there" in full.err
    missing = sectigo("orders", "backup", "nowhere/copy.sqlite3")
    assert missing.code == 2
    assert "nowhere cannot be written to: No such file or directory" in missing.err
    with OrderBook(book) as opened, pytest.raises(OrderBookError, match=r"^the backup nowhere/copy.sqlite3: No such"):
        opened.backup("nowhere/copy.sqlite3")
    assert names_in() == []


def balance(service: Emulator) -> int:
    with IoTManager(settings_for(service)) as client:
        return client.authority_available_balance(423)


@pytest.fixture
def unknown(sectigo: Runner, book: Path) -> Iterator[Emulator]:
    """A service that has lost a reply, and a book with the order that nobody knows about."""
    with Emulator(faults=(LOST,)) as emulator:
        assert sectigo("order", "lost.example.com", env=emulator.environ).code == 5
        yield emulator


def test_how_orders_stand_is_told_by_the_exit_code(sectigo: Runner, unknown: Emulator) -> None:
    assert sectigo("order", "b.example.com", "--no-wait", env=unknown.environ).code == 0
    looks = ((), ("show", "lost.example.com"), ("watch", "lost.example.com"))
    assert [sectigo("orders", *words).code for words in looks] == [5, 5, 5]
    assert sectigo("orders", "b.example.com").code == 2, "an action comes first"
    assert sectigo("orders", "list", "b.example.com").code == 0
    assert "! " in sectigo("orders", "--attention").out


def test_an_unknown_outcome_is_answered(sectigo: Runner, unknown: Emulator) -> None:
    before = balance(unknown)
    assert "what became of it?" in sectigo("orders", "resolve", "lost.example.com").err
    done = sectigo("orders", "resolve", "lost.example.com", "--batch", "10000", "--reason", "seen in the portal")
    assert (done.code, shown(sectigo, "lost.example.com")["state"]) == (0, "placed")
    assert sectigo("worker", "--once", env=unknown.environ).code == 0
    assert shown(sectigo, "lost.example.com")["state"] == "delivered"
    assert "lost.example.com" in names_in()
    assert balance(unknown) == before


def test_to_order_again_is_asked_twice(sectigo: Runner, unknown: Emulator) -> None:
    line = ("orders", "resolve", "lost.example.com", "--absent")
    nobody = sectigo(*line)
    assert (nobody.code, shown(sectigo, "lost.example.com")["state"]) == (2, "unknown")
    assert "nobody is there to be asked" in nobody.err
    no = sectigo(*line, terminal=True, stdin="n\n")
    assert (no.code, shown(sectigo, "lost.example.com")["state"]) == (1, "unknown")
    assert "it is paid for twice" in no.err
    assert sectigo(*line, "--yes").code == 0
    assert sectigo("worker", "--once", env=unknown.environ).code == 0
    assert shown(sectigo, "lost.example.com")["state"] == "delivered"


def test_a_slip_in_an_answer_is_caught(sectigo: Runner, unknown: Emulator) -> None:
    answer = ("orders", "resolve", "lost.example.com")
    none = sectigo(*answer, "--batch", "99999", env=unknown.environ)
    assert none.code == 2
    assert "the service has no batch 99999" in none.err
    assert f"look for the batch {shown(sectigo, 'lost.example.com')['batchName']}" in none.err

    with IoTManager(settings_for(unknown)) as client:
        params = {"commonName": "b.example.com", "dNSName": "b.example.com", "pkcs12Password": "secrtpasswrd"}
        batch = str(client.create_single_cert_batch(423, "by hand", params).batch_id)
    other = sectigo(*answer, "--batch", batch, env=unknown.environ)
    assert other.code == 2
    assert f"Batch {batch} is called 'by hand', and not 'lost.example.com-" in other.err

    absent = sectigo(*answer, "--absent", env=unknown.environ)
    assert absent.code == 2
    assert "sectigo: lost.example.com: nobody knows whether batch " in absent.err, "what is known stands there"
    withdrawn = sectigo("orders", "cancel", "lost.example.com", env=unknown.environ)
    assert "unknown: withdrawn: it is followed to its end, and what is issued for it is revoked" in withdrawn.err
    assert shown(sectigo, "lost.example.com")["state"] == "unknown"
    assert sectigo(*answer, "--batch", batch, "--yes", env=unknown.environ).code == 0
    assert shown(sectigo, "lost.example.com")["batchId"] == int(batch)


def test_looking_into_a_book_that_is_not_there_makes_none(sectigo: Runner) -> None:
    done = sectigo("orders", "--book", "typo.sqlite3")
    assert (done.code, done.out) == (2, "")
    assert "there is no order book typo.sqlite3" in done.err
    assert names_in() == []


def test_a_line_that_answers_names_the_book_where_it_is_not_the_usual_one(
    sectigo: Runner, unknown: Emulator, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = "`sectigo orders resolve lost.example.com --batch ID`"
    assert usual in sectigo("orders").out
    monkeypatch.delenv("SECTIGO_BOOK")
    shutil.copytree(book.parent, "my books")
    place = ("--book", "my books/orders.sqlite3")
    named = "`sectigo orders resolve lost.example.com --batch ID --book 'my books/orders.sqlite3'`"
    assert named in sectigo("orders", *place).out
    assert named in sectigo("orders", "watch", *place).out
    told = sectigo("orders", "show", "lost.example.com", *place)
    assert usual in json.loads(told.out)["attention"], "the document is as the book has it"
    assert named in told.err
    assert named in sectigo("orders", "resolve", "lost.example.com", "--absent", *place).err
    assert named in sectigo("order", "lost.example.com", *place, env=unknown.environ).err


def test_what_nobody_will_ever_know_is_given_up(sectigo: Runner, unknown: Emulator) -> None:
    before = balance(unknown)
    assert sectigo("orders", "resolve", "lost.example.com", "--give-up").code == 0
    assert sectigo("orders").code == 1
    assert sectigo("worker", "--once", env=unknown.environ).code in (0, 3)
    assert balance(unknown) == before


def test_what_was_refused_is_ordered_once_more(sectigo: Runner) -> None:
    with Emulator(faults=("json-error,status=400,call=createSingleCertBatch,nth=1",)) as service:
        assert sectigo("order", "a.example.com", env=service.environ).code == 1
        assert sectigo("orders", "retry", "a.example.com").code == 0
        assert sectigo("order", "a.example.com", env=service.environ).code == 0


def test_watching_ends_when_nothing_is_on_its_way(sectigo: Runner, two: Emulator) -> None:
    done = sectigo("orders", "watch", "--timeout", "0.1")
    assert done.code == 8
    assert [line.split()[0] for line in done.out.splitlines()] == ["a.example.com", "b.example.com"]
    assert sectigo("worker", "--once", env=two.environ).code == 0
    assert sectigo("orders", "watch").code == 0
    live = sectigo("orders", "watch", terminal=True)
    assert live.code == 0
    assert "2 delivered" in live.out


USAGE = {
    "no such action": (("wipe",), "invalid choice: 'wipe'"),
    "a key without an action": (("a.example.com",), "a KEY stands behind it"),
    "no order": (("cancel",), "which order is cancel about?"),
    "two orders to show": (("show", "a", "b"), "show takes one KEY"),
    "a key for the archive": (("archive", "a", "--older-than", "3"), "archive takes no KEY"),
    "an archive of what?": (("archive",), "say --older-than DAYS"),
    "an option of another action": (("cancel", "a", "--give-up"), "--give-up is about resolve, not about cancel"),
    "two answers": (("resolve", "a", "--absent", "--give-up"), "not allowed with"),
    "a state that is none": (("--state", "lost"), "invalid choice: 'lost'"),
    "a batch that is none": (("resolve", "a", "--batch", "0"), "'0' is no id"),
}


@pytest.mark.parametrize(("words", "said"), USAGE.values(), ids=list(USAGE))
def test_what_makes_no_sense_is_refused(sectigo: Runner, book: Path, words: tuple[str, ...], said: str) -> None:
    done = sectigo("orders", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not book.exists()


def test_a_book_of_a_newer_version_is_left_alone(sectigo: Runner, book: Path) -> None:
    assert sectigo("orders").code == 0
    with sqlite3.connect(book) as connection:
        connection.execute("UPDATE sectigo_order_version SET version_num = '9999'")
    connection.close()
    before = book.read_bytes()
    done = sectigo("orders")
    assert (done.code, done.out) == (1, "")
    assert "newer" in done.err
    assert "Traceback" not in done.err
    assert book.read_bytes() == before


def test_a_database_that_is_away_is_told_without_its_password(sectigo: Runner) -> None:
    done = sectigo("orders", "--book", "postgresql://jane:very-secret@127.0.0.1:1/orders")
    assert (done.code, done.out) == (1, "")
    assert "very-secret" not in done.err
    assert "Traceback" not in done.err
