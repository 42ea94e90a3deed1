"""Whether what somebody wants to order can be ordered at all, as far as that can be told without the service."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from sectigo_iot.errors import InvalidInputError, InvalidRequestError, clean
from sectigo_iot.orders.order import OrderRequest, Renewal
from sectigo_iot.statuses import Param

LONGEST_KEY = 200


def checked(
    key: str, wanted: OrderRequest, password: str | None, private_key: bytes | None
) -> tuple[OrderRequest | None, list[str]]:
    """Return what is wanted as the book keeps it, and every fault; with a fault, None."""
    who = f"the order {clean(str(key))[:60]!r}"
    faults = [*_of_key(key), *_of_wanted(wanted)]
    if not faults:
        wanted = _plain(wanted)
        faults += _of_request(wanted, private_key)
    faults += _of_secrets(wanted, password, private_key)
    return (None if faults else wanted), [f"{who}: {fault}" for fault in faults]


def _of_key(key: object) -> Iterator[str]:
    if not isinstance(key, str) or not 1 <= len(key) <= LONGEST_KEY or not key.isprintable() or key != key.strip():
        yield f"a key has 1 to {LONGEST_KEY} printable characters, and no blank at an end"


def _of_wanted(wanted: OrderRequest) -> Iterator[str]:
    names: object = wanted.names
    if not names or not isinstance(names, tuple | list):
        yield "it has no names"
        return
    if not all(isinstance(name, str) and name and name.isprintable() and name == name.strip() for name in names):
        yield "a name is empty, or has characters that no name has"
    elif len({name.lower() for name in names}) != len(names):
        yield "a name stands there twice"
    if Param.PKCS12_PASSWORD in wanted.params:
        yield f"a password has no place among the parameters ({Param.PKCS12_PASSWORD}): give it as the password"
    yield from _of_texts("parameter", dict(wanted.params))
    yield from _of_texts("label", dict(wanted.labels))
    yield from _of_numbers(wanted)


def _of_texts(what: str, texts: Mapping[Any, Any]) -> Iterator[str]:
    for name, value in texts.items():
        if not isinstance(name, str) or not isinstance(value, str):
            yield f"the {what} {clean(str(name))!r} is no text"
        elif not (name and name.isprintable() and value.replace("\n", "").replace("\t", "").isprintable()):
            yield f"the {what} {clean(name)!r} has characters that cannot be kept"


def _of_numbers(wanted: OrderRequest) -> Iterator[str]:
    if wanted.days_to_live is not None and not 0 < wanted.days_to_live < math.inf:
        yield f"{wanted.days_to_live!r} is no number of days in which it can be fetched"
    if wanted.authority is not None and (isinstance(wanted.authority, bool) or wanted.authority < 0):
        yield f"{wanted.authority!r} is no authority's id"
    if wanted.renewal is not None:
        yield from _of_renewal(wanted.renewal)


def _of_renewal(renewal: Renewal) -> Iterator[str]:
    if not 0 < renewal.before < math.inf:
        yield f"{renewal.before!r} is neither a number of days nor a fraction of the lifetime"
    if renewal.revoke_after is not None and not 0 <= renewal.revoke_after < math.inf:
        yield f"{renewal.revoke_after!r} is no number of days after which to revoke"


def _plain(wanted: OrderRequest) -> OrderRequest:
    """Return the same as plain values, which compare as equal with what comes back from the book."""
    changes: dict[str, object] = {
        "names": tuple(wanted.names),
        "params": dict(wanted.params),
        "labels": dict(wanted.labels),
    }
    return dataclasses.replace(wanted, **changes)  # type: ignore[arg-type]


def _of_request(wanted: OrderRequest, private_key: bytes | None) -> Iterator[str]:
    if wanted.csr is None:
        return
    from sectigo_iot.pki import read_requests

    try:
        found = read_requests(wanted.csr, "its signing request")
    except InvalidRequestError as error:
        yield from error.faults
        return
    if len(found) != 1:
        yield f"it has {len(found)} signing requests, and may have one"
        return
    has = [name.lower() for name in (found[0].common_name, *found[0].dns_names) if name]
    if set(has) != {name.lower() for name in wanted.names} or has[:1] != [wanted.common_name.lower()]:
        asked = clean(" ".join(wanted.names))
        yield f"its signing request is for {clean(' '.join(dict.fromkeys(has)))}, and it is to be for {asked}"
    if private_key is not None:
        yield from _of_private_key(private_key, found[0].public_key_fingerprint)


def _of_private_key(private_key: bytes, fingerprint: str) -> Iterator[str]:
    from sectigo_iot.pki import KeyRing

    try:
        fits = KeyRing({"the private key": private_key}).holds(fingerprint)
    except InvalidInputError as error:
        yield error.message
        return
    if not fits:
        yield "the private key is not that of its signing request"


def _of_secrets(wanted: OrderRequest, password: str | None, private_key: bytes | None) -> Iterator[str]:
    if password is not None and not password:
        yield "the password is empty"
    if private_key is not None and wanted.csr is None:
        yield "a private key was given, and no signing request for it"
