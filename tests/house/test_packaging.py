"""What is built holds what it should."""

import configparser
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.packages import FOLDERS, PYTHONPATH

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
    extras = options["options.extras_require"]
    wanted = options["options"]["install_requires"] + extras["emulator"] + extras["orders"]
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
        "idna",
        "iso3166",
        "urllib3",
    }
    of_extras = {"msgspec", "pyjwt", "python-multipart", "starlette", "uvicorn", "alembic", "sqlalchemy"}
    assert names == imported | of_extras


def test_pyproject_says_how_to_build_and_no_more() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        said = tomllib.load(file)
    assert list(said) == ["build-system"]
    needed = {re.split(r"[<>=]", requirement)[0] for requirement in said["build-system"]["requires"]}
    assert needed == {"setuptools", "argparse-manpage"}
    # What makes the manual page makes it in the tests, too.
    assert set(said["build-system"]["requires"]) <= set(setup()["options.extras_require"]["test"].split("\n"))


def test_what_makes_the_manual_page_is_in_the_sdist() -> None:
    options = setup()
    files = re.findall(r":(?:pyfile|include)=([^:\n]+)", options["build_manpages"]["manpages"])
    classes = re.findall(r"= (cli[\w.]+)\.\w+$", options["options"]["cmdclass"], re.MULTILINE)
    manifest = (ROOT / "MANIFEST.in").read_text()
    assert (files, classes) == (["cli/manpage.py", "cli/manpage.roff"], ["cli.manpage"])
    assert f"include {' '.join(files)}\n" in manifest
    assert all((ROOT / file).is_file() for file in files)


def test_the_packages_under_test_are_those_that_are_meant(pytestconfig: pytest.Config) -> None:
    """Those of the checkout; under `pytest -o pythonpath=`, as `make dist` runs them, those that are installed."""
    installed = importlib.metadata.distribution("sectigo-iot")
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    if pytestconfig.getini("pythonpath") or origin.get("dir_info", {}).get("editable"):
        expected = [ROOT / "cli", ROOT]
    else:
        expected = [Path(str(installed.locate_file("")))] * 2
    assert list(map(Path, FOLDERS)) == expected
    code = "import sectigo_cli, sectigo_iot; print(sectigo_cli.__file__, sectigo_iot.__file__, sep='\\n')"
    environ = {**os.environ, "PYTHONPATH": PYTHONPATH}
    seen = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    assert [Path(line).parents[1] for line in seen.stdout.splitlines()] == expected


@pytest.mark.needs("make")
def test_help_lists_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    done = subprocess.run(
        ["make", "-C", ROOT, "--no-print-directory", "help"], capture_output=True, text=True, check=True
    )
    assert sorted(line.split()[0] for line in done.stdout.splitlines()) == sorted(targets)
    assert {"demo", "test", "docs", "dist", "install", "system-deps", "clean"} <= set(targets)


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
