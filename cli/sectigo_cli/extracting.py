"""From what was downloaded to files in place: the options for it, and what is told of it."""

from __future__ import annotations

import argparse
import contextlib
import shlex
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sectigo_cli.exits import ATTENTION, DONE
from sectigo_cli.options import Parser, UsageError, count, filled
from sectigo_cli.pkcs12_passwords import asked_password, known_password
from sectigo_cli.progress import counting
from sectigo_cli.unpacked import show, some, tell, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot.pki import CertificateRequest, KeyRing, Unpacked

KEPT = 3
ATTEMPTS = 3
"""Passwords that are asked for."""
LARGEST = 64 << 20
"""Bytes of what comes through a pipe, and of all keys together."""
_WRONG = "the password does not open"
_INSTEAD = "name it with --password-file FILE; - is stdin"
OPTIONS = ("key", "root", "format", "modernize", "allow_incomplete", "keep", "grant", "deploy_hook", "processes")
"""What is joined to --extract, by the names that argparse gives it."""


def add_unpack_options(parser: Parser) -> None:
    """Add what says how something is unpacked."""
    if "--password-file" not in parser.by_flag:
        parser.add_argument(
            "--password-file", type=filled, metavar="FILE", help="the first line of this file; - is stdin"
        )
    parser.add_argument(
        "--key",
        action="append",
        type=filled,
        metavar="FILE|DIR",
        help="the private key of a request, or a folder of *.key files (repeatable)",
    )
    parser.add_argument("--root", type=filled, metavar="FILE", help="trust the root certificates in this file alone")
    parser.add_argument("--format", choices=("pem", "p12", "der"), help="of the files (default pem)")
    parser.add_argument("--modernize", action="store_true", help="with --format p12: as AES-256 what is older")
    parser.add_argument("--allow-incomplete", action="store_true", help="take a chain that reaches no root")
    parser.add_argument(
        "--keep", type=count, metavar="N", help=f"versions to keep of each certificate (default {KEPT})"
    )
    parser.add_argument(
        "--grant", action="append", type=filled, metavar="USER", help="let this user read the files (repeatable)"
    )
    parser.add_argument("--deploy-hook", type=filled, metavar="CMD", help="run this when the files are in place")
    parser.add_argument("--processes", type=count, metavar="N", help="(default: one for each processor)")


def add_extract_options(parser: Parser) -> None:
    """Add --extract, and what it takes."""
    parser.add_argument("--extract", action="store_true", help="unpack what was fetched: keys, chains, verified")
    add_unpack_options(parser)


class Extraction:
    """How something is to be unpacked: read and checked before anything is sent."""

    def __init__(self, context: Context, args: argparse.Namespace, folder: str, *, ordering: bool = False) -> None:
        """`ordering`: the password is that of an order, and learnt with it.

        Raises UsageError, and InvalidInputError for a key or a user that is none.
        """
        from sectigo_iot.pki import Installer

        if args.modernize and args.format != "p12":
            raise UsageError("--modernize is about a PKCS#12", hint="add --format p12")
        self._args = args
        self.folder = Path(folder)
        self._password = None if ordering else known_password(context, args.password_file)
        self._keep = args.keep or KEPT
        # A user that there is not is told now.
        Installer(folder, keep=self._keep, grants=args.grant)
        self._roots = None if args.root is None else _read(args.root)
        self._keys = _key_ring(context, args.key, self._password) if args.key else None

    def check_requests(self, requests: Sequence[CertificateRequest]) -> None:
        """Raise UsageError where a certificate for one of these requests would find no key, before it is paid for."""
        if self._keys is None:
            return
        lacking = [f"{one.source}, request {one.position}" for one in requests if not self._holds(one)]
        if lacking:
            more = f", nor {len(lacking) - 1} others" if len(lacking) > 1 else ""
            raise UsageError(f"no key that --key names fits {lacking[0]}{more}", hint="nothing was ordered")

    def _holds(self, request: CertificateRequest) -> bool:
        return self._keys is not None and self._keys.holds(request.public_key_fingerprint)

    def learn(self, password: str | None) -> None:
        """Take the password of the PKCS#12 that was ordered."""
        self._password = password

    def command(self, path: Path) -> str:
        """Return the line that does the same with what was downloaded."""
        words = ["sectigo", "unpack", str(path), "-o", str(self.folder)]
        for name in OPTIONS:
            words += _spelt(_flag(name), getattr(self._args, name))
        return shlex.join(words)

    def unpack(self, context: Context, file: IO[bytes] | Path) -> Sequence[Unpacked]:
        """Unpack, asking somebody at a terminal for a password that is needed and was not given."""
        from sectigo_iot import BundleError, PKCSPasswordRequiredError

        for left in range(ATTEMPTS, -1, -1):
            try:
                return self._attempt(context, file)
            except PKCSPasswordRequiredError as error:
                error.hint = error.hint or _instead(context)
                if not context.interactive:
                    raise
            except BundleError as error:
                if not left or left == ATTEMPTS or _WRONG not in error.message:
                    raise
                context.note(f"{error.message}: once more")
            self._password = asked_password(context)
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, context: Context, file: IO[bytes] | Path) -> Sequence[Unpacked]:
        from sectigo_iot.pki import unpack

        args = self._args
        with _progress(context) as on_progress:
            return unpack(
                file,
                self.folder,
                password=self._password,
                keys=self._keys,
                format=args.format or "pem",
                modernize=args.modernize,
                allow_incomplete=args.allow_incomplete,
                keep=self._keep,
                grants=args.grant,
                processes=args.processes,
                roots=self._roots,
                on_progress=on_progress,
            )

    def finish(self, context: Context, done: Sequence[Unpacked]) -> None:
        """Say what the user should know, prove what was granted, and run the hook.

        Raises SectigoError for what failed; the files stay in place.
        """
        from sectigo_iot import SectigoError

        tell(context, done, self._keys)
        failures = [*unreadable(context, done), *self._hook_failures(context, done)]
        some(context, failures[1:])
        if failures:
            raise SectigoError(failures[0], hint="the files are in place all the same")

    def _hook_failures(self, context: Context, done: Sequence[Unpacked]) -> Iterator[str]:
        from sectigo_iot.pki import run_deploy_hook

        if self._args.deploy_hook is None:
            return
        context.stderr.flush()
        outcome = run_deploy_hook(self._args.deploy_hook, [one.installed for one in done])
        for line in outcome.output.splitlines():
            context.say(line)
        if outcome.timed_out:
            yield "the deploy hook took too long, and was ended"
        elif not outcome.succeeded:
            yield f"the deploy hook failed with exit code {outcome.code}"


def extraction(
    context: Context, args: argparse.Namespace, folder: str | None, *, ordering: bool = False
) -> Extraction | None:
    """Return what --extract asks for, read and checked; None where it was not given. `ordering` as in `Extraction`.

    Raises UsageError as well for options that mean nothing without it, or where there is no folder to write to.
    """
    if not args.extract:
        for name in OPTIONS if ordering else ("password_file", *OPTIONS):
            if getattr(args, name):
                raise UsageError(f"{_flag(name)} is about what is unpacked", hint="add --extract")
        return None
    if folder is None:
        raise UsageError("there is nothing to extract", hint="add --download DIR")
    return Extraction(context, args, folder, ordering=ordering)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _spelt(flag: str, value: object) -> list[str]:
    if isinstance(value, bool) or not value:
        return [flag] if value else []
    values = value if isinstance(value, list) else [value]
    return [word for each in values for word in (flag, str(each))]


def deployed(context: Context, extraction: Extraction, done: Sequence[Unpacked]) -> int:
    """Print as one document what is in place, then do what comes after it; return the exit code.

    What comes after it does not hang on whether anybody reads the document.
    """
    try:
        show(context, done)
    except OSError:
        extraction.finish(context, done)
        raise
    extraction.finish(context, done)
    return ATTENTION if any(one.out_of_date or one.is_older for one in done) else DONE


@contextlib.contextmanager
def kept(context: Context, extraction: Extraction, path: Path) -> Iterator[None]:
    """Say, should unpacking fail, that what was fetched stays, and how to go on."""
    try:
        yield
    except (Exception, KeyboardInterrupt):
        context.note(f"{path} stays: `{extraction.command(path)}` goes on")
        raise


@contextlib.contextmanager
def _progress(context: Context) -> Iterator[Callable[[int, int], None]]:
    """Yield what draws a bar, once it is known of how many."""
    with contextlib.ExitStack() as opened:
        bars: list[Callable[[int], None]] = []

        def on_progress(done: int, total: int) -> None:
            if not bars:
                bars.append(opened.enter_context(counting(context, "unpacking", total)))
            bars[0](done)

        yield on_progress


def _key_ring(context: Context, paths: Sequence[str], password: str | None) -> KeyRing:
    from sectigo_iot import PKCSPasswordRequiredError
    from sectigo_iot.pki import KeyRing

    files = {name: _read(name) for path in paths for name in key_files(path)}
    try:
        return KeyRing(files, password)
    except PKCSPasswordRequiredError as error:
        error.hint = _instead(context)
        if not context.interactive:
            raise
        return KeyRing(files, asked_password(context, "password of the private keys: "))


def _instead(context: Context) -> str:
    return _INSTEAD if context.options.login_password is None else f"--password is that of the log-in: {_INSTEAD}"


def key_files(path: str, flag: str = "--key") -> list[str]:
    """Return the files that an option for keys names: a file, or those of a folder. Raises UsageError for none."""
    folder = Path(path)
    if not folder.is_dir():
        return [path]
    names = sorted(str(each) for each in folder.glob("*.key"))
    if not names:
        raise UsageError(f"{path} holds no file whose name ends in .key", hint=f"name the files with {flag}")
    return names


def _read(path: str) -> bytes:
    from sectigo_iot import read_input

    try:
        return read_input(path, LARGEST)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
