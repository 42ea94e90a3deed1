"""All of it, in full: `python -m tests.orders.crash [PART …]` says what came of each part, and writes the table."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tests.orders.crash import pairs, points, report, storm, strikes
from tests.orders.crash.judging import Tally
from tests.orders.crash.lanes import Lanes
from tests.orders.crash.settings import SETTINGS
from tests.orders.postgres import Postgres

Figures = dict[str, Tally]


def kills(folder: Path) -> Figures:
    with Lanes(folder) as lanes:
        done = lanes.tried(points.kills(lanes.points(SETTINGS)))
    return {f"kill: {setting.name}": tally for setting, tally in done.items()}


def errors(folder: Path) -> Figures:
    settings = [each for each in SETTINGS if each.use_list]
    with Lanes(folder) as lanes:
        done = lanes.tried(points.refusals(lanes.points(settings)))
    return {f"error: {setting.name}": tally for setting, tally in done.items()}


def weather(folder: Path) -> Figures:
    return {"storm": storm.storm(folder, count=1000, kills=100)}


def growth(folder: Path) -> Figures:
    grown, tally = storm.growth(folder, count=1000)
    tally.bytes = grown
    if grown > storm.MOST_GROWTH:
        tally.faults.append(f"it grew by {grown} bytes")
    return {"growth": tally}


def two(folder: Path) -> Figures:
    figures = {"pair: SQLite": pairs.pair(folder / "sqlite", count=600, kills=15)}
    with Postgres() as server:
        book = server.url(server.new_database())
        figures["pair: PostgreSQL"] = pairs.pair(folder / "postgresql", count=600, kills=15, book=book)
    return figures


def race(folder: Path) -> Figures:
    return {"race": pairs.race(folder)}


PARTS: dict[str, Callable[[Path], Figures]] = {
    "kills": kills,
    "errors": errors,
    "storm": weather,
    "growth": growth,
    "two": two,
    "race": race,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.orders.crash", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all where none is")
    parser.add_argument("--figures", type=Path, help="write the figures into this file, as JSON, and no table")
    given = parser.parse_args()
    unknown = set(given.parts) - PARTS.keys()
    if unknown:
        parser.error(f"there is no part {min(unknown)!r}")
    if why := strikes.permitted():
        parser.error(f"processes cannot be followed here: {why}")
    figures = _done(given.parts or list(PARTS))
    if given.figures:
        given.figures.write_text(json.dumps({name: asdict(tally) for name, tally in figures.items()}, indent=2))
    elif not given.parts:
        report.write(figures)
    return int(not all(tally.clean for tally in figures.values()))


def _done(parts: list[str]) -> Figures:
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        for part in parts:
            begun = time.monotonic()
            for name, tally in PARTS[part](Path(folder, part)).items():
                figures[name] = tally
                print(f"{name}: {tally.in_words()}", *tally.faults[:20], sep="\n  ", flush=True)
            print(f"{part}: {time.monotonic() - begun:.0f} s", flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())
