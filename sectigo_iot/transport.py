"""HTTP: the environment guard on every request, safe repetition, status to error, redaction.

What may be repeated stands in the endpoint table. A request that may spend a licence is sent once; if no answer
to it arrives, its outcome is unknown, and that is what is raised.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import time
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from requests.utils import requote_uri

from sectigo_iot.calls import JSON, Call
from sectigo_iot.config import Settings
from sectigo_iot.endpoints import Repeat
from sectigo_iot.errors import (
    APIError,
    DeadlineError,
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
    UNUSABLE,
    api_error,
    judged,
    lost,
    pause,
    too_slow,
)
from sectigo_iot.observing import Seen, observed
from sectigo_iot.pool import Pool
from sectigo_iot.proxies import met_on_the_way, refused_on_the_way
from sectigo_iot.redaction import redacted, secrets_of
from sectigo_iot.replies import CHUNK, Reply
from sectigo_iot.watch import NoConnectionError, NoThreadError, Watch, WithheldError, watch_body

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from sectigo_iot.endpoints import Endpoint

_T = TypeVar("_T")

_log = logging.getLogger("sectigo_iot.transport")

LARGEST_DOCUMENT = 64 * 1024 * 1024
"""Bytes of a reply that is no download."""
REDIRECTS = 5
SHORTEST = 0.2
"""Seconds that a call gets at the least, be it ever so late."""


class Transport:
    """Sends the calls of one client. Safe to share between threads.

    `authorize(rejected)` returns an access token, and another one than `rejected` if that is given, where there is
    one to be had; it is set by the one who knows how to log in. `clock` and `sleep` count in seconds.
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
        self._pool = Pool(settings, clock)
        self._presents = False
        self._sent: str | None = None

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def limited(self, seconds: float) -> Transport:
        """Return a view of this transport whose calls are over after these seconds, if not before."""
        view = copy.copy(self)
        view._timeout = min(self._timeout, max(seconds, SHORTEST))
        return view

    def unrenewed(self) -> Transport:
        """Return a view whose calls go with the token that was sent last, and renew no session if it is refused."""
        view, token = copy.copy(self), self._sent
        if token is not None:
            view.authorize = lambda _: token
        return view

    def presenting(self, context: ssl.SSLContext) -> Transport:
        """Return a view with connections of its own, made with a context that shows a certificate; to be closed.

        What breaks off is sent again once only: under TLS 1.3 that is how a certificate is refused.
        """
        view = copy.copy(self)
        view._pool, view._presents = self._pool.apart(context), True
        return view

    def url(self, endpoint: Endpoint, *ids: int | str) -> str:
        """Return the URL of a call, below the endpoint's path prefix."""
        return self.settings.endpoint + endpoint.path_of(*ids)

    def send(self, call: Call) -> Reply:
        """Send a call, with a token where it needs one, and return its answer.

        Raises APIError and its kinds for the service's errors, TransportError and its kinds where no answer came,
        OutcomeUnknownError where a request that may not be repeated was sent and no answer came,
        NotAuthenticatedError where no token can be had, and what the call's `before_send` raises.
        """
        try:
            return self._authorized(call)
        except WithheldError as withheld:
            raise withheld.reason from None

    def _authorized(self, call: Call) -> Reply:
        """Send a call with a token, and once more with another one where that was refused."""
        if not call.endpoint.needs_token or self.authorize is None:
            return self._repeated(call, None)
        token = self._sent = self._token(None)
        try:
            return self._repeated(call, token)
        except InvalidCredentialsError:
            renewed = self._sent = self._token(token)
            if renewed == token:
                raise
            # The token was dropped by the server. Nothing was done, so that even an order may be sent again, once.
            return self._repeated(call, renewed)

    def _token(self, rejected: str | None) -> str:
        """Return an access token; of what is raised it is said that the call itself was not carried out."""
        assert self.authorize is not None
        try:
            return self.authorize(rejected)
        except SectigoError as error:
            error.of_login = True
            raise

    def stream(self, call: Call, keep: Callable[[Reply], _T]) -> _T:
        """Send a call, hand its answer to `keep` to be read piece by piece, and return what that returns.

        A download that breaks off begins again, as any read does; the time that it took then does not count. All of
        it is over within `Settings.download_timeout`. Raises what `send` and `keep` do.
        """
        begun = self._clock()
        deadline, patience, attempt = begun + self.settings.download_timeout, begun + self._timeout, 0
        while True:
            attempt += 1
            begun = self._clock()
            left = max(deadline - begun, SHORTEST)
            with contextlib.closing(self.limited(left).send(call)) as reply:
                reply.allow(max(deadline - self._clock(), SHORTEST), self.settings.download_timeout)
                try:
                    return keep(reply)
                except TransportError as error:
                    patience += self._clock() - begun
                    if not self._wait_to_repeat(call, error, attempt, min(deadline, patience)):
                        raise

    def _wait_to_repeat(self, call: Call, error: SectigoError, attempt: int, deadline: float) -> bool:
        """Wait until the call may be sent again, and return whether it may be at all before the deadline."""
        if self._presents and attempt > 1 and type(error) is TransportError:
            return False
        wait = pause(call, error, attempt)
        if wait is None or self._clock() + wait >= deadline:
            return False
        _log.info("%s %s: %s; again in %.1f s", call.method, _path(call), error, wait, extra=_extra(call))
        self._sleep(wait)
        return True

    def _repeated(self, call: Call, token: str | None) -> Reply:
        deadline = self._clock() + self._timeout
        attempt, earlier = 0, None
        while True:
            attempt += 1
            try:
                return self._once(call, token, deadline)
            except SectigoError as error:
                if not self._wait_to_repeat(call, error, attempt, deadline):
                    raise judged(call, _telling(call, earlier, error)) from None
                earlier = error

    def _once(self, call: Call, token: str | None, deadline: float) -> Reply:
        try:
            with Watch(max(deadline - self._clock(), 0.001), call.before_send) as watch:
                reply = self._answered(call, token, deadline, watch)
        except NoThreadError as error:
            raise lost(error, call, self._timeout, sent=False) from None
        if watch.over:
            # What came looks whole, and was cut by us.
            reply.close()
            raise too_slow(call, self._timeout)
        return reply

    def _answered(self, call: Call, token: str | None, deadline: float, watch: Watch) -> Reply:
        session, secrets = self._pool.session_for(call), self._secrets(call, token)
        request = self._request(call, token, session.headers).prepare()
        for _ in range(REDIRECTS + 1):
            assert request.url is not None
            self.settings.guard(request.url)
            with observed(self.settings.observer, call, request, secrets) as seen:
                response = seen.response = self._exchange(session, call, request, deadline, watch)
                if not response.is_redirect and response.status_code not in (307, 308):
                    return self._reply(call, secrets, watch, seen)
            request.url = self._follow(call, request.url, response, secrets)
        raise RedirectError(
            f"{call.endpoint.name}: the service redirects in a circle", status=302, location=request.url
        )

    def _secrets(self, call: Call, token: str | None) -> tuple[str, ...]:
        """Return what nothing may show of this call, whoever repeats it."""
        proxy = self._pool.proxy(call.url)
        return (*secrets_of(call), *((token,) if token else ()), *(proxy.secrets if proxy else ()))

    def _request(self, call: Call, token: str | None, usual: Mapping[str, str | bytes]) -> requests.Request:
        # With what the session has to add, which is nothing else: its own merging takes as long as the sending.
        headers = {**usual, "Accept": JSON if call.files else call.media_type}
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
        proxy = self._pool.proxy(request.url)
        try:
            response = session.send(
                request,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_SECONDS, left), left),
                proxies={"all": proxy.url} if proxy else {},
            )
        except UNUSABLE as error:
            raise self._lost(error, call, watch) from None
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

    def _follow(self, call: Call, url: str, response: requests.Response, secrets: tuple[str, ...]) -> str:
        location = response.headers.get("Location")
        response.close()
        shown = redacted(location or "", secrets)
        # One that repeats a secret is not followed: its URL would stand in logs, here and on the way.
        if call.method in ("GET", "HEAD") and location and location == shown and _same_host(url, location):
            return requote_uri(urljoin(url, location))
        raise RedirectError(
            f"{call.endpoint.name}: the service answered {response.status_code} and points to "
            f"{clean(shown) or 'nowhere'}, where neither request nor credentials are sent",
            status=response.status_code,
            location=location and shown,
            hint="if the service has moved, name its address with --endpoint or SECTIGO_ENDPOINT",
        )

    def _reply(self, call: Call, secrets: tuple[str, ...], watch: Watch, seen: Seen) -> Reply:
        response = seen.response
        assert response is not None
        if response.status_code // 100 == 2 and call.stream:
            return Reply(response, call, None, self._timeout)
        if response.status_code < 200:
            # An interim answer that the HTTP library takes for the last one: the last one is still to come on this
            # connection, and would be read as the answer to the next request.
            response.raw.close()
        try:
            body = seen.body = _whole_body(response)
        except UNUSABLE as error:
            if response.status_code < 400:
                raise self._lost(error, call, watch) from None
            # That it was refused has been said: a password must not be tried again for want of the reasons.
            body = b""
        finally:
            response.close()
        if response.status_code // 100 != 2:
            raise self._refused(call, response, body, secrets)
        return Reply(response, call, body, self._timeout)

    def _lost(self, error: Exception, call: Call, watch: Watch) -> TransportError:
        if watch.over and not watch.sent:
            # Its connection was shut while it was being made: how that looked says nothing.
            error = requests.ConnectTimeout(NoConnectionError(None, "no connection in time"))
        failure = lost(error, call, self._timeout, sent=watch.sent, ca_file=self.settings.ca_file)
        if watch.over and not isinstance(failure, UnreachableError):
            failure = too_slow(call, self._timeout)
        proxy = self._pool.proxy(call.url)
        return met_on_the_way(proxy, failure, error) if proxy else failure

    def _refused(self, call: Call, response: requests.Response, body: bytes, secrets: tuple[str, ...]) -> APIError:
        error, proxy = api_error(call, response, body, secrets), self._pool.proxy(call.url)
        return refused_on_the_way(proxy, error, call.url, response.headers) if proxy else error


def _telling(call: Call, earlier: SectigoError | None, last: SectigoError) -> SectigoError:
    """Return the error to tell of a read: why it was repeated says more than that no time was left for it."""
    harmless = call.endpoint.repeat is Repeat.FREELY
    return earlier if earlier is not None and harmless and isinstance(last, DeadlineError) else last


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
