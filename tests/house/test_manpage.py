"""The manual page, made by the command that a build runs, holds every command and every flag."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from sectigo_cli.grammar import COMMANDS, full_parser
from sectigo_iot import __version__

ROOT = Path(__file__).parents[2]
INDENTS = {".SH": 0, ".SS": 3}
ENTRY = re.compile(r"^ {7}((?:-[\w-]+(?: [^\s,]+)?, )*-[\w-]+)", re.MULTILINE)
BY_MAN = pytest.param("man", marks=pytest.mark.needs("man"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("man") / "sectigo.1"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(sys, "path", sys.path[:])
        patch.setenv("BUILD_MANPAGES_RUNNING", "")
        distribution = import_module("setuptools").Distribution()
        distribution.parse_config_files(["setup.cfg"])
        command = distribution.get_command_obj("build_manpages")
        command.manpages = command.manpages.replace("build/man/sectigo.1", str(target))
        command.ensure_finalized()
        command.run()
    return target


def man(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    words = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", *options, str(page)]
    return subprocess.run(words, env=environ, capture_output=True, text=True, check=True)


def without_roff(source: str) -> str:
    """Lay a page out as `man` does, as far as the margins tell what is a heading, what an entry, what its text."""
    for escape, plain in ((r"\-", "-"), (r"\(ti", "~"), (r"\(ha", "^"), (r"\(ga", "`")):
        source = source.replace(escape, plain)
    lines, before = [], ""
    for line in re.sub(r"\\f[BIR]|\\[,/]", "", source).splitlines():
        macro, _, rest = line.partition(" ") if line.startswith(".") else ("", "", line)
        lines.append(" " * INDENTS.get(macro, 7 if before == ".TP" else 14) + rest.replace('"', ""))
        before = macro
    return "\n".join(lines)


@pytest.fixture(scope="module", params=["source", BY_MAN])
def sections(request: pytest.FixtureRequest, page: Path) -> dict[str, str]:
    """What the page says, by heading: as its source has it, and as a reader sees it."""
    by_man = request.param == "man"
    text = man(page, "--nh", "--nj").stdout if by_man else without_roff(page.read_text())
    text = re.sub(r".\x08|\x1b\[[\d;]*m", "", text)
    parts = re.split(r"^(?: {3})?(\w.*)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def flags(parser: argparse.ArgumentParser) -> list[str]:
    return sorted(flag for action in parser._actions for flag in action.option_strings)


def entries(text: str) -> list[str]:
    """The flags that are explained in a section, in an entry of theirs; not those that its text mentions."""
    return sorted(flag for entry in ENTRY.findall(text) for flag in re.findall(r"(?:^|, )(-[\w-]+)", entry))


def words(text: str) -> str:
    """The words alone, however their lines are broken, and without the quotes that roff sets in its own way."""
    return " ".join(re.sub(r"['\"`\u2018\u2019]", "", text).split())


def commands(*, repeat: bool) -> Iterator[tuple[str, list[str], argparse.ArgumentParser]]:
    """Each command with its aliases and its parser."""
    parsers = next(
        action.choices
        for action in full_parser(repeat=repeat)._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    for name in COMMANDS:
        yield (
            name,
            [other for other, same in parsers.items() if same is parsers[name] and other != name],
            parsers[name],
        )


def heading(name: str, aliases: list[str]) -> str:
    return f"sectigo {name} ({', '.join(aliases)})" if aliases else f"sectigo {name}"


def test_every_command_has_a_section(sections: dict[str, str]) -> None:
    shown = [title for title in sections if title.startswith("sectigo ") and not title.startswith("sectigo-iot")]
    assert shown == [heading(name, aliases) for name, aliases, _ in commands(repeat=False)]


def test_every_flag_has_an_entry(sections: dict[str, str]) -> None:
    before = sorted(entries(sections["OPTIONS"]) + entries(sections["GLOBAL OPTIONS"]))
    assert before == flags(full_parser())
    for name, aliases, parser in commands(repeat=False):
        assert entries(sections[heading(name, aliases)]) == flags(parser), name


def test_every_flag_that_a_command_takes_is_in_its_section_or_global(sections: dict[str, str]) -> None:
    before = entries(sections["GLOBAL OPTIONS"])
    for name, aliases, parser in commands(repeat=True):
        assert set(flags(parser)) <= {*before, *entries(sections[heading(name, aliases)])}, name


def test_what_the_help_says_is_there(sections: dict[str, str]) -> None:
    for name, aliases, parser in commands(repeat=False):
        shown, formatter = words(sections[heading(name, aliases)]), parser._get_formatter()
        explained = [formatter._expand_help(action) for action in parser._actions if action.help]
        for text in (parser.description, parser.epilog, *explained):
            assert words(text or "") in shown, name


def test_the_exit_codes_are_those_of_the_documentation(sections: dict[str, str]) -> None:
    table = "\n".join(re.findall(r"^\| \d.*$", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE))
    shown, by_signal = sections["EXIT STATUS"], r"\b1[234]\d\b"
    assert re.findall(r"^ {7}(\d)\b", shown, re.MULTILINE) == re.findall(r"^\| (\d) \|", table, re.MULTILINE)
    assert set(re.findall(by_signal, shown)) == set(re.findall(by_signal, table))


def test_the_variables_are_those_of_the_documentation(sections: dict[str, str]) -> None:
    documented = {
        name
        for document in ("settings.md", "emulator.md")
        for name in re.findall(r"\b(?:SECTIGO|SIAS)_[A-Z_]+\b", (ROOT / "docs" / document).read_text())
    }
    idle = {"SIAS_LOG_LEVEL", "SIAS_CONSOLE_LOG", "SIAS_MODE"}
    assert set(re.findall(r"\b(?:SECTIGO|SIAS)_[A-Z_]+\b", sections["ENVIRONMENT"])) == documented - idle


def test_the_variables_for_a_proxy_are_there(sections: dict[str, str]) -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    table = page.partition("## Proxies")[2].partition("\n\n## ")[0]
    documented = {
        name.upper() for name in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for name in name.split("`")
    }
    documented = {name for name in documented if name.endswith("_PROXY")}
    assert len(documented) == 4
    assert set(re.findall(r"\b[A-Z]+_PROXY\b", sections["ENVIRONMENT"])) == documented


def test_the_sections_are_those_that_one_expects(sections: dict[str, str]) -> None:
    titles = [title for title in sections if title.isupper()]
    assert titles[:6] == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "GLOBAL OPTIONS", "COMMANDS"]
    assert titles[6:] == ["EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO", "AUTHOR"]
    assert words(sections["NAME"]).startswith("sectigo - order, fetch, find and revoke certificates")
    assert words(sections["AUTHOR"]).startswith("The sectigo-iot maintainers")


def test_the_page_tells_its_version(page: Path) -> None:
    title = page.read_text().splitlines()[0].replace("\\", "")
    assert re.fullmatch(
        rf'\.TH SECTIGO "1" "\d{{4}}-\d\d-\d\d" "sectigo-iot {re.escape(__version__)}" "User Commands"', title
    )


@pytest.mark.needs("man")
def test_man_has_nothing_to_complain_of(page: Path) -> None:
    assert man(page, "-Z").stderr == ""


@pytest.mark.needs("lexgrog")
def test_apropos_will_find_it(page: Path) -> None:
    done = subprocess.run(["lexgrog", page], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f'{page}: "sectigo - order, fetch, find and revoke certificates')


def test_a_build_that_has_none_of_our_dependencies_can_make_it() -> None:
    """As in the environment that pip makes for a build: there is no package to import but ours."""
    code = "from sectigo_cli.grammar import full_parser; full_parser(repeat=False)"
    path = f"import sys; sys.path[:0] = {[str(ROOT / 'cli'), str(ROOT)]!r}"
    subprocess.run([sys.executable, "-B", "-I", "-S", "-c", f"{path}; {code}"], check=True)
