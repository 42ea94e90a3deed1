"""A real proxy, tinyproxy, on a free port of the loopback; its log tells what went through it."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.unit.lying_server import closed_port

CONFIG = """Port {port}
Listen 127.0.0.1
Timeout 20
LogFile "{log}"
LogLevel Connect
MaxClients 50
Allow 127.0.0.1
{more}
"""
REQUEST = re.compile(r"Request \(file descriptor \d+\): (\S+ \S+)")


class Tinyproxy:
    """One that runs."""

    def __init__(self, port: int, log: Path, process: subprocess.Popen[bytes]) -> None:
        self.host = f"127.0.0.1:{port}"
        self._port = port
        self._log = log
        self._process = process

    @property
    def requests(self) -> list[str]:
        """What it was asked, by method and target, in the words of its log."""
        return REQUEST.findall(self._log.read_text(encoding="utf-8", errors="replace"))

    def wait(self) -> bool:
        """Whether it listens, which takes it a moment."""
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                # It may be somebody else who listens: then this one ends.
                time.sleep(0.05)
                return self._process.poll() is None
            if self._process.poll() is not None:
                return False
            time.sleep(0.02)
        return False

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def _started(folder: Path, more: str) -> Tinyproxy:
    port = closed_port()
    config, log = folder / "tinyproxy.conf", folder / "tinyproxy.log"
    config.write_text(CONFIG.format(port=port, log=log, more=more))
    process = subprocess.Popen(
        ["tinyproxy", "-d", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return Tinyproxy(port, log, process)


@contextlib.contextmanager
def tinyproxy(folder: Path, more: str = "") -> Iterator[Tinyproxy]:
    """Run one, with these lines in its configuration too."""
    # Somebody else may be quicker at a port that was free.
    for _ in range(5):
        proxy = _started(folder, more)
        try:
            if proxy.wait():
                yield proxy
                return
        finally:
            proxy.kill()
    raise AssertionError("tinyproxy does not start")
