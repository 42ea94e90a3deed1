"""What is built holds what it should."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def packages_in_the_tree() -> set[str]:
    roots = {ROOT / "sectigo_iot": ROOT, ROOT / "cli" / "sectigo_cli": ROOT / "cli"}
    return {
        ".".join(path.parent.relative_to(base).parts)
        for root, base in roots.items()
        for path in root.rglob("__init__.py")
    }


def test_every_package_is_listed() -> None:
    assert set(setup()["options"]["packages"].split()) == packages_in_the_tree()


def test_every_folder_with_modules_is_a_package() -> None:
    for root in ("sectigo_iot", "cli/sectigo_cli", "tests"):
        for path in (ROOT / root).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), path


def test_both_packages_say_that_they_are_typed() -> None:
    assert (ROOT / "sectigo_iot" / "py.typed").is_file()
    assert (ROOT / "cli" / "sectigo_cli" / "py.typed").is_file()


def test_the_version_is_one() -> None:
    import sectigo_iot

    assert setup()["metadata"]["version"] == sectigo_iot.__version__
    assert re.search(
        rf"^## {re.escape(sectigo_iot.__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )


def test_nothing_is_imported_that_is_not_installed() -> None:
    options = setup()
    wanted = options["options"]["install_requires"] + options["options.extras_require"]["emulator"]
    names = {re.split(r"[<>=\[;]", line)[0].strip().lower() for line in wanted.splitlines() if line.strip()}
    imported = {
        "cryptography",
        "filelock",
        "keyring",
        "platformdirs",
        "requests",
        "rich",
        "python-dotenv",
        "shtab",
        "urllib3",
    }
    assert names == imported | {"pyjwt", "python-multipart", "starlette", "uvicorn"}


@pytest.mark.needs("make", "git")
def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ImportError")
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for target in ("demo", "test"):
        done = subprocess.run(
            ["make", target],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert "On Debian: apt-get install python3-venv" in done.stderr
