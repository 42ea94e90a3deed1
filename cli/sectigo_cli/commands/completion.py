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
to have it in every new shell, add one line to the file that your shell reads when it starts:
  bash  ~/.bashrc                   source <(sectigo completion bash)
  zsh   ~/.zshrc, after compinit    eval "$(sectigo completion zsh)"
  fish  ~/.config/fish/config.fish  sectigo completion fish | source"""


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to read the script")
    parser.epilog = EPILOG


def run(args: argparse.Namespace, context: Context) -> None:
    """Print the script."""
    import shtab

    from sectigo_cli.grammar import full_parser

    parser = full_parser()
    _mark(parser, _kinds())
    script = shtab.complete(parser, shell=args.shell)
    # zsh is told that a file is the last argument, also where more may follow.
    print_line(context, script.replace('"(*):', '"*:') if args.shell == "zsh" else script)


def _kinds() -> dict[str, dict[str, Any]]:
    """Return what completes a value, by the name that help has for it, or by where it ends up."""
    import shtab

    from sectigo_cli.grammar import COMMANDS
    from sectigo_iot import ENDPOINTS, CRLReason, Environment

    return {
        "FILE": {"complete": shtab.FILE},
        "DIR": {"complete": shtab.DIRECTORY},
        "COMMAND": {"choices": list(COMMANDS)},
        "REASON": {"choices": [reason.name for reason in CRLReason]},
        "NAME|PATH": {"choices": list(ENDPOINTS)},
        "environment": {"choices": [environment.value for environment in Environment]},
    }


def _mark(parser: argparse.ArgumentParser, kinds: dict[str, dict[str, Any]]) -> None:
    """Say what an option takes, by the name of its value, in this parser and in those of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                _mark(each, kinds)
        else:
            vars(action).update(kinds.get(str(action.metavar), kinds.get(action.dest, {})))
