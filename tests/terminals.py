"""A real terminal, with somebody at it who answers prompts."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path


def run_at_terminal(
    command: Sequence[str], answers: Mapping[str, str], *, env: Mapping[str, str], cwd: Path | None = None
) -> tuple[int, str]:
    """Run a command at a terminal of its own, answer each prompt; return the exit code and what showed."""
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(side)
    try:
        seen = _answer(terminal, answers)
        return process.wait(10), seen
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def _answer(terminal: int, answers: Mapping[str, str]) -> str:
    seen, left = "", dict(answers)
    while select.select([terminal], [], [], 10)[0]:
        try:
            seen += os.read(terminal, 4096).decode()
        except OSError:
            return seen
        for prompt in [prompt for prompt in left if seen.endswith(prompt)]:
            os.write(terminal, f"{left.pop(prompt)}\n".encode())
    return seen
