"""Which proxy a request goes through, as the environment says, and what may be told of it: never its password."""

from __future__ import annotations

import os
import re
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import requests
from requests.utils import get_auth_from_url, get_environ_proxies
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, make_headers, parse_url

from sectigo_iot.errors import APIError, ConfigError, TransportError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

PORTS = {"http": 80, "https": 443}
_EXAMPLE = "write it like http://127.0.0.1:3128, or http://user:password@127.0.0.1:3128 with what is special as %XX"


class Proxy:
    """A proxy: its `url`, with user name and password; `host`, with port; the `variable` that names it."""

    __slots__ = ("host", "secrets", "url", "variable")

    def __init__(self, url: str, host: str, variable: str) -> None:
        self.url = url
        self.host = host
        self.variable = variable
        login = urlsplit(url).netloc.rpartition("@")[0]
        password = login.partition(":")[2]
        self.secrets = tuple({part for part in (login, password, unquote(password)) if part})
        """What of its URL nothing may show, as it is written and as it is meant."""

    def __repr__(self) -> str:
        return f"<Proxy {self.host}>"

    def __str__(self) -> str:
        return f"the proxy {self.host} of {self.variable}"


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy for requests to this URL, or None. Raises ConfigError where a variable names none.

    The rest of the environment is not asked, because it may replace our CA and our Bearer header.
    """
    if _is_excepted(urlsplit(url).netloc):
        return None
    found = get_environ_proxies(url)
    scheme = urlsplit(url).scheme
    name = scheme if scheme in found else "all"
    value = found.get(name, "").strip()
    return _proxy(value, _variable(f"{name}_proxy")) if value else None


def _is_excepted(netloc: str) -> bool:
    # The library compares an IPv4 address without its port.
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return netloc in excepted.replace(" ", "").split(",")


def _variable(name: str) -> str:
    """Return the name of the variable as it is spelt; the lower case wins, as with Python itself."""
    spellings = sorted((each for each in os.environ if each.lower() == name), reverse=True)
    return spellings[0] if spellings else "the system's settings"


def _proxy(value: str, variable: str) -> Proxy:
    url = value if "://" in value else f"http://{value}"
    parts = _parts(url, variable)
    port = parts.port or PORTS[parts.scheme or "http"]
    try:
        "".join(get_auth_from_url(url)).encode("latin-1")
    except UnicodeEncodeError:
        what = "user name or password holds what cannot be sent to a proxy"
        raise ConfigError(f"{variable}: {what}", setting=variable, hint="only Latin-1 can be sent") from None
    return Proxy(url, f"{parts.host}:{port}", variable)


def _parts(url: str, variable: str) -> Url:
    # The value stays untold: there may be a password in it.
    try:
        parts = parse_url(url)
        (parts.host or "").encode("idna")
    except (LocationParseError, ValueError):
        raise ConfigError(f"{variable} names no proxy", setting=variable, hint=_EXAMPLE) from None
    if parts.scheme not in PORTS:
        what = f"{variable} names a proxy of another kind than http and https"
        raise ConfigError(what, setting=variable, hint=f"{_EXAMPLE}; NO_PROXY names hosts that need none")
    if not parts.host or parts.port == 0 or any(c <= " " for c in url):
        raise ConfigError(f"{variable} names no proxy", setting=variable, hint=_EXAMPLE)
    return parts


def met_on_the_way(proxy: Proxy, failure: TransportError, error: Exception) -> TransportError:
    """Return what a failure is where a proxy is on the way: the proxy's own, or one that either may have caused.

    `error`: that of the HTTP library.
    """
    host, _, what = failure.message.partition(" ")
    if not isinstance(failure, UnreachableError):
        return type(failure)(f"{failure.message} (through {proxy})", hint=failure.hint)
    innermost = _innermost(error)
    if refusal := re.search(r"Tunnel connection failed: (\d{3})", str(innermost)):
        return refused(proxy, host, int(refusal[1]))
    elsewhere = f"If {host} needs no proxy, name it in NO_PROXY"
    if isinstance(innermost, HTTPException):
        hint = f"does {proxy.variable} name a proxy? {elsewhere}"
        return UnreachableError(f"{proxy} cannot be reached: it sends no usable HTTP answer", hint=hint)
    if proxy.url.startswith("https:") and "TLS" in what:
        hint = f"is it spoken to without TLS, as most are? Then write http:// in {proxy.variable}"
        return UnreachableError(f"{proxy} {what}", hint=hint)
    if isinstance(error, requests.exceptions.ProxyError):
        hint = f"is {proxy.variable} right, and does the proxy run? {elsewhere}"
        return UnreachableError(f"{proxy} {what}", hint=hint)
    behind = UnreachableError(
        f"{failure.message} (through {proxy})", hint=failure.hint or f"does the proxy run? {elsewhere}"
    )
    behind.passes = failure.passes
    return behind


def refused(proxy: Proxy, host: str, status: int) -> UnreachableError:
    """Return what it means that a proxy answers with this status when it is asked for a connection to a host."""
    # tinyproxy answers 401 where a wrong password is sent, and 407 where none is.
    asked = status in (401, 407)
    hint = _demand(proxy) if asked else f"may it connect to {host}? If that needs no proxy, name it in NO_PROXY"
    return UnreachableError(f"{proxy} refuses to connect to {host}: status {status}", hint=hint)


def demanded(proxy: Proxy, error: APIError) -> APIError:
    """Return the error of a call that a proxy answered instead of the service: with 407, which no service says."""
    if error.status == 407:
        error.hint = _demand(proxy)
    return error


def refused_on_the_way(proxy: Proxy, error: APIError, url: str, headers: Mapping[str, str]) -> APIError:
    """Return the error of a call that the proxy may have answered instead of the service.

    Over http both look alike. A 401 that asks for a log-in of another kind than the service's is the proxy's: taken
    for the service's, it would mark a good password as refused.
    """
    if urlsplit(url).scheme == "http" and error.status == 401 and _asks_by_http(headers):
        return APIError(401, f"{proxy} wants to know who asks", action=error.action, hint=_demand(proxy))
    if urlsplit(url).scheme == "http" and error.status == 403:
        error.hint = f"it may be {proxy} that says so; NO_PROXY names hosts that need none"
    return demanded(proxy, error)


def _asks_by_http(headers: Mapping[str, str]) -> bool:
    return headers.get("WWW-Authenticate", "").lower().startswith(("basic", "digest", "negotiate", "ntlm"))


def _demand(proxy: Proxy) -> str:
    if not proxy.secrets:
        return f"{proxy} wants a user name and a password; {_EXAMPLE}"
    return f"{proxy} wants a user name and a password: are those in {proxy.variable} right?"


def authorization(proxy: Proxy) -> str | None:
    """Return what a proxy is told of user name and password, which is secret, if there are any."""
    login = get_auth_from_url(proxy.url)
    return make_headers(proxy_basic_auth=":".join(login))["proxy-authorization"] if login[0] else None


def _innermost(error: BaseException) -> BaseException:
    """Follow what the HTTP library has wrapped around what happened."""
    while True:
        links = (getattr(error, "reason", None), getattr(error, "original_error", None), error.__cause__, *error.args)
        inner = next((each for each in links if isinstance(each, BaseException)), None)
        if inner is None:
            return error
        error = inner
