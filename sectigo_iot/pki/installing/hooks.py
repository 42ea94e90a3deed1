"""What is run when certificates have been installed, such as the reload of a server."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from sectigo_iot.pki.installing.switching import Installed

TIMEOUT = 300.0
"""Seconds that a hook has."""
_GRACE = 5.0
"""Seconds between asking what hangs to end, and ending it."""
_TAIL = 4096
_OURS = ("SECTIGO_", "SIAS_")
_PREFIX = "SECTIGO_INSTALLED_"
_LONGEST = 64 * 1024
"""Bytes of a variable: Linux takes 128 KiB, execve(2), and all of them together have a limit too."""
_STEMS = {"CERT": "cert", "CHAIN": "chain", "FULLCHAIN": "fullchain", "KEY": "privkey", "FULL": "full"}


@dataclass(frozen=True, slots=True)
class HookOutcome:
    """How a hook ended: its exit code (negative: the signal it died of), and the last 4 KiB of what it wrote.

    `output` is empty where the output went elsewhere; `timed_out` where it was ended because it took too long.
    """

    code: int
    output: str
    timed_out: bool

    @property
    def succeeded(self) -> bool:
        """Whether it ended in time with exit code 0."""
        return self.code == 0 and not self.timed_out


def run_deploy_hook(
    command: str, installed: Sequence[Installed], *, timeout: float = TIMEOUT, output: int | IO[bytes] | None = None
) -> HookOutcome:
    """Run a command by `/bin/sh -c`, once for all the certificates, and return how it ended; it undoes nothing.

    Its environment is ours without the variables that begin with `SECTIGO_` or `SIAS_`, which may hold passwords,
    and with `SECTIGO_INSTALLED_COUNT`, `…_NAME`, `…_PATH` (the link), `…_FOLDER` (the version's folder, without
    links), and the files in that folder, `…_CERT`, `…_CHAIN`, `…_FULLCHAIN`, `…_KEY`, `…_FULL` and `…_PKCS12`: a line
    for each certificate, empty where it has no such file. Where one of them would be longer than 64 KiB, or where
    there are several and a path has a line end in it, there is the count alone. On standard input comes a JSON
    document a line for each certificate with `name`, `path`, `folder` and `files`, however many there are.

    What it writes goes to `output`, a descriptor or a file with one, or is kept in the outcome. After `timeout`
    seconds, or when an exception such as KeyboardInterrupt strikes, it is ended with all that it started in its
    process group. Raises OSError where there is no shell.
    """
    with contextlib.ExitStack() as opened:
        kept = opened.enter_context(tempfile.TemporaryFile()) if output is None else None
        told = opened.enter_context(tempfile.TemporaryFile())
        told.writelines(_documents(installed))
        told.seek(0)
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            env={**_environment(os.environ), **_variables(installed)},
            stdin=told,
            stdout=kept if kept is not None else output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        code, timed_out = _ended(process, timeout)
        return HookOutcome(code, "" if kept is None else _tail(kept), timed_out)


def _ended(process: subprocess.Popen[bytes], timeout: float) -> tuple[int, bool]:
    with process:
        try:
            return process.wait(timeout), False
        except subprocess.TimeoutExpired:
            _end(process)
            return process.wait(), True
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process with its group: it leads one, and so its number is the group's."""
    with contextlib.suppress(ProcessLookupError):
        try:
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        finally:
            # What ignores the request, too, or is left of the group.
            os.killpg(process.pid, signal.SIGKILL)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith(_OURS)}


def _variables(installed: Sequence[Installed]) -> dict[str, str]:
    columns = {
        "NAME": [one.name for one in installed],
        "PATH": [str(one.path) for one in installed],
        "FOLDER": [str(one.folder) for one in installed],
        **{variable: [_file(one, stem) for one in installed] for variable, stem in _STEMS.items()},
        "PKCS12": [_pkcs12(one) for one in installed],
    }
    lists = {f"{_PREFIX}{name}": "\n".join(values) for name, values in columns.items()}
    if max(len(os.fsencode(value)) for value in lists.values()) > _LONGEST or _are_ambiguous(columns):
        lists = {}
    return {f"{_PREFIX}COUNT": str(len(installed)), **lists}


def _are_ambiguous(columns: Mapping[str, Sequence[str]]) -> bool:
    """Whether a path has a line end in it, so that a list of lines would not be what it seems."""
    return any(len(values) > 1 and any("\n" in value for value in values) for values in columns.values())


def _file(one: Installed, stem: str) -> str:
    return next((str(path) for name, path in one.files.items() if name in (f"{stem}.pem", f"{stem}.der")), "")


def _pkcs12(one: Installed) -> str:
    return next((str(path) for name, path in one.files.items() if name.endswith(".p12")), "")


def _documents(installed: Sequence[Installed]) -> Iterator[bytes]:
    for one in installed:
        files = {name: str(path) for name, path in one.files.items()}
        document = {"name": one.name, "path": str(one.path), "folder": str(one.folder), "files": files}
        yield json.dumps(document).encode() + b"\n"


def _tail(kept: IO[bytes]) -> str:
    end = kept.seek(0, os.SEEK_END)
    kept.seek(max(0, end - _TAIL))
    return kept.read(_TAIL).decode(errors="replace")
