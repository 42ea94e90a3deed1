"""The password of a PKCS#12: as given, or generated, and then in the user's hands before the order is sent."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.folders import check_writable
from sectigo_cli.options import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot import ProfileParameter

PASSWORD = "pkcs12Password"  # noqa: S105 - the parameter's name
QUESTION = "PKCS#12 password: "


def given_password(context: Context, text: str | None, path: str | None) -> str | None:
    """Return the password that the user gave, if any. Raises UsageError for an empty one."""
    if path is not None:
        text = _first_line(context, path)
    if text is not None and not text.strip():
        raise UsageError("the PKCS#12 password is empty", hint="leave it out, and one is generated")
    return text


def with_params(
    command: str, asked: dict[str, str], params: Sequence[tuple[str, str]], derived: Collection[str], *, hint: str
) -> dict[str, str]:
    """Return what is asked for, together with what --param says. Raises UsageError for what belongs elsewhere.

    `derived` are the parameters that follow from the names, and `hint` says how those are given.
    """
    found = dict(asked)
    for name, value in params:
        if name.casefold() == PASSWORD.casefold():
            raise UsageError(f"{command}: --param {PASSWORD}=… would be seen in ps", hint="use --password-file FILE")
        if name in derived:
            raise UsageError(f"{command}: --param {name}=… would contradict the names", hint=hint)
        if name in found:
            raise UsageError(f"{command}: {name} is given twice")
        found[name] = value
    return found


def known_password(context: Context, path: str | None) -> str | None:
    """Return the password of a PKCS#12 that there is, which may be empty; None where no file was named for it."""
    return None if path is None else _first_line(context, path)


def asked_password(context: Context, question: str = QUESTION) -> str:
    """Ask somebody at a terminal for the password of what there is."""
    return context.ask(question, secret=True)


def _first_line(context: Context, path: str) -> str:
    if path == "-" and context.interactive:
        return asked_password(context)
    from sectigo_iot import read_first_line

    try:
        return read_first_line(context.stdin.buffer if path == "-" else path)
    except OSError as error:
        raise UsageError(f"the password file {path} cannot be read: {error.strerror}") from None


def check_password_out(path: str | None) -> None:
    """Raise UsageError where no new file can stand at this path."""
    if path is None:
        return
    if path.endswith(("/", "/.")):
        raise UsageError(f"{path} names a folder", hint="name a new file with --password-out")
    if os.path.lexists(path):
        raise UsageError(f"{path} exists already, and is left as it is", hint="name a new file with --password-out")
    if not Path(path).parent.is_dir():
        raise UsageError(f"the password cannot be written to {path}: there is no folder {Path(path).parent}")
    check_writable(Path(path).parent)


def check_heard(context: Context) -> None:
    """Raise UsageError where a generated password would be told to nobody."""
    if not context.heard:
        raise UsageError(
            "standard error is closed: nobody would be told the password", hint="use --password-out FILE"
        )


def generated_password(rules: Sequence[ProfileParameter] | None) -> str:
    """Return a new password that the profile's rule allows."""
    from sectigo_iot import generate_password

    return generate_password(next((rule for rule in rules or () if rule.name == PASSWORD), None))


@contextlib.contextmanager
def keeping(context: Context, password: str | None, path: str | None) -> Iterator[None]:
    """Hand a generated password to the user before the order is sent, so that a lost reply does not lose it.

    It goes to stderr, or to a new file, 0600, which is taken back only if the order is certain not to exist.
    """
    from sectigo_iot import OutcomeUnknownError, SectigoError, write_private

    if password is not None and path is not None:
        try:
            write_private(path, f"{password}\n".encode())
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
    elif password is not None:
        context.say(f"pkcs12 password: {password}")
    try:
        yield
    except OutcomeUnknownError:
        raise
    except SectigoError:
        if password is not None and path is not None:
            Path(path).unlink(missing_ok=True)
        raise
