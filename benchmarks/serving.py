"""An emulator to measure against, as a process of its own."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

SECTIGO = str(Path(sys.executable).with_name("sectigo"))


def rounds_wanted(usual: int) -> int:
    """Return how many rounds the command line asks for."""
    parser = argparse.ArgumentParser(description="Prints what is measured beside what; see the top of the file.")
    parser.add_argument("rounds", nargs="?", type=int, default=usual, help=f"how often all is run (default {usual})")
    rounds: int = parser.parse_args().rounds
    if rounds < 1:
        parser.error("at least one round is needed")
    return rounds


@contextlib.contextmanager
def emulator() -> Iterator[dict[str, str]]:
    """Yield an environment that points at it, with a home of its own.

    A process of its own, because what a child's size is told to be is never less than its parent's.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SECTIGO_", "SIAS_"))}
    with tempfile.TemporaryDirectory() as home:
        clean |= {"HOME": home, "XDG_CACHE_HOME": f"{home}/.cache"}
        with _serving(clean) as variables:
            yield {**clean, **variables}


@contextlib.contextmanager
def _serving(environ: dict[str, str]) -> Iterator[dict[str, str]]:
    command = [SECTIGO, "serve", "--addr", "127.0.0.1:0", "--key-type", "p256", "--delay", "0"]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as serving:
        assert serving.stdout is not None
        try:
            lines = [serving.stdout.readline().strip().removeprefix("export ") for _ in range(4)]
            yield dict(line.split("=", 1) for line in lines)
        finally:
            serving.terminate()
