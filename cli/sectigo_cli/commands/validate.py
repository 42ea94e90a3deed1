"""`sectigo validate`: the configuration in force, and whether it can be used. Asks nobody, shows no secret."""

from __future__ import annotations

import argparse
from typing import Any

from sectigo_cli.context import Context
from sectigo_cli.options import Parser
from sectigo_cli.output import print_json

MASK = "********"


def configure(parser: Parser) -> None:
    """Add nothing: the command has no options of its own."""


def run(args: argparse.Namespace, context: Context) -> None:
    """Print client and server settings with where each comes from, then raise what is wrong with them."""
    settings = context.settings
    print_json(context, {"client": _client(context), "server": _server(context)})
    settings.validate()


def _client(context: Context) -> dict[str, Any]:
    from sectigo_iot import FileTokenStore

    settings = context.settings
    shown = {
        "username": settings.username,
        "password": MASK if settings.password else None,
        "password_file": settings.password_file,
        "profile": settings.profile,
        "endpoint": settings.endpoint,
        "environment": settings.environment_name,
        "allowed_host": settings.allowed_host,
    }
    values = {name: {"value": value, "source": settings.sources.get(name)} for name, value in shown.items()}
    return {**values, "cache_folder": {"value": str(FileTokenStore().folder), "source": "default"}}


def _server(context: Context) -> Any:
    from sectigo_iot.emulator import EmulatorSettings

    return EmulatorSettings.from_environ(context.environ).masked()
