"""What --trace writes: the exchanges of a run, to be attached to a report."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.folders import check_writable
from sectigo_cli.options import UsageError

if TYPE_CHECKING:
    from sectigo_cli.context import Context
    from sectigo_iot import Exchange


class Trace:
    """The exchanges so far, for a new file that is written when the run is over, however it ends."""

    def __init__(self, context: Context, path: str) -> None:
        """Raise UsageError where no new file can stand at this path: before anything is sent."""
        self._context = context
        self._path = path
        self._exchanges: list[Exchange] = []
        _check(path)

    def observe(self, exchange: Exchange) -> None:
        """Keep one more."""
        self._exchanges.append(exchange)

    def write(self) -> None:
        """Write the file, 0600; where that fails, say so: it changes nothing about what was done."""
        from sectigo_iot import SectigoError, to_har, write_private

        number = len(self._exchanges)
        shown = self._path.replace("\n", "\\n")
        said = f"{number} exchange{'' if number == 1 else 's'} written to {shown}"
        try:
            write_private(self._path, f"{to_har(self._exchanges)}\n".encode())
        except (OSError, SectigoError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            said = f"the trace could not be written to {shown}: {reason}"
        with contextlib.suppress(OSError):
            self._context.note(said)


def _check(path: str) -> None:
    if path == "-":
        raise UsageError("the trace goes to a file: stdout is for what was asked for")
    if _stands(path):
        what = "is a folder" if Path(path).is_dir() else "exists already, and is left as it is"
        raise UsageError(f"{path} {what}", hint="name a new file with --trace")
    if path.endswith(("/", "/.")):
        raise UsageError(f"{path} names a folder", hint="name a new file with --trace")
    check_writable(Path(path).parent)


def _stands(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"the trace cannot be written to {path}: {error.strerror}") from None
    return True
