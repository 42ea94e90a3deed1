"""What is told where the book has an order otherwise than the line wants it: in the line's words, and what helps."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from sectigo_cli.context import harmless
from sectigo_cli.order_placing import FOLDER, FORMAT, GRANT, KEEP, OWN_KEY, SERVICE, USUAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sectigo_iot import OrderConflictError
    from sectigo_iot.orders import Order, OrderBook, OrderRequest

_OPTIONS = {FOLDER: "-o", FORMAT: "--format", KEEP: "--keep", GRANT: "--grant"}
"""The options that say where files are put, by the label of each."""
_OTHER = "`sectigo orders show KEY` prints what the book has; another order takes another --key"
_SAME = "say it as the first time: under another key the same certificate is paid for twice"


class _Difference(NamedTuple):
    """How something was said, and is said now; `label`: under which the book keeps it, if it is about the files."""

    then: str
    now: str
    label: str

    def __str__(self) -> str:
        return f"{self.then} then, {self.now} now"


def explained(
    error: OrderConflictError, before: Mapping[str, Order], asked: Mapping[str, OrderRequest]
) -> OrderConflictError:
    """Return the error as the command tells it: by options where the same certificate is wanted, in another way."""
    from sectigo_iot import OrderConflictError

    clashes = {key: order for key, order in before.items() if key in asked and order.wanted != asked[key]}
    if not clashes or any(_is_another(order.wanted, asked[key]) for key, order in clashes.items()):
        return OrderConflictError(error.message, key=error.key, faults=error.faults, hint=_OTHER)
    found = {key: list(_differences(order.wanted, asked[key])) for key, order in clashes.items()}
    faults = tuple(f"{key}: {'; '.join(map(str, each))}" for key, each in found.items())
    first = next(iter(found))
    message = f"the order {faults[0]}" if len(faults) == 1 else f"{len(faults)} orders stand in the book otherwise:"
    return OrderConflictError(message, key=first, faults=faults, hint=_hint(clashes[first], found[first]))


def _is_another(then: OrderRequest, now: OrderRequest) -> bool:
    """Whether it is another certificate that is wanted, and not the same in another way."""
    contents = (then.names, then.params, then.csr, then.labels.get(OWN_KEY))
    return contents != (now.names, now.params, now.csr, now.labels.get(OWN_KEY))


def _differences(then: OrderRequest, now: OrderRequest) -> Iterator[_Difference]:
    for label, option in _OPTIONS.items():
        yield from _different(option, *(_placed(each, label) for each in (then, now)), label=label)
    yield from _different("-P", *(each.profile and shlex.quote(each.profile) for each in (then, now)))
    yield from _different("-a", *(each.authority for each in (then, now)))
    yield from _different("--renew-before", *(each.renewal and f"{each.renewal.before:g}" for each in (then, now)))
    afters = [each.renewal and each.renewal.revoke_after for each in (then, now)]
    yield from _different("--revoke-replaced", *(None if each is None else f"{each:g}" for each in afters))
    for name in sorted({*then.labels, *now.labels} - {*_OPTIONS, OWN_KEY, SERVICE}):
        pairs = (name in each.labels and shlex.quote(f"{name}={each.labels[name]}") for each in (then, now))
        yield from _different("--label", *pairs)


def _placed(wanted: OrderRequest, label: str) -> str | None:
    value = wanted.labels.get(label, USUAL.get(label))
    if value is None:
        return None
    return " --grant ".join(map(shlex.quote, value.split(","))) if label == GRANT else shlex.quote(value)


def _different(option: str, then: object, now: object, *, label: str = "") -> Iterator[_Difference]:
    if then != now:
        before, after = (f"{option} {harmless(str(value))}" if value else f"no {option}" for value in (then, now))
        yield _Difference(before, after, label)


def _hint(order: Order, differences: Iterable[_Difference]) -> str:
    differences = list(differences)
    if not all(each.label for each in differences):
        return _SAME
    if order.state == "delivered" and order.next_at is None:
        return "it is delivered, and its files are where they were put; say it as the first time"
    if order.state == "cancelled":
        return "it is cancelled; another order of this name takes another --key"
    options = " ".join("--no-grant" if each.now == "no --grant" else each.now for each in differences)
    return f"`sectigo orders retry {shlex.quote(order.key)} {options}` has it so, and nothing is ordered twice"


def refuse_other_service(book: OrderBook, before: Mapping[str, Order], endpoint: str) -> None:
    """Raise InvalidInputError where orders of the book are those of another service, in the words of the book."""
    from sectigo_iot import InvalidInputError

    for order in (*before.values(), *book.find(limit=1)):
        other = order.wanted.labels.get(SERVICE, endpoint)
        if other != endpoint:
            raise InvalidInputError(
                f"the order book {book.url} is that of {other}, and this is {endpoint}: nothing is ordered here",
                hint="name another book for another service, one file or database for each",
            )
