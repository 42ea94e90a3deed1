"""What is sent once, because it may be carried out although no answer comes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sectigo_cli.context import Context


def log_in_first(context: Context) -> None:
    """Log in now, unless there is a session: an interruption at its prompt leaves no doubt about what was sent."""
    from sectigo_iot import SectigoError

    session = context.client.creds
    if session.valid:
        return
    if session.refreshable:
        with contextlib.suppress(SectigoError):
            context.client.refresh()
            return
    context.client.authenticate()


@contextlib.contextmanager
def under_way(context: Context, doubt: str, hint: str) -> Iterator[None]:
    """Say, should the user interrupt it, that nobody knows what became of it."""
    context.endings.check()
    try:
        yield
    except BaseException as error:
        say_doubt(context, error, doubt, hint)
        raise


def say_doubt(context: Context, error: BaseException, doubt: str, hint: str) -> None:
    """Say what nobody knows, if this is an interruption of what was under way."""
    # The log-in's prompt stands before the request, or after the 401 that refused it.
    if isinstance(error, KeyboardInterrupt) and not context.at_prompt:
        context.say(f"sectigo: error: {doubt}")
        context.say(f"sectigo: hint: {hint}")
