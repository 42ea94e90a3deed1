"""Short functions, small modules, no room without a purpose."""

import ast
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted([*(ROOT / "sectigo_iot").rglob("*.py"), *(ROOT / "cli").rglob("*.py")])


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef, source: list[str]) -> int:
    """Count a function's lines without docstring, blank and comment lines."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    skipped = range(function.body[0].lineno, (function.body[0].end_lineno or 0) + 1) if body != function.body else ()
    numbers = set(range(function.lineno, (function.end_lineno or 0) + 1)) - set(skipped)
    return sum(1 for n in numbers if source[n - 1].strip() and not source[n - 1].lstrip().startswith("#"))


def functions() -> list[tuple[int, str]]:
    found = []
    for path in MODULES:
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append((lines_of(node, text.splitlines()), f"{path.relative_to(ROOT)}: {node.name}"))
    return sorted(found, reverse=True)


def test_functions_are_short() -> None:
    found = functions()
    counts = [count for count, _ in found]
    assert median(counts) < 8
    assert quantiles(counts, n=10)[-1] < 30
    assert found[0][0] <= 60, found[0]


def test_modules_are_small() -> None:
    counts = [len(path.read_text().splitlines()) for path in MODULES]
    assert quantiles(counts, n=10)[-1] < 300


@pytest.mark.parametrize("name", ["utils.py", "helpers.py", "common.py", "misc.py"])
def test_no_room_without_a_purpose(name: str) -> None:
    assert not [path for path in MODULES if path.name == name]
