"""What the pages list is what there is: options, public names, loggers, extras, files."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
import subprocess
import sys
from importlib import import_module

import pytest

from sectigo_cli.grammar import COMMANDS, command_parser, global_parser
from sectigo_iot.config import VARIABLES
from tests.docs.pages import PAGES, ROOT, check_listed, text_of

MODULES = ("sectigo_iot", "sectigo_iot.pki", "sectigo_iot.orders", "sectigo_iot.revocation", "sectigo_iot.emulator")


@pytest.mark.parametrize("page", [page for page in PAGES if "[[[cog" in text_of(page)])
def test_the_tables_are_those_of_the_code(page: str) -> None:
    command = [sys.executable, "-m", "cogapp", "--check", "-I", "docs", page]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done}; `.venv/bin/cog -r -I docs {page}` writes them anew"


def test_every_command_has_its_section() -> None:
    page, text = "docs/commands.md", text_of("docs/commands.md")
    sections = re.findall(r"^## `([a-z]+)`$", text, re.MULTILINE)
    check_listed(page, sections, COMMANDS, what="a section (## `NAME`, with its table of options)")
    tables = re.findall(r"^<!-- \[\[\[cog cog\.outl\(table\(\"(\w+)\"\)\)", text, re.MULTILINE)
    check_listed(page, tables, COMMANDS, what="a table of options, which cog writes")
    assert sections == tables == list(COMMANDS), f"{page}: the commands stand there in the order of grammar.COMMANDS"


def test_readme_names_every_command() -> None:
    rows = re.findall(r"^\| (`[a-z`, ]+`) \|", text_of("README.md"), re.MULTILINE)
    named = re.findall(r"[a-z]+", " ".join(rows))
    check_listed("README.md", named, COMMANDS, what="a place in the table of commands")


def test_settings_have_their_options_and_variables() -> None:
    page = "docs/settings.md"
    table = text_of(page).partition("\n| Option |")[2].partition("\n\n")[0]
    settings = set(global_parser().by_flag) - {"-h", "--help", "--verbose", "-v", "--version"}
    check_listed(page, re.findall(r"`(--?[a-zA-Z-]+)", table), settings, what="a row of the first table")
    named = set(re.findall(r"\bSECTIGO_[A-Z_]+\b", table)) - {"SECTIGO_"}
    check_listed(page, named, VARIABLES.values(), what="a row of the first table")


def test_serve_has_its_options() -> None:
    table, _, _ = text_of("docs/emulator.md").partition("| Option |")[2].partition("\n\n")
    own = set(command_parser("serve").by_flag) - set(global_parser().by_flag)
    check_listed(
        "docs/emulator.md", re.findall(r"`(--?[a-z0-9-]+)", table), own, what="a row of the table of options"
    )


def test_the_reference_has_every_public_name_once() -> None:
    shown = re.findall(r"^\.\. auto\w+:: (\S+)$", text_of("docs/reference.md"), re.MULTILINE)
    public = [f"{module}.{name}" for module in MODULES for name in import_module(module).__all__]
    check_listed("docs/reference.md", shown, public, what="a line (.. autofunction:: or .. autoclass::)")


def test_the_loggers_are_those_of_the_code() -> None:
    table = text_of("docs/stability.md").partition("| Logger |")[2]
    used = {
        name
        for path in (ROOT / "sectigo_iot").rglob("*.py")
        for name in re.findall(r"getLogger\(\"(sectigo_iot[\w.]*)\"\)", path.read_text())
    }
    named = re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE)
    check_listed("docs/stability.md", named, used | {"sectigo_iot"}, what="a row of the table of loggers")


@pytest.mark.parametrize("extra", ["", "[emulator]"])
def test_the_extras_bring_what_they_say(extra: str) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    required = setup["options.extras_require"]["emulator"] if extra else setup["options"]["install_requires"]
    row = re.search(rf"^\| `sectigo-iot{re.escape(extra)}` \| (.*?) \|", text_of("docs/stability.md"), re.MULTILINE)
    assert row is not None, f"docs/stability.md: there is no row for sectigo-iot{extra}"
    brought = re.findall(r"^([\w.-]+)", required, re.MULTILINE)
    check_listed("docs/stability.md", re.findall(r"`([\w.-]+)`", row[1]), brought, what=f"a word in the row {row[0]}")


def test_every_extra_is_explained() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    explained = re.findall(r"^\| `sectigo-iot\[(\w+)\]` \|", text_of("docs/stability.md"), re.MULTILINE)
    check_listed("docs/stability.md", explained, setup["options.extras_require"], what="a row of the table of extras")


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
        gone = named - elsewhere - functions_of(path)
        assert not gone, f"docs/architecture.md: {path} has no {', '.join(gone)} any more; follow the request anew"


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
            said = re.search(rf"\b{re.escape(path.name)}\b", rooms)
            assert said, f"docs/architecture.md: say in one line under 'The rooms' what {path.name} is for"


def test_the_example_of_one_test_selects_one() -> None:
    (example,) = re.findall(r"^One test: `\.venv/bin/python -m (pytest [^`]+)`", text_of("CONTRIBUTING.md"), re.M)
    command = [sys.executable, "-m", *shlex.split(example), "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"CONTRIBUTING.md: `{example}` selects no test\n{done.stdout}"
