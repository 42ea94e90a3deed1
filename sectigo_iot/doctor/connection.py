"""The first steps of a connection: the host's addresses, each of them tried, and a tunnel through a proxy."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, NamedTuple

from sectigo_iot.doctor.deadlines import shown, within
from sectigo_iot.doctor.findings import Finding, doubtful, well, wrong
from sectigo_iot.doctor.route import address
from sectigo_iot.errors import DeadlineError, UnreachableError, clean
from sectigo_iot.proxies import authorization, refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sectigo_iot.doctor.route import Route

MOST_ADDRESSES = 16
LARGEST_HEAD = 64 * 1024
"""Bytes of a proxy's answer."""


class Attempt(NamedTuple):
    """One address tried: the connection, or why there is none."""

    address: str
    connection: socket.socket | None
    reason: str
    slow: bool = False

    def __str__(self) -> str:
        return f"{self.address} {self.reason}"


def look_up(route: Route, seconds: float) -> tuple[list[str], Finding]:
    """Return the addresses of whom this machine speaks to, and what is to be said of them."""
    host, port = route.nearest
    role = f" (the proxy of {route.proxy.variable})" if route.proxy else ""
    try:
        found = within(
            seconds, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), what=f"the lookup of {host}"
        )
    except (OSError, UnicodeError, DeadlineError) as error:
        reason = "no name server answered in time" if isinstance(error, DeadlineError) else _words(error)
        failure = UnreachableError(f"the name {host}{role} cannot be looked up: {reason}", hint=_name_hint(route))
        return [], wrong("dns", failure, host=host)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))[:MOST_ADDRESSES]
    facts = "is an address itself" if addresses == [host] else f"is {', '.join(addresses)}"
    return addresses, well("dns", f"{host}{role} {facts}", host=host, addresses=addresses)


def _name_hint(route: Route) -> str:
    name = route.proxy.variable if route.proxy else "the address (--endpoint, SECTIGO_ENDPOINT)"
    return f"is {name} right, and can this machine look up other names (`getent hosts example.com`)?"


def connect(
    route: Route, addresses: Sequence[str], seconds: float
) -> tuple[tuple[str, socket.socket] | None, Finding]:
    """Try each address; return the first that connects, its connection, which is the caller's, and what to say."""
    attempts = try_each(route, addresses, seconds)
    tried = zip(addresses, attempts, strict=True)
    made = [(host, each.connection) for host, each in tried if each.connection is not None]
    for _, other in made[1:]:
        other.close()
    for _, first in made[:1]:
        # It was made in its share of the time, and has all of it for what comes next.
        first.settimeout(seconds)
    return made[0] if made else None, _told(route, attempts, connected=bool(made))


def try_each(route: Route, addresses: Sequence[str], seconds: float) -> list[Attempt]:
    """Try each address, one after the other, all of them within these seconds."""
    until, port = time.monotonic() + seconds, route.nearest[1]
    attempts = []
    for position, each in enumerate(addresses):
        share = max((until - time.monotonic()) / (len(addresses) - position), 0.05)
        attempts.append(_attempt(each, port, share))
    return attempts


def _attempt(host: str, port: int, seconds: float) -> Attempt:
    name, begun = address(host, port), time.monotonic()
    try:
        connection = socket.create_connection((host, port), seconds)
    except TimeoutError:
        return Attempt(name, None, f"did not answer within {seconds:.2g} s", slow=True)
    except OSError as error:
        return Attempt(name, None, f"failed: {_words(error)}")
    return Attempt(name, connection, f"connected in {(time.monotonic() - begun) * 1000:.0f} ms")


def _told(route: Route, attempts: list[Attempt], *, connected: bool) -> Finding:
    facts = "; ".join(map(str, attempts))
    tried = {each.address: each.reason for each in attempts}
    if not connected:
        return wrong("tcp", UnreachableError(facts, hint=_port_hint(route, attempts)), tried=tried)
    if any(each.slow for each in attempts):
        hint = "each command may wait for the address that does not answer; is IPv6, or a route, broken here?"
        return doubtful("tcp", facts, hint, tried=tried)
    return well("tcp", facts, tried=tried)


def _port_hint(route: Route, attempts: list[Attempt]) -> str:
    if route.proxy is not None:
        return f"does the proxy run, and is {route.proxy.variable} right? Unset it if this network needs none"
    if route.host in ("localhost", "::1") or route.host.startswith("127."):
        return "does the service run, and on this port? `sectigo serve` runs an emulator"
    if any(each.slow for each in attempts):
        return f"does a firewall forbid port {route.port}? Some networks need a proxy: set {route.scheme}_proxy"
    return "is the address right (--endpoint, SECTIGO_ENDPOINT), and does the service run?"


def open_tunnel(connection: socket.socket, route: Route, seconds: float) -> None:
    """Ask the proxy for a connection to the service. Raises UnreachableError that says what the proxy answers."""
    assert route.proxy is not None
    proxy, what = route.proxy, str(route.proxy)
    try:
        with closing_when_late(connection):
            status = within(seconds, lambda: _asked(connection, route), what=what)
    except (OSError, ValueError, DeadlineError) as error:
        reason = f"did not answer within {shown(seconds)}" if isinstance(error, DeadlineError) else _broken(error)
        hint = f"is {proxy.variable} the address of a proxy for http?"
        raise UnreachableError(f"{what} {reason}", hint=hint) from None
    if status // 100 != 2:
        raise refused(proxy, str(route), status)


def _broken(error: Exception) -> str:
    return "gave no answer that is one of HTTP" if isinstance(error, ValueError) else f"failed: {_words(error)}"


def _asked(connection: socket.socket, route: Route) -> int:
    lines = [f"CONNECT {route} HTTP/1.1", f"Host: {route}"]
    secret = authorization(route.proxy) if route.proxy else None
    if secret is not None:
        lines.append(f"Proxy-Authorization: {secret}")
    connection.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
    head = b""
    while b"\r\n\r\n" not in head and len(head) < LARGEST_HEAD:
        received = connection.recv(4096)
        if not received:
            break
        head += received
    version, status = head.split(None, 2)[:2]
    if not version.startswith(b"HTTP/1."):
        raise ValueError("no HTTP")
    return int(status)


@contextlib.contextmanager
def closing_when_late(connection: socket.socket) -> Iterator[None]:
    """Shut the connection where its work takes too long, so that the thread which does it ends."""
    try:
        yield
    except DeadlineError:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        raise


def _words(error: Exception) -> str:
    return clean(str(getattr(error, "strerror", None) or error or type(error).__name__)).lower()
