"""How much is tried, and what came of it: `make test` tries a share, `make reliability` all, and writes it down."""

from __future__ import annotations

import json
import os
from pathlib import Path

FULL = os.environ.get("RELIABILITY") == "full"


def share(full: int, part: int) -> int:
    """Return how often something is tried: in full under `make reliability`, else a part."""
    return full if FULL else part


def figure(promise: str, measured: str) -> None:
    """Note what was measured about a promise, by its key in promises.py; the report collects the notes."""
    folder = os.environ.get("RELIABILITY_FIGURES")
    if folder:
        with Path(folder, f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as notes:
            print(json.dumps([promise, measured]), file=notes)
