"""`sectigo upload`: order certificates for signing requests of your own."""

from __future__ import annotations

import argparse
import errno
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.context import Context
from sectigo_cli.folders import folder_for
from sectigo_cli.following import add_following_options, follow
from sectigo_cli.options import Parser, UsageError, filled, profile_number
from sectigo_cli.ordered import order
from sectigo_cli.profile_ids import profile_id

if TYPE_CHECKING:
    from sectigo_iot.pki import CertificateRequest

LARGEST = 64 * 1024 * 1024
"""Bytes of all files together: those of some ten thousand requests."""


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument(
        "files", nargs="+", type=filled, metavar="FILE", help="PEM, with one or many requests, or a ZIP of such"
    )
    parser.add_argument(
        "-p", "--profile", type=profile_number, dest="profile_id", metavar="ID", help="the profile's id"
    )
    add_following_options(parser)


def run(args: argparse.Namespace, context: Context) -> None:
    """Check every request, send all as one batch, print the batch."""
    name, data, count = _gather(args.files)
    with folder_for(context, args.download) as folder:
        profile = profile_id(context, args.profile_id)
        context.note(f"ordering {count} certificate{'s' * (count != 1)} of profile {profile}")
        batch = order(context, name, lambda: context.client.upload_csr_batch(profile, name, data))
        follow(context, args, batch.batch_id, folder)


def _gather(paths: list[str]) -> tuple[str, bytes, int]:
    """Return one file's name, what to send, and how many requests are in it. Names every fault of every file."""
    from sectigo_iot import InvalidRequestError
    from sectigo_iot.pki import read_requests, write_zip

    requests: list[CertificateRequest] = []
    faults: list[str] = []
    contents = _contents(paths)
    for path, data in contents:
        try:
            requests += read_requests(data, path)
        except InvalidRequestError as error:
            faults += error.faults
    faults += _repetitions(requests)
    if faults:
        raise InvalidRequestError(
            faults[0] if len(faults) == 1 else f"{len(faults)} faults, nothing was sent:",
            faults=tuple(faults),
        )
    if len(contents) > 1:
        return "requests.zip", write_zip(requests), len(requests)
    path, data = contents[0]
    return Path(path).name, data if data.startswith(b"PK") else b"".join(r.pem for r in requests), len(requests)


def _repetitions(requests: list[CertificateRequest]) -> list[str]:
    """Return a fault for each request that stands in more than one of the files."""
    first: dict[bytes, str] = {}
    faults = []
    for request in requests:
        here = f"{request.source}, request {request.position}"
        if request.pem in first:
            faults.append(f"{here}: it is the same as {first[request.pem]}, and each would be paid for")
        first.setdefault(request.pem, here)
    return faults


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
