"""What a killed run has left in a target folder, removed by the next one."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from sectigo_iot.errors import TargetExistsError
from sectigo_iot.files import UNFINISHED
from sectigo_iot.pki.installing.holding import Held
from sectigo_iot.pki.installing.layout import Layout, version_in

LINKS = ".links"
"""In a staging folder, the links that are not switched to yet."""
BACK = ".back"
"""In a staging folder, the links to what was in force before."""
REMOVED = ".removed"
"""In a staging folder, the versions that go with it."""

_STAGING = re.compile(rf"\.[0-9a-f]{{12}}{re.escape(UNFINISHED)}")


def sweep(layout: Layout, versions: Held, *, but: str) -> None:
    """Remove the staging folders in `.versions`, all but one, and the versions that their runs did not come to use.

    Raises OSError where `.versions` cannot be read.
    """
    with os.scandir(versions.descriptor) as entries:
        found = [entry.name for entry in entries if _STAGING.fullmatch(entry.name) and entry.name != but]
    for name in found:
        path = layout.versions / name
        if not stat.S_ISDIR(os.stat(name, dir_fd=versions.descriptor, follow_symlinks=False).st_mode):
            continue
        with contextlib.suppress(OSError):
            _withdraw(layout, versions, path)
        shutil.rmtree(path, ignore_errors=True)


def _withdraw(layout: Layout, versions: Held, left: Path) -> None:
    """Take versions that no link leads to, and none ever did, out of sight, to go with a staging folder."""
    for name, version in _unused(left / LINKS):
        with contextlib.suppress(OSError, TargetExistsError):
            if layout.current(name) != version:
                _take(versions, name, version, left.name)


def _unused(links: Path) -> Iterator[tuple[str, str]]:
    """Yield the names and versions to which a run had made links and not put them in place."""
    for link in links.iterdir():
        with contextlib.suppress(OSError):
            version = version_in(link.name, str(link.readlink()))
            if version is not None:
                yield link.name, version


def _take(versions: Held, name: str, version: str, left: str) -> None:
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(versions.folder(name))
        removed = stack.enter_context(stack.enter_context(versions.folder(left)).folder(REMOVED))
        home.move(version, removed, f"{name}.{version}")
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=versions.descriptor)
