"""The manual page `sectigo.1`: setup.cfg has argparse-manpage make it from here, whenever a wheel is built.

That happens in the build's own environment, where nothing is installed of this project or of what it requires.
"""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parent)]

from build_manpages.build_manpages import build_manpages  # type: ignore[import-untyped]  # noqa: E402

from sectigo_cli.grammar import full_parser  # noqa: E402

WIDTH = 78
"""Columns of a usage. Seven are for the word that `tidy` takes away, so that it fits a terminal of 80."""
LITERAL = str.maketrans({"~": r"\(ti", "^": r"\(ha", "`": r"\(ga"})
"""What roff would print as an accent."""


class BuildManpages(build_manpages):  # type: ignore[misc]
    """The command that writes the pages, and tidies them."""

    def run(self) -> None:
        """Write the pages."""
        super().run()
        for name in self.manpages_data:
            page = Path(name)
            page.write_text(tidy(page.read_text()))


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands, such that the page reads well. What it says of itself is in manpage.roff."""
    full = full_parser(repeat=False)
    full.description = full.epilog = None
    for action in full._actions:
        if isinstance(action, argparse._SubParsersAction):
            _shape(action)
    # The commands come last, under a heading of their own.
    full._positionals.title = "commands"
    full._action_groups.remove(full._positionals)
    full._action_groups.append(full._positionals)
    return full


def _shape(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Explain each command once, with what follows its options in the help, and its usage in lines that fit."""
    for choice in commands._choices_actions:
        choice.help = None
    for each in {id(command): command for command in commands.choices.values()}.values():
        each.description = "\n\n".join(filter(None, (each.description, each.epilog)))
        each.formatter_class = partial(argparse.RawDescriptionHelpFormatter, width=WIDTH)


def tidy(page: str) -> str:
    """Set a page as a reader wants it, where argparse-manpage knows only what a parser says."""
    # Options stand as deep as the usage above them.
    page = re.sub(r"^(?:(?:arguments|options):\n\.RS 7|\.RE)$", "", page, flags=re.MULTILINE)
    # Usage, and whatever else is indented, keeps its lines.
    page = re.sub(r"^usage: .*(?:\n .*)*", lambda found: re.sub("(?m)^.{7}", "", found[0]), page, flags=re.MULTILINE)
    page = re.sub(r"(?:^ .*\n)+", r".nf\n\g<0>.fi\n", page, flags=re.MULTILINE)
    # One line is left free between paragraphs, not two.
    page = page.replace("\n.SH\n", "\n.SH ")
    page = re.sub(r"\n+(?=\.(?:TP|SS|SH)\b)", "\n", page)
    page = re.sub(r"\n{2,}", "\n.PP\n", page)
    return page.translate(LITERAL)
