"""An emulator put together: its sockets bound, its service made, its servers started."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from sectigo_iot.emulator.app import create_app
from sectigo_iot.emulator.ca.authority import pem
from sectigo_iot.emulator.control.app import create_control
from sectigo_iot.emulator.net.running import Listening, ServerThread
from sectigo_iot.emulator.net.tls import identity, server_context
from sectigo_iot.emulator.service import Service, create_service
from sectigo_iot.emulator.settings import EmulatorSettings

_LOOPBACK = "127.0.0.1"
_CLIENT = "client.example.test"
"""The name in the client certificate that is handed out for the TLS port."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """A running emulator."""

    service: Service
    thread: ServerThread
    control_url: str | None
    client_identity: tuple[bytes, bytes] | None = field(repr=False)


def assemble(settings: EmulatorSettings, ended: Callable[[], None]) -> Assembly:
    """Bind, make the CA and serve; `ended` is called, in the server's thread, when that is over.

    Raises OSError where an address is taken or a file cannot be read, ValueError where a file is of no use.
    """
    with contextlib.ExitStack() as undo:
        listener = _bind(undo, settings.host, settings.port)
        service = create_service(settings, _url_of(listener))
        undo.callback(service.close)
        undo.callback(service.issuer.stop)
        app, beside = create_app(service), []
        control_url = client = None
        if settings.control_port is not None:
            control = _bind(undo, _LOOPBACK, settings.control_port)
            control_url = _url_of(control)
            beside.append(Listening("control", create_control(service), control))
        if settings.tls:
            secure = _bind(undo, settings.host, 0)
            service.tls_url = _url_of(secure).replace("http:", "https:", 1)
            authority = service.authority
            context = server_context(*identity(authority, _names_of(settings.host)), pem(*authority.chain))
            client = identity(authority, (_CLIENT,))
            beside.append(Listening("tls", app, secure, context))
        thread = ServerThread(app, listener, service.issuer.stop, ended, beside)
        service.door = thread.door
        thread.start()
        undo.pop_all()
    return Assembly(service, thread, control_url, client)


def _names_of(host: str) -> list[str]:
    return list(dict.fromkeys(("localhost", "127.0.0.1", "::1", host)))


def _bind(undo: contextlib.ExitStack, host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    undo.callback(listener.close)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        # From now on a client may connect, and waits in the queue until the CA is made.
        listener.listen(2048)
    except OSError as fault:
        raise OSError(fault.errno, fault.strerror, f"{host}:{port}") from None
    return listener


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - told from, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
