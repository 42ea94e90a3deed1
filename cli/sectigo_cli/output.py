"""stdout is data: the service's fields, order and values, indented by two, nothing escaped or dropped."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sectigo_cli.context import harmless

if TYPE_CHECKING:
    from sectigo_cli.context import Context

CONTROLS = re.compile("[\x7f-\x9f]")
"""The control characters that JSON may hold as they are."""


def print_json(context: Context, document: Any) -> None:
    """Print one document, and hand it on at once."""
    text = CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(document, indent=2, ensure_ascii=False))
    try:
        text.encode(context.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2)
    print_line(context, text)


def print_line(context: Context, text: str) -> None:
    """Print a line of data, and hand it on at once; a terminal does not get to obey what a server put into it."""
    if context.stdout.isatty():
        text = harmless(text)
    encoding = context.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=context.stdout, flush=True)
