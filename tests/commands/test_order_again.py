"""order, for what the book has already: put elsewhere, wanted otherwise, delivered, withdrawn, of another service."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import OrderBook
from tests.commands.conftest import balance, names_in
from tests.commands.signing_requests import request
from tests.conftest import Runner

E1 = "e1.example.com"
pytestmark = pytest.mark.usefixtures("book")


@pytest.fixture
def stuck(sectigo: Runner, service: Emulator) -> Iterator[int]:
    """The licences left when an order is fetched, and cannot be delivered: its folder is a file by now."""
    left = balance(service) - 1
    Path("blocked").mkdir()
    assert sectigo("order", E1, "-o", "blocked", "--no-wait", env=service.environ).code == 0
    Path("blocked").rmdir()
    Path("blocked").touch()
    done = sectigo("order", E1, "--timeout", "1.5", env=service.environ)
    assert (done.code, json.loads(done.out)[0]["state"]) == (8, "fetched"), done
    yield left
    assert balance(service) == left


def labels(sectigo: Runner, key: str = E1) -> dict[str, str]:
    found: dict[str, str] = json.loads(sectigo("orders", "show", key).out)["labels"]
    return found


def test_what_cannot_be_delivered_is_put_elsewhere(sectigo: Runner, service: Emulator, stuck: int) -> None:
    done = sectigo("orders", "retry", E1, "-o", "good")
    assert done.code == 0, done
    assert f"sectigo: {E1}: fetched: its files go to {Path('good').absolute()}" in done.err
    done = sectigo("order", E1, "-o", "good", env=service.environ)
    assert (done.code, json.loads(done.out)[0]["state"]) == (0, "delivered"), done
    assert "cert.pem" in names_in(f"good/{E1}")
    assert stuck == balance(service)
    again = sectigo("orders", "retry", E1, "-o", "other")
    assert (again.code, names_in()) == (2, ["blocked", "good"])
    assert "is delivered: nothing of it is put anywhere any more" in again.err


def test_what_is_refused_changes_nothing(sectigo: Runner, service: Emulator) -> None:
    assert sectigo("order", E1, "--no-wait", env=service.environ).code == 0
    before = sectigo("orders", "show", E1).out
    refused = {
        ("--grant", "no-such-user"): "no-such-user",
        ("-o", "no/such/folder"): "no/such/folder is missing, and so is no/such",
        ("--format", "csv"): "orders: retry knows no csv",
        ("--grant", "root", "--no-grant"): "not allowed with",
    }
    for words, said in refused.items():
        done = sectigo("orders", "retry", E1, *words)
        assert (done.code, said in done.err) == (2, True), (words, done)
    assert "orders: export knows no pem" in sectigo("orders", "export", "--format", "pem").err
    assert "-o" in sectigo("orders", "list", "-o", "x").err
    assert (sectigo("orders", "show", E1).out, names_in()) == (before, [])


OTHERWISE = {
    "the folder": (("-o", "now"), "-o {here}/then then, -o {here}/now now"),
    "the form": (("-o", "then", "--format", "p12"), "--format pem then, --format p12 now"),
    "the versions": (("-o", "then", "--keep", "9"), "--keep 3 then, --keep 9 now"),
    "a user more": (("-o", "then", "--grant", "root"), "no --grant then, --grant root now"),
    "two things": (
        ("-o", "now", "--keep", "9"),
        "-o {here}/then then, -o {here}/now now; --keep 3 then, --keep 9 now",
    ),
}


@pytest.mark.parametrize(("words", "said"), OTHERWISE.values(), ids=list(OTHERWISE))
def test_the_line_that_is_told_has_it_as_it_is_said_now(
    sectigo: Runner, here: Path, service: Emulator, words: tuple[str, ...], said: str
) -> None:
    first = ("order", E1, "-o", "then", "--no-wait")
    assert sectigo(*first, env=service.environ).code == 0
    line = ("order", E1, *words, "--no-wait")
    done = sectigo(*line, env=service.environ)
    assert (done.code, done.out) == (2, "")
    assert f"sectigo: error: the order {E1}: {said.format(here=here)}\n" in done.err
    assert "--key" not in done.err
    (told,) = re.findall("`sectigo (.*)`", done.err)
    assert sectigo(*shlex.split(told)).code == 0
    done = sectigo(*line, env=service.environ)
    assert (done.code, len(json.loads(done.out))) == (0, 1), done
    # And back, by what is told then.
    (told,) = re.findall("`sectigo (.*)`", sectigo(*first, env=service.environ).err)
    assert sectigo(*shlex.split(told)).code == 0
    assert sectigo(*first, env=service.environ).code == 0


CONTENTS = {
    "the profile": (("-P", "423"), "no -P then, -P 423 now"),
    "the renewal": (("--renew-before", "30"), "no --renew-before then, --renew-before 30 now"),
    "a label": (("--label", "team=red"), "no --label then, --label team=red now"),
}


@pytest.mark.parametrize(("words", "said"), CONTENTS.values(), ids=list(CONTENTS))
def test_nobody_is_advised_to_buy_the_same_certificate_twice(
    sectigo: Runner, service: Emulator, words: tuple[str, ...], said: str
) -> None:
    assert sectigo("order", E1, "--no-wait", env=service.environ).code == 0
    done = sectigo("order", E1, *words, "--no-wait", env=service.environ)
    assert (done.code, done.out) == (2, "")
    assert f"the order {E1}: {said}\n" in done.err
    assert "say it as the first time: under another key the same certificate is paid for twice" in done.err


def test_what_is_as_usual_is_the_same_order_said_or_not(sectigo: Runner, service: Emulator) -> None:
    assert sectigo("order", E1, "--no-wait", env=service.environ).code == 0
    done = sectigo("order", E1, "--format", "pem", "--keep", "3", "-o", ".", "--no-wait", env=service.environ)
    assert done.code == 0, done
    assert labels(sectigo) == {"folder": str(Path.cwd()), "service": service.url}


def test_a_book_of_another_service_is_told_before_what_differs(sectigo: Runner, service: Emulator) -> None:
    assert sectigo("order", E1, "--book", "mine.db", "--no-wait", env=service.environ).code == 0
    with Emulator() as other:
        for key in (E1, "e2.example.com"):
            done = sectigo("order", key, "--book", "mine.db", "--no-wait", env=other.environ)
            assert (done.code, done.out) == (2, "")
            assert f"that of {service.url}, and this is {other.url}: nothing is ordered here" in done.err
        with OrderBook("mine.db") as book:
            assert [order.key for order in book.find()] == [E1]
            book.cancel(E1, "nobody wants it")
            book.archive(book.get(E1).changed_at + 1)
        done = sectigo("order", "e2.example.com", "--book", "mine.db", "--no-wait", env=other.environ)
        assert (done.code, "nothing is ordered here" in done.err) == (2, True)


def test_what_stands_there_twice_is_told_so(sectigo: Runner, service: Emulator) -> None:
    done = sectigo("order", E1, E1.upper(), E1, env=service.environ)
    assert done.err == f"sectigo: error: {E1} stands there twice\nsectigo: hint: name each once\n"
    Path("t.csv").write_text(f"name,key\n{E1},a\ne2.example.com,a\n")
    done = sectigo("order", "--file", "t.csv", env=service.environ)
    assert (done.code, "t.csv, line 3: the key a is that of t.csv, line 2 already" in done.err) == (2, True)


def test_a_further_name_of_a_signing_request_stands_in_it(sectigo: Runner, service: Emulator) -> None:
    Path("r.csr").write_bytes(request("r.example.com"))
    done = sectigo("order", "--csr", "r.csr", "--dns", "z.example.com", env=service.environ)
    assert (done.code, "all names of a signing request stand in it: leave --dns out" in done.err) == (2, True)
    assert "table" not in done.err


def test_no_worker_is_told_to_carry_what_is_over(sectigo: Runner, service: Emulator) -> None:
    assert sectigo("order", E1, env=service.environ).code == 0
    done = sectigo("order", E1, "--no-wait", env=service.environ)
    assert (done.code, "worker" in done.err, "1 delivered" in done.err) == (0, False, True)
    done = sectigo("order", E1, "e2.example.com", "--no-wait", env=service.environ)
    assert "sectigo: `sectigo worker` carries it\n" in done.err


def test_what_was_withdrawn_while_unknown_is_said_to_be_revoked_when_found(sectigo: Runner, book: Path) -> None:
    with Emulator(faults=("lost-reply,call=createSingleCertBatch,nth=1",)) as service:
        assert sectigo("order", E1, "--no-list", env=service.environ).code == 5
        assert sectigo("orders", "cancel", E1).code == 0
        for more in ((), ("--no-wait",)):
            done = sectigo("order", E1, "--no-list", *more, env=service.environ)
            assert "it is withdrawn: what is issued for it is revoked as soon as it is found" in done.err, done
            assert done.code == (0 if more else 5)


def test_a_renewal_goes_where_its_order_was_put_meanwhile(sectigo: Runner, service: Emulator) -> None:
    line = ("order", E1, "--renew-before", "30")
    assert sectigo(*line, env=service.environ).code == 0
    moved = (*line, "-o", "other")
    assert f"orders retry {E1} -o " in sectigo(*moved, env=service.environ).err
    done = sectigo("orders", "retry", E1, "-o", "other")
    assert f"sectigo: {E1}: delivered: the files of its renewal go to {Path('other').absolute()}\n" in done.err
    assert sectigo("orders", "renew", E1).code == 0
    assert labels(sectigo, f"{E1}~1")["folder"] == str(Path("other").absolute())
    assert sectigo(*moved, env=service.environ).code == 0
