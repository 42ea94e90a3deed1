"""`sectigo inventory`: show when the certificates in folders run out. Asks nothing of the network."""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.context import Context
from sectigo_cli.exits import ATTENTION, DONE, FAILED
from sectigo_cli.folders import check_writable
from sectigo_cli.options import Parser, UsageError, filled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sectigo_iot.pki import Inventory, UnreadFile

FORMATS = ("table", "json", "csv", "html")
WARN = 30
MOST_DAYS = 100_000
_MOST_LINES = 100
"""Files that cannot be read, and are named one by one."""
EPILOG = """\
exit code: 3 where something that is shown has expired, or will so soon that it is
warned of, or its key is missing or does not fit; else 1 where something could not be
read; 2 where the line is wrong, or the file of --output is there already; else 0"""


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument(
        "paths", nargs="+", type=filled, metavar="DIR", help="a folder with certificates, or one of their files"
    )
    parser.add_argument(
        "--warn", type=days, default=WARN, metavar="DAYS", help=f"what counts as soon (default: {WARN})"
    )
    parser.add_argument("--expires-within", type=days, metavar="DAYS", help="show only what expires so soon")
    parser.add_argument("--format", choices=FORMATS, help="how to show it (default: what FILE ends in, or table)")
    parser.add_argument("-o", "--output", type=filled, metavar="FILE", help="write it to this file")
    parser.add_argument("--force", action="store_true", help="replace a file that stands there already")
    parser.add_argument("--all", action="store_true", help="former versions of what is installed, too")
    parser.add_argument(
        "--password-file", type=filled, metavar="FILE", help="what opens the PKCS#12 files; - is stdin"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="show only what needs attention; nothing if all is well"
    )
    parser.epilog = EPILOG


def days(text: str) -> int:
    """Read a number of days, 0 or more."""
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of days from 0 to {MOST_DAYS}")
    return int(text)


def run(args: argparse.Namespace, context: Context) -> int:
    """Show what was found, say what needs attention, and tell it by the exit code."""
    form = _form(args.format, args.output)
    if args.output is not None:
        _check_output(args.output, replace=args.force)
    found = _found(args, context)
    if args.expires_within is not None:
        found = found.within(args.expires_within)
    pressing = found.needing_attention(args.warn)
    if args.output is not None:
        _write(context, args, _document(found, form, args.warn))
    elif not args.quiet:
        _print(context, found, form, args.warn)
    elif pressing.items or pressing.authorities:
        _print(context, pressing, form, args.warn)
    # Without a password nobody expects that they are opened.
    refused = found.locked if args.password_file is not None else ()
    _say(context, (*found.unreadable, *refused))
    _say_more(context, found, args)
    if pressing.items or pressing.authorities:
        return ATTENTION
    return FAILED if found.unreadable or refused else DONE


def _form(given: str | None, output: str | None) -> str:
    """Return the format: the one that was given, or that of the file's name."""
    suffix = Path(output).suffix[1:].lower() if output is not None else ""
    named = {"htm": "html", "txt": "table"}.get(suffix, suffix)
    return given or (named if named in FORMATS else "table")


def _found(args: argparse.Namespace, context: Context) -> Inventory:
    from sectigo_cli.pkcs12_passwords import known_password
    from sectigo_iot.pki import inventory

    password = known_password(context, args.password_file)
    with _progress(context) as told:
        return inventory(
            args.paths,
            passwords=() if password is None else (password,),
            versions=args.all,
            on_progress=told,
        )


@contextlib.contextmanager
def _progress(context: Context) -> Iterator[Callable[[int, int], None]]:
    """Show how many files are read, once it is known of how many."""
    from sectigo_cli.progress import counting

    with contextlib.ExitStack() as opened:
        shown: list[Callable[[int], None]] = []

        def told(done: int, total: int) -> None:
            if not shown:
                shown.append(opened.enter_context(counting(context, "files", total)))
            shown[0](done)

        yield told


def _print(context: Context, found: Inventory, form: str, warn: int) -> None:
    """Print it in one piece."""
    from sectigo_cli.output import print_json, print_line

    if form == "json":
        print_json(context, {"warn": warn, **found.to_dict()})
        return
    text = _document(found, form, warn, encoding=context.stdout.encoding).removesuffix("\n")
    if context.stdout.isatty():
        # RFC 4180 ends lines so.
        text = text.replace("\r", "")
    if text:
        print_line(context, text)


def _document(found: Inventory, form: str, warn: int, *, encoding: str | None = None) -> str:
    """Return it as text, as it stands in a file."""
    from sectigo_iot.pki import inventory_csv, inventory_page

    if form == "html":
        return inventory_page(found, warn=warn)
    if form == "csv":
        return inventory_csv(found)
    if form == "json":
        import json

        return f"{json.dumps({'warn': warn, **found.to_dict()}, indent=2, ensure_ascii=False)}\n"
    from sectigo_cli.inventoried import lines

    return "".join(f"{line}\n" for line in lines(found, warn, encoding or "utf-8"))


def _check_output(path: str, *, replace: bool) -> None:
    """Raise UsageError where no file can be written at this path, before anything is read."""
    if path == "-":
        raise UsageError("- is no name of a file", hint="without --output it is printed")
    if Path(path).is_dir() or path.endswith(("/", "/.")):
        raise UsageError(f"{path} names a folder", hint="name a file with --output")
    if os.path.lexists(path) and not replace:
        raise UsageError(f"{path} exists already, and is left as it is", hint="--force replaces it")
    if not Path(path).parent.is_dir():
        raise UsageError(f"there is no folder {Path(path).parent}")
    check_writable(Path(path).parent)


def _write(context: Context, args: argparse.Namespace, text: str) -> None:
    """Write the file in one step. It is private, unless one that it replaces was not."""
    from sectigo_iot import write_private

    path = Path(os.path.realpath(args.output))
    mode = path.stat().st_mode & 0o777 if path.is_file() else None
    # A name in a file's path may be of bytes that are no UTF-8.
    write_private(path, text.encode("utf-8", "backslashreplace"), replace=args.force)
    if mode is not None:
        path.chmod(mode)
    if not args.quiet:
        context.note(f"written to {args.output}")


def _say(context: Context, unread: Sequence[UnreadFile]) -> None:
    """Say what could not be read."""
    for each in unread[:_MOST_LINES]:
        context.note(f"cannot read {_one_line(each.path)}: {each.reason}")
    if len(unread) > _MOST_LINES:
        context.note(f"and {len(unread) - _MOST_LINES} more cannot be read")


def _say_more(context: Context, found: Inventory, args: argparse.Namespace) -> None:
    """Say what was not looked into, and how many need attention."""
    if found.locked and args.password_file is None and not args.quiet:
        several = "a PKCS#12 file was" if len(found.locked) == 1 else f"{len(found.locked)} PKCS#12 files were"
        context.note(f"{several} not opened: --password-file gives the password")
    _say_keys(context, found)
    due = len(found.expiring(args.warn))
    if due:
        several = "a certificate has" if due == 1 else f"{due} certificates have"
        context.note(f"{several} expired, or will have in {args.warn} days")
    if not (found.items or found.authorities or args.quiet):
        wanted = "that expires so soon " if args.expires_within is not None else ""
        context.note(f"no certificate {wanted}was found")


def _say_keys(context: Context, found: Inventory) -> None:
    """Say where the key of what is in force is missing, or another one stands in its place."""
    from sectigo_cli.inventoried import KEY_DOUBTS

    items = [item for item in (*found.items, *found.authorities) if not item.superseded]
    places = [(item, place) for item in items for place in item.places if place.key.value in KEY_DOUBTS]
    said = dict.fromkeys(
        f"{os.path.dirname(place.path) or os.curdir}: {item.name}: {KEY_DOUBTS[place.key.value]}"  # noqa: PTH120
        for item, place in places
    )
    for text in list(said)[:_MOST_LINES]:
        context.note(_one_line(text))
    if len(said) > _MOST_LINES:
        context.note(f"and {len(said) - _MOST_LINES} more keys are missing, or do not fit")


def _one_line(text: str) -> str:
    return text.replace("\n", "\\n")
