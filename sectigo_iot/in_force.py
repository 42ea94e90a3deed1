"""What settings come to on this machine: whether the files that they name will do, and which proxy is on the way."""

from __future__ import annotations

import contextlib
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_iot.config import Environment
from sectigo_iot.errors import ConfigError, NotAuthenticatedError, SectigoError

if TYPE_CHECKING:
    from sectigo_iot.config import Settings


def check_files(settings: Settings) -> tuple[SectigoError, ...]:
    """Return what is wrong with the files that these settings name: a ConfigError for each that will not do.

    NotAuthenticatedError where `client_key_password` does not open the client's key; where there is none, nobody is
    asked for it. What may make a server refuse the certificate is said in the log. A password file that is not
    needed, or is a pipe, which can be read but once, is left alone. Nothing is sent.
    """
    found: list[SectigoError] = []
    for check in (_authorities, _client_certificate, _password_file):
        try:
            check(settings)
        except (ConfigError, NotAuthenticatedError) as error:
            # A CA file is of concern to the client's certificate, too.
            if str(error) not in map(str, found):
                found.append(error)
    return tuple(found)


def _authorities(settings: Settings) -> None:
    if settings.ca_file is not None:
        from sectigo_iot.tls import server_context

        server_context(settings.ca_file)


def _client_certificate(settings: Settings) -> None:
    if settings.client_cert is None:
        return
    from sectigo_iot.client_certificate import ClientCertificate

    try:
        ClientCertificate(settings).context(time.time())
    except NotAuthenticatedError:
        if settings.client_key_password:
            raise


def _password_file(settings: Settings) -> None:
    path = settings.password_file
    if path is None or settings.password or settings.credentials is not None:
        return
    with contextlib.suppress(OSError, ValueError):
        if stat.S_ISFIFO(Path(path).stat().st_mode):
            return
    from sectigo_iot.credentials import read_password_file

    read_password_file(path)


def proxy_in_force(settings: Settings) -> tuple[str, str] | None:
    """Return the proxy that requests to the endpoint go through, as host and port, and the variable that names it.

    None where there is none. Its user name and password are not told. Raises ConfigError where a variable names no
    proxy.
    """
    if settings.environment is Environment.TESTING or not _may_have_proxy():
        return None
    from sectigo_iot.proxies import proxy_for

    proxy = proxy_for(settings.endpoint)
    return (proxy.host, proxy.variable) if proxy else None


def _may_have_proxy() -> bool:
    """Whether it is worth while to load the HTTP library, which knows the rules."""
    from urllib.request import getproxies

    return bool(getproxies())
