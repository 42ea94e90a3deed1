"""stdout is data: the service's fields, order and values, indented by two, nothing escaped or dropped."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

from sectigo_cli.context import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sectigo_cli.context import Context

CONTROLS = re.compile("[\x7f-\x9f]")
"""The control characters that JSON may hold as they are."""


def print_json(context: Context, document: Any) -> None:
    """Print one document, and hand it on at once."""
    print_line(context, _json(context, document))


def print_json_list(context: Context, documents: Iterable[Any]) -> None:
    """Print a list as one document, each of its parts as soon as it is there: a long one is never whole in memory."""
    last = None
    print_line(context, "[")
    for each in documents:
        if last is not None:
            print_line(context, f"{last},")
        last = textwrap.indent(_json(context, each), "  ")
    print_line(context, "]" if last is None else f"{last}\n]")


def _json(context: Context, document: Any) -> str:
    text = CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(document, indent=2, ensure_ascii=False))
    try:
        text.encode(context.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2)
    return text


def print_line(context: Context, text: str) -> None:
    """Print a line of data, and hand it on at once; a terminal does not get to obey what a server put into it."""
    if context.stdout.isatty():
        text = harmless(text)
    encoding = context.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=context.stdout, flush=True)
