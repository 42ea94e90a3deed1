"""`sectigo csr --batch`: a key and a request for each row of a table."""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.exits import DONE, FAILED
from sectigo_cli.folders import folder_for
from sectigo_cli.options import UsageError
from sectigo_cli.output import print_json
from sectigo_cli.progress import counting
from sectigo_cli.request_files import KEY, REQUEST, entry, filling, in_the_way, refuse_existing, say_next, stem_of
from sectigo_cli.request_keys import LARGEST_KEY, content, new_password

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterator

    from sectigo_cli.context import Context
    from sectigo_cli.request_files import RequestFolder
    from sectigo_iot.pki import CertificateRequest, RequestSpec, RequestTable

LARGEST_TABLE = 64 << 20
"""Bytes of a table."""
_MOST_SAID = 100
"""Lines that are said about the rows of one table."""


def make_all(args: argparse.Namespace, context: Context, kind: str) -> int:
    """Make what the table asks for; print all of it, in the table's order; return the exit code."""
    rows, bad = _rows(args, context)
    path = _together(args, rows)
    with folder_for(context, args.outdir) as folder:
        assert folder is not None
        if not args.resume:
            refuse_existing(folder, list(rows), hint="--resume passes over the rows whose key and request are there")
        password = new_password(args, context)
        there = _there(context, folder, rows, kind, password) if args.resume else {}
        missing = {stem: spec for stem, spec in rows.items() if stem not in there}
        made = _make(args, context, folder, missing, kind, password)
        requests = {stem: there.get(stem) or made[stem] for stem in rows}
        if path is not None:
            _write_together(context, path, list(requests.values()), zipped=args.zip is not None)
    print_json(context, [_printed(folder, stem, request) for stem, request in requests.items()])
    _tell(args, context, folder, path, requests, len(made))
    return FAILED if bad else DONE


def _rows(args: argparse.Namespace, context: Context) -> tuple[dict[str, RequestSpec], int]:
    """Return the good rows by the names of their files, and how many faults there are, which were said or raised."""
    from sectigo_iot import InvalidRequestError
    from sectigo_iot.pki import RequestSpec, read_request_table

    subject = {field: getattr(args, field) or "" for field in ("organization", "locality", "state", "country")}
    table = read_request_table(content(args.batch, LARGEST_TABLE), args.batch, RequestSpec((), **subject))
    rows, faults = _by_stem(table, args.batch)
    if faults and not (args.skip_bad and rows):
        message = faults[0] if len(faults) == 1 else f"{len(faults)} faults in {args.batch}, nothing was made:"
        hint = "--skip-bad makes the other rows" if rows and not args.skip_bad else None
        raise InvalidRequestError(message, faults=tuple(faults), hint=hint)
    _say(context, [*faults, *table.warnings])
    return rows, len(faults)


def _by_stem(table: RequestTable, source: str) -> tuple[dict[str, RequestSpec], list[str]]:
    rows: dict[str, RequestSpec] = {}
    faults = list(table.faults)
    for row in table.rows:
        stem = stem_of(row.spec.names[0])
        if stem in rows:
            faults.append(
                f"{source}, line {row.line}: its files would be called {stem}, as those of {rows[stem].names[0]}"
            )
        rows.setdefault(stem, row.spec)
    return rows, faults


def _say(context: Context, lines: list[str]) -> None:
    for line in lines[:_MOST_SAID]:
        context.note(line)
    if len(lines) > _MOST_SAID:
        context.note(f"and {len(lines) - _MOST_SAID} more like these")


def _together(args: argparse.Namespace, rows: Collection[str]) -> Path | None:
    """Return the file that all requests are put into, too, if any. Raises before anything is made."""
    from sectigo_cli.folders import check_writable

    name = args.zip or args.pem
    if name is None:
        return None
    path, folder = Path(name), Path(args.outdir)
    ours = path.parent.resolve() == folder.resolve() and path.suffix in (KEY, REQUEST) and path.stem in rows
    if ours or path.resolve() == folder.resolve():
        raise UsageError(f"{path} is where {'a row of the table' if ours else 'the keys'} will be: name another file")
    if path.parent != folder and not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")
    if path.parent.is_dir():
        check_writable(path.parent)
        refuse_existing(path.parent, [path.name], ("",), hint="name a new file")
    return path


def _there(
    context: Context, folder: Path, rows: dict[str, RequestSpec], kind: str, password: str | None
) -> dict[str, CertificateRequest]:
    """Return the requests that are there already and fit. Raises InvalidInputError for everything that does not."""
    from sectigo_iot import InvalidInputError

    found: dict[str, CertificateRequest] = {}
    faults: list[str] = []
    standing = {path.with_suffix("").name for path in in_the_way(folder, rows)}
    with counting(context, "looking at what is there", len(standing)) as tell:
        for stem in (stem for stem in rows if stem in standing):
            try:
                found[stem] = _fitting(folder, stem, rows[stem], kind, password)
            except (InvalidInputError, UsageError) as error:
                faults.append(str(error))
            tell(len(found) + len(faults))
    if faults:
        message = faults[0] if len(faults) == 1 else f"{len(faults)} rows cannot be passed over, nothing was made:"
        raise InvalidInputError(message, faults=tuple(faults))
    return found


def _fitting(folder: Path, stem: str, spec: RequestSpec, kind: str, password: str | None) -> CertificateRequest:
    """Return the request that is there, if it and its key are what the row asks for. Raises InvalidInputError."""
    from sectigo_iot import InvalidInputError
    from sectigo_iot.pki import read_private_key, read_requests, request_fits

    key_path, path = folder / f"{stem}{KEY}", folder / f"{stem}{REQUEST}"
    if not path.exists():
        command = f"sectigo csr {shlex.quote(spec.names[0])} … {_placed(folder)}--key {shlex.quote(str(key_path))}"
        raise InvalidInputError(f"{key_path} is there without its request: `{command}` makes that")
    if not key_path.exists():
        raise InvalidInputError(f"{path} is there without its key: move it away")
    pem, request = content(str(key_path), LARGEST_KEY), content(str(path), LARGEST_KEY)
    try:
        key = read_private_key(pem, password, check=False)
    except InvalidInputError as error:
        raise InvalidInputError(f"{key_path}: {error.message}") from None
    if (b"ENCRYPTED" in pem) != (password is not None):
        raise InvalidInputError(f"{key_path} is {'not ' if password else ''}encrypted: move it and its request away")
    if not request_fits(request, key, spec):
        raise InvalidInputError(f"{path} is not what its row asks for, or not of its key: move both away")
    (described,) = read_requests(request, str(path))
    if described.key != kind:
        raise InvalidInputError(f"{key_path} is {described.key}, not {kind}: move it and its request away")
    return described


def _placed(folder: Path) -> str:
    """Return the option that has files put into the folder, as it stands in a line of a shell."""
    return f"-o {shlex.quote(str(folder))} " if folder != Path() else ""


def _make(
    args: argparse.Namespace,
    context: Context,
    folder: Path,
    rows: dict[str, RequestSpec],
    kind: str,
    password: str | None,
) -> dict[str, CertificateRequest]:
    from sectigo_iot.pki import make_requests

    requests: dict[str, CertificateRequest] = {}
    making = make_requests(rows.values(), kind=kind, processes=args.processes, password=password)
    showing = counting(context, "keys and requests", len(rows))
    with showing as tell, filling(folder) as target, _told(context, folder, target), contextlib.closing(making):
        for stem, made in zip(rows, making, strict=True):
            target.add(stem, made.key_pem, made.request_pem)
            requests[stem] = made.described(str(folder / f"{stem}{REQUEST}"))
            tell(len(requests))
    return requests


@contextlib.contextmanager
def _told(context: Context, folder: Path, target: RequestFolder) -> Iterator[None]:
    """Say what is there to whoever breaks it off, or whose disk is full."""
    try:
        yield
    except BaseException as error:
        if target.settled:
            context.note(f"broken off: {_pairs(target.settled)} in {folder}, and --resume goes on")
        elif isinstance(error, KeyboardInterrupt):
            context.note(f"broken off before anything was put into {folder}")
        raise


def _write_together(context: Context, path: Path, requests: list[CertificateRequest], *, zipped: bool) -> None:
    from sectigo_iot import write_private
    from sectigo_iot.pki import write_zip

    try:
        write_private(path, write_zip(requests) if zipped else b"".join(request.pem for request in requests))
    except BaseException:
        context.note(f"the keys and requests are in their folder; the same line with --resume makes {path}")
        raise


def _pairs(number: int) -> str:
    return f"{number} key{'s' * (number != 1)} and request{'s' * (number != 1)}"


def _names(folder: Path) -> list[str]:
    """Return what stands in the folder; nothing where that may not be read."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return [entry.name for entry in entries]
    return []


def _printed(folder: Path, stem: str, request: CertificateRequest) -> dict[str, object]:
    return entry(request, folder / f"{stem}{KEY}", folder / f"{stem}{REQUEST}")


def _tell(
    args: argparse.Namespace,
    context: Context,
    folder: Path,
    path: Path | None,
    requests: Collection[str],
    made: int,
) -> None:
    there = len(requests) - made
    passed = f", and passed over {there} that were there" if there else ""
    keys = shlex.quote(str(folder))
    context.note(f"made {_pairs(made)} in {folder}{passed}")
    others = sum(name.endswith(REQUEST) and name.removesuffix(REQUEST) not in requests for name in _names(folder))
    if others and path is None:
        # To name all of them by a pattern would order these, too, and perhaps for the second time.
        remark = f"the folder has {others} more {REQUEST}, so not *{REQUEST}"
        say_next(args, context, "FILE…", keys, f"with each csrFile as FILE orders the certificates; {remark}")
        return
    what = shlex.quote(str(path)) if path else f"{keys}/*{REQUEST}"
    which = ", those that were there included" if there else ""
    say_next(args, context, what, keys, f"orders the certificates{which}; the keys stay with you")
