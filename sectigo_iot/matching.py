"""Whether texts match patterns that somebody else wrote, within a time that no pattern can exceed.

Python's `re` backtracks: a pattern such as `(a+)+b` takes for ever with thirty letters (OWASP, "Regular expression
Denial of Service"), and nothing stops it in a thread. So what may be costly is tried in a process that can be ended.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterable

SECONDS = 5.0
"""How long all costly patterns together may take."""
_LONGEST = 256
"""Characters of a text up to which two repeats cost next to nothing."""
_LONGEST_PATTERN = 2000
"""Characters of a pattern up to which reading it costs next to nothing."""
_FEW = 2

# A class in brackets, or a character after a backslash: neither repeats anything.
_ATOM = re.compile(r"\[\^?\]?(?:\\.|[^]\\])*\]|\\.", re.DOTALL)
_CHOICE = re.compile(r"(?<!\()\?|[*+{|]")
# A group that is repeated, or one that changes how the rest is read.
_COSTLY = re.compile(r"\)[*+{]|\(\?[^:=!<]")

_CHILD = """
import json, re, sys
for pattern, text in json.load(sys.stdin):
    try:
        if pattern.startswith("/"):
            raise re.error("it is written between slashes")
        found = "1" if re.compile(pattern).fullmatch(text) else "0"
    except (re.error, Warning, OverflowError, RecursionError, MemoryError):
        found = "-"
    sys.stdout.write(found)
    sys.stdout.flush()
"""

Pair = tuple[str, str]
"""A pattern in Python's syntax, and a text that it should match as a whole."""


def matches(pairs: Iterable[Pair], *, seconds: float = SECONDS) -> dict[Pair, bool | None]:
    """Say of each pair whether the whole text matches; None where the pattern cannot be read, or takes too long.

    What may be costly is tried in another process of the same interpreter, for `seconds` at the most.
    """
    distinct = dict.fromkeys(pairs)
    short = {pattern for pattern, _ in distinct if len(pattern) <= _LONGEST_PATTERN}
    readable = {pattern: _compiled(pattern) for pattern in short}
    costly: list[Pair] = []
    found: dict[Pair, bool | None] = {}
    for pattern, text in distinct:
        if pattern not in short:
            costly.append((pattern, text))
            continue
        compiled = readable[pattern]
        if compiled is not None and not (len(text) <= _LONGEST and is_cheap(pattern)):
            costly.append((pattern, text))
        else:
            found[pattern, text] = None if compiled is None else compiled.fullmatch(text) is not None
    return {**found, **(_elsewhere(costly, seconds) if costly else {})}


def is_cheap(pattern: str) -> bool:
    """Whether the pattern has so few repeats, none of them of a group, that any short text is tried at once."""
    plain = _ATOM.sub("x", pattern)
    return not _COSTLY.search(plain) and len(_CHOICE.findall(plain)) <= _FEW


def _compiled(pattern: str) -> re.Pattern[str] | None:
    if pattern.startswith("/"):
        return None
    try:
        with warnings.catch_warnings():
            # `[a-z&&[^x]]` is an intersection to Java, and a FutureWarning here.
            warnings.simplefilter("error")
            return re.compile(pattern)
    except (re.error, Warning, OverflowError, RecursionError):
        return None


def _elsewhere(pairs: list[Pair], seconds: float) -> dict[Pair, bool | None]:
    verdicts: dict[str, bool] = {"1": True, "0": False}
    told = _told(json.dumps(pairs).encode(), seconds).ljust(len(pairs), "-")
    return {pair: verdicts.get(letter) for pair, letter in zip(pairs, told, strict=False)}


def _told(question: bytes, seconds: float) -> str:
    """Return what the child wrote until it ended, or was ended."""
    if not sys.executable or getattr(sys, "frozen", False):
        # What stands there is no interpreter, but the program itself.
        return ""
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", _CHILD]
    try:
        done = subprocess.run(
            command, input=question, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as late:
        return (late.output or b"").decode("ascii", "replace")
    except OSError:
        return ""
    return done.stdout.decode("ascii", "replace")
