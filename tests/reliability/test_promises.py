"""Every promise of the page is measured by a test, and every figure on the page is about a promise."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.reliability import report
from tests.reliability.promises import PROMISES

MODULES = Path(__file__).parent.glob("test_*.py")
NOTED = re.compile(r'\bfigure\(\s*"([a-z0-9-]+)"')


def test_every_promise_has_a_test_that_notes_its_figure() -> None:
    noted = {key for path in MODULES for key in NOTED.findall(path.read_text(encoding="utf-8"))}
    assert noted == PROMISES.keys()


def test_the_page_has_every_promise_with_its_figure() -> None:
    found = report.TABLE.search(report.PAGE.read_text(encoding="utf-8"))
    assert found is not None
    rows = [line.strip("| ").split(" | ") for line in found[0].splitlines() if line.startswith("| ")][1:]
    assert [row[0] for row in rows] == list(PROMISES.values()), "make reliability writes the table"
    assert all(len(row) == 2 and row[1] for row in rows)


def test_a_promise_that_was_not_measured_is_told(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text(json.dumps(["one-login", "1 login"]) + "\n", encoding="utf-8")
    assert report.noted(tmp_path) == {"one-login": ["1 login"]}
    with pytest.raises(SystemExit, match="refused-password"):
        report.main(str(tmp_path))
