"""Every point at which a process is killed, or refused by the system; and a choice of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from tests.orders.crash.lane import Try
from tests.orders.crash.settings import Setting
from tests.orders.crash.strikes import Point, Strike

ERRORS: dict[str, int | None] = {"ENOSPC": None, "EIO": 1, "EDQUOT": 3}
"""Disk full until the process is ended, a fault of the medium once, the user's quota used up for a while."""
LASTING = frozenset(("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate"))
"""Calls that may fail several times on end; of others, which also read, one fails."""
REFUSED = (*LASTING, "openat", "mkdir", "rename", "link", "unlink")
"""Calls that a file system refuses."""

_ORDER = re.compile(r'"(PUT|POST /api/v1/b)')

Points = Mapping[Setting, Sequence[Point]]


def kills(points: Points) -> list[Try]:
    """Return a kill at each point of each setting."""
    return [(setting, Strike(point.call, point.nth)) for setting, several in points.items() for point in several]


def unsaved_reply(setting: Setting, points: Sequence[Point]) -> Try:
    """Return a kill when the reply to the order is about to be written down: the service has it, and nobody knows."""
    sent = [number for number, point in enumerate(points) if _ORDER.search(point.about)]
    saving = next(point for point in points[sent[0] :] if point.call == "pwrite64")
    return setting, Strike(saving.call, saving.nth)


def refusals(points: Points) -> list[Try]:
    """Return a refusal for each error at each point at which a file system can refuse, from then on or once."""
    return [
        (setting, Strike(point.call, point.nth, f"error={error}", times if point.call in LASTING else 1))
        for setting, several in points.items()
        for point in several
        if point.call in REFUSED
        for error, times in ERRORS.items()
    ]


def spread(tries: Sequence[Try], count: int) -> list[Try]:
    """Choose so many, over all settings alike and from the first point of each to the last."""
    by_setting: dict[Setting, list[Try]] = {}
    for each in tries:
        by_setting.setdefault(each[0], []).append(each)
    share = -(-count // len(by_setting))
    chosen = [list(_evenly(several, share)) for several in by_setting.values()]
    return [each for together in zip_longest(*chosen) for each in together if each is not None][:count]


def _evenly(tries: Sequence[Try], count: int) -> Iterator[Try]:
    step = max(len(tries) / count, 1.0)
    return (tries[int(number * step)] for number in range(min(count, len(tries))))
