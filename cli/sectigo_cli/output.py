"""stdout is data: the service's fields, order and values, indented by two, nothing escaped or dropped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sectigo_cli.context import Context


def print_json(context: Context, document: Any) -> None:
    """Print one document, and hand it on at once."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        text.encode(context.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2)
    print_line(context, text)


def print_line(context: Context, text: str) -> None:
    """Print a line of data, and hand it on at once."""
    encoding = context.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=context.stdout, flush=True)
