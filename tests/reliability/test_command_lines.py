"""Whatever is typed: no traceback, an exit code of the table, and nothing is sent when the line is wrong."""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import sectigo_iot.emulator
from sectigo_cli.grammar import COMMANDS, chosen, command_parser, parse_command, parse_globals
from sectigo_cli.options import UsageError
from sectigo_iot.orders import OrderWorker
from tests.commands.signing_requests import request
from tests.conftest import Runner
from tests.packages import ROOT
from tests.reliability.answering import Answering, Said
from tests.reliability.figures import FULL, figure, share
from tests.reliability.lines import RIGHT, SECRET, WRONG, about, options_of, pairs, typed
from tests.reliability.typed import TYPED, rightly
from tests.unit.lying_server import PASSWORD, USERNAME, Seen

CODES = {0, 1, 2, 3, 4, 5, 8}
CHANGING = {TYPED[name].request for name in ("createSingleCertBatch", "upload", "revokeCertificate")}


class Desk:
    """Where lines are typed: a folder with a few files, a service that answers rightly, and what it was asked."""

    def __init__(self, run: Runner, folder: Path) -> None:
        self.asked: list[str] = []
        self.codes = Counter[int]()
        self.wrong = 0
        self._run = run
        self._folder = folder
        self.server = Answering(self._answer)

    def _answer(self, seen: Seen) -> Said:
        self.asked.append(f"{seen.method} {seen.path}")
        return rightly(seen)

    @property
    def environ(self) -> dict[str, str]:
        return {
            "SECTIGO_USERNAME": USERNAME,
            "SECTIGO_PASSWORD": PASSWORD,
            "SECTIGO_ENDPOINT": self.server.url,
            "SECTIGO_ENVIRONMENT": "testing",
            "SECTIGO_TIMEOUT": "2",
        }

    def type(self, words: Sequence[str]) -> None:
        """Type a line, and fail unless it ends as a line may."""
        self.asked.clear()
        before = outside(self._folder)
        done = self._run(*words, env=self.environ)
        shown = words if len(str(words)) < 500 else f"{str(words)[:500]}…"
        assert done.code in CODES, (shown, done)
        assert "Traceback" not in done.err, (shown, done.err)
        assert "unexpected:" not in done.err, (shown, done.err)
        assert not spilt(words) or SECRET not in done.err, (shown, done.err)
        assert outside(self._folder) == before, shown
        if is_wrong(words):
            assert (done.code, done.out, self.asked) == (2, "", []), (shown, done)
            self.wrong += 1
        elif done.code == 2:
            assert not CHANGING & set(self.asked), (shown, done)
        self.codes[done.code] += 1


def is_wrong(words: Sequence[str]) -> bool:
    """Whether a line is refused as it is read, before anything that it says is done."""
    options = argparse.Namespace()
    try:
        rest = parse_globals(words, options)
        if not options.version:
            parse_command(chosen(rest, options), rest[1:], options)
    except UsageError:
        return True
    except SystemExit:
        return False
    return False


def spilt(words: Sequence[str]) -> bool:
    """Whether the secret is where a secret belongs: behind the name of a password."""
    return any(
        SECRET in word and ("p" in word.partition("=")[0].lstrip("-")[:1] or before.lstrip("-") in ("p", "password"))
        for before, word in zip(("", *words), words, strict=False)
    )


def outside(folder: Path) -> list[str]:
    """Return what stands beside the folder, in the checkout and in the folder of temporary files."""
    return sorted(path.name for place in (folder.parent, ROOT) for path in place.iterdir())


def _run_until_idle(worker: OrderWorker, *, until_idle: bool = False) -> None:
    if until_idle:
        _RUN(worker, until_idle=True)


_RUN = OrderWorker.run


@pytest.fixture
def desk(sectigo: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk in a folder of its own, where no emulator is started: it would serve for ever."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (here / "one.csr").write_bytes(request("one.example.com"))
    (here / "words.txt").write_text("correct horse\n")
    (here / "variables.env").write_text("SECTIGO_PROFILE=EE\n")
    monkeypatch.setattr(sectigo_iot.emulator, "serve", lambda settings, **_: None)
    monkeypatch.setattr(OrderWorker, "run", _run_until_idle)
    typing = Desk(sectigo, here)
    with typing.server:
        yield typing


def test_lines_as_they_may_be_typed(desk: Desk) -> None:
    chance = random.Random(None if FULL else 5)
    for _ in range(share(2000, 200)):
        desk.type(typed(chance))
    assert desk.wrong > desk.codes.total() // 5, "too few of them are wrong"
    assert desk.codes[0] > desk.codes.total() // 20, "too few of them are right"
    codes = ", ".join(f"{code}: {count}" for code, count in sorted(desk.codes.items()))
    figure("command-lines", f"{desk.codes.total()} lines, {desk.wrong} of them wrong, by exit code {codes}")


def every(make: Callable[[str], list[list[str]]], part: int) -> list[list[str]]:
    """Return these lines of all commands; of as many only a part in `make test`."""
    lines = [line for command in COMMANDS for line in make(command)]
    return lines[:: share(1, part)]


def test_each_option_in_each_way_that_is_wrong(desk: Desk) -> None:
    lines = every(
        lambda name: [each for action in options_of(command_parser(name)) for each in about(name, action)], 23
    )
    for line in lines:
        desk.type(line)
    figure("command-lines", f"{len(lines)} lines with an option in a wrong way, {desk.wrong} of them wrong")


def test_what_excludes_each_other(desk: Desk) -> None:
    lines = every(pairs, 1)
    for line in lines:
        desk.type(line)
    assert desk.codes == Counter({2: len(lines)})
    figure("command-lines", f"{len(lines)} pairs of options that exclude each other, all refused")


@pytest.mark.parametrize("line", [("auth", "--", "--password", SECRET), ("auth", "--", "-p", SECRET, "x")])
def test_a_password_behind_the_end_of_the_options_is_not_shown(desk: Desk, line: tuple[str, ...]) -> None:
    desk.type(line)
    assert desk.codes == Counter({2: 1})


def test_what_nobody_can_mean_is_refused(desk: Desk) -> None:
    for number, line in enumerate(WRONG, 1):
        desk.type(line)
        assert (desk.codes, desk.asked) == (Counter({2: number}), []), line
    figure("command-lines", f"{desk.codes[2]} wrong lines, chosen by hand: all refused, nothing sent")


@pytest.mark.parametrize("line", RIGHT, ids=" ".join)
def test_what_is_meant_is_done(desk: Desk, line: tuple[str, ...]) -> None:
    desk.type(line)
    assert desk.codes == Counter({0: 1})
    assert desk.asked, "it was sent"
