"""A folder to download to, in a tree in which nothing else may change."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """A folder to download to, in a tree in which nothing else may change."""

    tree: Path
    folder: Path
    before: dict[str, bytes | str]

    def outside(self) -> dict[str, bytes | str]:
        """Return all that stands in the tree, but for what is in the folder."""
        found: dict[str, bytes | str] = {}
        for path in sorted(self.tree.rglob("*")):
            if path.is_relative_to(self.folder):
                continue
            link = f"-> {path.readlink()}" if path.is_symlink() else "a folder"
            found[str(path)] = path.read_bytes() if path.is_file() and not path.is_symlink() else link
        return found

    def check(self, expected: bytes | None) -> None:
        """Fail unless exactly this file is in the folder, and everything outside is as it was."""
        found = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        assert found == ({} if expected is None else {"24.zip": expected})
        assert self.outside() == self.before
