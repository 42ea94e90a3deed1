"""What the pages list is what there is: options, public names, loggers, extras, files."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from importlib import import_module

import pytest

from sectigo_cli.grammar import COMMANDS, command_parser, global_parser
from sectigo_iot.config import VARIABLES
from tests.docs.pages import ROOT, text_of

MODULES = ("sectigo_iot", "sectigo_iot.pki", "sectigo_iot.revocation", "sectigo_iot.emulator")


def test_the_tables_of_options_are_those_of_the_parser() -> None:
    command = [sys.executable, "-m", "cogapp", "--check", "-I", "docs", "docs/commands.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done}; `.venv/bin/cog -r -I docs docs/commands.md` writes them anew"


def test_every_command_has_its_section() -> None:
    assert re.findall(r"^## `([a-z]+)`$", text_of("docs/commands.md"), re.MULTILINE) == list(COMMANDS)
    tables = re.findall(r"^<!-- \[\[\[cog cog\.outl\(table\(\"(\w+)\"\)\)", text_of("docs/commands.md"), re.MULTILINE)
    assert tables == list(COMMANDS)


def test_readme_names_every_command() -> None:
    rows = re.findall(r"^\| (`[a-z`, ]+`) \|", text_of("README.md"), re.MULTILINE)
    assert sorted(re.findall(r"[a-z]+", " ".join(rows))) == sorted(COMMANDS)


def test_settings_have_their_options_and_variables() -> None:
    table = text_of("docs/settings.md").partition("\n| Option |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(--?[a-zA-Z-]+)", table)) == set(global_parser().by_flag) - {
        *("-h", "--help", "--verbose", "-v", "--version")
    }
    assert set(re.findall(r"\bSECTIGO_[A-Z_]+\b", table)) >= set(VARIABLES.values())


def test_serve_has_its_options() -> None:
    table, _, _ = text_of("docs/emulator.md").partition("| Option |")[2].partition("\n\n")
    own = set(command_parser("serve").by_flag) - set(global_parser().by_flag)
    assert set(re.findall(r"`(--?[a-z-]+)", table)) == own | {"-a"} & set(command_parser("serve").by_flag)


def test_the_reference_has_every_public_name_once() -> None:
    shown = re.findall(r"^\.\. auto\w+:: (\S+)$", text_of("docs/reference.md"), re.MULTILINE)
    assert sorted(shown) == sorted(f"{module}.{name}" for module in MODULES for name in import_module(module).__all__)


def test_the_loggers_are_those_of_the_code() -> None:
    table = text_of("docs/stability.md").partition("| Logger |")[2]
    used = {
        name
        for path in (ROOT / "sectigo_iot").rglob("*.py")
        for name in re.findall(r"getLogger\(\"(sectigo_iot[\w.]*)\"\)", path.read_text())
    }
    assert set(re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE)) == used | {"sectigo_iot"}


@pytest.mark.parametrize("extra", ["", "[emulator]"])
def test_the_extras_bring_what_they_say(extra: str) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    required = setup["options.extras_require"]["emulator"] if extra else setup["options"]["install_requires"]
    row = re.search(rf"^\| `sectigo-iot{re.escape(extra)}` \| (.*?) \|", text_of("docs/stability.md"), re.MULTILINE)
    assert row is not None
    assert sorted(re.findall(r"`([\w.-]+)`", row[1])) == sorted(re.findall(r"^([\w.-]+)", required, re.MULTILINE))


def test_every_extra_is_explained() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    explained = re.findall(r"^\| `sectigo-iot\[(\w+)\]` \|", text_of("docs/stability.md"), re.MULTILINE)
    assert sorted(explained) == sorted(setup["options.extras_require"])


def functions_of(path: str) -> set[str]:
    nodes = ast.walk(ast.parse((ROOT / path).read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def test_the_request_that_is_followed_goes_where_it_says() -> None:
    walk = text_of("docs/architecture.md").partition("## One request")[2].partition("\n## ")[0]
    followed = re.findall(r"^\d+\. `(\S+\.py)`: (.*?)(?=^\d+\. |\Z)", walk, re.MULTILINE | re.DOTALL)
    assert len(followed) > 10
    for path, text in followed:
        named = set(re.findall(r"`(\w+)\(\)`", text))
        elsewhere = {"main"} if path.endswith("output.py") else {"token"} if path.endswith("client.py") else set()
        assert named - elsewhere <= functions_of(path), path


def test_where_a_change_goes_is_a_place() -> None:
    table = text_of("CONTRIBUTING.md").partition("| You want to change |")[2].partition("\n\n")[0]
    for row in table.splitlines()[2:]:
        for cell in row.strip("|").split(" | ")[1:]:
            folder = ROOT
            for name in re.findall(r"`([\w./-]+\.\w+|[\w./-]+/)`", cell):
                place = ROOT / name if "/" in name or (ROOT / name).exists() else folder / name
                assert place.exists(), f"{row}: {name}"
                folder = place if place.is_dir() else place.parent


def test_every_module_of_the_library_has_its_line_in_the_architecture() -> None:
    rooms = text_of("docs/architecture.md").partition("## The rooms")[2].partition("## ")[0]
    for path in (*(ROOT / "sectigo_iot").iterdir(), *(ROOT / "cli" / "sectigo_cli").glob("*.py")):
        if path.suffix == ".py" and not path.name.startswith("__"):
            assert re.search(rf"\b{re.escape(path.name)}\b", rooms), path.name
