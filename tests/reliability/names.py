"""Names of hosts without a name server: what this machine's own resolver would ask, and how it words its failure."""

from __future__ import annotations

import socket
from typing import Any

import pytest


def ask_no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let names lead to the loopback that are `localhost` or below it; every other name is unknown at once."""
    find = socket.getaddrinfo

    def found(host: str | bytes, port: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name.rstrip(".").lower().endswith(".localhost"):
            return find("127.0.0.1", port, *rest, **more)
        if name.rstrip(".").lower() != "localhost" and not _is_number(name):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return find(host, port, *rest, **more)

    def _is_number(name: str) -> bool:
        try:
            return bool(find(name, None, flags=socket.AI_NUMERICHOST))
        except (OSError, UnicodeError):
            return False

    monkeypatch.setattr(socket, "getaddrinfo", found)
