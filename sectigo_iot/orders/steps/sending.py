"""Sending an order: settled in full, written down before a byte leaves, sent once, its outcome written down.

First the secrets are on the disk, then the intent is in the book, then the order leaves, under a name of its own.
What is certain not to have been carried out is planned again; what may have been is unknown, and not sent anew here.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sectigo_iot.errors import (
    APIError,
    ConfigError,
    InvalidInputError,
    InvalidReplyError,
    LeaseLostError,
    NotAuthenticatedError,
    OrderBookError,
    OutcomeUnknownError,
    RedirectError,
    SectigoError,
    TransportError,
    UnreachableError,
    clean,
)
from sectigo_iot.orders.order import OrderEvent
from sectigo_iot.orders.secrets import KEY, PASSWORD, secret_name
from sectigo_iot.orders.states import MAY_BE_PAID, OrderState
from sectigo_iot.orders.steps.choosing import AT_ONCE, REMEMBERED, Known, NothingToOrderFromError, choose
from sectigo_iot.orders.steps.fetching import password_of
from sectigo_iot.orders.steps.parameters import check_csr, order_parameters
from sectigo_iot.orders.work import StoppedError
from sectigo_iot.statuses import Param

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sectigo_iot.models import Authority, Batch
    from sectigo_iot.orders.store.intents import AskedBalance
    from sectigo_iot.orders.work import Work

_log = logging.getLogger("sectigo_iot.orders")

SAVING_SECONDS = 300.0
"""For how long a book that cannot be written to is tried again for what became of an order that was sent."""
NO_LICENCE_PAUSE = 60.0
"""Seconds after which an order without a licence is looked at again, at the least."""
_PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, repr=False)
class _Parcel:
    """What is sent, and to whom: to one of these authorities. Its parameters may hold a password."""

    authorities: tuple[Authority, ...]
    profile_id: int
    params: Mapping[str, str]
    csr: bytes | None
    password_number: int = 0


class _Gate:
    """The last look before the order leaves: no byte does where the lease may not outlive the request."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.passed = False

    def __call__(self) -> None:
        timeout, order = self._work.service.settings.timeout, self._work.order
        self._work.go_on()
        self._work.lease.check(timeout)
        if order.sent_until is not None and self._work.clock() > order.sent_until - timeout:
            # A machine that was paused may not know by the clock of its start.
            raise LeaseLostError(f"the order {order.key!r} is not sent: it is later than it can be")
        self.passed = True


def send(work: Work) -> None:
    """Send a planned order, or say why not.

    It becomes placed; unknown where it was sent and no answer says what became of it; rejected where it, or the
    service, says that it cannot be; failed where a secret that was promised is missing; cancelled where it was
    withdrawn. Else it stays planned: nothing was spent, and it is tried again.

    Raises what asking the service does, OrderBookError, LeaseLostError, StoppedError.
    """
    if work.order.withdrawn is not None:
        work.move(OrderState.CANCELLED, f"withdrawn before it was sent: {work.order.withdrawn}", after=None)
        return
    known = Known(work.service, work.clock, work.go_on)
    try:
        parcel = _packed(work, known)
    except InvalidInputError as refused:
        _reject(work, "; ".join(refused.faults))
    except NothingToOrderFromError as nothing:
        what = clean(str(nothing))
        work.retry_later(what, attention=what, at_least=NO_LICENCE_PAUSE)
    else:
        authority = None if parcel is None else _written_down(work, parcel, known)
        if parcel is not None and authority is not None:
            _deliver(work, parcel, authority, known)


def _packed(work: Work, known: Known) -> _Parcel | None:
    """Settle what is sent, and keep its password first; None where a secret that was promised is gone."""
    wanted = work.order.wanted
    given = {PASSWORD: work.order.password_given, KEY: work.order.key_given}
    lost = [kind for kind, was_given in given.items() if was_given and _secret(work, kind) is None]
    if lost:
        what = f"its {' and '.join(lost)}, given when it was placed, is gone: put it back and retry, or cancel"
        work.move(OrderState.FAILED, what, after=None, attention=what)
        return None
    authorities = choose(wanted, known)
    profile_id = authorities[0].profile_id
    if profile_id is None:
        raise InvalidReplyError(f"the service does not say what profile the authority {authorities[0].id} is of")
    if wanted.csr is not None:
        check_csr(wanted, profile_id, known)
        return _Parcel(authorities, profile_id, wanted.params, wanted.csr)
    password, number = password_of(work), work.order.password_number
    if password is None and (left := work.book.secrets.get(secret_name(work.order.uid, PASSWORD, work.lease.number))):
        # Of a book that was restored: what was made under this number may have been sent.
        password, number = left.decode(), work.lease.number
    params = order_parameters(wanted, profile_id, password, known)
    made = params.get(Param.PKCS12_PASSWORD)
    if made is not None and made != password:
        number = work.lease.number
        work.book.secrets.put(secret_name(work.order.uid, PASSWORD, number), made.encode())
    return _Parcel(authorities, profile_id, params, None, number)


def _secret(work: Work, kind: str) -> bytes | None:
    secret: bytes | None = work.book.secrets.get(secret_name(work.order.uid, kind))
    return secret


def _hold(work: Work) -> None:
    """See to it that nobody else has the order for as long as a log-in and the order take. Raises LeaseLostError."""
    timeout = work.service.settings.timeout
    if work.lease.left() < 2 * timeout:
        work.book.renew_lease(work.lease, 3 * timeout)
    work.lease.check(timeout)


def _reject(work: Work, why: str) -> None:
    reason = clean(why)
    work.move(OrderState.REJECTED, reason, after=None, attention=reason)


def _written_down(work: Work, parcel: _Parcel, known: Known) -> Authority | None:
    """Reserve a licence, write down that it is about to be sent, and return from where; None where there is none."""
    _hold(work)
    for fresh in (REMEMBERED, AT_ONCE):
        for authority in parcel.authorities:
            balance = _countable(work, parcel, known, authority, fresh)
            work.go_on()
            if work.book.begin_sending(
                work.lease,
                authority_id=authority.id,
                profile_id=parcel.profile_id,
                seconds=work.lease.left(),
                balance=balance,
                password_number=parcel.password_number,
            ):
                return authority
    _forget_made(work, parcel)
    numbers = " and ".join(str(each.id) for each in parcel.authorities)
    what = f"authority {numbers} has no licence left that is not reserved for another order"
    work.retry_later(what, attention=what, at_least=NO_LICENCE_PAUSE)
    return None


def _forget_made(work: Work, parcel: _Parcel) -> None:
    """Forget a password that was made for nothing; what cannot be removed now goes when the order is archived."""
    if parcel.password_number != work.order.password_number:
        with contextlib.suppress(SectigoError):
            work.book.secrets.remove(secret_name(work.order.uid, PASSWORD, parcel.password_number))


def _countable(work: Work, parcel: _Parcel, known: Known, authority: Authority, fresh: float) -> AskedBalance | None:
    """Return the balance to count against; None for an upload for which several would do.

    It names the profile alone, so that the service chooses the authority.
    """
    if parcel.csr is not None and len(parcel.authorities) > 1:
        return None
    return known.balance(authority, fresh)


def _deliver(work: Work, parcel: _Parcel, authority: Authority, known: Known) -> None:
    """Send it, and write down what became of it. An interrupt leaves it as it is: sent, or about to be."""
    gate = _Gate(work)
    try:
        batch = _ordered(work, parcel, authority, gate)
    except SectigoError as error:
        if _is_refusal(error):
            # The profile may have other rules by now.
            known.forget_rules(parcel.profile_id)
        _save_failure(work, error, gate.passed)
        return
    except StoppedError as stopped:
        _saved(work, functools.partial(_back_or_said, work, stopped))
        raise
    if batch.batch_id > 0:
        _saved(work, lambda: _placed(work, batch.batch_id), f"it was accepted as batch {batch.batch_id}")
    else:
        _saved(work, lambda: _unknown(work, f"the service accepted it, and says that its batch is {batch.batch_id}"))


def _ordered(work: Work, parcel: _Parcel, authority: Authority, gate: _Gate) -> Batch:
    name = work.order.batch_name
    assert name is not None
    if parcel.csr is None:
        return work.service.create_single_cert_batch(authority.id, name, parcel.params, before_send=gate)
    file = f"{name}.csr"
    return work.service.upload_csr_batch(parcel.profile_id, file, parcel.csr, parcel.params, before_send=gate)


def _save_failure(work: Work, error: SectigoError, left: bool) -> None:
    if not _is_certain(error, left):
        _saved(work, lambda: _unknown(work, str(error)))
    elif _is_refusal(error):
        _saved(work, lambda: _reject(work, _words(error)))
    else:
        _saved(work, lambda: _back_or_said(work, error))


def _back_or_said(work: Work, error: SectigoError | StoppedError) -> None:
    try:
        _back(work, error)
    except LeaseLostError:
        # Another worker has it by now, and cannot know that nothing was sent.
        reason = f"attempt {work.order.attempt} is certain not to have been carried out: {clean(str(error))}"
        work.book.record_unsent(work.order.uid, work.order.attempt, reason=reason)
        raise


def _is_certain(error: SectigoError, left: bool) -> bool:
    """Whether nothing was carried out: it never left, or the service has said no. `left`: whether it may have."""
    if error.of_login:
        return True
    if isinstance(error, OutcomeUnknownError):
        return False
    if isinstance(error, APIError):
        return 400 <= error.status < 500 or error.status == 501
    never_left = (InvalidInputError, LeaseLostError, NotAuthenticatedError, UnreachableError, ConfigError)
    if isinstance(error, never_left):
        return True
    if isinstance(error, RedirectError):
        return error.status in (301, 307, 308)
    # Of the log-in before it, for instance.
    return isinstance(error, TransportError) and not left


def _is_refusal(error: SectigoError) -> bool:
    """Whether it is refused for what it is, so that it would be again."""
    if isinstance(error, APIError) and not error.of_login:
        return error.status not in (401, 403, 405, 501, *_PASSING)
    return isinstance(error, InvalidInputError)


def _words(error: SectigoError) -> str:
    return "; ".join(error.faults) if isinstance(error, InvalidInputError) else str(error)


def _back(work: Work, error: SectigoError | StoppedError) -> None:
    """Plan it again: nothing was spent."""
    why, order = clean(str(error)), work.order
    if order.state is OrderState.ORDERING:
        reason = f"nothing was ordered: {why}"
        work.move(OrderState.PLANNED, reason, failures=order.failures, attention=order.attention)
    if isinstance(error, StoppedError):
        return
    status = getattr(error, "status", 0)
    passes = status in _PASSING or (status >= 500 and status != 501)
    passes = passes or isinstance(error, TransportError | LeaseLostError)
    passes = passes and getattr(error, "passes", True) and not isinstance(error, RedirectError)
    after = getattr(error, "retry_after", None) or 0.0
    work.retry_later(why, attention=None if passes else why, at_least=after)


def _unknown(work: Work, why: str) -> None:
    if work.order.state is OrderState.ORDERING:
        work.move(OrderState.UNKNOWN, why, after=work.rules.first_look)


def _placed(work: Work, batch_id: int) -> None:
    old, reason = work.order.state, f"it was accepted as batch {batch_id}"
    stray = f"attempt {work.order.attempt} was accepted as batch {batch_id}, too"
    after = work.pace.first_look(work.rules)
    work.lease.order = work.book.record_batch(
        work.order.uid, work.order.attempt, batch_id, reason=reason, after=after
    )
    order = work.order
    kind = "state"
    if stray in (order.attention or ""):
        kind, old, reason = "attention", order.state, order.attention or ""
        _log.error("order %s: %s: %s", order.key, order.state, reason)
    work.tell(OrderEvent(order.key, work.clock(), kind, old, order.state, reason, work.lease.worker, order.batch_id))


def _saved(work: Work, save: Callable[[], None], what: str = "it was sent, or tried to be") -> None:
    """Save what became of an order, and try for minutes where the book cannot be written to.

    Nobody else knows it. Where it cannot be saved, whoever takes the order over finds that it was being sent.
    Raises OrderBookError after `SAVING_SECONDS`, LeaseLostError.
    """
    pause, until = 0.1, time.monotonic() + SAVING_SECONDS
    while True:
        try:
            save()
        except LeaseLostError:
            raise
        except OrderBookError as error:
            _log.error("order %s: %s, and that cannot be saved: %s", work.order.key, what, error)
            if time.monotonic() + pause > until:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 30.0)
            if _stands(work):
                return
        else:
            return


def _stands(work: Work) -> bool:
    """Whether it was saved after all: a book that goes away while it writes does not say."""
    with contextlib.suppress(OrderBookError):
        work.lease.order = work.book.get(work.order.key)
    return work.order.state not in MAY_BE_PAID
