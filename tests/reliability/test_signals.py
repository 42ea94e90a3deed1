"""SIGINT and SIGTERM at any moment: the process dies of the signal, leaves nothing, and has told what was ordered."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.commands.signing_requests import request
from tests.packages import PYTHONPATH, run_program
from tests.reliability.answering import Answering, Said
from tests.reliability.figures import FULL, figure, share
from tests.reliability.typed import TYPED, rightly
from tests.unit.lying_server import PASSWORD, USERNAME, Seen, json_answer

STARTED = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
from sectigo_cli.__main__ import run
os.write(int(sys.argv.pop(1)), b".")
sys.exit(run())
"""
"""What the console script does, saying when it has come to it: until then it is Python that starts."""
LINES = {
    "create": ("create", "-d", "example.com", "-b", "my batch", "-p", "correct-horse", "--wait", "--download", "out"),
    "upload": ("upload", "one.csr", "-p", "8"),
    "download": ("download", "-i", "24", "-o", "out"),
    "batches": ("batches", "-i", "24", "--wait"),
    "auth": ("auth",),
}
TYPED_LINES = list(LINES)[: share(len(LINES), 2)]
"""In `make test` those that place an order."""
ORDERS = {"create": ("createSingleCertBatch", "my batch"), "upload": ("upload", "one.csr")}
"""The call that places an order, and the name that it has."""
SLOW = 0.0008
"""Seconds before each piece of a slow answer, which has twenty."""
TOLD, BEFORE = "of the signal, with an order told", "before it"
"""How some runs end."""
PATIENCE = 30.0
"""Seconds after which a process that was asked to end hangs."""


class Try(NamedTuple):
    """One run: of which line, under what service, when it is asked to end, and how."""

    line: str
    service: str
    hangs_at: int
    moment: float
    number: signal.Signals


class Ended(NamedTuple):
    """How a run ended, and how long after its start."""

    code: int
    out: str
    err: str
    seconds: float


class Place:
    """Where one run happens: its folders, and a service that is quick, slow, or hangs at the nth request."""

    def __init__(self, folder: Path, service: str, hangs_at: int = 0) -> None:
        self.folder, self.home, self.scratch = folder / "here", folder / "home", folder / "tmp"
        for each in (self.folder, self.home, self.scratch):
            each.mkdir(parents=True)
        (self.folder / "one.csr").write_bytes(CSR)
        self.asked: list[str] = []
        self._slow = service != "quick"
        self._hangs_at = hangs_at if service == "hanging" else 0
        self.server = Answering(self._answer)

    def _answer(self, seen: Seen) -> Said:
        self.asked.append(f"{seen.method} {seen.path}")
        if len(self.asked) == self._hangs_at:
            return Said(hang=True)
        said = rightly(seen)
        if seen.path.endswith("processing_info") and self.asked.count(self.asked[-1]) == 1:
            said = Said(json_answer({"active": 1, "success": 0, "failed": 0}), keep=True)
        return said._replace(pause=SLOW if self._slow else 0.0)

    def run(self, words: tuple[str, ...], moment: float | None = None, number: int = 0) -> Ended:
        """Run the command, send it the signal so many seconds after its start, and return how it ended."""
        reader, writer = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-c", STARTED, str(writer), *words],
            env={**os.environ, **self._environ()},
            cwd=self.folder,
            pass_fds=(writer,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(writer)
        with process, os.fdopen(reader, "rb") as started:
            try:
                assert started.read(1) == b".", "it never started"
                began = time.monotonic()
                if moment is not None:
                    time.sleep(moment)
                    process.send_signal(number)
                out, err = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        return Ended(process.returncode, out, err, time.monotonic() - began)

    def run_program(self, program: str) -> subprocess.CompletedProcess[str]:
        """Run a program in a Python of its own, for which the service is this one."""
        return subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **self._environ()},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def _environ(self) -> dict[str, str]:
        return {
            "PYTHONPATH": PYTHONPATH,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "TMPDIR": str(self.scratch),
            "SECTIGO_USERNAME": USERNAME,
            "SECTIGO_PASSWORD": PASSWORD,
            "SECTIGO_ENDPOINT": self.server.url,
            "SECTIGO_ENVIRONMENT": "testing",
        }

    def check_left(self) -> None:
        """Fail where a file was left that is not whole, or that is nobody's."""
        assert list(self.scratch.iterdir()) == []
        for path in (path for path in self.folder.rglob("*") if path.is_file() and path.name != "one.csr"):
            assert path.name == "24.zip", path
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
        assert not (self.folder / "out").is_dir() or (self.folder / "out" / "24.zip").is_file(), "an empty folder"
        for path in (path for path in self.home.rglob("*") if path.is_file() and path.suffix != ".lock"):
            assert path.suffix == ".json", path
            assert json.loads(path.read_bytes())


CSR = request("one.example.com")


def tried(folder: Path, each: Try) -> str:
    """Make a try, fail unless it ends well, and return how it ended."""
    place = Place(folder, each.service, each.hangs_at)
    with place.server:
        ended = place.run(LINES[each.line], each.moment, each.number)
    assert ended.code in (0, -each.number), (each, ended)
    assert "Traceback" not in ended.err, (each, ended)
    place.check_left()
    call, name = ORDERS.get(each.line, ("", ""))
    if call and TYPED[call].request in place.asked:
        told = '"batchId": 24' in ended.out or "accepted as batch 24" in ended.err
        doubted = f"the order {name!r} was under way: nobody knows its outcome" in ended.err
        assert told or doubted, (each, ended)
        return TOLD if ended.code else BEFORE
    return "of the signal" if ended.code else BEFORE


def lives(folder: Path, pool: ThreadPoolExecutor) -> dict[tuple[str, str], float]:
    """Return how long each line takes at a quick and at a slow service, when nobody disturbs it."""

    def life(case: tuple[str, str]) -> float:
        line, service = case
        place = Place(folder / service / line, service)
        with place.server:
            ended = place.run(LINES[line])
        assert ended.code == 0, ended
        return ended.seconds

    cases = list(itertools.product(TYPED_LINES, ("quick", "slow")))
    return dict(zip(cases, pool.map(life, cases), strict=True))


def drawn(chance: random.Random, life: dict[tuple[str, str], float]) -> Try:
    """Draw a run, and a moment in its life; one that hangs does so until the signal comes."""
    line, service = chance.choice(TYPED_LINES), chance.choice(("quick", "slow", "hanging"))
    moment = chance.uniform(0, life[line, "quick" if service == "quick" else "slow"])
    return Try(line, service, chance.randint(1, 6), moment, chance.choice((signal.SIGINT, signal.SIGTERM)))


def still(wanted: int, ends: Counter[str]) -> int:
    """Return how many tries are missing: so many runs shall die of the signal, one in ten with an order told."""
    died = ends.total() - ends[BEFORE]
    return max(wanted - died, wanted // 10 - ends[TOLD])


def test_a_signal_at_any_moment(tmp_path: Path) -> None:
    chance, wanted = random.Random(None if FULL else 8), share(200, 10)
    ends, folders = Counter[str](), (tmp_path / str(number) for number in itertools.count())
    with ThreadPoolExecutor(2) as pool:
        life = lives(tmp_path / "lives", pool)
        # Where a life was shorter than it was before, it has ended when the signal comes: that is no try.
        while (missing := still(wanted, ends)) > 0:
            tries = [drawn(chance, life) for _ in range(missing)]
            ends.update(pool.map(tried, itertools.islice(folders, missing), tries))
            assert ends.total() <= 4 * wanted, f"most of them end before: {ends}"
    before = ends.pop(BEFORE, 0)
    told = ", ".join(f"{count} died {how}" for how, count in sorted(ends.items()))
    figure(
        "signals", f"{ends.total()} signals to a process that was at work: {told} ({before} more had ended before)"
    )


LOCKED = """
import signal, sys, threading
from sectigo_cli import endings
from sectigo_cli.main import main

endings.VOLLEY, endings.STUCK = 0.05, 0.2
enter, struck = threading.Condition.__enter__, []

def strike(condition):
    entered = enter(condition)
    caller = sys._getframe(1).f_code
    if not struck and (caller.co_name, caller.co_filename[-8:]) == ("get", "queue.py"):
        struck.append(condition)
        signal.raise_signal(signal.SIGINT)
    return entered

threading.Condition.__enter__ = strike
main(["licenses"])
"""
"""The signal comes when the queue of the HTTP library's connections is locked, and before anybody knows it."""


def test_a_lock_that_is_left_behind_does_not_keep_it(tmp_path: Path) -> None:
    place = Place(tmp_path, "quick")
    with place.server:
        done = place.run_program(LOCKED)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


DROPPED = """
import signal
from sectigo_cli.endings import Endings, Interrupted

with Endings() as endings:
    try:
        signal.raise_signal(signal.SIGTERM)
    except Interrupted:
        print("dropped")
    try:
        endings.be_prompt()
    except Interrupted as interrupted:
        print(interrupted.signal.name)
"""


def test_what_was_dropped_before_anything_is_asked_is_heard_then() -> None:
    done = run_program(DROPPED)
    assert (done.stdout, done.stderr) == ("dropped\nSIGTERM\n", "")
