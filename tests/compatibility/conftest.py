"""What the tests of compatibility with the Go tool share with those of the command."""

from __future__ import annotations

from tests.commands.conftest import here, liar
from tests.unit.lying_server import PASSWORD, USERNAME

__all__ = ["here", "liar", "variables"]


def variables(url: str) -> dict[str, str]:
    """Return the variables that point the command at a service on the loopback."""
    return {
        "SECTIGO_USERNAME": USERNAME,
        "SECTIGO_PASSWORD": PASSWORD,
        "SECTIGO_ENDPOINT": url,
        "SECTIGO_ENVIRONMENT": "testing",
    }
