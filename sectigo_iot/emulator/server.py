"""An emulator on a real socket, in a thread of this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from sectigo_iot.emulator.settings import (
    DEFAULT_PASSWORD,
    DEFAULT_USERNAME,
    MISSING,
    EmulatorSettings,
    Options,
    Source,
    make_settings,
    setup_of,
)
from sectigo_iot.files import private_folder, write_private

if TYPE_CHECKING:
    from sectigo_iot.emulator.assembly import Assembly
    from sectigo_iot.emulator.control.client import Control


class Emulator:
    """An IoT Manager on the loopback, as a context manager: ready on enter, ended without a trace on exit.

    `config` is the path of a TOML file or what would stand in it, `scenario` the name of one that is shipped, and the
    other keyword arguments are the fields of `EmulatorSettings`. Raises ValueError for one that makes no sense. On
    enter it raises ImportError without the extra `emulator`, OSError where an address is taken or a file cannot be
    read, and ValueError where a file is of no use.
    """

    def __init__(
        self,
        account: str | None = None,
        *,
        config: Source | None = None,
        scenario: str | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.settings = make_settings(account, config, scenario, **options)
        self._running: Assembly | None = None

    @classmethod
    def from_settings(cls, settings: EmulatorSettings) -> Self:
        """Return an emulator with these settings."""
        emulator = cls()
        emulator.settings = settings
        return emulator

    def __repr__(self) -> str:
        return f"<Emulator {self.settings.account} {self._running.service.url if self._running else 'not running'}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, ended: Callable[[], None] = lambda: None) -> None:
        """Bind, make the CA and serve; `ended` is called, in the server's thread, when that is over."""
        if self._running is not None:
            raise RuntimeError("the emulator is running already")
        try:
            from sectigo_iot.emulator.assembly import assemble
        except ModuleNotFoundError as missing:
            raise ImportError(MISSING) from missing
        self._running = assemble(self.settings, ended)

    def stop(self) -> None:
        """End the server and its threads; does nothing where there is none."""
        running, self._running = self._running, None
        if running is not None:
            running.thread.stop()

    @property
    def url(self) -> str:
        """Where the emulator is reached: `http://127.0.0.1:PORT`. Raises RuntimeError while it is not running."""
        return self._assembly.service.url

    @property
    def control_url(self) -> str | None:
        """Where it is controlled; None where that was not wanted. Raises RuntimeError while it is not running."""
        return self._assembly.control_url

    @property
    def tls_url(self) -> str | None:
        """Its TLS port, which demands a client certificate; None without one."""
        return self._assembly.service.tls_url

    @property
    def control(self) -> Control:
        """What moves the emulator's clock and its batches, and asks its journal. Raises RuntimeError without one."""
        from sectigo_iot.emulator.control.client import Control

        if self.control_url is None:
            raise RuntimeError("the emulator has no control port")
        return Control(self.control_url)

    @property
    def seed(self) -> int:
        """What chance is drawn from."""
        return self._assembly.service.seed

    @property
    def username(self) -> str:
        """The name of the first user."""
        return self._login[0]

    @property
    def password(self) -> str:
        """The password of the first user."""
        return self._login[1]

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

    @property
    def client_identity(self) -> tuple[bytes, bytes]:
        """A client certificate that the TLS port accepts, and its key, in PEM.

        Raises RuntimeError while the emulator is not running, or where it has no TLS port.
        """
        identity = self._assembly.client_identity
        if identity is None:
            raise RuntimeError("the emulator has no TLS port")
        return identity

    def write_client_files(self, folder: str | os.PathLike[str]) -> None:
        """Write `client.pem`, `client-key.pem` and `ca.pem`, which a client needs for the TLS port, into a folder.

        It is made if it is not there. Raises OSError, and RuntimeError where there is no TLS port.
        """
        certificate, key = self.client_identity
        private = private_folder(Path(folder))
        for name, content in (
            ("client.pem", certificate),
            ("client-key.pem", key),
            ("ca.pem", self.root_certificate),
        ):
            write_private(private / name, content, replace=True)

    @property
    def remarks(self) -> list[str]:
        """What is out of the ordinary about it, in a line each. Raises RuntimeError while it is not running."""
        from sectigo_iot.emulator.remarks import remarks_on

        return remarks_on(self._assembly.service)

    def _certificate(self, index: int) -> bytes:
        from sectigo_iot.emulator.ca.authority import pem

        return pem(self._assembly.service.authority.chain[index])

    @property
    def _assembly(self) -> Assembly:
        if self._running is None:
            raise RuntimeError("the emulator is not running")
        return self._running

    @property
    def _login(self) -> tuple[str, str]:
        settings = self.settings
        if settings.config is None and settings.scenario is None:
            return settings.username or DEFAULT_USERNAME, settings.password or DEFAULT_PASSWORD
        from sectigo_iot.emulator.setup import first_login

        return first_login(settings, setup_of(settings.config, settings.scenario))
