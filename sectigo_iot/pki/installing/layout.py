"""Where installed certificates stand: whole versions in a folder of their own, and a link to the one in force.

::

    DIR/example.com -> .versions/example.com/20261126T091105Z-0001
    DIR/.versions/example.com/20261126T091105Z-0001/{cert,chain,fullchain,privkey,full}.pem
    DIR/.versions/example.com/20260827T091102Z-0001/…

The files of a version never change, and what is unfinished stands in one folder of its own in `.versions`. So each
switch is one rename of a link, and what a killed run left is told from what is whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sectigo_iot.errors import InvalidInputError, TargetExistsError

VERSIONS = ".versions"
_VERSION = re.compile(r"([0-9]{8}T[0-9]{6}Z)-([0-9]{4,9})")
_STAMP = "%Y%m%dT%H%M%SZ"
_LONGEST = 200
"""Bytes of a name: a file system takes 255."""


def installed_name(name: str) -> str:
    """Return the name by which a certificate is installed: `*.example.com` as `_.example.com`, others as they are.

    Raises InvalidInputError for what is no name of a file in the target folder: empty, over 200 bytes, with a slash,
    a backslash or control characters, with a dot or a hyphen in front, or with blanks around it.
    """
    stored = "_" + name[1:] if name.startswith("*.") else name
    fault = _fault(stored)
    if fault:
        raise InvalidInputError(f"no certificate can be installed as {name!r}: the name {fault}")
    return stored


def checked_file_name(name: str) -> str:
    """Return the name of a file of a certificate. Raises InvalidInputError as `installed_name` does."""
    fault = _fault(name)
    if fault:
        raise InvalidInputError(f"no file can be called {name!r}: the name {fault}")
    return name


def _fault(name: str) -> str:
    if not name:
        return "is empty"
    if name.startswith((".", "-")):
        return "begins with a dot or a hyphen"
    if name != name.strip():
        return "begins or ends with a blank"
    if "/" in name or "\\" in name or not name.isprintable():
        return "holds a slash, a backslash or a character that cannot be printed"
    return f"is longer than {_LONGEST} bytes" if len(name.encode()) > _LONGEST else ""


@dataclass(frozen=True, slots=True)
class Layout:
    """The places under one target folder. Names are those that `installed_name` returns."""

    root: Path

    @property
    def versions(self) -> Path:
        """The folder of all versions, and of what is unfinished."""
        return self.root / VERSIONS

    def link(self, name: str) -> Path:
        """The link by which the certificate is known."""
        return self.root / name

    def home(self, name: str) -> Path:
        """The folder of the versions of one certificate."""
        return self.versions / name

    def target(self, name: str, version: str) -> str:
        """What the link holds while this version is in force."""
        return f"{VERSIONS}/{name}/{version}"

    def current(self, name: str) -> str | None:
        """Return the version that is in force, None where nothing stands there.

        Raises TargetExistsError where something stands there that was not installed, OSError otherwise.
        """
        link = self.link(name)
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            return None
        except OSError:
            # EINVAL, as a rule: it is no link.
            if not os.path.lexists(link):
                raise
            raise _in_the_way(link, "is a folder" if link.is_dir() else "is a file") from None
        version = version_in(name, target)
        if version is None:
            raise _in_the_way(link, f"is a link to {target!r}")
        return version

    def known(self, name: str) -> list[str]:
        """Return the versions of a certificate that are there, the oldest first. Raises OSError."""
        try:
            names = [each.name for each in self.home(name).iterdir()]
        except FileNotFoundError:
            return []
        return sorted(filter(_VERSION.fullmatch, names), key=_age)


def version_in(name: str, target: str) -> str | None:
    """Return the version to which a link of this certificate leads, None where it leads elsewhere."""
    *home, version = target.split("/")
    return version if home == [VERSIONS, name] and _VERSION.fullmatch(version) else None


def next_version(known: Sequence[str], at: datetime) -> str:
    """Return a version for the time `at` (aware, UTC) that sorts after all that are known, whatever the clock."""
    stamp, number = at.strftime(_STAMP), 0
    if known:
        stamp, number = max((stamp, 0), _age(known[-1]))
    return f"{stamp}-{number + 1:04d}"


def _age(version: str) -> tuple[str, int]:
    stamp, _, number = version.partition("-")
    return stamp, int(number)


def _in_the_way(link: Path, what: str) -> TargetExistsError:
    return TargetExistsError(
        f"{link} {what} that was not installed here, and is left as it is",
        path=str(link),
        hint="move it away, or install into another folder",
    )
