"""Every fault of the Go tool has a test of its number, and a row in the page for those who come from there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/coming-from-go.md"
NUMBERS = list(range(1, 28))


def numbers_tested() -> Iterator[int]:
    for path in HERE.glob("test_faults_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found = re.match(r"test_fault_(\d\d)[a-z]?_", node.name)
                assert found, f"{path.name}: {node.name} does not tell its fault"
                yield int(found[1])


def test_every_fault_has_a_test_of_its_number() -> None:
    assert sorted(set(numbers_tested())) == NUMBERS


def test_every_fault_has_a_row_in_the_page() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", PAGE.read_text(), re.MULTILINE)
    assert [int(number) for number, *_ in rows] == NUMBERS
    assert all(len(cell) > 10 for _, *cells in rows for cell in cells)
