"""Every Python block of README and the documentation runs as it stands, and prints what the page says."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from sectigo_iot import IoTManager
from sectigo_iot.emulator import Emulator
from tests.docs.console import matches
from tests.docs.pages import PAGES, Example, examples

WITH_EXAMPLES = [page for page in PAGES if examples(page)]


@pytest.fixture
def reader(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody with an empty folder and the variables of an emulator, who may choose how much is logged."""
    monkeypatch.chdir(tmp_path)
    for name, value in emulator.environ.items():
        monkeypatch.setenv(name, value)
    logger = logging.getLogger("sectigo_iot")
    level = logger.level
    yield
    logger.setLevel(level)


def printed(page: str, example: Example, names: dict[str, object]) -> str:
    """Run one block after those before it, and return what it prints."""
    out = io.StringIO()
    # Blank lines in front, so that a traceback names the page's own line.
    code = compile("\n" * example.line + example.code, page, "exec")
    with contextlib.redirect_stdout(out), pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger(), "handlers", [])
        exec(code, names)
    return out.getvalue()


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("page", WITH_EXAMPLES)
def test_the_examples_of_a_page_run(page: str) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for example in examples(page):
        seen = printed(page, example, names)
        assert not example.shown or matches(example.shown, seen), f"{page}:{example.line} prints:\n{seen}"


def test_there_is_an_example_of_every_method() -> None:
    shown = "".join(example.code for page in PAGES for example in examples(page))
    methods = [name for name in vars(IoTManager) if not name.startswith("_")]
    assert [name for name in methods if f".{name}" not in shown] == []
