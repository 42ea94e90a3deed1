"""Kept connections: one session of the HTTP library per client, with nothing in it that the environment chose.

Proxies alone are taken from the environment; the rest of it is kept out, because it may replace the authorities that
are trusted (`REQUESTS_CA_BUNDLE`) and the Bearer header (`~/.netrc`).
"""

from __future__ import annotations

import copy
import os
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from sectigo_iot.config import Environment
from sectigo_iot.endpoints import Repeat
from sectigo_iot.proxies import proxy_for
from sectigo_iot.tls import complete_context, server_context
from sectigo_iot.watch import WatchedAdapter

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from requests.adapters import HTTPAdapter

    from sectigo_iot.calls import Call
    from sectigo_iot.config import Settings
    from sectigo_iot.proxies import Proxy

IDLE_SECONDS = 5.0
"""After this long without a request an order opens a new connection: a kept one may be closed as it is sent."""
KEPT = 64
"""Connections that are kept open for the next request: as many threads as are of use in one process."""


class Pool:
    """The connections of one client. `clock` counts in seconds. Raises ConfigError for a CA file of no use."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        # The HTTP library's own context would write the keys of each session to where SSLKEYLOGFILE says.
        made = complete_context if urlsplit(settings.endpoint).scheme == "https" else server_context
        self._trusted = self._context = made(settings.ca_file)
        self._session = self._new_session()
        self._process = os.getpid()
        self._used = clock()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def apart(self, context: ssl.SSLContext) -> Pool:
        """Return a pool of connections of its own, made with this context; it is to be closed."""
        view = copy.copy(self)
        view._context = context
        view._session = view._new_session()
        return view

    def session_for(self, call: Call) -> requests.Session:
        """Return the session to send this call with."""
        # A child of a fork must not speak on its parent's connections: each would read the other's answers.
        forked = self._process != os.getpid()
        idle = call.endpoint.repeat is Repeat.NEVER and self._clock() - self._used > IDLE_SECONDS
        if forked or idle:
            # A new one, and the old one is left to whoever still uses it.
            self._session, self._process = self._new_session(), os.getpid()
        self._used = self._clock()
        return self._session

    def _new_session(self) -> requests.Session:
        return new_session(WatchedAdapter(self._context, self._trusted, pool_maxsize=KEPT))

    def proxy(self, url: str) -> Proxy | None:
        """Return the proxy on the way to this URL, as the environment has it; there is none on this machine itself.

        Raises ConfigError where a variable names none.
        """
        return None if self._settings.environment is Environment.TESTING else proxy_for(url)


class _Session(requests.Session):
    """A session that leaves redirects alone: requests parses, and fails at, even those it shall not follow."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def new_session(adapter: HTTPAdapter) -> requests.Session:
    """Return a session that takes nothing from the environment and keeps no cookies."""
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = "sectigo-iot"
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
