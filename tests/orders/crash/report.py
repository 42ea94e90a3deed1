"""The table of what was tried: from the figures, or from JSON, `python -m tests.orders.crash.report FILE`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.orders.crash.judging import Tally, total
from tests.packages import ROOT

PAGE = ROOT / "docs" / "orders.md"
TABLE = re.compile(r"(<!-- crash figures -->\n).*?(<!-- end of crash figures -->)", re.DOTALL)
TRIED = {
    "kill": "`kill -9` before every system call that changes a file or the connection, from placing an order to its "
    "delivery, with a second process after it",
    "kill, asking": "of these, with the list of batches or with probing",
    "kill, blind": "of these, with neither",
    "error": "disk full, I/O error, quota used up: at each write, sync, open and rename, with a second process once "
    "there is room",
    "storm": "1,000 orders, 5 % of every fault that the emulator knows, a quarter of the faults at a time, the "
    "worker killed at 100 random moments",
    "growth": "1,000 orders by one worker: how much it grows from the 100th to the last",
    "pair: SQLite": "two workers on one book, one of them killed every 2 s",
    "pair: PostgreSQL": "the same with the book in PostgreSQL",
    "race": "50 orders race for 20 licences, in four processes",
}
"""What was tried, by the beginning of the figures' names."""


def table(figures: Mapping[str, Tally]) -> str:
    """Return the table. Raises KeyError for what was not tried."""
    rows = [f"| {words} | {_found(key, figures)} |" for key, words in TRIED.items()]
    return "\n".join(["| Tried | Came of it |", "|---|---|", *rows, ""])


def _found(key: str, figures: Mapping[str, Tally]) -> str:
    kind, _, which = key.partition(", ")
    several = [tally for name, tally in figures.items() if name.startswith(kind) and _is(which, name)]
    if not several:
        raise KeyError(key)
    return total(several).in_words()


def _is(which: str, name: str) -> bool:
    return not which or (which == "blind") == name.endswith("neither")


def write(figures: Mapping[str, Tally], page: Path = PAGE) -> None:
    """Put the table into the page, between its marks."""
    text = page.read_text(encoding="utf-8")
    page.write_text(TABLE.sub(lambda found: found[1] + table(figures) + found[2], text), encoding="utf-8")
    print(f"written to {page.name}")


def read(file: Path) -> dict[str, Tally]:
    """Return the figures of a file."""
    document = json.loads(file.read_text(encoding="utf-8"))
    return {name: Tally(**tally) for name, tally in document.items()}


if __name__ == "__main__":
    write(read(Path(sys.argv[1])))
