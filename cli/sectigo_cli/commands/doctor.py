"""`sectigo doctor`: what stands between this machine and an order, and what to do about it. Spends nothing."""

from __future__ import annotations

import argparse
import contextlib
import logging
import textwrap
from typing import TYPE_CHECKING, Any

from sectigo_cli.context import Context, harmless
from sectigo_cli.exits import ATTENTION, DONE, exit_code
from sectigo_cli.options import Parser
from sectigo_cli.output import print_json, print_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sectigo_iot import Finding

WIDTH = 80
"""Columns."""
_STATE, _CHECK, _LONGEST = 12, 12, 19
"""Columns of the first two words of a line; the last, where the settings name a client certificate."""


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print each finding as it comes, then what to do about the first that is wrong; return how it stands."""
    from sectigo_iot import examine

    # At a terminal a password may be asked for.
    context.endings.be_prompt()
    settings = context.settings
    width = _LONGEST if settings.client_cert or settings.client_key else _CHECK
    with _in_their_lines_alone(context):
        findings = _told(examine(settings), context, aloud=0 if args.json else width)
    if args.json:
        print_json(context, [_document(each) for each in findings])
    else:
        print_line(context, "")
        print_line(context, _advice(_first(findings)))
    return _code(_first(findings))


@contextlib.contextmanager
def _in_their_lines_alone(context: Context) -> Iterator[None]:
    """Keep what the log warns of out of the table: each of it has its line there. --verbose tells all of it."""

    def is_no_warning(record: logging.LogRecord) -> bool:
        return context.options.verbose or record.levelno < logging.WARNING

    handlers = list(logging.getLogger("sectigo_iot").handlers)
    for each in handlers:
        each.addFilter(is_no_warning)
    try:
        yield
    finally:
        for each in handlers:
            each.removeFilter(is_no_warning)


def _told(findings: Iterable[Finding], context: Context, *, aloud: int) -> list[Finding]:
    """Return the findings, printing each as it comes, if `aloud`: so wide is the column of the checks."""
    told = []
    for each in findings:
        if aloud:
            print_line(context, _line(each, aloud))
        told.append(each)
    return told


def _first(findings: list[Finding]) -> Finding | None:
    """Return the first that is wrong, or else the first that needs attention."""
    from sectigo_iot import Health

    for health in (Health.WRONG, Health.ATTENTION):
        for each in findings:
            if each.health is health:
                return each
    return None


def _line(finding: Finding, width: int) -> str:
    start = f"{finding.health.value:<{_STATE}}{finding.check:<{width}}"
    return _wrapped(finding.facts, start, " " * (_STATE + width))


def _advice(first: Finding | None) -> str:
    if first is None:
        return "Nothing is wrong with what could be checked."
    hint = first.hint or f"look at {first.check}: {first.facts}"
    return _wrapped(hint, f"What to do about {first.check}: ", " " * _STATE)


def _wrapped(text: str, start: str, indent: str) -> str:
    """Return the text in lines that fit; an address or a path that does not stays whole."""
    return textwrap.fill(
        harmless(text),
        WIDTH - 1,
        initial_indent=start,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _document(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "state": finding.health.value,
        "facts": finding.facts,
        "hint": finding.hint,
        "details": dict(finding.details),
    }


def _code(first: Finding | None) -> int:
    if first is None:
        return DONE
    return ATTENTION if first.error is None else exit_code(first.error)
