"""Whether a user can read a file: by reading it as that user, where that is allowed."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sectigo_iot.pki.installing.acl import ENTER, READ
from sectigo_iot.pki.installing.grants import User, known_user

_DEADLINE = 30.0
_MOST_LINKS = 40
"""As Linux has it: path_resolution(7)."""


@dataclass(frozen=True, slots=True)
class ReadProof:
    """Whether a user can read a file: `readable`.

    `proven` where that was tried, and not only worked out from modes and ACLs. `reason` says what is in the way, or
    why nothing could be tried; it is empty where the file was read.
    """

    user: str
    path: Path
    readable: bool
    proven: bool
    reason: str


def proven_readable(user: str | int, path: str | os.PathLike[str]) -> ReadProof:
    """Read a file as another user, with that user's groups, and return whether it went.

    Only root can do that, and every user for themselves. Else the modes and ACLs of the file and of each folder on
    the way are worked out, which does not see what SELinux, AppArmor or a server far away may add; `proven` is false
    then. Raises InvalidInputError for an unknown user.
    """
    known = known_user(user)
    absolute = Path(path).absolute()
    obstacle = _obstacle(known, absolute)
    went = _attempt(known, absolute)
    if went is None:
        unproven = "not proven: only root can read as another user"
        return ReadProof(known.name, absolute, not obstacle, proven=False, reason=obstacle or unproven)
    reason = "" if went else obstacle or f"{known.name} may not read it, although its mode and ACL allow it"
    return ReadProof(known.name, absolute, went, proven=True, reason=reason)


def _attempt(user: User, path: Path) -> bool | None:
    """Return whether the file could be read, None where we cannot become that user."""
    if user.number == os.geteuid():
        return _read(path)
    program = shutil.which("cat", path=os.defpath)
    if os.geteuid() != 0 or program is None:
        return None
    try:
        # A program that everybody may run: this interpreter may stand where that user may not look.
        done = subprocess.run(
            [program, "--", str(path)],
            user=user.number,
            group=user.group,
            extra_groups=sorted(user.groups),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            timeout=_DEADLINE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        # A root without the capabilities, as in some containers.
        return None
    return done.returncode == 0


def _read(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError:
        return False
    return True


def _obstacle(user: User, path: Path) -> str:
    """Return what keeps the user from reading, as far as modes and ACLs tell: the first thing on the way."""
    try:
        for place in _way(path):
            is_folder = stat.S_ISDIR(place.stat().st_mode)
            if not user.may(place, ENTER if is_folder else READ):
                return f"{user.name} may not {'enter' if is_folder else 'read'} {place}"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return ""


def _way(path: Path) -> Iterator[Path]:
    """Yield each folder that is passed on the way to a file, links followed as the kernel does, and the file."""
    place, left, links = Path("/"), list(reversed(path.parts[1:])), 0
    while left:
        yield place
        part = left.pop()
        step = place.parent if part == ".." else place / part
        if step.is_symlink() and links < _MOST_LINKS:
            links += 1
            target = step.readlink()
            place = Path("/") if target.is_absolute() else place
            left.extend(reversed(target.parts[1:] if target.is_absolute() else target.parts))
        else:
            place = step
    yield place
