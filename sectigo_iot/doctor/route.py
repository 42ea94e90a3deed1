"""By which way the service is reached: its host and port, and the proxy in front of it, if there is one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from sectigo_iot.config import Environment
from sectigo_iot.doctor.findings import Finding, unchecked, well, wrong
from sectigo_iot.errors import ConfigError
from sectigo_iot.proxies import PORTS, Proxy, proxy_for

if TYPE_CHECKING:
    from sectigo_iot.config import Settings


class Route(NamedTuple):
    """Where the service is, and by way of which proxy."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None = None

    def __str__(self) -> str:
        return address(self.host, self.port)

    @property
    def nearest(self) -> tuple[str, int]:
        """Whom this machine speaks to: the proxy, or else the service."""
        if self.proxy is None:
            return self.host, self.port
        parts = urlsplit(f"//{self.proxy.host}")
        return parts.hostname or "", parts.port or PORTS["http"]

    @property
    def tunnelled(self) -> bool:
        """Whether the proxy is asked for a connection to the service, on which TLS is spoken."""
        return self.proxy is not None and self.scheme == "https"


def address(host: str, port: int) -> str:
    """Return host and port as a URL writes them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def find_route(settings: Settings) -> tuple[Route | None, Finding]:
    """Return the way to the service, and what is to be said of the proxy; no way, where its variable is of no use."""
    parts = urlsplit(settings.endpoint)
    direct = Route(parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme])
    if settings.environment is Environment.TESTING:
        return direct, unchecked("proxy", "none: the environment testing never uses one")
    try:
        proxy = proxy_for(settings.endpoint)
    except ConfigError as error:
        return None, wrong("proxy", error)
    if proxy is None:
        return direct, _without(direct)
    login = ", with a user name" if urlsplit(proxy.url).username is not None else ""
    facts = f"{proxy.host}, from {proxy.variable}{login}"
    return direct._replace(proxy=proxy), well("proxy", facts, proxy=proxy.host, variable=proxy.variable)


def _without(route: Route) -> Finding:
    named = [name for name in sorted(os.environ) if os.environ[name] and name.lower() == f"{route.scheme}_proxy"]
    if named:
        return well("proxy", f"not used for {route.host}: no_proxy names it ({named[0]} is set)", proxy=None)
    return well("proxy", f"none: {route.scheme}_proxy is not set", proxy=None)
