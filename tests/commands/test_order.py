"""order: from a line, a table or requests to files in place; nothing twice, and nothing without being told."""

from __future__ import annotations

import csv
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

import sectigo_iot.orders
from sectigo_cli.order_carrying import Track
from sectigo_iot import IoTManager, OrderBookError
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import Order, OrderBook, OrderEvent, OrderRequest
from sectigo_iot.pki import read_private_key
from tests.commands.conftest import names_in
from tests.commands.signing_requests import request
from tests.conftest import Result, Runner, settings_for

pytestmark = pytest.mark.usefixtures("book")


def ordered(service: Emulator) -> int:
    """Return how many certificates were ordered at the service."""
    with IoTManager(settings_for(service)) as client:
        return client.licenses_used().ordered or 0


def documents(done: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


def test_a_domain_becomes_files_and_a_second_run_orders_nothing(sectigo: Runner, service: Emulator) -> None:
    before = ordered(service)
    done = sectigo("order", "one.example.com", "--dns", "API.example.com", "-o", "certs", env=service.environ)
    assert done.code == 0, done
    (order,) = documents(done)
    assert (order["key"], order["state"]) == ("one.example.com", "delivered")
    assert order["names"] == order["certificate"]["dnsNames"] == ["one.example.com", "api.example.com"]
    assert order["labels"] == {"folder": str(Path("certs").absolute()), "service": service.url}
    assert "privkey.pem" in names_in("certs/one.example.com")
    assert stat.S_IMODE(Path("certs/one.example.com/privkey.pem").stat().st_mode) == 0o600
    assert "one.example.com: its files are in " in done.err

    again = sectigo("order", "one.example.com", "--dns", "api.example.com", "-o", "certs", env=service.environ)
    assert (again.code, again.out) == (0, done.out)
    assert "1 order was in the book already, and nothing is ordered twice" in again.err
    assert ordered(service) == before + 1


def table(*rows: tuple[str, ...], name: str = "nodes.csv") -> str:
    with Path(name).open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return name


def test_a_table_is_ordered_once_however_often_it_is_run(sectigo: Runner, service: Emulator) -> None:
    before = ordered(service)
    rows = [("name", "dns", "Key"), ("a.example.org", "b.example.org", "node 1"), ("c.example.org", "", "")]
    done = sectigo("order", "--file", table(*rows), "-o", "certs", env=service.environ)
    assert done.code == 0, done
    assert [(order["key"], order["state"]) for order in documents(done)] == [
        ("node 1", "delivered"),
        ("c.example.org", "delivered"),
    ]
    assert {"a.example.org", "c.example.org"} <= set(names_in("certs"))

    table(*rows, ("d.example.org", "", ""))
    more = sectigo("order", "--file", "nodes.csv", env=service.environ)
    assert more.code == 0, more
    assert "2 orders were in the book already" in more.err
    assert ordered(service) == before + 3
    assert names_in() == [".versions", "certs", "d.example.org", "nodes.csv"], "those of before stay where they were"


TWICE = {
    "a name": [("name",), ("a.example.org",), ("b.example.org",), ("A.example.org",)],
    "a key": [("name", "key"), ("a.example.org", "x"), ("b.example.org", "y"), ("c.example.org", "x")],
    "a key that is another's name": [("name", "key"), ("a.example.org", ""), ("b.example.org", "a.example.org")],
}


@pytest.mark.parametrize("rows", TWICE.values(), ids=list(TWICE))
def test_a_table_with_duplicates_is_refused_with_the_lines(
    sectigo: Runner, book: Path, rows: list[tuple[str, ...]]
) -> None:
    done = sectigo("order", "--file", table(*rows), env={"SECTIGO_ENDPOINT": "http://127.0.0.1:9"})
    assert (done.code, done.out) == (2, "")
    assert f"nodes.csv, line {len(rows)}" in done.err
    assert "line 2 already" in done.err
    assert not book.parent.exists(), "nothing was placed"


@pytest.mark.parametrize("key", ["a\tb", "k" * 201, "a\nb", "a\x1b[31mb"])
def test_a_key_in_a_table_that_is_none_is_refused_with_its_line(sectigo: Runner, book: Path, key: str) -> None:
    done = sectigo("order", "--file", table(("name", "key"), ("a.example.org", "x"), ("b.example.org", key)))
    assert (done.code, done.out) == (2, "")
    assert "nodes.csv, line 3: a key has from 1 to 200 printable characters" in done.err
    assert not book.parent.exists()


def test_requests_of_ones_own(sectigo: Runner, service: Emulator) -> None:
    Path("r.csr").write_bytes(request("R.example.com"))
    done = sectigo("order", "--csr", "r.csr", env=service.environ)
    assert done.code == 0, done
    (order,) = documents(done)
    assert (order["key"], order["names"], order["ownRequest"]) == ("r.example.com", ["r.example.com"], True)
    assert "cert.pem" in names_in("R.example.com")
    assert "privkey.pem" not in names_in("R.example.com")


def test_a_column_that_is_nearly_one_is_told(sectigo: Runner) -> None:
    done = sectigo("order", "--file", table(("name", "keyy"), ("a.example.org", "x")))
    assert done.code == 2
    assert "column 'keyy': is unknown (did you mean key?)" in done.err


def test_a_key_that_is_made_here_is_never_shown_and_never_made_anew(sectigo: Runner, service: Emulator) -> None:
    line = ("order", "own.example.com", "--own-key", "P-256", "--country", "US")
    done = sectigo(*line, env=service.environ)
    assert done.code == 0, done
    read_private_key(Path("own.example.com/privkey.pem").read_bytes())
    again = sectigo(*line, env=service.environ)
    assert (again.code, again.out) == (0, done.out)
    assert "PRIVATE KEY" not in done.out + done.err + again.out + again.err
    other = sectigo(*line, "--locality", "Anytown", env=service.environ)
    assert other.code == 2
    assert "one signing request in the book" in other.err


def test_one_key_for_two_things_is_refused_with_what_differs(sectigo: Runner, service: Emulator) -> None:
    assert sectigo("order", "x.example.com", "--key", "x", "--no-wait", env=service.environ).code == 0
    before = ordered(service)
    done = sectigo("order", "y.example.com", "--key", "x", env=service.environ)
    assert (done.code, done.out) == (2, "")
    assert "the key 'x' is that of an order for something else" in done.err
    assert "x.example.com" in done.err
    assert "y.example.com" in done.err
    assert ordered(service) == before


REFUSED = {
    "an unknown profile": (("a.example.com", "-P", "Nobody"), "no authority has the profile 'Nobody'"),
    "an unknown authority": (("a.example.com", "-a", "77"), "no authority has id 77"),
    "a parameter that the profile does not have": (
        ("a.example.com", "--param", "color=red"),
        "a.example.com: color is not a parameter of this profile",
    ),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=list(REFUSED))
def test_what_the_service_would_refuse_is_not_placed(
    sectigo: Runner, service: Emulator, words: tuple[str, ...], said: str
) -> None:
    done = sectigo("order", *words, env=service.environ)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert sectigo("orders", env=service.environ).out == ""


def test_what_there_is_to_choose_from_is_a_list(sectigo: Runner, service: Emulator) -> None:
    done = sectigo("order", "a.example.com", "-P", "Nobody", env=service.environ)
    first, *listed, last = done.err.splitlines()
    assert first == "sectigo: error: no authority has the profile 'Nobody':"
    assert [line.split(":")[0] for line in listed] == ["  authority 489", "  authority 423"]
    assert last == "sectigo: hint: choose one with -P"


def test_what_somebody_types_makes_no_line_of_its_own(sectigo: Runner) -> None:
    done = sectigo("order", "a.example.com", "--password-file", "x\nsectigo: error: y", "--no-wait")
    assert (
        done.err
        == "sectigo: error: the password file x\\nsectigo: error: y cannot be read: No such file or directory\n"
    )


@pytest.mark.parametrize("name", [" ", "192.0.2.1", f"{'a' * 60}.example.com"])
def test_the_hint_about_a_name_names_what_the_command_takes(sectigo: Runner, name: str) -> None:
    done = sectigo("order", name)
    assert done.code == 2
    assert "sectigo: hint: " in done.err
    assert "-d" not in done.err.replace("--dns", "")
    if name.startswith("a"):
        assert "choose a shorter DOMAIN, and add this one with --dns" in done.err
        assert "choose a shorter -d NAME, and add" in sectigo("create", "-d", name).err


def test_a_table_may_come_through_a_pipe(sectigo: Runner, service: Emulator) -> None:
    rows = "name,key\npiped.example.org,node 1\n"
    done = sectigo("order", "--file", "-", "--no-wait", stdin=rows, env=service.environ)
    assert (done.code, documents(done)[0]["key"]) == (0, "node 1"), done
    again = sectigo("order", "--file", "-", "--no-wait", stdin=rows, env=service.environ)
    assert "1 order was in the book already" in again.err


PIPED = {
    "a fault": ("nam\na.example.org\n", (), "standard input, line 1, column 'nam': is unknown"),
    "twice": ("name\na.example.org\na.example.org\n", (), "standard input, line 3"),
    "nothing": ("", (), "standard input: is empty"),
    "a password, too": ("name\na.example.org\n", ("--password-file", "-"), "standard input can be read once"),
}


@pytest.mark.parametrize(("rows", "words", "said"), PIPED.values(), ids=list(PIPED))
def test_what_is_wrong_with_a_piped_table_is_told(
    sectigo: Runner, book: Path, rows: str, words: tuple[str, ...], said: str
) -> None:
    done = sectigo("order", "--file", "-", *words, "--no-wait", stdin=rows)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not book.exists()


USAGE = {
    "nothing": ((), "what is to be ordered?"),
    "two ways": (("a.example.com", "--file", "x.csv"), "DOMAIN and --file are two ways to say what is wanted"),
    "no name": (("a b",), "is no domain name"),
    "an address": (("192.0.2.1",), "is an IP address"),
    "one key for two": (("a.example.com", "b.example.com", "--key", "x"), "--key names one order, and there are 2"),
    "--dns for two": (("a.example.com", "b.example.com", "--dns", "c.example.com"), "--dns is one more name of one"),
    "a password in the line": (("a.example.com", "--param", "pkcs12Password=x"), "would be seen in ps"),
    "a name as a parameter": (("a.example.com", "--param", "dNSName=x"), "would contradict the names"),
    "a label of the command's": (("a.example.com", "--label", "folder=/"), "the label folder is the command's own"),
    "a domain twice": (("a.example.com", "A.example.com"), "a.example.com stands there twice"),
    "no file": (("--file", "nowhere.csv"), "nowhere.csv: No such file or directory"),
    "a request that is none": (("--csr", "nothing.csr"), "nothing.csr"),
    "a renewal that never comes": (("a.example.com", "--renew-before", "0"), "is no number of days"),
    "revoking what is not replaced": (("a.example.com", "--revoke-replaced", "3"), "add --renew-before DAYS"),
    "a hook that nobody runs": (("a.example.com", "--no-wait", "--deploy-hook", "true"), "no command stands in"),
    "an odd probe": (("a.example.com", "--probe", "-1"), "is no whole number from 0 to 1000"),
    "a folder in a folder that is not": (("a.example.com", "-o", "no/where"), "is missing, and so is"),
    "an empty key": (("a.example.com", "--key", " "), "a key has from 1 to 200 printable characters"),
}


@pytest.mark.parametrize(("words", "said"), USAGE.values(), ids=list(USAGE))
def test_what_makes_no_sense_is_refused(sectigo: Runner, words: tuple[str, ...], said: str) -> None:
    Path("nothing.csr").touch()
    done = sectigo("order", *words, env={"SECTIGO_ENDPOINT": "http://127.0.0.1:9", "SECTIGO_ENVIRONMENT": "testing"})
    assert (done.code, done.out) == (2, ""), done
    assert said in done.err + done.err.replace("\n", " ")
    assert "sectigo: error: " in done.err


def test_a_dry_run_places_nothing(sectigo: Runner, service: Emulator) -> None:
    done = sectigo("order", "dry.example.com", "--dry-run", "-o", "certs", env=service.environ)
    assert done.code == 0
    assert done.err.endswith("nothing was ordered (--dry-run)\n")
    (shown,) = documents(done)
    assert (shown["key"], shown["state"], shown["names"]) == ("dry.example.com", None, ["dry.example.com"])
    assert names_in() == []
    assert sectigo("orders", env=service.environ).out == ""


def test_what_is_placed_is_carried_by_a_worker_to_the_same_folder(sectigo: Runner, service: Emulator) -> None:
    placed = sectigo("order", "later.example.com", "-o", "certs", "--no-wait", env=service.environ)
    assert (placed.code, documents(placed)[0]["state"]) == (0, "planned")
    assert names_in("certs") == []
    done = sectigo("worker", "--once", "--deploy-hook", "touch hooked", env=service.environ)
    assert (done.code, done.out) == (0, ""), done
    assert "later.example.com: ordering to placed" in done.err
    assert "later.example.com: fetched to delivered" in done.err
    assert "later.example.com" in names_in("certs")
    assert Path("hooked").exists()


def test_no_other_order_of_the_book_is_carried(sectigo: Runner, service: Emulator) -> None:
    assert sectigo("order", "first.example.com", "-o", "first", "--no-wait", env=service.environ).code == 0
    done = sectigo("order", "second.example.com", "-o", "second", env=service.environ)
    assert done.code == 0
    shown = sectigo("orders", "--json", env=service.environ)
    assert [order["state"] for order in documents(shown)] == ["planned", "delivered"]


def test_placing_needs_no_service(sectigo: Runner) -> None:
    nowhere = {"SECTIGO_ENDPOINT": "http://127.0.0.1:9", "SECTIGO_ENVIRONMENT": "testing"}
    done = sectigo("order", "off.example.com", "--no-wait", env=nowhere)
    assert done.code == 0
    assert "what the profile demands is not checked before ordering" in done.err


def test_no_licence_left_is_told(sectigo: Runner) -> None:
    with Emulator(balances={423: 0}) as poor:
        done = sectigo("order", "poor.example.com", env=poor.environ)
        assert done.code == 3
        assert documents(done)[0]["state"] == "planned"
        assert "poor.example.com: planned: " in done.err
        assert "licence" in done.err


def test_a_lost_reply_is_found_by_the_list(sectigo: Runner) -> None:
    fault = "lost-reply,call=createSingleCertBatch,nth=1"
    with Emulator(faults=(fault,), batch_list="page", balances={423: 10}) as service:
        before = ordered(service)
        done = sectigo("order", "lost.example.com", env=service.environ)
        assert (done.code, documents(done)[0]["state"]) == (0, "delivered"), done
        assert ordered(service) == before + 1


def test_a_lost_reply_that_nothing_explains_is_put_before_a_human(sectigo: Runner) -> None:
    with Emulator(faults=("lost-reply,call=createSingleCertBatch,nth=1",)) as service:
        before = ordered(service)
        done = sectigo("order", "lost.example.com", env=service.environ)
        assert (done.code, documents(done)[0]["state"]) == (5, "unknown"), done
        assert "sectigo orders resolve" in done.err
        assert sectigo("orders", "show", "lost.example.com", env=service.environ).code == 5
        (batch,) = range(10000, 10001)
        answer = ("orders", "resolve", "lost.example.com", "--batch", str(batch))
        assert sectigo(*answer, env=service.environ).code == 0
        done = sectigo("order", "lost.example.com", env=service.environ)
        assert (done.code, documents(done)[0]["state"]) == (0, "delivered"), done
        assert ordered(service) == before + 1


def test_what_takes_too_long_stays_in_the_book(sectigo: Runner) -> None:
    with Emulator(delay=3600) as slow:
        done = sectigo("order", "slow.example.com", "--timeout", "0.7", env=slow.environ)
        assert done.code == 8
        assert documents(done)[0]["state"] in ("placed", "issuing")
        assert "the same line, or `sectigo worker`, goes on with it" in done.err


def test_a_book_that_is_away_for_a_while_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(key: str) -> Order:
        raise faults.pop()

    faults = [OrderBookError("damaged"), OrderBookError("the server is away", passes=True)]
    with OrderBook(tmp_path / "book.sqlite3") as book:
        order = book.place("a", OrderRequest(names=("a.example.com",)))
        track = Track(book, [order])
        monkeypatch.setattr(book, "get", away)
        track.hear(OrderEvent(order.key, 0.0, "state", None, order.state, ""))
        track.look()
        assert len(faults) == 1
        track.hear(OrderEvent(order.key, 0.0, "state", None, order.state, ""))
        with pytest.raises(OrderBookError, match="damaged"):
            track.look()


def test_what_another_process_holds_is_waited_for_and_said_to_be(
    sectigo: Runner, service: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sectigo_cli.order_carrying.QUIET", 0.3)
    line = ("order", "held.example.com", "--timeout", "1.5")
    assert sectigo(*line, "--no-wait", env=service.environ).code == 0
    with OrderBook(os.environ["SECTIGO_BOOK"]) as book:
        (lease,) = book.claim("one that was killed", seconds=60)
        held = sectigo(*line, env=service.environ)
        assert held.code == 8
        assert held.err.count("nothing has changed for 0.3 s; what another process is at") == 1
        book.release(lease)
    done = sectigo("order", "held.example.com", env=service.environ)
    assert done.code == 0
    assert "nothing has changed" not in done.err


def test_what_is_refused_is_told(sectigo: Runner) -> None:
    with Emulator(faults=("mandatory-parameter",)) as service:
        done = sectigo("order", "no.example.com", env=service.environ)
        assert (done.code, documents(done)[0]["state"]) == (1, "rejected"), done
        assert "`sectigo orders retry no.example.com`" in done.err


def test_a_hook_that_fails_is_told_and_run_again(sectigo: Runner, service: Emulator) -> None:
    line = ("order", "hook.example.com", "--timeout", "3")
    failed = sectigo(*line, "--deploy-hook", "echo no; exit 7", env=service.environ)
    assert failed.code in (3, 8)
    assert documents(failed)[0]["state"] == "fetched"
    assert "the deploy hook failed with exit code 7" in failed.err
    assert sectigo("orders", "retry", "hook.example.com", env=service.environ).code == 0
    done = sectigo(*line, "--deploy-hook", "touch hooked", env=service.environ)
    assert (done.code, documents(done)[0]["state"]) == (0, "delivered"), done
    assert Path("hooked").exists()


def test_a_password_of_ones_own_is_kept_and_never_shown(sectigo: Runner, service: Emulator) -> None:
    Path("password").write_text("Very-Secret-123\n")
    line = ("order", "p12.example.com", "--password-file", "password", "--format", "p12", "--verbose")
    done = sectigo(*line, env=service.environ)
    assert done.code == 0, done
    shown = sectigo("orders", "show", "p12.example.com", "--password-out", "given", env=service.environ)
    assert shown.code == 0
    assert Path("given").read_text() == "Very-Secret-123\n"
    assert stat.S_IMODE(Path("given").stat().st_mode) == 0o600
    assert "Very-Secret-123" not in done.out + done.err + shown.out + shown.err
    book = Path(os.environ["SECTIGO_BOOK"])
    files = [path for path in book.parent.glob(f"{book.name}*") if path.is_file()]
    assert files
    assert all(b"Very-Secret-123" not in path.read_bytes() for path in files)


def test_a_terminal_sees_a_bar_for_each_stage(sectigo: Runner, service: Emulator) -> None:
    done = sectigo("order", "bar.example.com", env=service.environ, terminal=True)
    assert done.code == 0, done
    for stage in ("ordered", "issued", "fetched", "delivered"):
        assert stage in done.err
    assert "its files are in" in done.err


@pytest.mark.parametrize("words", [("order", "a.example.com"), ("orders",), ("worker", "--once")])
def test_without_the_extra_it_says_what_to_install(
    sectigo: Runner, service: Emulator, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    # Put back at the end, as the package that all other tests know.
    monkeypatch.setattr(sectigo_iot, "orders", sectigo_iot.orders)
    for name in [name for name in sys.modules if name.startswith(("sqlalchemy", "sectigo_iot.orders"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    done = sectigo(*words, env=service.environ)
    assert (done.code, done.out) == (1, "")
    assert "pip install 'sectigo-iot[orders]'" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("words", [("order", "a.example.com"), ("orders",), ("worker", "--once")])
def test_a_book_that_is_none_is_told(sectigo: Runner, service: Emulator, words: tuple[str, ...]) -> None:
    Path("orders.sqlite3").write_text("this is no book, and never was one: it is a text, and a long one at that" * 99)
    done = sectigo(*words, "--book", "orders.sqlite3", env=service.environ)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("sectigo: error: ")
    assert "Traceback" not in done.err


def test_each_service_has_a_book_of_its_own(
    sectigo: Runner, service: Emulator, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECTIGO_BOOK")
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    assert sectigo("order", "a.example.com", "--no-wait", env=service.environ).code == 0
    other = {**service.environ, "SECTIGO_ENDPOINT": service.url.replace("127.0.0.1", "localhost")}
    assert sectigo("orders", env=other).out == ""
    port = service.url.rpartition(":")[2]
    assert {f"orders-http-127.0.0.1-{port}.sqlite3", f"orders-http-localhost-{port}.sqlite3"} <= set(
        names_in(home / "data" / "sectigo-iot")
    )
    assert stat.S_IMODE((home / "data" / "sectigo-iot").stat().st_mode) == 0o700


def test_a_worker_does_not_order_at_one_service_what_is_meant_for_another(sectigo: Runner, service: Emulator) -> None:
    assert sectigo("order", "a.example.com", "--no-wait", env=service.environ).code == 0
    other = {**service.environ, "SECTIGO_ENDPOINT": service.url.replace("127.0.0.1", "localhost")}
    before = ordered(service)
    done = sectigo("worker", "--once", env=other)
    assert done.code == 2
    assert f"are those of {service.url}, not of" in done.err
    assert ordered(service) == before
