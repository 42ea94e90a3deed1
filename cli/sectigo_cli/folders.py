"""The folder to write to: fit to be written to before anything is asked for, and not left behind empty."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.options import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sectigo_cli.context import Context


@contextlib.contextmanager
def folder_for(context: Context, path: str | None, *, make: bool = True) -> Iterator[Path | None]:
    """Yield the folder, made if only its last component is missing, and removed if it is still empty on failure.

    Raises UsageError where it cannot be written to.
    """
    if path is None:
        yield None
        return
    folder = Path(path)
    made = _prepare(folder, make=make)
    try:
        if made:
            context.note(f"made the folder {folder}")
        yield folder
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _prepare(folder: Path, *, make: bool) -> bool:
    try:
        missing = not folder.exists() and folder.parent.is_dir()
        if missing and make:
            # Another download into the same new folder may be as far as this one.
            folder.mkdir(mode=0o700, exist_ok=True)
        elif not missing and not folder.is_dir():
            what = "is no folder" if folder.exists() else f"is missing, and so is {folder.parent}"
            raise UsageError(f"{folder} {what}")
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None
    check_writable(folder.parent if missing and not make else folder)
    return missing and make


def check_writable(folder: Path) -> None:
    """Raise UsageError where no file can be made in this folder, by making one that never has a name."""
    import tempfile

    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to: {error.strerror}") from None
