"""`sectigo call`: make any call of the service, one with a public schema or not."""

from __future__ import annotations

import argparse
import contextlib
import json
from typing import TYPE_CHECKING

from sectigo_cli.context import Context
from sectigo_cli.once import under_way
from sectigo_cli.options import Parser, UsageError, listed
from sectigo_cli.output import print_json, print_line

if TYPE_CHECKING:
    from sectigo_iot import RawReply

READING = ("GET", "HEAD")
"""Methods that change nothing."""
LARGEST = 64 * 1024 * 1024
"""Bytes of a body."""


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument("call", metavar="NAME|PATH", help="the call's name, such as generators, or a path")
    parser.add_argument("ids", nargs="*", default=[], metavar="ID", help="the ids in its path, in order")
    parser.add_argument("--method", default="GET", metavar="METHOD", help="the HTTP method (default GET)")
    parser.add_argument("--data", metavar="JSON|@FILE", help="the body: JSON, or a file's content as it is")
    parser.epilog = f"the calls by name:\n{_names()}"


def _names() -> str:
    from sectigo_iot import ENDPOINTS

    return listed(f"{name}{' ID' * endpoint.ids}" for name, endpoint in ENDPOINTS.items())


def run(args: argparse.Namespace, context: Context) -> None:
    """Send it, and print the answer: JSON indented, anything else as it came."""
    data = _body(args.data, context) if args.data is not None else None
    with _sending(context, args.method):
        reply = context.client.raw(args.call, *args.ids, method=args.method, data=data)
    if not reply.body:
        context.note(f"the service answered {reply.status}, with nothing in it")
    elif reply.media_type == "application/json" or reply.body[:1] in (b"{", b"["):
        print_json(context, reply.document)
    elif reply.media_type.startswith("text/"):
        print_line(context, reply.text)
    else:
        _write(context, args.method, reply)


def _sending(context: Context, method: str) -> contextlib.AbstractContextManager[None]:
    if method.upper() in READING:
        return contextlib.nullcontext()
    doubt = "interrupted while the call was under way: nobody knows its outcome"
    return under_way(context, doubt, "find out what became of it before you repeat it")


def _body(data: str, context: Context) -> bytes:
    if data == "@-":
        return _from_stdin(context)
    if data.startswith("@"):
        return _from_file(data[1:])
    try:
        json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"call: --data is no JSON: {error}", hint="@FILE sends a file as it is") from None
    return data.encode()


def _from_stdin(context: Context) -> bytes:
    body = context.stdin.buffer.read(LARGEST + 1)
    if len(body) > LARGEST:
        raise UsageError(f"call: what came on stdin is larger than {LARGEST >> 20} MiB")
    return body


def _from_file(path: str) -> bytes:
    from sectigo_iot import read_input

    try:
        return read_input(path, LARGEST)
    except OSError as error:
        raise UsageError(f"call: {path}: {error.strerror}") from None


def _write(context: Context, method: str, reply: RawReply) -> None:
    if context.stdout.isatty():
        from sectigo_iot import SectigoError

        hint = "send it to a file with >"
        if method.upper() not in READING:
            hint = f"{method.upper()} was carried out with {reply.status}; another time {hint}"
        raise SectigoError(f"the answer is {len(reply.body)} bytes that are no text", hint=hint)
    context.stdout.flush()
    context.stdout.buffer.write(reply.body)
    context.stdout.buffer.flush()
