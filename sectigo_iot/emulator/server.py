"""An emulator on a real socket, in a thread of this process."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from sectigo_iot.emulator.settings import EmulatorSettings, Options, make_settings

if TYPE_CHECKING:
    from sectigo_iot.emulator.running import ServerThread
    from sectigo_iot.emulator.service import Service

_MISSING = "the emulator needs packages that are not installed: pip install 'sectigo-iot[emulator]'"


class Emulator:
    """An IoT Manager on the loopback, as a context manager: ready on enter, ended without a trace on exit.

    The keyword arguments are the fields of `EmulatorSettings`. Raises ValueError for one that makes no sense. On
    enter it raises ImportError without the extra `emulator`, OSError where the address is taken or the CA file
    cannot be read, and ValueError where that file is of no use.
    """

    def __init__(self, account: str = "staging", **options: Unpack[Options]) -> None:
        self.settings = make_settings(account, **options)
        self._url: str | None = None
        self._service: Service | None = None
        self._thread: ServerThread | None = None

    @classmethod
    def from_settings(cls, settings: EmulatorSettings) -> Self:
        """Return an emulator with these settings."""
        emulator = cls()
        emulator.settings = settings
        return emulator

    def __repr__(self) -> str:
        return f"<Emulator {self.settings.account} {self._url or 'not running'}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, ended: Callable[[], None] = lambda: None) -> None:
        """Bind, make the CA and serve; `ended` is called, in the server's thread, when that is over."""
        if self._thread is not None:
            raise RuntimeError("the emulator is running already")
        try:
            from sectigo_iot.emulator.app import create_app
            from sectigo_iot.emulator.running import ServerThread
            from sectigo_iot.emulator.service import create_service
        except ModuleNotFoundError as missing:
            raise ImportError(_MISSING) from missing
        listener = _bind(self.settings.host, self.settings.port)
        with contextlib.ExitStack() as undo:
            undo.callback(listener.close)
            url = _url_of(listener)
            service = create_service(self.settings, url)
            undo.callback(service.issuer.stop)
            thread = ServerThread(create_app(service), listener, service.issuer.stop, ended)
            thread.start()
            undo.pop_all()
        self._url, self._service, self._thread = url, service, thread

    def stop(self) -> None:
        """End the server and its threads; does nothing where there is none."""
        thread, self._thread, self._service, self._url = self._thread, None, None, None
        if thread is not None:
            thread.stop()

    @property
    def url(self) -> str:
        """Where the emulator is reached: `http://127.0.0.1:PORT`. Raises RuntimeError while it is not running."""
        if self._url is None:
            raise RuntimeError("the emulator is not running")
        return self._url

    @property
    def username(self) -> str:
        """The user name that is accepted."""
        return self.settings.login[0]

    @property
    def password(self) -> str:
        """The password that is accepted."""
        return self.settings.login[1]

    @property
    def environ(self) -> dict[str, str]:
        """The variables by which a client finds the emulator."""
        return {
            "SECTIGO_USERNAME": self.username,
            "SECTIGO_PASSWORD": self.password,
            "SECTIGO_ENDPOINT": self.url,
            "SECTIGO_ENVIRONMENT": "testing",
        }

    @property
    def root_certificate(self) -> bytes:
        """The root of the chain in PEM. Raises RuntimeError while the emulator is not running."""
        return self._certificate(-1)

    @property
    def issuing_certificate(self) -> bytes:
        """The certificate of the CA that issues, in PEM. Raises RuntimeError while the emulator is not running."""
        return self._certificate(0)

    def _certificate(self, index: int) -> bytes:
        if self._service is None:
            raise RuntimeError("the emulator is not running")
        from sectigo_iot.emulator.ca import pem

        return pem(self._service.authority.chain[index])


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # From now on a client may connect, and waits in the queue until the CA is made.
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - told from, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
