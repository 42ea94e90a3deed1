"""`sectigo upload`: order certificates for signing requests of your own.

Every request is checked by itself, beside the others, and against the live profile; then, once, all are sent.
"""

from __future__ import annotations

import argparse
import errno
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sectigo_cli.context import Context
from sectigo_cli.extracting import extraction
from sectigo_cli.folders import folder_for
from sectigo_cli.following import add_following_options, follow
from sectigo_cli.options import Parser, UsageError, filled, profile_number
from sectigo_cli.ordered import order
from sectigo_cli.output import print_json
from sectigo_cli.profile_ids import profile_id
from sectigo_cli.upload_findings import CHECKS, Findings

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_iot import ProfileParameter
    from sectigo_iot.pki import CertificateRequest, ExaminedRequest

_T = TypeVar("_T")

LARGEST = 64 * 1024 * 1024
"""Bytes of all files together: those of some ten thousand requests."""
UNCHECKED = "what the profile demands is not checked before ordering"


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument(
        "files", nargs="+", type=filled, metavar="FILE", help="PEM, with one or many requests, or a ZIP of such"
    )
    parser.add_argument(
        "-p", "--profile", type=profile_number, dest="profile_id", metavar="ID", help="the profile's id"
    )
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=CHECKS,
        metavar="CHECK",
        help=f"leave a check out (repeatable): {', '.join(CHECKS)}",
    )
    parser.add_argument("--check-only", action="store_true", help="do everything but order; print what was found")
    add_following_options(parser)


def run(args: argparse.Namespace, context: Context) -> None:
    """Check every request, send all as one batch, print the batch."""
    wanted = extraction(context, args, args.download)
    contents = _contents(args.files)
    found = _examined(contents)
    if args.check_only:
        _show(args, context, found)
        return
    Findings.of(found, None, args.allow).refuse_unsound()
    requests = [each.request for each in found if each.request is not None]
    if wanted is not None:
        wanted.check_requests(requests)
    with folder_for(context, args.download) as folder:
        profile = profile_id(context, args.profile_id)
        findings = Findings.of(found, _rules(context, profile), args.allow)
        findings.refuse(profile)
        findings.say_more(context)
        name, data = _to_send(contents, requests)
        context.note(f"ordering {len(requests)} certificate{'s' * (len(requests) != 1)} of profile {profile}")
        batch = order(context, name, lambda: context.client.upload_csr_batch(profile, name, data))
        follow(context, args, batch.batch_id, folder, wanted)


def _show(args: argparse.Namespace, context: Context, found: tuple[ExaminedRequest, ...]) -> None:
    """Print what was found of each request, then raise what is wrong with them; nothing is ordered."""
    with folder_for(context, args.download, make=False):
        profile = _profile_if_any(context, args.profile_id)
        rules = _if_asked(context, lambda: _rules(context, profile)) if profile is not None else None
    findings = Findings.of(found, rules, args.allow)
    print_json(context, findings.document)
    findings.say_more(context)
    findings.refuse(profile)
    context.note("nothing was ordered (--check-only)")


def _profile_if_any(context: Context, given: int | None) -> int | None:
    if given is None and context.given_profile is None:
        context.note(f"{UNCHECKED}: no profile was named, with -p ID")
        return None
    return _if_asked(context, lambda: profile_id(context, given))


def _if_asked(context: Context, ask: Callable[[], _T]) -> _T | None:
    """Return what the service says, or None, and say why, where it cannot be asked."""
    from sectigo_iot import NoCredentialsError, TransportError

    try:
        return ask()
    except (NoCredentialsError, TransportError) as error:
        context.note(f"{UNCHECKED}: {error}")
        return None


def _rules(context: Context, profile: int) -> tuple[ProfileParameter, ...] | None:
    """Return the live profile's parameters, or None where the service has no such list."""
    from sectigo_iot import NotFoundError, NotImplementedByServiceError

    try:
        rules = context.client.profile_params(profile)
    except (NotFoundError, NotImplementedByServiceError) as error:
        context.note(f"{UNCHECKED}: the service does not list it ({error})")
        return None
    if not rules:
        context.note(f"{UNCHECKED}: the service's list of it is empty")
    return rules or None


def _examined(contents: list[tuple[str, bytes]]) -> tuple[ExaminedRequest, ...]:
    from sectigo_iot.pki import examine_requests

    return tuple(each for path, data in contents for each in examine_requests(data, path))


def _to_send(contents: list[tuple[str, bytes]], requests: list[CertificateRequest]) -> tuple[str, bytes]:
    """Return one file's name, and what to send: a ZIP as it is, of anything else the requests alone."""
    from sectigo_iot.pki import write_zip

    if len(contents) > 1:
        return "requests.zip", write_zip(requests)
    path, data = contents[0]
    return Path(path).name, data if data.startswith(b"PK") else b"".join(request.pem for request in requests)


def _contents(paths: list[str]) -> list[tuple[str, bytes]]:
    contents: list[tuple[str, bytes]] = []
    left = LARGEST
    for path in paths:
        data = _read(path, left)
        contents.append((path, data))
        left -= len(data)
    return contents


def _read(path: str, left: int) -> bytes:
    from sectigo_iot import read_input

    try:
        return read_input(path, left)
    except OSError as error:
        too_large = f"that is more than {LARGEST >> 20} MiB in all"
        reason = too_large if error.errno == errno.EFBIG else error.strerror
        raise UsageError(f"{path}: {reason}") from None
