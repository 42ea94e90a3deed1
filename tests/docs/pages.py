"""The pages of the documentation, and what stands in their blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
_FENCED = re.compile(r"^```(?P<language>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block, and the language that it names."""

    language: str
    text: str


class Step(NamedTuple):
    """A line that is typed, and what is shown after it, if anything is."""

    command: str
    shown: str


class Example(NamedTuple):
    """A Python block, and the `text` block right after it, which shows what it prints."""

    line: int
    code: str
    shown: str


def text_of(page: str) -> str:
    """Return a page as it is written."""
    return (ROOT / page).read_text()


def check_listed(page: str, listed: Iterable[str], there: Iterable[str], *, what: str) -> None:
    """Fail where a page does not list what there is, and say what to do about it."""
    listed, there = list(listed), list(there)
    missing, gone = sorted(set(there) - set(listed)), sorted(set(listed) - set(there))
    assert not missing, f"{page}: add {what} for {', '.join(missing)}"
    assert not gone, f"{page}: remove {what} for {', '.join(gone)}, which there is no more"
    twice = sorted({each for each in listed if listed.count(each) > 1})
    assert not twice, f"{page}: {what} stands twice for {', '.join(twice)}"


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of one language, in order."""
    return [found["text"] for found in _FENCED.finditer(text_of(page)) if found["language"] == language]


def steps(page: str) -> list[Step]:
    """Return every line that a page has its reader type: `$` begins it, `>` goes on with it."""
    return [step for block in blocks(page, "console") for step in _steps(block)]


def _steps(block: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE):
        if part:
            first, *rest = part.splitlines()
            more = [line[2:] for line in rest if line.startswith("> ")]
            shown = [line for line in rest if not line.startswith("> ")]
            yield Step("\n".join([first, *more]), "\n".join(shown).strip("\n"))


def examples(page: str) -> list[Example]:
    """Return the Python blocks of a page, with the lines where they begin."""
    found = []
    text = text_of(page)
    for match in _FENCED.finditer(text):
        if match["language"] == "python":
            after = _FENCED.match(text, match.end() + 2)
            shown = after["text"] if after is not None and after["language"] == "text" else ""
            found.append(Example(text.count("\n", 0, match.start()) + 1, match["text"], shown))
    return found
