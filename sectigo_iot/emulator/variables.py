"""The `SIAS_` variables of TRISA's staging server, read as settings."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping

from sectigo_iot.emulator.sense import LOG_LEVELS, MODES, one_of

_TRUE = frozenset(("1", "t", "true", "y", "yes", "on"))
_FALSE = frozenset(("0", "f", "false", "n", "no", "off"))


def read_variables(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the settings that the variables name; one that is empty counts as absent.

    Raises ValueError that begins with the variable at fault, and never shows the value of a secret.
    """
    values: dict[str, object] = {}
    for variable, read in _VARIABLES.items():
        text = environ.get(variable)
        if text:
            values.update(_named(variable, read, text))
    return values


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`, `[::1]:port` or `:port`, whose host is the loopback.

    Raises ValueError for anything else.
    """
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (
        not colon
        or not (port.isascii() and port.isdigit())
        or int(port[:6]) > 65535
        or (":" in host and not bracketed)
    ):
        raise ValueError(f"{address!r} is no address such as 127.0.0.1:8831, [::1]:8831 or :0")
    return (host[1:-1] if bracketed else host) or "127.0.0.1", int(port)


def _address(text: str) -> dict[str, object]:
    host, port = split_address(text)
    return {"host": host, "port": port}


def _secret(text: str) -> dict[str, object]:
    try:
        secret = base64.b64decode(text, validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != 32:
        raise ValueError("must be 32 bytes in base64")
    return {"secret": secret}


def _boolean(text: str) -> dict[str, object]:
    if text.lower() not in _TRUE | _FALSE:
        raise ValueError(f"{text!r} is neither true nor false")
    return {"console_log": text.lower() in _TRUE}


def _text(name: str) -> Callable[[str], dict[str, object]]:
    return lambda text: {name: text}


def _choice(name: str, allowed: tuple[str, ...]) -> Callable[[str], dict[str, object]]:
    def read(text: str) -> dict[str, object]:
        one_of(name, text.lower(), allowed)
        return {name: text.lower()}

    return read


def _scopes(text: str) -> dict[str, object]:
    return {"scopes": tuple(text.replace(",", " ").split())}


def _named(variable: str, read: Callable[[str], dict[str, object]], text: str) -> dict[str, object]:
    try:
        return read(text)
    except ValueError as fault:
        raise ValueError(f"{variable}: {fault}") from None


def with_variable(fault: str, environ: Mapping[str, str], overrides: Mapping[str, object]) -> str:
    """Return what is wrong with a field, with the variable that it comes from in front, if it does."""
    name = fault.split(" ", 1)[0]
    variable = _SOURCES.get(name)
    from_variable = variable is not None and name not in overrides and environ.get(variable)
    return f"{variable}: {fault}" if from_variable else fault


_SOURCES = {"host": "SIAS_BIND_ADDR", "scopes": "SIAS_AUTH_SCOPES"}
"""Where a field comes from whose faults are found only with all the others at hand."""

_VARIABLES: dict[str, Callable[[str], dict[str, object]]] = {
    "SIAS_BIND_ADDR": _address,
    "SIAS_AUTH_USERNAME": _text("username"),
    "SIAS_AUTH_PASSWORD": _text("password"),
    "SIAS_AUTH_ISSUER": _text("issuer"),
    "SIAS_AUTH_SUBJECT": _text("subject"),
    "SIAS_AUTH_SCOPES": _scopes,
    "SIAS_AUTH_SECRET": _secret,
    "SIAS_CA_PATH": _text("ca_path"),
    "SIAS_LOG_LEVEL": _choice("log_level", LOG_LEVELS),
    "SIAS_CONSOLE_LOG": _boolean,
    "SIAS_MODE": _choice("mode", MODES),
}
