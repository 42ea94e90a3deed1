"""What may be ordered from, as the service says, remembered for a minute for all of a process, and what to choose.

Nothing here is decided by a question that went unanswered: a balance that could not be asked for is not zero, and the
profile that was asked for is never replaced by another one.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from sectigo_iot.errors import (
    APIError,
    InvalidInputError,
    InvalidReplyError,
    NotAuthenticatedError,
    NotFoundError,
    NotImplementedByServiceError,
    SectigoError,
    TransportError,
)
from sectigo_iot.ordering import choose_authority, profile_matches
from sectigo_iot.orders.store.intents import AskedBalance

if TYPE_CHECKING:
    from sectigo_iot.models import Authority, ProfileParameter
    from sectigo_iot.orders.order import OrderRequest
    from sectigo_iot.orders.protocols import Service

REMEMBERED = 60.0
"""Seconds for which an answer about authorities, balances and profiles is good enough."""
AT_ONCE = 1.0
"""Seconds within which the same is not asked anew, whoever finds the answer wanting."""
PATIENCE = 5.0
"""Seconds to wait for another thread that asks the same; after that everybody asks for himself."""


class NothingToOrderFromError(SectigoError):
    """The order is right, but just now there is nothing to order it from, and somebody has to see to that."""


class _Answer(NamedTuple):
    value: Any
    at: float


class _Memory:
    """The answers of one service, and who asks it just now."""

    def __init__(self) -> None:
        self.answers: dict[object, _Answer] = {}
        self._guard = threading.Lock()
        self._asking: dict[object, threading.Lock] = {}

    @contextmanager
    def turn(self, question: object) -> Iterator[None]:
        """Have one thread ask for all; but one that waits for its answer for ever holds up nobody else."""
        with self._guard:
            lock = self._asking.setdefault(question, threading.Lock())
        taken = lock.acquire(timeout=PATIENCE)
        try:
            yield
        finally:
            if taken:
                lock.release()


class Known:
    """What one service has said, for `REMEMBERED` seconds. Safe to share between threads.

    `clock` gives seconds since the epoch. `before` is called before each question, and may keep it from being asked
    by what it raises. Whoever uses the same client has the same answers.
    """

    def __init__(
        self, service: Service, clock: Callable[[], float], before: Callable[[], None] = lambda: None
    ) -> None:
        self._service, self._clock, self._before = service, clock, before
        self._memory = _memory_of(service)

    def authorities(self, fresh: float = REMEMBERED) -> tuple[Authority, ...]:
        """Return what may be ordered from, as it was said in the last `fresh` seconds. Raises what asking does."""
        authorities: tuple[Authority, ...] = self._answer("authorities", self._service.user_authorities, fresh).value
        if any(_has_gaps(each) for each in authorities):
            # By what is null there an order might be refused that is right.
            self._memory.answers.pop("authorities", None)
        return authorities

    def rules(self, profile_id: int | None, fresh: float = REMEMBERED) -> tuple[ProfileParameter, ...] | None:
        """Return the parameters of a profile; None where the service has no list of them. Raises what asking does."""
        if profile_id is None:
            return None

        def ask() -> tuple[ProfileParameter, ...] | None:
            try:
                return self._service.profile_params(profile_id) or None
            except (NotFoundError, NotImplementedByServiceError):
                return None

        rules: tuple[ProfileParameter, ...] | None = self._answer(("rules", profile_id), ask, fresh).value
        return rules

    def balance(self, authority: Authority, fresh: float = REMEMBERED) -> AskedBalance | None:
        """Return how many licences an authority has left; None where nobody can tell. Raises NotAuthenticatedError.

        The call for it may say something else than the list, and is asked first.
        """

        def ask() -> int | None:
            try:
                return self._service.authority_available_balance(authority.id)
            except NotAuthenticatedError:
                raise
            except (APIError, TransportError):
                return None

        said = self._answer(("balance", authority.id), ask, fresh)
        if said.value is not None:
            return AskedBalance(said.value, said.at)
        listed = self._memory.answers.get("authorities")
        if authority.balance is None or listed is None:
            return None
        return AskedBalance(authority.balance, listed.at)

    def forget_rules(self, profile_id: int | None) -> None:
        """Ask for the parameters of a profile at the next order: the service has other rules by now."""
        self._memory.answers.pop(("rules", profile_id), None)

    def _answer(self, question: object, ask: Callable[[], Any], fresh: float) -> _Answer:
        known = self._kept(question, fresh)
        if known is not None:
            return known
        with self._memory.turn(question):
            known = self._kept(question, fresh)
            if known is None:
                self._before()
                # When it was asked: what is ordered while it is answered may not be in the answer.
                at = self._clock()
                known = self._memory.answers[question] = _Answer(ask(), at)
        return known

    def _kept(self, question: object, fresh: float) -> _Answer | None:
        known = self._memory.answers.get(question)
        return known if known is not None and 0 <= self._clock() - known.at < fresh else None


_MEMORIES: weakref.WeakKeyDictionary[Service, _Memory] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()


def _memory_of(service: Service) -> _Memory:
    try:
        with _GUARD:
            return _MEMORIES.setdefault(service, _Memory())
    except TypeError:
        # Somebody's own service, that cannot be a key: it is asked each time.
        return _Memory()


def choose(wanted: OrderRequest, known: Known) -> tuple[Authority, ...]:
    """Return the authority to order from, and behind it others of the same profile, those with most licences first.

    What was remembered is asked for anew before anything is refused by it.

    Raises InvalidInputError where nothing fits what is wanted, or it is not clear what does;
    NothingToOrderFromError where what fits is not enabled, or no licence is left; and what asking does.
    """
    try:
        return _chosen(wanted, known.authorities(), known)
    except (InvalidInputError, NothingToOrderFromError):
        return _chosen(wanted, known.authorities(AT_ONCE), known)


def _chosen(wanted: OrderRequest, authorities: Sequence[Authority], known: Known) -> tuple[Authority, ...]:
    if not authorities:
        raise NothingToOrderFromError("the service lists no authority that this user may order from")
    fitting = [each for each in authorities if _fits(each, wanted)]
    if not fitting and any(_has_gaps(each) for each in authorities):
        raise InvalidReplyError("userAuthorities: the service did not say of each authority what profile it has")
    if not fitting:
        # Its words for it, which list what there is.
        choose_authority(authorities, wanted.authority, profile=wanted.profile, exact=True)
        raise InvalidInputError("no authority fits what is wanted")
    enabled = [each for each in fitting if each.enabled]
    if not enabled:
        raise NothingToOrderFromError(f"{_listed(fitting)} not enabled")
    return (enabled[0],) if len(enabled) == 1 else _with_most(enabled, wanted, known)


def _has_gaps(authority: Authority) -> bool:
    return authority.profile_id is None or authority.profile_name is None or authority.document["enabled"] is None


def _fits(authority: Authority, wanted: OrderRequest) -> bool:
    if wanted.authority is not None and authority.id != wanted.authority:
        return False
    return wanted.profile is None or profile_matches(authority, wanted.profile)


def _with_most(candidates: Sequence[Authority], wanted: OrderRequest, known: Known) -> tuple[Authority, ...]:
    """Return those of several with a balance, the highest first; those that nobody could ask, where none has any.

    Those of several profiles are only told apart by that one alone has licences: another one is another certificate.
    """
    balances = {each.id: known.balance(each) for each in candidates}
    unknown = [each for each in candidates if balances[each.id] is None]
    some = [each for each in candidates if (said := balances[each.id]) is not None and said.licences > 0]
    left = some or unknown
    if not left:
        raise NothingToOrderFromError(f"{_listed(candidates)} without a licence left")
    if wanted.profile is None and len({each.profile_id for each in (*some, *unknown)}) > 1:
        several = f"several may be ordered from, {_listed([*some, *unknown])}: name the profile"
        raise NothingToOrderFromError(several) if unknown else InvalidInputError(several)
    left.sort(key=lambda each: (balances[each.id] or AskedBalance(0, 0.0)).licences, reverse=True)
    return tuple(each for each in left if each.profile_id == left[0].profile_id)


def _listed(authorities: Sequence[Authority]) -> str:
    shown = [f"{each.id} (profile {each.profile_id} {each.profile_name!r})" for each in authorities]
    return f"{'authority' if len(shown) == 1 else 'authorities'} {', '.join(shown)}"
