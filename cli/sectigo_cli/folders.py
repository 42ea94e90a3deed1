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
    made = _is_missing(folder) and make
    told = False
    try:
        # Within, because a signal may come as soon as the folder is there.
        if made:
            _make(folder)
        check_writable(folder if folder.is_dir() else folder.parent)
        if made:
            context.note(f"made the folder {folder}")
            told = True
        yield folder
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
                if told:
                    context.note(f"removed the folder {folder} again")
        raise


def _is_missing(folder: Path) -> bool:
    """Whether the folder alone is missing. Raises UsageError where it is no folder, or more is missing."""
    try:
        missing = not folder.exists() and folder.parent.is_dir()
        if not missing and not folder.is_dir():
            what = "is no folder" if folder.exists() else f"is missing, and so is {folder.parent}"
            raise UsageError(f"{folder} {what}")
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None
    return missing


def _make(folder: Path) -> None:
    from sectigo_iot import private_folder

    try:
        # Another download into the same new folder may be as far as this one.
        private_folder(folder)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None


def check_writable(folder: Path) -> None:
    """Raise UsageError where no file can be made in this folder, by making one that never has a name."""
    import tempfile

    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to: {error.strerror}") from None
