"""What is to be ordered, as the line, a table or signing requests say it: read and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sectigo_cli.names import dns_names
from sectigo_cli.options import UsageError
from sectigo_cli.order_keys import check_key_options
from sectigo_cli.order_options import KEY_RULE, is_key
from sectigo_cli.pkcs12_passwords import with_params
from sectigo_cli.request_keys import content

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot.pki import CertificateRequest, ExaminedRequest, RequestSpec

KEY = "key"
LARGEST = 64 << 20
"""Bytes of a table, and of all signing requests together."""
_FIELDS = ("organization", "locality", "state", "country")
_DERIVED = ("commonName", "dNSName")
_MOST_SAID = 20
_TWICE = " stands there twice"


class Wish(NamedTuple):
    """One certificate that is wanted: the order's key, the place where it stands, and its names and subject.

    `request` is the signing request that it is for, if somebody has made one.
    """

    key: str
    place: str
    spec: RequestSpec
    request: CertificateRequest | None = None


def wishes(args: argparse.Namespace, context: Context) -> list[Wish]:
    """Return what is wanted, in order. Raises UsageError or InvalidInputError with every fault that there is."""
    _check(args)
    if args.file is not None:
        found = _of_table(args, context)
    elif args.csr:
        found = _of_requests(args)
    else:
        found = _of_line(args)
    if args.key is not None:
        if len(found) > 1:
            raise UsageError(
                f"order: --key names one order, and there are {len(found)}", hint="a table has a column key"
            )
        found = [found[0]._replace(key=args.key)]
    _refuse(found)
    return found


def _check(args: argparse.Namespace) -> None:
    ways = [way for way, given in (("DOMAIN", args.domain), ("--file", args.file), ("--csr", args.csr)) if given]
    if len(ways) != 1:
        what = f"{ways[0]} and {ways[1]} are two ways to say what is wanted" if ways else "what is to be ordered?"
        raise UsageError(f"order: {what}", hint="name domains, or --file FILE.csv, or --csr FILE")
    if args.dns and (args.file or args.csr or len(args.domain) > 1):
        raise UsageError("order: --dns is one more name of one DOMAIN", hint=_further_names(args))
    if args.csr and args.own_key:
        raise UsageError("order: a signing request has its key already", hint="leave --own-key out")
    if (args.csr or args.own_key) and (args.param or args.password_file):
        name = "--param" if args.param else "--password-file"
        raise UsageError(f"order: {name} is about a key that the service makes", hint=f"leave {name} out")
    check_key_options("order", args)
    if args.csr and any(getattr(args, field) for field in _FIELDS):
        raise UsageError("order: the subject stands in the signing request", hint="leave it out of the line")


def _further_names(args: argparse.Namespace) -> str:
    if args.csr:
        return "all names of a signing request stand in it: leave --dns out"
    return "the table has a column dns" if args.file else "--file takes a table, which has a column dns"


def params_of(args: argparse.Namespace, spec: RequestSpec) -> dict[str, str]:
    """Return the parameters that are asked for beside the names, under the service's names. Raises UsageError."""
    names = ("organizationName", "localityName", "stateOrProvinceName", "countryName")
    asked = {name: getattr(spec, field) for name, field in zip(names, _FIELDS, strict=True)}
    asked = {name: value for name, value in asked.items() if value}
    return with_params("order", asked, args.param, _DERIVED, hint="use DOMAIN and --dns")


def _subject(args: argparse.Namespace) -> dict[str, str]:
    return {field: (getattr(args, field) or "").strip() for field in _FIELDS}


def _of_line(args: argparse.Namespace) -> list[Wish]:
    from sectigo_iot.pki import RequestSpec, checked_spec

    found = []
    for domain in args.domain:
        names = tuple(name.lower() for name in dns_names(domain, args.dns, said_as="DOMAIN"))
        spec = checked_spec(RequestSpec(names, **_subject(args)))
        found.append(Wish(spec.names[0], spec.names[0], spec))
    return found


def _of_table(args: argparse.Namespace, context: Context) -> list[Wish]:
    from sectigo_iot import InvalidRequestError
    from sectigo_iot.pki import RequestSpec, read_request_table

    defaults = RequestSpec((), **_subject(args))
    data, source = _table(args, context)
    table = read_request_table(data, source, defaults, further=(KEY,))
    if table.faults:
        lines = table.faults
        message = lines[0] if len(lines) == 1 else f"{len(lines)} faults in {source}, nothing was ordered:"
        raise InvalidRequestError(message, faults=lines)
    # What an authority may mind in a request; of an order the profile says what it demands.
    for line in table.warnings[:_MOST_SAID] if args.own_key else ():
        context.note(line)
    return [
        Wish(row.further.get(KEY) or row.spec.names[0], f"{source}, line {row.line}", row.spec) for row in table.rows
    ]


def _table(args: argparse.Namespace, context: Context) -> tuple[bytes, str]:
    """Return the table, and what it is called. Raises UsageError."""
    if [args.file, args.password_file].count("-") > 1:
        raise UsageError("order: standard input can be read once", hint="name a file in place of one of the -")
    if args.file != "-":
        return content(args.file, LARGEST), args.file
    data = context.stdin.buffer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UsageError(f"order: what came on stdin is larger than {LARGEST >> 20} MiB")
    return data, "standard input"


def _of_requests(args: argparse.Namespace) -> list[Wish]:
    from sectigo_cli.upload_findings import Findings
    from sectigo_iot.pki import examine_requests

    left = LARGEST
    found: list[ExaminedRequest] = []
    for path in args.csr:
        data = content(path, left)
        left -= len(data)
        found += examine_requests(data, path)
    Findings.of(tuple(found), None, ()).refuse()
    return [_wish(each.request) for each in found if each.request is not None]


def _wish(request: CertificateRequest) -> Wish:
    from sectigo_iot.pki import RequestSpec

    names = tuple(dict.fromkeys(name.lower() for name in (request.common_name, *request.dns_names) if name))
    return Wish(names[0], f"{request.source}, request {request.position}", RequestSpec(names), request)


def _refuse(found: Sequence[Wish]) -> None:
    faults = tuple(f"{wish.place}: {KEY_RULE}" for wish in found if not is_key(wish.key))
    what, hint = "keys cannot be used", "each order has a key of its own"
    if not faults:
        faults, what = tuple(dict.fromkeys(_twins(found))), "orders stand there twice"
        hint = "name each once" if all(fault.endswith(_TWICE) for fault in faults) else hint
    if faults:
        message = faults[0] if len(faults) == 1 else f"{len(faults)} {what}, nothing was ordered:"
        raise _refused(message, faults, hint)


def _twins(found: Iterable[Wish]) -> Iterator[str]:
    first: dict[str, Wish] = {}
    for wish in found:
        other = first.setdefault(wish.key, wish)
        if other.place == wish.place and other is not wish:
            yield f"{wish.place}{_TWICE}"
        elif other is not wish:
            yield f"{wish.place}: the key {wish.key} is that of {other.place} already"


def _refused(message: str, faults: tuple[str, ...], hint: str) -> Exception:
    from sectigo_iot import InvalidInputError

    return InvalidInputError(message, faults=faults, hint=hint)
