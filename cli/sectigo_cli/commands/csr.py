"""`sectigo csr`: make a key and a signing request, or thousands of them. Nothing is asked of the service."""

from __future__ import annotations

import argparse
import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.context import Context
from sectigo_cli.folders import folder_for
from sectigo_cli.options import Parser, UsageError, filled
from sectigo_cli.output import print_json
from sectigo_cli.request_keys import LARGEST_KEY, content, existing_key, new_password

if TYPE_CHECKING:
    from sectigo_iot.pki import CertificateRequest, RequestSpec

DEFAULT_KIND = "RSA-4096"
KINDS = (DEFAULT_KIND, "RSA-3072", "RSA-2048", "P-256", "P-384", "Ed25519")
MOST_PROCESSES = 256
LARGEST_CONFIG = 1 << 20
"""Bytes of an OpenSSL configuration."""

_SUBJECT = ("organization", "locality", "state", "country")
_ONLY_WITH = {"zip": "batch", "pem": "batch", "skip_bad": "batch", "resume": "batch", "processes": "batch"} | {
    "force": "key"
}
_NEVER_WITH = (("batch", "domain"), ("batch", "dns"), ("batch", "key"), ("batch", "from"), ("key", "encrypt_key"))


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument("domain", nargs="?", type=filled, metavar="DOMAIN", help="the common name, first DNS name")
    parser.add_argument(
        "--dns", action="append", default=[], type=filled, metavar="NAME", help="one more DNS name (repeatable)"
    )
    parser.add_argument("--organization", type=filled, metavar="TEXT", help="the subject's organization")
    parser.add_argument("-l", "--locality", type=filled, metavar="TEXT", help="the subject's city")
    parser.add_argument("-s", "--state", type=filled, metavar="TEXT", help="its state or province, spelt out")
    parser.add_argument("-c", "--country", type=filled, metavar="CC", help="its country, two letters")
    parser.add_argument(
        "--from", type=filled, metavar="FILE", help="take names and subject from trisa.conf or the like"
    )
    _add_key_options(parser)
    parser.add_argument(
        "-o", "--outdir", type=filled, default=".", metavar="DIR", help="the folder to write to (default: here)"
    )
    parser.add_argument("--force", action="store_true", help="with --key: replace the request that stands there")
    _add_batch_options(parser)


def _add_key_options(parser: Parser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--key-type", choices=KINDS, metavar="KIND", help=f"{', '.join(KINDS)} (default {DEFAULT_KIND})"
    )
    which.add_argument("--key", type=filled, metavar="FILE", help="make no key, but use this private key")
    parser.add_argument("--encrypt-key", action="store_true", help="put the new key under a password, asked twice")
    parser.add_argument(
        "--key-password-file",
        type=filled,
        metavar="FILE",
        help="the password, of --key or for the new key: the first line; - is stdin",
    )


def _add_batch_options(parser: Parser) -> None:
    parser.add_argument("--batch", type=filled, metavar="FILE", help="a key and a request for each row of this CSV")
    together = parser.add_mutually_exclusive_group()
    together.add_argument("--zip", type=filled, metavar="FILE", help="put all requests into this new ZIP, too")
    together.add_argument("--pem", type=filled, metavar="FILE", help="put all requests into this new PEM, too")
    parser.add_argument("--skip-bad", action="store_true", help="leave out rows that are wrong; exit code 1 then")
    parser.add_argument("--resume", action="store_true", help="pass over rows whose key and request are there")
    parser.add_argument(
        "--processes", type=_processes, metavar="N", help="how many at once (default: one for each processor)"
    )


def _processes(text: str) -> int:
    """Read how many processes may work at once."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 0 < number <= MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {MOST_PROCESSES}")
    return number


def run(args: argparse.Namespace, context: Context) -> int | None:
    """Make what was asked for, and print what was made."""
    _check(args)
    if args.batch is not None:
        from sectigo_cli.request_batches import make_all

        return make_all(args, context, args.key_type or DEFAULT_KIND)
    from sectigo_cli.request_files import entry, say_next

    spec, kind = _asked(args, context)
    with folder_for(context, args.outdir) as folder:
        assert folder is not None
        make = _for_new_key if args.key is None else _for_existing_key
        key, path, request = make(args, context, folder, spec, kind)
    print_json(context, entry(request, key, path))
    # What came through a pipe cannot be read again.
    again = shlex.quote(str(key)) if Path(key).is_file() else "KEYFILE"
    say_next(args, context, shlex.quote(str(path)), again, "orders the certificate; the key stays with you")
    return None


def _check(args: argparse.Namespace) -> None:
    """Raise UsageError for options that do not belong together, and where nothing says what to make."""
    given = vars(args)
    for option, other in _ONLY_WITH.items():
        if given[option] and not given[other]:
            raise UsageError(f"csr: {_flag(option)} goes with {_flag(other)}", hint=_why(option))
    for option, other in _NEVER_WITH:
        if given[option] and given[other]:
            raise UsageError(f"csr: {_flag(other)} does not go with {_flag(option)}")
    if not (args.domain or args.batch or given["from"]):
        hint = "`sectigo csr node.example.com` makes one; --batch FILE.csv makes many, --from trisa.conf reads a file"
        raise UsageError("csr: for which name?", hint=hint)


def _flag(option: str) -> str:
    return "DOMAIN" if option == "domain" else f"--{option.replace('_', '-')}"


def _why(option: str) -> str | None:
    return "a key is never overwritten, only a request made for a key that exists" if option == "force" else None


def _asked(args: argparse.Namespace, context: Context) -> tuple[RequestSpec, str]:
    """Return what the line asks for, checked, and the kind of the key; what is unusual about it is said."""
    from dataclasses import replace

    from sectigo_iot.pki import RequestSpec, checked_spec, warnings_of

    spec, kind = RequestSpec(names=()), None
    if (path := vars(args)["from"]) is not None:
        spec, kind = _configured(path, context)
    names = (args.domain, *args.dns) if args.domain else (*spec.names, *args.dns)
    subject = {field: getattr(args, field) or getattr(spec, field) for field in _SUBJECT}
    spec = checked_spec(replace(spec, names=names, **subject))
    for warning in warnings_of(spec):
        context.note(warning)
    return spec, args.key_type or kind or DEFAULT_KIND


def _configured(path: str, context: Context) -> tuple[RequestSpec, str | None]:
    from sectigo_iot.pki import read_openssl_config

    found = read_openssl_config(content(path, LARGEST_CONFIG), path)
    for note in found.notes:
        context.note(note)
    return found.spec, found.key


def _for_new_key(
    args: argparse.Namespace, context: Context, folder: Path, spec: RequestSpec, kind: str
) -> tuple[Path, Path, CertificateRequest]:
    from sectigo_cli.request_files import KEY, REQUEST, filling, refuse_existing, stem_of
    from sectigo_iot.pki import make_requests, read_requests

    stem = stem_of(spec.names[0])
    refuse_existing(folder, [stem])
    password = new_password(args, context)
    (made,) = make_requests([spec], kind=kind, processes=1, password=password)
    with filling(folder) as target:
        target.add(stem, made.key_pem, made.request_pem)
    (request,) = read_requests(made.request_pem)
    return folder / f"{stem}{KEY}", folder / f"{stem}{REQUEST}", request


def _for_existing_key(
    args: argparse.Namespace, context: Context, folder: Path, spec: RequestSpec, _kind: str
) -> tuple[str, Path, CertificateRequest]:
    from sectigo_cli.request_files import REQUEST, refuse_existing, stem_of
    from sectigo_iot import write_private
    from sectigo_iot.pki import build_request, read_requests

    stem = stem_of(spec.names[0])
    path = folder / f"{stem}{REQUEST}"
    if not args.force:
        refuse_existing(folder, [stem], (REQUEST,), hint="--force replaces it")
    elif path.exists():
        _refuse_key(path)
    pem = build_request(existing_key(args, context), spec)
    (request,) = read_requests(pem)
    return args.key, write_private(path, pem, replace=args.force), request


def _refuse_key(path: Path) -> None:
    """Raise UsageError for a file that holds a private key, which would be lost with it."""
    from sectigo_iot import InvalidInputError
    from sectigo_iot.pki import read_private_key

    data = content(str(path), LARGEST_KEY)
    with contextlib.suppress(InvalidInputError):
        read_private_key(data, check=False)
        data = b"PRIVATE KEY"
    if b"PRIVATE KEY" in data:
        raise UsageError(f"{path} holds a private key, and is left as it is", hint="move it away")
