"""Each of the failures F1 to F25 stands in the guide, and has at least one test by its number."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from sectigo_iot.orders.states import FINISHED, MOVES
from tests.docs.pages import ROOT, text_of

PAGE = "docs/orders.md"
NUMBERS = range(1, 26)
ROWS = dict(re.findall(r"^\| F(\d+) \| (.*) \|$", text_of(PAGE), re.MULTILINE))


def named_in(path: Path) -> list[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


SHOWN = [name for path in sorted((ROOT / "tests/orders").glob("test_f_*.py")) for name in named_in(path)]


def test_the_guide_has_a_row_for_each_and_no_other() -> None:
    assert [int(number) for number in ROWS] == list(NUMBERS)


@pytest.mark.parametrize("number", NUMBERS)
def test_each_has_a_test_which_its_row_names(number: int) -> None:
    names = [name for name in SHOWN if name.startswith(f"test_f{number:02}_")]
    assert names, f"no test in tests/orders/test_f_*.py begins with test_f{number:02}_"
    happens, answer, shown = ROWS[str(number)].split(" | ")
    assert happens
    assert answer
    assert re.findall(r"`(\w+)`", shown) == names, f"`.venv/bin/cog -r -I docs {PAGE}` writes the table anew"


def test_the_guide_has_every_state_with_its_moves() -> None:
    rows = re.findall(r"^\| (\*{0,2})`(\w+)`\*{0,2} \| .+ \| (.+) \|$", text_of(PAGE), re.MULTILINE)
    shown = {state: set(re.findall(r"`(\w+)`", moves)) for _, state, moves in rows if state in {*MOVES}}
    assert shown == {str(state): {str(move) for move in moves} for state, moves in MOVES.items()}
    assert {state for bold, state, _ in rows if bold} == {str(state) for state in FINISHED}
