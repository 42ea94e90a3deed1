"""Put the figures noted in a folder into docs/reliability.md: `python -m tests.reliability.report FOLDER`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.reliability.promises import PROMISES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
TABLE = re.compile(r"(<!-- figures -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def noted(folder: Path) -> dict[str, list[str]]:
    """Return what was measured about each promise."""
    figures: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            promise, measured = json.loads(line)
            figures.setdefault(promise, []).append(measured)
    return figures


def table(figures: dict[str, list[str]]) -> str:
    """Return the table of promises and figures. Raises KeyError for a promise that nothing was measured about."""
    rows = [f"| {promise} | {'; '.join(sorted(figures[key]))} |" for key, promise in PROMISES.items()]
    return "\n".join(["| Promise | Measured |", "|---|---|", *rows, ""])


def main(folder: str) -> None:
    figures = noted(Path(folder))
    missing = PROMISES.keys() - figures.keys()
    if missing:
        sys.exit(f"nothing was measured about: {', '.join(sorted(missing))}")
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda found: found[1] + table(figures) + found[2], text), encoding="utf-8")
    print(f"{len(PROMISES)} promises measured, written to {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1])
