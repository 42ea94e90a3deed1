"""`sectigo inspect`: what a file is, and what it holds. Works without the network, but for --revocation."""

from __future__ import annotations

import argparse
import errno
import shlex
from typing import TYPE_CHECKING, Any

from sectigo_cli.context import Context
from sectigo_cli.exits import ATTENTION, DONE, FAILED, USAGE, report
from sectigo_cli.options import Parser, UsageError, filled
from sectigo_cli.output import print_json, print_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sectigo_cli.revocations import Answers
    from sectigo_iot.pki import Inspection

LARGEST = 256 * 1024 * 1024
"""Bytes of all files together."""
LARGEST_ROOTS = 16 * 1024 * 1024
MOST_SAID = 100
"""Lines about errors, and about what needs attention."""
EPILOG = """\
exit code: 2 where a file is not there or too large; else 1 where one is nothing that
is known, is damaged, or is not opened by the password; else 3 where something needs
attention, such as what has expired; else 0. All that can be shown is shown."""


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument("files", nargs="+", type=filled, metavar="FILE", help="what to look at; - is standard input")
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        type=filled,
        help="the password of PKCS#12 and keys is its first line; - is standard input",
    )
    parser.add_argument("--json", action="store_true", help="print the descriptions as JSON")
    parser.add_argument("--revocation", action="store_true", help="ask the issuers, by OCSP and CRL, what is revoked")
    parser.add_argument(
        "--root", metavar="FILE", type=filled, help="the roots that a chain must lead to, as PEM or DER"
    )
    parser.epilog = EPILOG


def run(args: argparse.Namespace, context: Context) -> int:
    """Print a description of each file, say what needs attention; return how it stands."""
    if [*args.files, args.password_file].count("-") > 1:
        raise UsageError("inspect: standard input can be read once", hint="name a file in place of one of the -")
    password = None if args.password_file is None else _password(context, args.password_file)
    roots = None if args.root is None else _read(context, args.root, LARGEST_ROOTS)
    contents, errors = _contents(context, args.files)
    told = _inspected(context, contents, password, roots)
    answers = _answers(context, told) if args.revocation else {}
    _print(context, args, told, answers)
    return _code(context, told, answers, errors)


def _password(context: Context, path: str) -> str:
    if path == "-" and context.interactive:
        return _asked(context)
    from sectigo_iot import read_first_line

    try:
        return read_first_line(context.stdin.buffer if path == "-" else path)
    except OSError as error:
        raise UsageError(f"the password file {path} cannot be read: {error.strerror}") from None


def _asked(context: Context) -> str:
    context.endings.be_prompt()
    return context.ask("PKCS#12 password: ", secret=True)


def _contents(context: Context, paths: Sequence[str]) -> tuple[dict[str, bytes], list[UsageError]]:
    """Return what stands in each file that can be read, and why the others cannot."""
    contents: dict[str, bytes] = {}
    errors = []
    left = LARGEST
    for path in dict.fromkeys(paths):
        try:
            contents[path] = _read(context, path, left)
            left -= len(contents[path])
        except UsageError as error:
            errors.append(error)
    return contents, errors


def _read(context: Context, path: str, limit: int) -> bytes:
    from sectigo_iot import read_input

    try:
        data = context.stdin.buffer.read(limit + 1) if path == "-" else read_input(path, limit)
        if len(data) > limit:
            raise OSError(errno.EFBIG, "too large")
    except OSError as error:
        too_large = f"that is more than {LARGEST >> 20} MiB in all" if limit != LARGEST_ROOTS else "it is too large"
        hint = _instead(path) if error.errno == errno.EISDIR and limit != LARGEST_ROOTS else None
        raise UsageError(
            f"{path}: {too_large if error.errno == errno.EFBIG else error.strerror}", hint=hint
        ) from None
    return data


def _instead(folder: str) -> str:
    """Return what to name in place of a folder."""
    inside = shlex.quote(f"{folder.rstrip('/')}/fullchain.pem")
    return f"name files, such as {inside}; `sectigo inventory {shlex.quote(folder)}` tells what expires in a folder"


def _inspected(
    context: Context, contents: Mapping[str, bytes], password: str | None, roots: bytes | None
) -> tuple[Inspection, ...]:
    """Return the descriptions; at a terminal the password is asked for if one is needed."""
    from sectigo_iot.pki import inspect_files

    told = inspect_files(contents, password=password, roots=roots)
    if any(part.locked for part in _parts(told)) and password is None and context.interactive:
        return inspect_files(contents, password=_asked(context), roots=roots)
    return told


def _answers(context: Context, told: Sequence[Inspection]) -> dict[str, Answers]:
    from sectigo_cli.revocations import asked

    ends = [one for part in _parts(told) for one in part.certificates if one.chain and not one.self_signed]
    return asked(context, ends)


def _print(
    context: Context, args: argparse.Namespace, told: Sequence[Inspection], answers: Mapping[str, Answers]
) -> None:
    if args.json:
        print_json(context, [_document(each.to_dict(), answers) for each in told])
        return
    from sectigo_cli.inspected import lines

    print_line(context, "\n".join(line for each in told for line in lines(each, answers)).rstrip("\n"))


def _document(document: dict[str, Any], answers: Mapping[str, Answers]) -> dict[str, Any]:
    """Return the document of an inspection, with what the issuers answered about its certificates."""
    for item in document["items"]:
        if item["kind"] == "certificate" and item["sha256"] in answers:
            item["revocation"] = answers[item["sha256"]].to_dict()
    for entry in document["entries"]:
        _document(entry, answers)
    return document


def _code(
    context: Context, told: Sequence[Inspection], answers: Mapping[str, Answers], errors: Sequence[UsageError]
) -> int:
    """Say what is wrong and what needs attention; return the exit code of the worst."""
    for error in errors:
        report(context, error)
    faults = [f"{part.source}: {fault}" for part in _parts(told) for fault in part.faults]
    doubts = list(_doubts(told, answers))
    _say(context, "error: ", faults)
    _say(context, "attention: ", doubts)
    _hint(context, told, answers)
    if errors:
        return USAGE
    return FAILED if faults else ATTENTION if doubts else DONE


def _doubts(told: Sequence[Inspection], answers: Mapping[str, Answers]) -> Iterator[str]:
    for part in _parts(told):
        yield from (f"{part.source}: {doubt}" for doubt in part.attention)
        for one in part.certificates:
            doubt = answers[one.sha256].doubt if one.sha256 in answers else None
            if doubt is not None:
                yield f"{part.source}: the certificate {one.common_name or one.subject!r}: {doubt}"


def _hint(context: Context, told: Sequence[Inspection], answers: Mapping[str, Answers]) -> None:
    """Say what to name as well, so that more can be told."""
    if any(part.locked for part in _parts(told)):
        context.note("hint: --password-file FILE opens a PKCS#12, with the first line of FILE")
    if any(each.is_without_issuer for each in answers.values()):
        context.note("hint: name the issuer's certificate, too: the chain.pem or fullchain.pem beside it, or --root")


def _say(context: Context, what: str, texts: Sequence[str]) -> None:
    for text in texts[:MOST_SAID]:
        context.note(what + " ".join(text.split()))
    if len(texts) > MOST_SAID:
        context.note(f"{what}and {len(texts) - MOST_SAID} more")


def _parts(told: Sequence[Inspection]) -> Iterator[Inspection]:
    for each in told:
        yield from each.everything()
