"""The lines of what stands in a TOML file, and its keys as a person reads them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectigo_iot.emulator.config.places import Places, key_text, line_of

PLACES = """\
# a comment with x = 1
top = 1
a.b = 1
a.c.d = [ 1,
  2, # not the third
  true, { x = 1, y = { z = [ 3,
    4 ] } },
]
inline = { p = 1, q = [ { r = 3 } ] }
"quoted key" = '''
a = 1
[[rows]]
'''

[[rows]]
id = 1
text = \"\"\"
id = 2
\"\"\"
  [[rows.cells]] # an array in an array
  id = 2
  [[rows.cells]]
    id = 3
    tail.end = 1
[z.one]
k = 1
[[rows]]
id = 4
[[rows.cells]]
id = 5
[z.two]
k = 2
[z]
three = 3
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("a",), 3),
        (("a", "b"), 3),
        (("a", "c"), 4),
        (("a", "c", "d"), 4),
        (("a", "c", "d", 0), 4),
        (("a", "c", "d", 1), 5),
        (("a", "c", "d", 2), 6),
        (("a", "c", "d", 3), 6),
        (("a", "c", "d", 3, "y", "z", 0), 6),
        (("a", "c", "d", 3, "y", "z", 1), 7),
        (("inline", "q", 0, "r"), 9),
        (("quoted key",), 10),
        (("rows",), 15),
        (("rows", 0), 15),
        (("rows", 0, "id"), 16),
        (("rows", 0, "text"), 17),
        (("rows", 0, "cells"), 20),
        (("rows", 0, "cells", 0, "id"), 21),
        (("rows", 0, "cells", 1), 22),
        (("rows", 0, "cells", 1, "id"), 23),
        (("rows", 0, "cells", 1, "tail", "end"), 24),
        (("z", "one", "k"), 26),
        (("z",), 25),
        (("rows", 1), 27),
        (("rows", 1, "id"), 28),
        (("rows", 1, "cells", 0, "id"), 30),
        (("z", "two"), 31),
        (("z", "three"), 34),
        (("rows", 1, "missing"), 27),
        (("rows", 0, "cells", 9, "missing"), 20),
        (("missing",), 1),
        ((), 1),
    ],
)
def test_lines(path: tuple[str | int, ...], line: int, end: str) -> None:
    assert line_of(PLACES.replace("\n", end), path) == line


def leaves(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """Each integer with its path."""
    for step, value in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, step))
        elif isinstance(value, int):
            yield (*path, step), value


PIECES = [
    "[t{n}]\n",
    "[t{n}.deep.er]\n",
    "[[rows]]\n",
    "[[rows.cells]]\n",
    "[[rows.cells]]\n[[rows.cells.parts]]\n",
    "# [[rows]] x = 1\n",
    "\n",
    "k{n} = {line}\n",
    "k{n}.a.b = {line}\n",
    "'k {n}' = {{ x = {line}, y = [ {line}, {{ z = {line} }} ] }}\n",
    "k{n} = [\n{line1},\n  {line2}, # ]\n]\n",
    "k{n} = [ {line}, {{ x = [ {line},\n {line1} ], y = [] }},\n\n {line3}, [\n{line4}\n]]\n",
    'k{n} = [\'#]\', """\\\\"\n]\n""", "\\"[", {line2}, \'\'\'\n\\\'\'\', {line3} ]\n',
    "k{n} = '''\nrows = 1\n[t]\n'''\n",
]


@settings(max_examples=100, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12), windows=st.booleans())
def test_each_number_stands_in_its_line(pieces: list[str], windows: bool) -> None:
    text = "[[rows]]\n[[rows.cells]]\n[[rows]]\n[[rows.cells]]\n"
    for n, piece in enumerate(pieces):
        line = text.count("\n") + 1
        text += piece.format(n=n, line=line, **{f"line{k}": line + k for k in range(1, 5)})
    places = Places(text.replace("\n", "\r\n") if windows else text)
    for path, number in leaves(tomllib.loads(text)):
        assert places.line(path) == number


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("a",), "a"),
        (("a", 0, "b-c", 11, "d"), "a[1].b-c[12].d"),
        (("two words", "a.b", ""), '"two words"."a.b".""'),
        (("a\nb\ud800",), '"a\\nb\\ud800"'),
        (("x" * 100,), f'"{"x" * 60}..."'),
        ((), ""),
    ],
)
def test_keys(path: tuple[str | int, ...], expected: str) -> None:
    assert key_text(path) == expected
