"""The account: may this user log in, as what, and how many licences are left. Reads alone, and spends nothing."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar

from sectigo_iot.api.authorities import available_balance, user_authorities
from sectigo_iot.auth import Authenticator
from sectigo_iot.credentials import login_of
from sectigo_iot.doctor.deadlines import STEP_SECONDS, Budget, shown
from sectigo_iot.doctor.findings import Finding, doubtful, short, unchecked, well, wrong
from sectigo_iot.errors import (
    APIError,
    ConfigError,
    DeadlineError,
    InvalidCredentialsError,
    NotAuthenticatedError,
    NotAuthorizedError,
    SectigoError,
    clean,
)
from sectigo_iot.ordering import profile_matches
from sectigo_iot.tokens import read_claims
from sectigo_iot.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sectigo_iot.calls import Call
    from sectigo_iot.config import Settings
    from sectigo_iot.exchanges import Exchange
    from sectigo_iot.models import Authority
    from sectigo_iot.replies import Reply
    from sectigo_iot.tokens import TokenStore

_T = TypeVar("_T")

LOW = 5
"""So few licences are told of."""
MOST_ASKED = 10
"""Authorities whose balance is asked for one by one; that of the others is the list's."""
_FILE_HINT = "is SECTIGO_PASSWORD_FILE right? It is to name a file whose first line is the password, in UTF-8"
ROLES = {"ROLE_USER": "USER (organization administrator)", "ROLE_ADMIN": "ADMIN (ecosystem administrator)"}


def known_user(settings: Settings, store: TokenStore) -> str | SectigoError:
    """Return the user, as far as one is known without asking anybody, or why none is."""
    unasked = copy.copy(settings)
    unasked.prompt = None
    try:
        return login_of(unasked, store, quiet=True).username()
    except (NotAuthenticatedError, ConfigError) as error:
        return error


class _Step(Transport):
    """A transport whose calls end with the step at hand. The time between them, at a prompt, say, does not count."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.budget = Budget(min(settings.timeout, STEP_SECONDS))

    def send(self, call: Call) -> Reply:
        left = self.budget.left
        if left <= 0:
            raise DeadlineError(f"{call.endpoint.name}: nothing is left of the {shown(self.budget.seconds)} for this")
        if call.endpoint.name == "refresh":
            # If it comes to nothing, there is to be time for a log-in.
            left /= 2
        try:
            with self.budget.spending():
                return Transport.send(self.limited(left), call)
        except DeadlineError as error:
            if left < 0.9 * self.budget.seconds:
                error.hint = (
                    f"this step was given {shown(self.budget.seconds)} in all; {error.hint or 'try again later'}"
                )
            raise


class Account:
    """One user's session, and what the service says to it."""

    def __init__(self, settings: Settings, store: TokenStore, clock: Callable[[], float]) -> None:
        self._settings = copy.copy(settings)
        self._settings.observer = self._observe
        self._passed_on = settings.observer
        self._store, self._clock = store, clock
        self._asked: list[str] = []
        self.login = login_of(self._settings, store)

    def _observe(self, exchange: Exchange) -> None:
        self._asked.append(exchange.name)
        if self._passed_on is not None:
            self._passed_on(exchange)

    def examine(self) -> Iterator[Finding]:
        """Log in, if there is no session, and ask for what may be ordered from."""
        self._step = _Step(self._settings)
        self._auth = Authenticator(self._step, self.login, self._store, clock=self._clock)
        try:
            yield from self._examined(self._auth)
        finally:
            self._step.close()

    def _ask(self, work: Callable[[Transport], _T]) -> _T:
        """Return what the service says to a call; with another token, where it rejects the one at hand."""
        token = self._auth.token()
        try:
            return work(_with(self._step, token))
        except InvalidCredentialsError:
            return work(_with(self._step, self._auth.token(token)))

    def _examined(self, auth: Authenticator) -> Iterator[Finding]:
        authorities: tuple[Authority, ...] | SectigoError
        try:
            authorities = self._ask(user_authorities)
        except SectigoError as error:
            if isinstance(error, NotAuthenticatedError | ConfigError) or not self._has_session(auth):
                yield self._not_logged_in(error)
                yield from (unchecked(check, "there is no session") for check in ("role", "balance"))
                return
            authorities = error
        pair = auth.tokens()
        yield self._credentials(pair.valid_until if pair else self._clock())
        yield examine_role(read_claims(pair.access_token).scopes if pair else ())
        if isinstance(authorities, SectigoError):
            yield _without_list(authorities)
        else:
            yield self._balance(authorities)

    def _has_session(self, auth: Authenticator) -> bool:
        pair = auth.tokens()
        return pair is not None and pair.valid(self._clock())

    def _credentials(self, until: float) -> Finding:
        login, password = self.login, self._password_source()
        left = f"{max(until - self._clock(), 0):.0f} s left"
        if "authenticate" in self._asked:
            session = "there was no session, so logged in just now"
        elif "refresh" in self._asked:
            session = f"session renewed ({left}), password not tried"
        else:
            session = f"the session there was is accepted ({left}), password not tried"
        facts = f"{clean(login.username())} ({short(login.username_source)}), password: {short(password)}; {session}"
        return well(
            "credentials",
            facts,
            username=login.username(),
            username_source=login.username_source,
            password_source=password,
            logged_in="authenticate" in self._asked,
        )

    def _not_logged_in(self, error: SectigoError) -> Finding:
        found = wrong("credentials", error, _login_hint(error))
        user, password = short(self.login.username_source), short(self.login.password_source)
        if "nowhere" in (user, password):
            return found
        return found._replace(facts=f"{found.facts} (user name: {user}; password: {password})")

    def _password_source(self) -> str:
        """Return where a password would come from, without asking anybody at a terminal."""
        if self.login.password_source != "nowhere":  # noqa: S105 - a source, no password
            return self.login.password_source
        unasked = copy.copy(self._settings)
        unasked.prompt = None
        found = login_of(unasked, self._store, quiet=True)
        try:
            found.password()
        except SectigoError:
            return "asked for at the terminal" if self._settings.prompt else "none for the next log-in"
        return found.password_source

    def _balance(self, authorities: tuple[Authority, ...]) -> Finding:
        self._step.budget.renew()
        balances = {}
        for position, each in enumerate(authorities):
            asked = each.enabled and position < MOST_ASKED and self._step.budget.left > 0
            balances[each.id] = self._left_of(each) if asked else each.balance or 0
        settings = self._settings
        given = settings.profile if settings.sources.get("profile") != "default" else None
        return examine_balance(authorities, balances, given)

    def _left_of(self, authority: Authority) -> int:
        try:
            return self._ask(lambda transport: available_balance(transport, authority.id))
        except SectigoError:
            # The list has one, too.
            return authority.balance or 0


def _login_hint(error: SectigoError) -> str | None:
    """Return what to do about an error that has no hint of its own; None, where the settings are to be looked at."""
    if isinstance(error, ConfigError):
        return _FILE_HINT if error.setting == "password_file" else None
    if isinstance(error, NotAuthenticatedError) or (isinstance(error, APIError) and error.status in (400, 422)):
        return "are user name and password right, and written in UTF-8? `sectigo -p … auth` tries another password"
    return "is the service well? Try `sectigo auth` again later"


def _with(transport: Transport, token: str) -> Transport:
    """Return a view that sends this token, and gets no other: that would take time of its own."""
    view = copy.copy(transport)
    view.authorize = lambda _: token
    return view


def examine_role(scopes: tuple[str, ...]) -> Finding:
    """Say which roles the token grants; it need not name any."""
    if not scopes:
        return unchecked("role", "the token names no role", scopes=[])
    roles = [ROLES[scope] for scope in scopes if scope in ROLES]
    if roles:
        return well("role", ", ".join(roles), scopes=list(scopes))
    hint = "ask whoever administers the account for a role that may order"
    shown = ", ".join(map(clean, scopes))
    return doubtful("role", f"neither USER nor ADMIN, but {shown}", hint, scopes=list(scopes))


def _without_list(error: SectigoError) -> Finding:
    hint = "the service is not well: try again later"
    if isinstance(error, NotAuthorizedError):
        hint = "this user may not see what can be ordered: ask whoever administers the account for the right to"
    return wrong("balance", error, hint)


def examine_balance(authorities: tuple[Authority, ...], balances: dict[int, int], given: str | None) -> Finding:
    """Say how many licences are left; `given` is the profile that the user asked for, if any."""
    fitting = [each for each in authorities if each.enabled and (given is None or profile_matches(each, given))]
    facts = ", ".join(f"{_name(each)}: {balances[each.id]}" for each in authorities[:MOST_ASKED])
    more = f", and {len(authorities) - MOST_ASKED} more" if len(authorities) > MOST_ASKED else ""
    details = {"balances": {str(number): count for number, count in balances.items()}}
    if not fitting:
        which = (
            "no authority is enabled" if given is None else f"no enabled authority has the profile {clean(given)!r}"
        )
        hint = "`sectigo authorities` lists what there is; choose with -P, or ask whoever administers the account"
        return doubtful("balance", f"{which} ({facts or 'there is none at all'}{more})", hint, **details)
    left = sum(balances[each.id] for each in fitting)
    if left <= LOW:
        buy = "no order can succeed: buy licences" if left <= 0 else "buy licences soon"
        return doubtful("balance", f"{facts}{more}", f"{buy}, or have some assigned to the authority", **details)
    return well("balance", f"{facts}{more}", **details)


def _name(authority: Authority) -> str:
    disabled = "" if authority.enabled else ", not enabled"
    return f"{clean(authority.profile_name or 'without name')} (authority {authority.id}{disabled})"
