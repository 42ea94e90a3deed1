"""`sectigo batches`: how far an order is."""

from __future__ import annotations

import argparse

from sectigo_cli.context import Context
from sectigo_cli.exits import DONE, FAILED, NOT_READY
from sectigo_cli.following import add_wait_options, left_off, wait
from sectigo_cli.options import Parser, UsageError, positive
from sectigo_cli.output import print_json, print_line


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.chief = "-i"
    parser.add_argument("-i", "--id", type=positive, metavar="ID", help="this batch; without it the service's list")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("-I", "--info", action="store_true", help="how many certificates are in work, issued, failed")
    what.add_argument("-s", "--status", action="store_true", help="the status alone")
    what.add_argument(
        "--explain", action="store_true", help="all that the service says of it, what contradicts, and what to do"
    )
    add_wait_options(parser, then=", then print")


def run(args: argparse.Namespace, context: Context) -> int:
    """Print the batch, its counts, its status, what it all means, or the list of batches."""
    if args.id is None:
        if args.info or args.status or args.explain or args.wait:
            raise UsageError(
                "batches: --info, --status, --explain and --wait are about one batch", hint="name it with --id ID"
            )
        _list(context)
        return DONE
    if args.explain:
        if args.wait:
            raise UsageError("batches: --explain looks once, and does not wait", hint="leave --wait or --explain out")
        return _explain(context, args.id)
    _print(context, args)
    return DONE


def _print(context: Context, args: argparse.Namespace) -> None:
    if args.wait:
        with left_off(context, args.id):
            wait(context, args.id, args.timeout)
    if args.info:
        print_json(context, context.client.processing_info(args.id).document)
    elif args.status:
        _status(context, args.id)
    else:
        print_json(context, context.client.batch_detail(args.id).document)


def _status(context: Context, batch_id: int) -> None:
    text = context.client.batch_status(batch_id)
    info = context.client.processing_info(batch_id)
    print_line(context, str(text.status))
    context.say(f"{info.active} in work, {info.success} issued, {info.failed} failed")
    if text.internal is not None and not text.internal.terminal:
        context.note(f"not ready yet: the service says {text.internal}")


def _explain(context: Context, batch_id: int) -> int:
    """Print the view; where the verdict is not known, the first call that gave no answer is the error."""
    from sectigo_cli.explained import lines
    from sectigo_iot import NotFoundError, Verdict

    try:
        told = context.client.explain(batch_id)
    except NotFoundError as error:
        error.hint = error.hint or "`sectigo batches` lists the batches there are, where the service has a list"
        raise
    for line in lines(told):
        print_line(context, line)
    if told.verdict is None:
        raise next(iter(told.missing.values()))
    return {Verdict.READY: DONE, Verdict.WAITING: NOT_READY, Verdict.FAILED: FAILED}[told.verdict]


def _list(context: Context) -> None:
    from sectigo_iot import NotFoundError, NotImplementedByServiceError, SectigoError

    try:
        reply = context.client.raw("batches")
    except (NotFoundError, NotImplementedByServiceError) as error:
        raise SectigoError(
            f"this service lists no batches: {error.server_message or error.status}", hint="name one with --id ID"
        ) from None
    if reply.document is None:
        raise SectigoError("this service lists no batches: it answers null", hint="name one with --id ID")
    print_json(context, reply.document)
