"""The library's log, which speaks to the user: what needs saying, and with --verbose each request."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sectigo_cli.context import Context


@contextlib.contextmanager
def listening(context: Context) -> Iterator[None]:
    """Let the log speak on stderr, and leave it afterwards as it was."""
    logger, handler = logging.getLogger("sectigo_iot"), _Talk(context)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    # What is odd about an answer the HTTP library would tell with a traceback; it is told as an error anyway.
    library, silence = logging.getLogger("urllib3"), logging.NullHandler()
    library.addHandler(silence)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        library.removeHandler(silence)
        logger.setLevel(level)
        logger.propagate = propagate


class _Talk(logging.Handler):
    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        notable = record.levelno >= logging.WARNING or getattr(record, "notice", False)
        if notable or self._context.options.verbose:
            self._context.note(record.getMessage())
