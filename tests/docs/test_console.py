"""Every line that README and the documentation have their reader type is typed here, and shows what they show."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sectigo_iot.emulator import Emulator
from tests.docs.console import Session, matches, programs
from tests.docs.pages import PAGES, ROOT, Step, steps


def is_target(found: re.Match[str]) -> bool:
    return re.search(rf"^{found[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE) is not None


def is_extra(found: re.Match[str]) -> bool:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return found[1] is None or found[1] in setup["options.extras_require"]


def is_our_service(found: re.Match[str]) -> bool:
    from sectigo_iot.keychain import keyring_service

    return keyring_service("https://iot.sectigo.com") == found[1]


def always(_found: re.Match[str]) -> bool:
    return True


NOT_TYPED: dict[str, Callable[[re.Match[str]], bool]] = {
    r"make ([a-z-]+)": is_target,
    r"python3 -m venv ~/sectigo": always,
    r"~/sectigo/bin/pip install '?(?:\.|sectigo-iot)(?:\[(\w+)\])?'?": is_extra,
    r"keyring set (\S+) jane": is_our_service,
    r"git clone \S+ && cd sectigo-iot": always,
}
"""Lines that would change the machine or need the network, and what must be true of each."""


def not_typed(step: Step) -> re.Match[str] | None:
    """Return how a line is listed as one that is not typed."""
    command = step.command.partition("  #")[0].strip()
    return next((found for pattern in NOT_TYPED if (found := re.fullmatch(pattern, command))), None)


def typed(page: str) -> list[Step]:
    return [step for step in steps(page) if not_typed(step) is None]


WITH_LINES = [
    pytest.param(page, marks=pytest.mark.needs(*sorted(programs(typed(page))))) for page in PAGES if typed(page)
]


def environ(page: str, emulator: Emulator) -> dict[str, str]:
    """A page that does not begin by starting an emulator is read by somebody who has one, and its variables."""
    ours = [step.command for step in typed(page) if "sectigo" in step.command]
    control = {"SIAS_CONTROL_URL": str(emulator.control_url)}
    return {} if ours and "sectigo serve" in ours[0] else {**emulator.environ, **control}


@pytest.mark.parametrize("page", WITH_LINES)
def test_what_a_page_shows_is_what_happens(page: str, tmp_path: Path, emulator: Emulator) -> None:
    lines = typed(page)
    wrong = []
    for step, done in zip(lines, Session(tmp_path, environ(page, emulator)).run(lines), strict=True):
        fails = "error" in step.shown
        if (done.code != 0) != fails or (step.shown and not matches(step.shown, done.shown)):
            wrong.append(f"$ {step.command}\n{done.shown}(exit code {done.code})\n--- the page shows:\n{step.shown}")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("page", PAGES)
def test_a_line_that_is_not_typed_is_what_it_says(page: str) -> None:
    for step in steps(page):
        found = not_typed(step)
        if found is not None:
            assert NOT_TYPED[found.re.pattern](found), step.command
            assert not step.shown


def test_every_reason_not_to_type_a_line_is_used() -> None:
    used = {found.re.pattern for page in PAGES for step in steps(page) if (found := not_typed(step))}
    assert used == set(NOT_TYPED)


@pytest.mark.parametrize(
    ("shown", "left", "same"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\n…\nd", "a\nb\nc\nd\n", True),
        ("a … c", "a b c", True),
        ("a", "a\nb", False),
        ("serial 4142434445464748494A4B4C4D4E4F50", "serial 5142434445464748494A4B4C4D4E4F51", True),
        ("5 s left", "17 s left", True),
        ("5 issued", "17 issued", False),
    ],
)
def test_what_is_shown_is_compared(shown: str, left: str, same: bool) -> None:
    assert matches(shown, left) is same
