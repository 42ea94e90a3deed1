"""`sectigo completion`: a script that completes command lines in a shell."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from sectigo_cli.output import print_line

if TYPE_CHECKING:
    from sectigo_cli.context import Context
    from sectigo_cli.options import Parser

SHELLS = ("bash", "zsh", "fish")
EPILOG = """\
to have it in every new shell:
  bash  sectigo completion bash > ~/.local/share/bash-completion/completions/sectigo
  zsh   sectigo completion zsh > FOLDER/_sectigo, where FOLDER is one of $fpath
  fish  sectigo completion fish > ~/.config/fish/completions/sectigo.fish"""


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to read the script")
    parser.epilog = EPILOG


def run(args: argparse.Namespace, context: Context) -> None:
    """Print the script."""
    import shtab

    from sectigo_cli.grammar import COMMANDS, full_parser

    parser = full_parser()
    kinds: dict[str, dict[str, Any]] = {
        "FILE": {"complete": shtab.FILE},
        "DIR": {"complete": shtab.DIRECTORY},
        "COMMAND": {"choices": list(COMMANDS)},
    }
    _mark(parser, kinds)
    print_line(context, shtab.complete(parser, shell=args.shell))


def _mark(parser: argparse.ArgumentParser, kinds: dict[str, dict[str, Any]]) -> None:
    """Say what an option takes, by the name of its value, in this parser and in those of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                _mark(each, kinds)
        elif isinstance(action.metavar, str):
            vars(action).update(kinds.get(action.metavar, {}))
