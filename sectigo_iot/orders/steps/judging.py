"""Whether values match the patterns of a profile, in a process beside this one that is kept, and ended if it hangs.

A pattern that backtracks without end would stop every thread of a worker, and the next worker after it: nothing
breaks off a match in this process (OWASP, "Regular expression Denial of Service"). A new process for each order would
cost more than the order.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterable

from sectigo_iot.matching import is_cheap, matches

Pair = tuple[str, str]
"""A pattern in Python's syntax, and a text that it should match as a whole."""

SECONDS = 5.0
"""How long one question may take; a pattern that takes longer decides nothing from then on."""
_SHORT = 256
"""Characters of a text up to which a cheap pattern costs next to nothing."""
_KEPT = 1000
"""How many patterns are remembered as hopeless at the most."""

_LATE = b"late"

_CHILD = """
import json, re, sys, warnings
warnings.simplefilter("error")
for line in sys.stdin:
    answers = ""
    for pattern, text in json.loads(line):
        try:
            answers += "10"[re.compile(pattern).fullmatch(text) is None]
        except (re.error, Warning, OverflowError, RecursionError, MemoryError):
            answers += "-"
    print(answers, flush=True)
"""


class Judge:
    """Tries patterns on texts, one question after the other. Safe to share between threads."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._guard = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._hopeless: set[str] = set()

    def matches(self, pairs: Iterable[Pair]) -> dict[Pair, bool | None]:
        """Say of each pair whether the whole text matches; None where the pattern cannot be read, or takes too long.

        Also None for those that are left where several have taken too long. Raises nothing.
        """
        distinct = list(dict.fromkeys(pairs))
        cheap = [pair for pair in distinct if len(pair[1]) <= _SHORT and is_cheap(pair[0])]
        found: dict[Pair, bool | None] = {**dict.fromkeys(distinct), **matches(cheap)}
        until = time.monotonic() + 2 * self._seconds
        for pair in distinct:
            # One by one, so that it is known which pattern it was that took too long.
            if pair not in cheap and not pair[0].startswith("/") and time.monotonic() < until:
                found[pair] = self._tried(pair)
        return found

    def close(self) -> None:
        """End the process, if there is one; the next question starts another."""
        with self._guard:
            self._end()

    def _tried(self, pair: Pair) -> bool | None:
        with self._guard:
            if pair[0] in self._hopeless:
                return None
            # Twice: whatever has ended the process since the last question says nothing of this one.
            answer = self._asked(pair) or self._asked(pair)
            if answer == _LATE and len(self._hopeless) < _KEPT:
                self._hopeless.add(pair[0])
        return {b"1": True, b"0": False}.get(answer[:1])

    def _asked(self, pair: Pair) -> bytes:
        """Return the answer, or that it was late; nothing where there is no process, or it has ended."""
        answer = b""
        with contextlib.suppress(OSError):
            answer = self._answer(json.dumps([pair]).encode() + b"\n")
        if answer in (b"", _LATE):
            self._end()
        return answer

    def _answer(self, question: bytes) -> bytes:
        child = self._running()
        if child is None or child.stdin is None or child.stdout is None:
            return b""
        child.stdin.write(question)
        child.stdin.flush()
        ready, _, _ = select.select([child.stdout], [], [], self._seconds)
        return os.read(child.stdout.fileno(), 64) if ready else _LATE

    def _running(self) -> subprocess.Popen[bytes] | None:
        if self._owner != os.getpid():
            # That of a process that this one was forked from is not ours to ask, or to end.
            self._child, self._owner = None, os.getpid()
        if self._child is None and sys.executable and not getattr(sys, "frozen", False):
            command = [sys.executable, "-I", "-S", "-c", _CHILD]
            pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
            # In a group of its own: an interrupt at the terminal is not meant for it. It ends with its input.
            self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing, process_group=0)
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None or self._owner != os.getpid():
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        child.wait()


JUDGE = Judge()
"""The one of this process: however many workers it has, they share it."""
atexit.register(JUDGE.close)
