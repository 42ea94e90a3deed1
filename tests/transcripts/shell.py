"""A shell at which the manual's reader sits: real processes, a home of its own, `sectigo` on the PATH."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

from tests.packages import PYTHONPATH
from tests.terminals import run_at_terminal

EXPORTS = 4
"""How many variables point a shell at the account of the manual."""


class Typed(NamedTuple):
    """What one line left."""

    code: int
    out: str
    err: str


class Shell:
    """Types lines, one after the other, and remembers what each left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.seen: dict[str, list[Typed]] = {}
        self.environ = {
            "PATH": f"{_wrapper(folder)}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        } | {name: os.environ[name] for name in ("PYTHONPYCACHEPREFIX",) if name in os.environ}

    def type(self, line: str) -> Typed:
        """Run one line in bash, and return what it left; every line typed so far is remembered."""
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        typed = Typed(done.returncode, done.stdout, done.stderr)
        self.seen.setdefault(line, []).append(typed)
        return typed

    def type_at_terminal(self, line: str, answers: Mapping[str, str]) -> Typed:
        """Run one line as `type` does, at a terminal, answering its prompts."""
        code, shown = run_at_terminal(["bash", "-c", line], answers, env=self.environ, cwd=self.folder)
        typed = Typed(code, shown, "")
        self.seen.setdefault(line, []).append(typed)
        return typed

    def serve(self) -> subprocess.Popen[str]:
        """Start `sectigo serve` as the account of the manual, and take on the variables that it prints."""
        server = subprocess.Popen(
            ["sectigo", "serve", "-a", ":0", "--account", "manual"],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert server.stdout is not None
        self.environ |= _exports(server.stdout)
        return server


def _wrapper(folder: Path) -> Path:
    """Make a folder for the PATH with nothing in it but `sectigo`."""
    programs = folder / "bin"
    programs.mkdir()
    script = programs / "sectigo"
    command = f"PYTHONPATH={shlex.quote(PYTHONPATH)} exec {shlex.quote(sys.executable)} -m sectigo_cli"
    script.write_text(f'#!/bin/sh\n{command} "$@"\n')
    script.chmod(0o755)
    return programs


def _exports(lines: IO[str]) -> dict[str, str]:
    found = {}
    for _ in range(EXPORTS):
        words = shlex.split(lines.readline())
        assert words[:1] == ["export"], words
        name, _, value = words[1].partition("=")
        found[name] = value
    return found
