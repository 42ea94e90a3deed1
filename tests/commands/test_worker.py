"""worker: how it ends, and what it says."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sectigo_cli.context import Context
from sectigo_cli.order_files import Delivery
from sectigo_iot import SectigoError
from sectigo_iot.emulator import Emulator
from sectigo_iot.files import UNFINISHED
from sectigo_iot.orders import Bundle, OrderBook, OrderRequest
from tests.commands.conftest import names_in
from tests.commands.test_ending import start
from tests.conftest import Runner

pytestmark = pytest.mark.usefixtures("book")


FILES = ["cert.pem", "chain.pem", "full.pem", "fullchain.pem", "privkey.pem"]


def heard(process: subprocess.Popen[str], words: str) -> str:
    """Return what the process says up to the line with these words."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            return said
    raise AssertionError(said)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_works_until_a_signal_and_ends_well(
    sectigo: Runner, service: Emulator, number: signal.Signals
) -> None:
    with start("worker", env=service.environ) as process:
        try:
            said = heard(process, "carrying the orders of ")
            assert sectigo("order", "a.example.com", "-o", "certs", "--no-wait", env=service.environ).code == 0
            said += heard(process, "fetched to delivered")
            process.send_signal(number)
            out, err = process.communicate(timeout=15)
        finally:
            process.kill()
    assert (process.returncode, out) == (-number, "")
    assert "ending when what is under way is done" in err
    assert "Traceback" not in said + err
    assert "a.example.com" in names_in("certs")


def seen(book: Path, key: str, state: str) -> None:
    """Wait until an order is in this state."""
    end = time.monotonic() + 15
    with OrderBook(book) as opened:
        while not any(order.key == key and order.state == state for order in opened.find()):
            assert time.monotonic() < end, f"{key} never was {state}"
            time.sleep(0.05)


def test_ctrl_c_leaves_what_was_ordered_and_the_same_line_goes_on(sectigo: Runner, book: Path) -> None:
    line = ("order", "slow.example.com", "-o", "certs")
    with Emulator(delay=3600) as slow:
        with start(*line, env=slow.environ) as process:
            try:
                seen(book, "slow.example.com", "issuing")
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=15)
            finally:
                process.kill()
        assert (process.returncode, out) == (-signal.SIGINT, "")
        assert "the orders stay in the book" in err
        assert "slow.example.com: issuing: " in err
        assert "the same line, or `sectigo worker`, goes on with it" in err
        slow.control.advance(7200)
        done = sectigo(*line, env=slow.environ)
        assert done.code == 0, done
        assert json.loads(done.out)[0]["batchId"] == 10000


MOMENTS = {"ordering": signal.SIGTERM, "ready": signal.SIGINT, "fetched": signal.SIGTERM}
"""A signal in the midst of sending, of fetching, and of delivering."""


@pytest.mark.parametrize(("state", "number"), MOMENTS.items(), ids=list(MOMENTS))
def test_a_signal_in_mid_delivery_leaves_nothing_half_and_the_same_line_goes_on(
    sectigo: Runner, book: Path, state: str, number: signal.Signals
) -> None:
    line = ("order", "mid.example.com", "-o", "certs", "--deploy-hook", "sleep 0.4")
    slowly = ("late-reply,seconds=0.4,call=createSingleCertBatch+download",)
    with Emulator(faults=slowly, delay=0, key_type="p256") as late:
        with start(*line, env=late.environ) as process:
            try:
                seen(book, "mid.example.com", state)
                process.send_signal(number)
                out, err = process.communicate(timeout=15)
            finally:
                process.kill()
        assert (process.returncode, out) == (-number, ""), err
        assert "Traceback" not in err
        assert "ending when what is under way is done; the orders stay in the book" in err
        assert not [path for path in Path("certs").rglob("*") if UNFINISHED in path.name]
        done = sectigo(*line, env=late.environ)
        assert (done.code, json.loads(done.out)[0]["batchId"]) == (0, 10000), done
    assert names_in("certs/mid.example.com") == FILES


def test_an_order_of_another_program_is_not_delivered_into_nowhere(
    sectigo: Runner, service: Emulator, book: Path
) -> None:
    with OrderBook(book) as opened:
        order = opened.place("theirs", OrderRequest(names=("theirs.example.com",)))
    with pytest.raises(SectigoError, match="no folder is known for its files"):
        Delivery(Context(), print)(order, Bundle(b"", None, None))
    done = sectigo("worker", "--once", "-o", "certs", "--threads", "1", env=service.environ)
    assert done.code == 0, done
    assert "theirs.example.com" in names_in("certs")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--threads", "0"), "'0' is no whole number"),
        (("--threads", "65"), "65 is no number of threads from 1 to 64"),
        (("-o", "no/where"), "is missing, and so is"),
        (("--root", "nowhere.pem"), "nowhere.pem: No such file or directory"),
        (("now",), "unrecognized arguments: now"),
    ],
)
def test_what_makes_no_sense_is_refused(
    sectigo: Runner, service: Emulator, words: tuple[str, ...], said: str
) -> None:
    done = sectigo("worker", *words, env=service.environ)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_without_a_log_in_nothing_begins(sectigo: Runner, service: Emulator) -> None:
    done = sectigo("worker", "--once", env={**service.environ, "SECTIGO_PASSWORD": "wrong"})
    assert (done.code, done.out) == (4, "")
