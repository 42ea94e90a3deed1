"""From wishes to what is placed in the book: with keys made here, and as it was wanted the first time."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, NamedTuple

from sectigo_cli.options import UsageError
from sectigo_cli.order_wishes import Wish, params_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot.orders import Order, OrderBook, OrderRequest, Placement, Renewal
    from sectigo_iot.pki import RequestSpec

FOLDER, FORMAT, KEEP, GRANT, OWN_KEY, SERVICE = "folder", "format", "keep", "grant", "own-key", "service"
RESERVED = (FOLDER, FORMAT, KEEP, GRANT, OWN_KEY, SERVICE)
"""The labels in which the command writes down what becomes of an order."""
USUAL = {FORMAT: "pem", KEEP: "3"}
"""What is so without a label, and is written down as none."""


class Placed(NamedTuple):
    """What stands in the book now, in the order of the wishes, and how many of it stood there before."""

    orders: tuple[Order, ...]
    before: int


class Secrets(NamedTuple):
    """What belongs to orders and never to the book: shows nothing of it.

    `password`: of the PKCS#12. `keys`: of signing requests, as `order_keys.keys_of` returns them.
    """

    password: str | None
    keys: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"<Secrets with {len(self.keys)} keys>"

    def key_of(self, wish: Wish) -> bytes | None:
        """Return the private key of a wish's signing request, where there is one."""
        return None if wish.request is None else self.keys.get(wish.request.public_key_fingerprint)


def check_labels(args: argparse.Namespace) -> dict[str, str]:
    """Return the labels that the line gives. Raises UsageError."""
    labels: dict[str, str] = {}
    for name, value in args.label:
        if name in RESERVED:
            raise UsageError(f"order: the label {name} is the command's own", hint="call it otherwise")
        if labels.setdefault(name, value) != value:
            raise UsageError(f"order: the label {name} is given twice")
    return labels


def found_before(book: OrderBook, wanted: Sequence[Wish]) -> dict[str, Order]:
    """Return those of the orders that the book has already, by key."""
    from sectigo_iot import OrderNotFoundError

    found = {}
    for wish in wanted:
        try:
            found[wish.key] = book.get(wish.key)
        except OrderNotFoundError:
            continue
    return found


def request_of(args: argparse.Namespace, context: Context, wish: Wish, before: Order | None) -> OrderRequest:
    """Return what is asked of the book for a wish, without a signing request that is yet to be made.

    What the line leaves open is as it was the first time: the folder, and the key that was made here.
    """
    from sectigo_iot.orders import OrderRequest

    ours = bool(args.own_key)
    return OrderRequest(
        names=wish.spec.names,
        params={} if ours or wish.request else params_of(args, wish.spec),
        profile=context.given_profile,
        authority=args.authority,
        csr=wish.request.pem if wish.request else _made_before(args, wish.spec, before),
        renewal=_renewal(args),
        labels={**check_labels(args), **_files(args, before), SERVICE: context.settings.endpoint},
    )


def _files(args: argparse.Namespace, before: Order | None) -> dict[str, str]:
    known = before.wanted.labels if before is not None and args.output is None else {}
    given = {
        FOLDER: known.get(FOLDER) or os.path.abspath("."),  # noqa: PTH100 - no link is followed
        **given_labels(args),
        OWN_KEY: args.own_key,
    }
    return {name: value for name, value in given.items() if value and value != USUAL.get(name)}


def given_labels(args: argparse.Namespace) -> dict[str, str]:
    """Return the labels of what the line says about where files are put."""
    given = {
        FOLDER: args.output and os.path.abspath(args.output),  # noqa: PTH100 - no link is followed
        FORMAT: args.format,
        KEEP: args.keep and str(args.keep),
        GRANT: ",".join(sorted(set(args.grant or ()))),
    }
    return {name: value for name, value in given.items() if value}


def _renewal(args: argparse.Namespace) -> Renewal | None:
    from sectigo_iot.orders import Renewal

    if args.renew_before is None:
        if args.revoke_replaced is not None:
            raise UsageError("order: --revoke-replaced is about what is renewed", hint="add --renew-before DAYS")
        return None
    return Renewal(args.renew_before, args.revoke_replaced)


def _made_before(args: argparse.Namespace, spec: RequestSpec, before: Order | None) -> bytes | None:
    """Return the request that was made for this order the first time, if it says what is wanted now."""
    if before is None or before.wanted.csr is None or before.wanted.labels.get(OWN_KEY) != args.own_key:
        return None
    from sectigo_iot.pki import read_requests

    (request,) = read_requests(before.wanted.csr)
    said = {name: value for name, value in request.subject if name != "commonName"}
    return before.wanted.csr if said == _said_by(spec) and request.dns_names == spec.names else None


def _said_by(spec: RequestSpec) -> dict[str, str]:
    values = {
        "organizationName": spec.organization,
        "localityName": spec.locality,
        "stateOrProvinceName": spec.state,
        "countryName": spec.country,
    }
    return {name: value for name, value in values.items() if value}


def place(
    args: argparse.Namespace, context: Context, book: OrderBook, wanted: Sequence[Wish], secrets: Secrets
) -> Placed:
    """Place all orders, or none. Raises InvalidInputError, and OrderConflictError for a key of something else."""
    from sectigo_cli.order_conflicts import explained
    from sectigo_iot import OrderConflictError

    before = found_before(book, wanted)
    _refuse_late_keys(args, wanted, before, secrets)
    try:
        return Placed(book.place_all(_placements(args, context, wanted, before, secrets)), len(before))
    except OrderConflictError as error:
        # Another process may have placed the same in between, with a key that it made.
        again = found_before(book, wanted)
        if not args.own_key or again.keys() == before.keys():
            asked = {wish.key: request_of(args, context, wish, again.get(wish.key)) for wish in wanted}
            raise explained(error, again, asked) from None
        return Placed(book.place_all(_placements(args, context, wanted, again, secrets)), len(again))


def _refuse_late_keys(
    args: argparse.Namespace, wanted: Sequence[Wish], before: Mapping[str, Order], secrets: Secrets
) -> None:
    """Raise InvalidInputError for keys of orders that were placed without one, which the book does not take later."""
    from sectigo_iot import InvalidInputError

    late = [
        (wish, before[wish.key])
        for wish in wanted
        if wish.key in before and _lacks_key(before[wish.key]) and secrets.key_of(wish) is not None
    ]
    if late:
        faults = tuple(f"{wish.place}: the order {wish.key} was placed without its private key" for wish, _ in late)
        message = faults[0] if len(faults) == 1 else f"{len(faults)} orders were placed without their private keys:"
        raise InvalidInputError(message, faults=faults, hint=_instead(args, late[0][1]))


def _lacks_key(order: Order) -> bool:
    return not order.key_given and order.state != "cancelled"


def _instead(args: argparse.Namespace, order: Order) -> str:
    """Return how a key still comes to the certificate of its request."""
    if order.state != "delivered" or order.batch_id is None:
        return "leave --key-file out, and put the key beside the files that come"
    folder, (key, *_) = order.wanted.labels.get(FOLDER, "."), args.key_file
    line = shlex.join(["sectigo", "download", "-i", str(order.batch_id), "-o", folder, "--extract", "--key", key])
    return f"leave --key-file out; `{line}` puts the certificate in place with its key, while the service has it"


def _placements(
    args: argparse.Namespace,
    context: Context,
    wanted: Sequence[Wish],
    before: Mapping[str, Order],
    secrets: Secrets,
) -> list[Placement]:
    from dataclasses import replace

    from sectigo_iot.orders import Placement

    asked = {wish.key: request_of(args, context, wish, before.get(wish.key)) for wish in wanted}
    lacking = [wish for wish in wanted if args.own_key and asked[wish.key].csr is None]
    keys = {wish.key: secrets.key_of(wish) for wish in wanted}
    for wish, (key, csr) in zip(lacking, _made(args, context, lacking), strict=True):
        keys[wish.key], asked[wish.key] = key, replace(asked[wish.key], csr=csr)
    passwords = {wish.key: None if wish.key in before else secrets.password for wish in wanted}
    return [Placement(key, wish, passwords[key], keys[key]) for key, wish in asked.items()]


def _made(args: argparse.Namespace, context: Context, lacking: Sequence[Wish]) -> list[tuple[bytes, bytes]]:
    """Return a new key and its request for each wish."""
    import contextlib

    from sectigo_cli.progress import counting
    from sectigo_iot.pki import make_requests

    made: list[tuple[bytes, bytes]] = []
    if lacking:
        making = make_requests([wish.spec for wish in lacking], kind=args.own_key)
        with counting(context, "keys and requests", len(lacking)) as tell, contextlib.closing(making):
            for each in making:
                made.append((each.key_pem, each.request_pem))
                tell(len(made))
    return made
