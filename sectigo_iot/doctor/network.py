"""The way to the service, from the name to the answer; each step stands on the one before."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from sectigo_iot.config import Environment
from sectigo_iot.doctor.answer import Question, examine_answer, examine_clock
from sectigo_iot.doctor.certificates import CA_HINT, TLS, agree
from sectigo_iot.doctor.connection import connect, look_up, open_tunnel
from sectigo_iot.doctor.deadlines import STEP_SECONDS, left
from sectigo_iot.doctor.findings import Finding, Health, doubtful, short, unchecked, well, wrong
from sectigo_iot.doctor.route import find_route
from sectigo_iot.errors import APIError, ConfigError, ForbiddenHostError, InvalidCredentialsError, UnreachableError
from sectigo_iot.tls import server_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_iot.config import Settings
    from sectigo_iot.doctor.route import Route

ORDER = ("clock", "dns", "tcp", "tls", "http", "proxy", "environment")
"""How it is told. The environment is checked first, because nothing may be sent to a host that it forbids."""


class Network:
    """What was found of the way to the service."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._found: dict[str, Finding] = {}
        self.missing = self._examined()
        """Why it goes no further; empty, where it does."""
        self.findings = [self._found.get(check) or unchecked(check, self.missing) for check in ORDER]

    def _keep(self, finding: Finding) -> bool:
        """Keep what was found, and return whether the next step can be taken."""
        self._found[finding.check] = finding
        return finding.health is not Health.WRONG

    def _examined(self) -> str:
        """Go as far as it goes, and return why what is left was not checked."""
        if not self._keep(_environment(self._settings)):
            return "nothing may be sent with these settings"
        self._seconds = min(self._settings.timeout, STEP_SECONDS)
        route, proxy = find_route(self._settings)
        self._keep(proxy)
        if route is None:
            return "the proxy's address is of no use"
        self._addresses, dns = look_up(route, self._seconds)
        if not self._keep(dns):
            return f"the address of {dns.details['host']} is not known"
        return self._connected(route)

    def _connected(self, route: Route) -> str:
        made, tcp = connect(route, self._addresses, self._seconds)
        self._keep(tcp)
        if made is None:
            return "there is no connection"
        self._address, connection = made
        with connection:
            missing = self._secured(route, connection)
        return missing or self._answered(route)

    def _secured(self, route: Route, connection: socket.socket) -> str | None:
        """Open the tunnel, if there is to be one, and agree on TLS; return why it goes no further, or None."""
        if route.scheme == "http":
            return self._unseen(_plain(self._settings, route))
        if route.proxy is not None and route.proxy.url.lower().startswith("https:"):
            facts = "it is spoken inside that with the proxy, which is not looked into"
            return self._unseen(unchecked("tls", facts))
        try:
            self._tunnel(route, connection, self._seconds)
        except UnreachableError as error:
            self._keep(wrong("proxy", error))
            return "the proxy leads nowhere"
        tls = TLS(route, self._settings, self._seconds, self._clock)
        agreed = self._keep(agree(connection, tls, lambda until: self._again(route, until)))
        return None if agreed else "no TLS is agreed"

    def _unseen(self, finding: Finding) -> str | None:
        """Keep what is said where no TLS is looked at. The CA file is read all the same, as for each request."""
        try:
            server_context(self._settings.ca_file)
        except ConfigError as error:
            finding = wrong("tls", error, CA_HINT)
        return None if self._keep(finding) else "the CA file is of no use"

    def _tunnel(self, route: Route, connection: socket.socket, seconds: float) -> None:
        if route.tunnelled:
            open_tunnel(connection, route, seconds)

    def _again(self, route: Route, until: float) -> socket.socket:
        """Make one more connection, before this moment. Raises OSError, UnreachableError."""
        connection = socket.create_connection((self._address, route.nearest[1]), left(until))
        try:
            self._tunnel(route, connection, left(until))
        except UnreachableError:
            connection.close()
            raise
        return connection

    def _answered(self, route: Route) -> str:
        question = Question(self._settings, self._clock)
        answer = question.ask(self._seconds)
        if route.proxy is not None and isinstance(answer, APIError) and _is_of_proxy(answer, route):
            self._keep(wrong("proxy", answer))
            return "the proxy lets nothing through"
        self._keep(examine_clock(question.date))
        return "" if self._keep(examine_answer(answer)) else "no IoT Manager answers"


def _is_of_proxy(answer: APIError, route: Route) -> bool:
    """Whether a proxy answers, who wants a password; by 401, too, which is told apart from the service's own.

    Over http one that forbids the way says so with a page, where a service has words of its own.
    """
    if answer.status == 403 and route.scheme == "http":
        return answer.server_message == "an HTML page"
    return answer.status == 407 or (answer.status == 401 and not isinstance(answer, InvalidCredentialsError))


def _environment(settings: Settings) -> Finding:
    try:
        settings.validate()
    except ConfigError as error:
        # A client certificate has a line of its own.
        if error.setting != "client_cert":
            found = wrong("environment", error)
            guarded = isinstance(error, ForbiddenHostError)
            return found if guarded else found._replace(facts=f"a setting is wrong: {found.facts}")
    name, source = settings.environment.value, settings.sources.get("environment", "default")
    facts = f"{name} ({short(source)}) allows {settings.endpoint}"
    return well("environment", facts, environment=name, endpoint=settings.endpoint, source=source)


def _plain(settings: Settings, route: Route) -> Finding:
    if settings.environment in (Environment.TESTING, Environment.DOCKER):
        return unchecked("tls", f"{route} is spoken to by http, without TLS")
    facts = f"{route} is spoken to by http: password and tokens can be read on the way"
    return doubtful("tls", facts, "name the service with https in --endpoint or SECTIGO_ENDPOINT")
