"""Private keys for signing requests that are ordered: each finds its request before anything is placed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sectigo_cli.options import Parser, UsageError, filled

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Mapping, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot.pki import CertificateRequest, RequestKey


def add_key_options(parser: Parser, *, about: str = "") -> None:
    """Add --key-file, and what opens it. `about`: the action that takes them, where not all do."""
    parser.add_argument(
        "--key-file",
        action="append",
        default=[],
        type=filled,
        metavar="FILE|DIR",
        help=f"{about}the private key of a --csr, or a folder of *.key files (repeatable)",
    )
    parser.add_argument(
        "--key-password-file",
        type=filled,
        metavar="FILE",
        help=f"{about}the password of --key-file: the first line; - is stdin",
    )


def check_key_options(command: str, args: argparse.Namespace) -> None:
    """Raise UsageError for one that means nothing without another."""
    if args.key_file and not args.csr:
        raise UsageError(f"{command}: --key-file is about a signing request", hint="add --csr FILE")
    if "-" in args.key_file:
        hint = "its password may come that way: --key-password-file -"
        raise UsageError(f"{command}: --key-file is a file or a folder, and not standard input", hint=hint)
    if args.key_password_file and not args.key_file:
        raise UsageError(f"{command}: --key-password-file opens a --key-file", hint="add --key-file FILE")


def keys_of(
    args: argparse.Namespace, context: Context, requests: Sequence[CertificateRequest]
) -> Mapping[str, bytes]:
    """Return the private keys of signing requests, as PEM under no password, by `public_key_fingerprint`.

    None where the line names none. Raises UsageError for a file without a key that can be used, and where a request
    would find none; PKCSPasswordRequiredError where one may be in a file that is encrypted, and nobody is there to be
    asked.
    """
    from sectigo_cli.extracting import key_files
    from sectigo_cli.request_keys import LARGEST_KEY, content, with_password
    from sectigo_iot.pki import private_key_pem

    if not args.key_file:
        return {}
    names = dict.fromkeys(name for path in args.key_file for name in key_files(path, "--key-file"))
    files = {name: content(name, LARGEST_KEY) for name in names}
    wanted = {each.public_key_fingerprint for each in requests}
    password, owners = with_password(args, context, lambda password: (password, _owners(files, password, wanted)))
    _refuse_lacking(requests, owners)
    found = {each: owners[each] for each in wanted}
    # To test the primes is worth the time for those alone that are used.
    return {each: private_key_pem(_read(name, files[name], password)) for each, name in found.items()}


def _owners(files: Mapping[str, bytes], password: str | None, wanted: Collection[str]) -> dict[str, str]:
    """Return in which file the key is, by its fingerprint: one that stays shut is of no account if none lacks it.

    Raises what `_read` raises.
    """
    from sectigo_iot import PKCSPasswordRequiredError

    owners: dict[str, str] = {}
    shut: list[Exception] = []
    for name, data in files.items():
        try:
            owners[_fingerprint(_read(name, data, password, check=False))] = name
        except (PKCSPasswordRequiredError, UsageError) as error:
            if not _is_encrypted(data):
                raise
            shut.append(error)
    if shut and not owners.keys() >= set(wanted):
        raise shut[0]
    return owners


def _is_encrypted(data: bytes) -> bool:
    from sectigo_iot import InvalidInputError, PKCSPasswordRequiredError
    from sectigo_iot.pki import read_private_key

    try:
        read_private_key(data, check=False)
    except InvalidInputError as error:
        return isinstance(error, PKCSPasswordRequiredError)
    return False


def _refuse_lacking(requests: Sequence[CertificateRequest], owners: Mapping[str, str]) -> None:
    alone = [one for one in requests if one.public_key_fingerprint not in owners]
    lacking = [f"{one.source}, request {one.position}" for one in alone]
    if lacking:
        more = f", nor {len(lacking) - 1} others" if len(lacking) > 1 else ""
        raise UsageError(f"no key that --key-file names fits {lacking[0]}{more}", hint="nothing was placed")


def _read(name: str, data: bytes, password: str | None, *, check: bool = True) -> RequestKey:
    from sectigo_iot import InvalidInputError, PKCSPasswordRequiredError
    from sectigo_iot.pki import read_private_key

    try:
        return read_private_key(data, password, check=check)
    except PKCSPasswordRequiredError as error:
        raise PKCSPasswordRequiredError(f"{name}: {error.message}") from None
    except InvalidInputError as error:
        raise UsageError(f"{name}: {error.message}", hint=error.hint) from None


def _fingerprint(key: RequestKey) -> str:
    """Return the SHA-256 of the public half, as requests have it."""
    import hashlib

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()
