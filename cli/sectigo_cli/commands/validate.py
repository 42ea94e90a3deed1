"""`sectigo validate`: the configuration in force, and whether it can be used. Asks nobody, shows no secret."""

from __future__ import annotations

import argparse
import math
import os
from typing import TYPE_CHECKING, Any

from sectigo_cli.context import Context
from sectigo_cli.env_file import suggestion, unread
from sectigo_cli.options import Parser, UsageError
from sectigo_cli.output import print_json

if TYPE_CHECKING:
    from sectigo_iot import SectigoError

MASK = "********"


class WrongSettingsError(UsageError):
    """Settings that cannot be used."""

    def __init__(self, faults: list[str], hint: str | None) -> None:
        super().__init__(faults[0] if len(faults) == 1 else f"{len(faults)} settings are wrong:", hint=hint)
        self.faults = tuple(faults)


def configure(parser: Parser) -> None:
    """Add nothing: the command has no options of its own."""


def run(args: argparse.Namespace, context: Context) -> None:
    """Print client and server settings with where each comes from, then raise what is wrong with them."""
    from sectigo_iot import check_files

    for name in unread(os.environ):
        context.note(f"there is no setting {name}, which is ignored{suggestion(name)}")
    errors: list[SectigoError] = []
    proxy = _valid(context, errors)
    errors += check_files(context.settings)
    faults = [error.message for error in errors]
    server = _server(context, faults)
    print_json(context, {"client": {**_client(context), "proxy": proxy}, "server": server})
    if faults:
        raise WrongSettingsError(faults, errors[0].hint if errors else None)


def _valid(context: Context, errors: list[SectigoError]) -> dict[str, str | None]:
    """Return the proxy in force, and add what is wrong with the settings or with the variable that names it."""
    from sectigo_iot import ConfigError, proxy_in_force

    proxy = None
    try:
        context.settings.validate()
        proxy = proxy_in_force(context.settings)
    except ConfigError as error:
        errors.append(error)
    if proxy is None:
        return {"value": None, "source": None}
    host, named = proxy
    return {"value": host, "source": f"environment variable {named}" if named.lower().endswith("_proxy") else named}


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
        "ca_file": settings.ca_file,
        "client_cert": settings.client_cert,
        "client_key": settings.client_key,
        "client_key_password": MASK if settings.client_key_password else None,
        "timeout": _number(settings.timeout),
        "download_timeout": _number(settings.download_timeout),
    }
    values = {name: {"value": value, "source": settings.sources.get(name)} for name, value in shown.items()}
    return {**values, "cache_folder": {"value": str(FileTokenStore().folder), "source": "default"}}


def _number(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def _server(context: Context, faults: list[str]) -> Any:
    """Return the settings that `serve` would have, or None and one more fault."""
    from sectigo_iot.emulator import EmulatorSettings

    try:
        return EmulatorSettings.from_environ(context.environ).masked()
    except ValueError as error:
        faults.append(str(error).removesuffix("; allow_remote=True permits it"))
        return None
