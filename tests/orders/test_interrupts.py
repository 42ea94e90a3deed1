"""What interrupts the main thread in the midst of a write leaves the book as usable as before."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sectigo_iot.orders import FileSecretStore, MemorySecretStore, OrderBook, OrderRequest
from tests.reliability.figures import share


class Alarm:
    """Interrupts the main thread, again and again, as long as it is on."""

    def __init__(self) -> None:
        self.on = False
        self.count = 0

    def ring(self, *_: object) -> None:
        """Interrupt, and ask to be called again."""
        self.again()
        if self.on:
            self.count += 1
            raise KeyboardInterrupt

    def again(self) -> None:
        """Ask to be called in a moment."""
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0002, 0.006))


def interrupted_for(seconds: float, folder: Path) -> int:
    """Write from three threads, the main one of them interrupted; return how often. Raises where a write hangs."""
    alarm, failures, end = Alarm(), [], time.monotonic() + seconds
    with OrderBook(folder / "orders.sqlite3", secrets=MemorySecretStore()) as book:
        book.place("a", OrderRequest(names=("a.example.com",)))

        def write() -> None:
            try:
                while time.monotonic() < end:
                    book.retry("a")
            except Exception as error:  # noqa: BLE001 - said by the test
                failures.append(error)

        threads = [threading.Thread(target=write) for _ in range(2)]
        for thread in threads:
            thread.start()
        signal.signal(signal.SIGALRM, alarm.ring)
        alarm.again()
        while time.monotonic() < end:
            try:
                alarm.on = True
                while time.monotonic() < end:
                    book.retry("a")
            except KeyboardInterrupt:
                alarm.on = False
        alarm.on = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads), "a write waits for ever"
        assert failures == []
        assert book.retry("a").version > 1
        time.sleep(0.3)
    return alarm.count


def say_nothing_of_interrupts(what: sys.UnraisableHookArgs) -> None:
    """Pass over an interrupt that came in a callback of the interpreter's own, which goes on as if none had."""
    if what.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(what)


def test_interrupts_leave_the_book_usable(tmp_path: Path) -> None:
    seconds = share(30, 2)
    root = Path(__file__).parents[2]
    program = (
        f"import sys; sys.path.append({str(root)!r})\nfrom pathlib import Path\n"
        "from tests.orders.test_interrupts import interrupted_for, say_nothing_of_interrupts\n"
        "sys.unraisablehook = say_nothing_of_interrupts\n"
        f"print(interrupted_for({seconds}, Path({str(tmp_path)!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 20


def test_an_order_that_was_placed_keeps_its_secrets_whenever_it_is_interrupted(tmp_path: Path) -> None:
    alarm = Alarm()
    before = signal.signal(signal.SIGALRM, alarm.ring)
    with OrderBook(tmp_path / "orders.sqlite3", secrets=FileSecretStore(tmp_path / "secrets")) as book:
        try:
            alarm.again()
            for number in range(share(2000, 40)):
                try:
                    alarm.on = True
                    book.place(f"k{number}", OrderRequest(names=("a.example.com",)), password="correct horse battery")
                except KeyboardInterrupt:
                    alarm.on = False
                alarm.on = False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        time.sleep(0.3)
        keys = [order.key for order in book.find(limit=10_000)]
        assert keys
        assert {book.password(key) for key in keys} == {"correct horse battery"}


class BrokenOff(threading.Thread):
    """A thread whose start is interrupted while its lock is taken again, as happens once in many thousand times."""

    def start(self) -> None:
        super().start()
        try:
            raise KeyboardInterrupt
        finally:
            threading.Lock().release()


def test_an_interrupt_stays_one_where_a_lock_stumbles_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OrderBook(tmp_path / "orders.sqlite3", secrets=MemorySecretStore()) as book:
        with monkeypatch.context() as patch:
            patch.setattr(threading, "Thread", BrokenOff)
            with pytest.raises(KeyboardInterrupt):
                book.place("a", OrderRequest(names=("a.example.com",)))
        assert book.place("a", OrderRequest(names=("a.example.com",))).version == 1
