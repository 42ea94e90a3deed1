"""Where the processes of these tests find their packages."""

from __future__ import annotations

import os

from tests.packages import PYTHONPATH, ROOT


def environment() -> dict[str, str]:
    """Return the variables of a process that imports `tests` and the packages that are under test."""
    path = os.pathsep.join((PYTHONPATH, str(ROOT)))
    return {**os.environ, "PYTHONPATH": path, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
