"""Records `tests/cassettes/emulator` anew: `python -m tests.replay.record` in the root of the checkout.

It is run by hand, after the emulator's wire has changed on purpose; a test fails until then. Each scenario gets an
emulator of its own, on a free port, whose clock goes on by a minute after each line; passwords are made up each
time, and whatever is random is numbered, so that a recording in which nothing changed is the same to the last byte.
Read the difference before you commit it: this proves only that client and emulator agree with each other.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import vcr  # type: ignore[import-untyped]

from sectigo_cli.main import main
from sectigo_iot.emulator import Emulator
from tests.replay.cassettes import FOLDER, age_tokens
from tests.replay.scenarios import SCENARIOS, Scenario, Words, filled
from tests.replay.scrubbing import ENDPOINT, Scrubber

CLOCK = 1607618132.805
"""The moment of the order that TRISA's manual shows."""
MINUTE = 60
"""Seconds that pass after each line."""
REQUEST = Path(__file__).parent / "example.com.csr"


def record(name: str, folder: Path = FOLDER / "emulator") -> Path:
    """Record one scenario, in place of what was recorded of it before. Raises RuntimeError if it went wrong."""
    scenario = SCENARIOS[name]
    path = folder / f"{name}.yaml"
    path.unlink(missing_ok=True)
    secret, password = secrets.token_hex(16), secrets.token_hex(16)
    scrubber = Scrubber()
    recorder = vcr.VCR(
        record_mode="once", before_record_request=scrubber.request, before_record_response=scrubber.response
    )
    clock = _Clock()
    options = {"issuer": ENDPOINT, "clock": clock, "password": secret, **scenario.options}
    with Emulator(**options) as emulator, tempfile.TemporaryDirectory() as home:
        typist = _Typist(emulator.environ, Path(home), password, clock)
        typist.prepare(scenario.before)
        environ = {"SECTIGO_PASSWORD": password} if scenario.wrong_password else {}
        with recorder.use_cassette(str(path)), mock.patch.dict(typist.environ, environ):
            typist.record(name, scenario)
    text = path.read_text()
    if any(hidden in text for hidden in (secret, password)):
        raise RuntimeError(f"{name}: a password was recorded")
    return path


class _Clock:
    """The emulator's clock: it stands still while a command runs."""

    def __init__(self) -> None:
        self.now = CLOCK

    def __call__(self) -> float:
        return self.now


class _Typist:
    """Runs commands as a user with a home of its own; what was recorded starts without a session."""

    def __init__(self, environ: dict[str, str], home: Path, password: str, clock: _Clock) -> None:
        self.environ = environ
        self._clock = clock
        self._home = home
        self._values = {"password": password, "request": str(REQUEST), "folder": str(home), "serial": ""}

    def prepare(self, lines: tuple[Words, ...]) -> None:
        for words in lines:
            self._run("before", words, 0)
        if lines:
            found = json.loads(self._run("before", ("find", "-n", "example.com"), 0))
            self._values["serial"] = found["items"][0]["serialNumber"]

    def record(self, name: str, scenario: Scenario) -> None:
        for words, code in zip(scenario.typed, scenario.codes, strict=True):
            self._run(f"recorded-{name}", words, code)
            self._a_minute_later(f"recorded-{name}")

    def _a_minute_later(self, home: str) -> None:
        """Let the time pass that the tokens have, for the emulator and for who keeps them."""
        self._clock.now += MINUTE
        with mock.patch.dict(os.environ, self._at_home(home)):
            age_tokens(self.environ["SECTIGO_ENDPOINT"], self.environ["SECTIGO_USERNAME"], MINUTE)

    def _at_home(self, home: str) -> dict[str, str]:
        folder = str(self._home / home)
        return {**self.environ, "HOME": folder, "XDG_CACHE_HOME": folder, "XDG_CONFIG_HOME": folder}

    def _run(self, home: str, words: Words, code: int) -> str:
        with mock.patch.dict(os.environ, self._at_home(home)), _streams() as (out, err):
            got = main(list(filled(words, **self._values)))
        if got != code:
            raise RuntimeError(f"{words[0]} ended with {got} instead of {code}: {err.getvalue()}")
        return out.getvalue()


@contextlib.contextmanager
def _streams() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "stdin", io.StringIO()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        yield out, err


if __name__ == "__main__":
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    for each in SCENARIOS:
        print(record(each).relative_to(FOLDER))
