from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sectigo_iot.pki as package


@pytest.mark.parametrize("module", ["sectigo_iot.pki", "sectigo_iot.pki.bundle", "sectigo_iot.pki.serial"])
def test_cryptography_is_not_loaded(module: str) -> None:
    program = f"import sys, {module}; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_public_name_is_there_and_explained() -> None:
    for name in package.__all__:
        assert getattr(package, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(package, "nothing")  # noqa: B009


def test_only_the_errors_are_known_from_outside() -> None:
    for path in Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sectigo_iot"):
                assert f"{node.module}.".startswith(("sectigo_iot.errors.", "sectigo_iot.pki."))
