"""HTTP: one kept connection pool per client, the environment guard, safe repetition, status to error, redaction.

What may be repeated stands in the endpoint table. A request that may spend a licence is sent once; if no answer
to it arrives, its outcome is unknown, and that is what is raised.
"""

from __future__ import annotations

import copy
import json
import logging
import os
import time
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import requests
from requests.utils import get_environ_proxies, requote_uri
from urllib3.exceptions import HTTPError

from sectigo_iot.calls import JSON, Call
from sectigo_iot.config import Environment, Settings
from sectigo_iot.endpoints import Repeat
from sectigo_iot.errors import (
    InvalidCredentialsError,
    InvalidReplyError,
    RedirectError,
    SectigoError,
    TransportError,
    UnreachableError,
    clean,
)
from sectigo_iot.failures import (
    CONNECT_SECONDS,
    api_error,
    judged,
    lost,
    pause,
    too_slow,
)
from sectigo_iot.redaction import redacted, secrets_of
from sectigo_iot.replies import CHUNK, Reply
from sectigo_iot.watch import Watch, WatchedAdapter, watch_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_iot.endpoints import Endpoint

_log = logging.getLogger("sectigo_iot.transport")

LARGEST_DOCUMENT = 64 * 1024 * 1024
"""Bytes of a reply that is no download."""
REDIRECTS = 5
SHORTEST = 0.2
"""Seconds that a call gets at the least, be it ever so late."""
IDLE_SECONDS = 5.0
"""After this long without a request an order opens a new connection: a kept one may be closed as it is sent."""


class Transport:
    """Sends the calls of one client. Safe to share between threads.

    `authorize(rejected)` returns an access token, and another one than `rejected` if that is given; it is set by
    the one who knows how to log in. `clock` and `sleep` count in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self.authorize: Callable[[str | None], str] | None = None
        self._timeout = settings.timeout
        self._clock = clock
        self._sleep = sleep
        self._session = _session()
        self._process = os.getpid()
        self._used = clock()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def limited(self, seconds: float) -> Transport:
        """Return a view of this transport whose calls are over after these seconds, if not before."""
        view = copy.copy(self)
        view._timeout = min(self._timeout, max(seconds, SHORTEST))
        return view

    def url(self, endpoint: Endpoint, *ids: int | str) -> str:
        """Return the URL of a call, below the endpoint's path prefix."""
        return self.settings.endpoint + endpoint.path_of(*ids)

    def send(self, call: Call) -> Reply:
        """Send a call, with a token where it needs one, and return its answer.

        Raises APIError and its kinds for the service's errors, TransportError and its kinds where no answer came,
        OutcomeUnknownError where a request that may not be repeated was sent and no answer came,
        NotAuthenticatedError where no token can be had.
        """
        if not call.endpoint.needs_token or self.authorize is None:
            return self._repeated(call, None)
        token = self.authorize(None)
        try:
            return self._repeated(call, token)
        except InvalidCredentialsError:
            # The token was dropped by the server. Nothing was done, so that even an order may be sent again, once.
            return self._repeated(call, self.authorize(token))

    def wait_to_repeat(self, call: Call, error: SectigoError, attempt: int, deadline: float) -> bool:
        """Wait until the call may be sent again, and return whether it may be at all before the deadline."""
        wait = pause(call, error, attempt)
        if wait is None or self._clock() + wait >= deadline:
            return False
        _log.info("%s %s: %s; again in %.1f s", call.method, _path(call), error, wait, extra=_extra(call))
        self._sleep(wait)
        return True

    def deadline(self) -> float:
        """Return the moment, on the transport's clock, by which a call that begins now must be over."""
        return self._clock() + self._timeout

    def _repeated(self, call: Call, token: str | None) -> Reply:
        deadline = self.deadline()
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._once(call, token, deadline)
            except SectigoError as error:
                if not self.wait_to_repeat(call, error, attempt, deadline):
                    raise judged(call, error) from None

    def _once(self, call: Call, token: str | None, deadline: float) -> Reply:
        with Watch(max(deadline - self._clock(), 0.001)) as watch:
            try:
                reply = self._answered(call, token, deadline, watch)
            except TransportError as error:
                if watch.over and not isinstance(error, UnreachableError):
                    raise too_slow(call, self._timeout) from None
                raise
        if watch.over:
            # What came looks whole, and was cut by us.
            raise too_slow(call, self._timeout)
        return reply

    def _answered(self, call: Call, token: str | None, deadline: float, watch: Watch) -> Reply:
        session = self._session_for(call)
        request = session.prepare_request(self._request(call, token))
        for _ in range(REDIRECTS + 1):
            assert request.url is not None
            self.settings.guard(request.url)
            response = self._exchange(session, call, request, deadline, watch)
            if not response.is_redirect and response.status_code not in (307, 308):
                return self._reply(call, response, token)
            request.url = self._follow(call, request.url, response, token)
        raise RedirectError(
            f"{call.endpoint.name}: the service redirects in a circle", status=302, location=request.url
        )

    def _session_for(self, call: Call) -> requests.Session:
        # A child of a fork must not speak on its parent's connections: each would read the other's answers.
        forked = self._process != os.getpid()
        idle = call.endpoint.repeat is Repeat.NEVER and self._clock() - self._used > IDLE_SECONDS
        if forked or idle:
            # A new one, and the old one is left to whoever still uses it.
            self._session, self._process = _session(), os.getpid()
        self._used = self._clock()
        return self._session

    def _request(self, call: Call, token: str | None) -> requests.Request:
        headers = {"Accept": JSON if call.files else call.media_type}
        if not call.files:
            headers["Content-Type"] = call.media_type
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = call.body if call.payload is None else json.dumps(call.payload).encode()
        return requests.Request(call.method, call.url, headers=headers, data=data, files=call.files)

    def _exchange(
        self, session: requests.Session, call: Call, request: requests.PreparedRequest, deadline: float, watch: Watch
    ) -> requests.Response:
        left = max(deadline - self._clock(), 0.001)
        started = self._clock()
        assert request.url is not None
        try:
            response = session.send(
                request,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_SECONDS, left), left),
                proxies=self._proxies(request.url),
            )
        except (requests.RequestException, HTTPError) as error:
            raise lost(error, call, self._timeout, sent=watch.sent) from None
        watch_body(response)
        _log.info(
            "%s %s %d %.0f ms",
            call.method,
            _path(call),
            response.status_code,
            (self._clock() - started) * 1000,
            extra=_extra(call),
        )
        return response

    def _proxies(self, url: str) -> dict[str, str]:
        # The rest of the environment is kept out (trust_env), because it may replace our CA and our Bearer header.
        return {} if self.settings.environment is Environment.TESTING else dict(get_environ_proxies(url))

    def _follow(self, call: Call, url: str, response: requests.Response, token: str | None) -> str:
        location = response.headers.get("Location")
        response.close()
        if call.method in ("GET", "HEAD") and location and _same_host(url, location):
            return requote_uri(urljoin(url, location))
        shown = clean(redacted(location or "nowhere", (*secrets_of(call), token or "")))
        raise RedirectError(
            f"{call.endpoint.name}: the service answered {response.status_code} and points to "
            f"{shown}, where neither request nor credentials are sent",
            status=response.status_code,
            location=location,
            hint="if the service has moved, name its address with --endpoint or SECTIGO_ENDPOINT",
        )

    def _reply(self, call: Call, response: requests.Response, token: str | None) -> Reply:
        if response.status_code // 100 == 2 and call.stream:
            return Reply(response, call, None, self._timeout)
        if response.status_code < 200:
            # An interim answer that the HTTP library takes for the last one: the last one is still to come on this
            # connection, and would be read as the answer to the next request.
            response.raw.close()
        try:
            body = _whole_body(response)
        except requests.RequestException as error:
            raise lost(error, call, self._timeout, sent=True) from None
        finally:
            response.close()
        if response.status_code // 100 != 2:
            raise api_error(call, response, body, token)
        return Reply(response, call, body, self._timeout)


class _Session(requests.Session):
    """A session that leaves redirects alone: requests parses, and fails at, even those it shall not follow."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _session() -> requests.Session:
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = "sectigo-iot"
    adapter = WatchedAdapter(pool_maxsize=32)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _same_host(url: str, location: str) -> bool:
    try:
        return urlsplit(urljoin(url, location))[:2] == urlsplit(url)[:2]
    except ValueError:
        return False


def _path(call: Call) -> str:
    return clean(urlsplit(call.url).path)


def _extra(call: Call) -> dict[str, object]:
    return {"batch_id": call.batch_id, "endpoint": call.endpoint.name}


def _whole_body(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(CHUNK):
        body += chunk
        if len(body) > LARGEST_DOCUMENT:
            raise InvalidReplyError("the answer is longer than any answer of this service")
    return bytes(body)
