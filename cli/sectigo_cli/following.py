"""What comes after an order: waiting for it, and fetching it."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.exits import OrderStandsError
from sectigo_cli.extracting import Extraction, add_extract_options
from sectigo_cli.options import Parser, filled, seconds
from sectigo_cli.progress import downloading, waiting
from sectigo_cli.unpacked import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sectigo_cli.context import Context

DEFAULT_TIMEOUT = 900.0
LARGEST_STORE = 1 << 20
"""Bytes of a PKCS#12 that is looked into."""


def add_wait_options(parser: Parser, *, then: str) -> None:
    """Add --wait and --timeout."""
    parser.add_argument("--wait", action="store_true", help=f"wait until it is issued{then}")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help=f"how long to wait at the most (default {DEFAULT_TIMEOUT:g})",
    )


def add_following_options(parser: Parser) -> None:
    """Add what may follow an order: --wait, --timeout, --download, --extract with what it takes."""
    add_wait_options(parser, then="")
    parser.add_argument("--download", type=filled, metavar="DIR", help="wait, then fetch it into this folder")
    add_extract_options(parser)


def wait(context: Context, batch_id: int, timeout: float) -> None:
    """Wait for a batch, showing how it stands on a terminal; say on stderr how it ended."""
    with waiting(context, batch_id) as on_progress:
        info = context.client.wait(batch_id, timeout=timeout, on_progress=on_progress)
    failed = f", {info.failed} failed" if info.failed else ""
    context.note(f"batch {batch_id} is ready: {info.success} issued{failed}")


@contextlib.contextmanager
def left_off(context: Context, batch_id: int, folder: Path | None = None) -> Iterator[None]:
    """Say, should the user interrupt the wait, how to go on with it."""
    try:
        yield
    except KeyboardInterrupt:
        context.note(f"no longer waiting; the order stands: `{_command(batch_id, folder)} --wait` goes on")
        raise


def follow(
    context: Context,
    args: argparse.Namespace,
    batch_id: int,
    folder: Path | None,
    extraction: Extraction | None = None,
) -> None:
    """Wait for an order, fetch it and unpack it, as far as that was asked for. What it says goes to stderr.

    Raises OrderStandsError for whatever goes wrong on the way, but for an order that itself came to nothing.
    """
    if not args.wait and folder is None:
        return
    with left_off(context, batch_id, folder), _standing(batch_id, folder):
        wait(context, batch_id, args.timeout)
        path = None if folder is None else fetch(context, batch_id, folder, replace=False)
    if path is not None and extraction is None:
        for line in told(path, batch_id):
            context.say(line)
    elif path is not None and extraction is not None:
        context.say(f"downloaded batch {batch_id} to {path}")
        _unpack(context, extraction, path, batch_id)


def _unpack(context: Context, extraction: Extraction, path: Path, batch_id: int) -> None:
    from sectigo_iot import SectigoError

    goes_on = f"`{extraction.command(path)}` goes on"
    try:
        done = extraction.unpack(context, path)
        context.say(summary(done, extraction.folder))
        extraction.finish(context, done)
    except KeyboardInterrupt:
        context.note(f"{path} stays: {goes_on}")
        raise
    except (SectigoError, OSError) as error:
        raise OrderStandsError(error, f"the order stands as batch {batch_id}, and was fetched: {goes_on}") from error


@contextlib.contextmanager
def _standing(batch_id: int, folder: Path | None) -> Iterator[None]:
    from sectigo_iot import BatchFailedError, SectigoError, TargetExistsError

    command, stands = _command(batch_id, folder), f"the order stands as batch {batch_id}"
    try:
        yield
    except (BatchFailedError, BrokenPipeError):
        raise
    except TargetExistsError as error:
        raise OrderStandsError(error, f"{stands}: `{command} --force` replaces it") from error
    except (SectigoError, OSError) as error:
        raise OrderStandsError(error, f"{stands}: `{command} --wait` goes on") from error


def _command(batch_id: int, folder: Path | None) -> str:
    where = f" -o {shlex.quote(str(folder))}" if folder is not None else ""
    return f"sectigo download -i {batch_id}{where}"


def fetch(context: Context, batch_id: int, folder: Path, *, replace: bool) -> Path:
    """Fetch what was issued, showing how far it is on a terminal."""
    from sectigo_iot import TargetExistsError

    try:
        with downloading(context, batch_id) as on_progress:
            return context.client.download(batch_id, folder, replace=replace, on_progress=on_progress)
    except TargetExistsError as error:
        error.hint = f"`{_command(batch_id, folder)} --force` replaces it"
        raise


def told(path: Path, batch_id: int) -> tuple[str, str]:
    """Return the two lines that the Go tool prints after a download, the second with this file's own names."""
    return f"downloaded batch {batch_id} to {path}", _how_to_open(path)


def _how_to_open(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        stores = [name for name in names if name.lower().endswith((".p12", ".pfx"))]
        if not stores:
            return f"after unzipping, the certificates are in {_listed(names)}"
        # A PKCS#12 is some kilobytes; nothing that is much larger is taken into memory.
        legacy = _legacy(archive.read(stores[0])) if archive.getinfo(stores[0]).file_size <= LARGEST_STORE else ""
    source, target = ("INFILE.p12", "OUTFILE.crt") if len(stores) > 1 else (stores[0], _certificate_name(stores[0]))
    command = f"openssl pkcs12 {legacy}-in {shlex.quote(source)} -out {shlex.quote(target)} -nodes"
    more = f" for each of {_listed(stores)}" if len(stores) > 1 else ""
    return f"after unzipping, unencrypt with your password using `{command}`{more}"


def _certificate_name(store: str) -> str:
    return store.rpartition(".")[0] + ".crt"


def _legacy(store: bytes) -> str:
    from sectigo_iot.pki import needs_legacy

    return "-legacy " if needs_legacy(store) else ""


def _listed(names: list[str]) -> str:
    shown = ", ".join(shlex.quote(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
