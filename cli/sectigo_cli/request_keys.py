"""The keys of requests: the one that exists, and the password of the one that is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sectigo_cli.options import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from sectigo_cli.context import Context
    from sectigo_iot.pki import RequestKey

_T = TypeVar("_T")

LARGEST_KEY = 1 << 20
"""Bytes of a file with a private key."""
_QUESTION = "password of the key: "


def content(path: str, limit: int) -> bytes:
    """Return what stands in a file that the command line names. Raises UsageError."""
    from sectigo_iot import read_input

    try:
        return read_input(path, limit)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def new_password(args: argparse.Namespace, context: Context) -> str | None:
    """Return the password to encrypt new keys with: that of the file, or as it is typed twice; None for none."""
    if args.key_password_file is not None:
        # Typed wrongly, it would lock the new key for ever.
        typed = _is_typed(context, args.key_password_file)
        return _asked_twice(context) if typed else _from_file(context, args.key_password_file)
    if not args.encrypt_key:
        return None
    if not context.interactive:
        raise UsageError("--encrypt-key asks for the password at a terminal", hint="name a --key-password-file FILE")
    return _asked_twice(context)


def _asked_twice(context: Context) -> str:
    password = _filled(context.ask(_QUESTION, secret=True))
    if context.ask("the same again: ", secret=True) != password:
        raise UsageError("the two passwords differ, nothing was made")
    return password


def existing_key(args: argparse.Namespace, context: Context) -> RequestKey:
    """Return the key that --key names; at a terminal its password is asked for where it is needed."""
    from sectigo_iot import InvalidInputError
    from sectigo_iot.pki import read_private_key

    data = content(args.key, LARGEST_KEY)
    try:
        return with_password(args, context, lambda password: read_private_key(data, password))
    except InvalidInputError as error:
        raise UsageError(f"{args.key}: {error.message}", hint=error.hint) from None


def with_password(args: argparse.Namespace, context: Context, read: Callable[[str | None], _T]) -> _T:
    """Return what `read` makes of the password of --key-password-file; one that is needed is asked for at a terminal.

    Raises PKCSPasswordRequiredError where nobody is there to be asked.
    """
    from sectigo_iot import PKCSPasswordRequiredError

    given = None if args.key_password_file is None else _from_file(context, args.key_password_file)
    try:
        return read(given)
    except PKCSPasswordRequiredError as error:
        if not context.interactive:
            error.hint = "name a --key-password-file FILE"
            raise
        return read(_filled(context.ask(_QUESTION, secret=True)))


def _is_typed(context: Context, path: str) -> bool:
    return path == "-" and context.interactive


def _from_file(context: Context, path: str) -> str:
    if _is_typed(context, path):
        return _filled(context.ask(_QUESTION, secret=True))
    from sectigo_iot import read_first_line

    try:
        return _filled(read_first_line(context.stdin.buffer if path == "-" else path))
    except OSError as error:
        raise UsageError(f"the password file {path} cannot be read: {error.strerror}") from None


def _filled(password: str) -> str:
    if not password:
        raise UsageError("the key's password is empty")
    return password
