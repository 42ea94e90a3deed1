"""The whole way: what was downloaded is read, proven, and put in place, all of it or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from os import PathLike
from pathlib import Path
from typing import IO

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sectigo_iot.errors import BundleError, InvalidInputError, PKCSPasswordRequiredError
from sectigo_iot.pki.certificates import certificates_in, is_pkcs12
from sectigo_iot.pki.chain import is_authority
from sectigo_iot.pki.installing.staging import Staged
from sectigo_iot.pki.installing.switching import Installed, Installer
from sectigo_iot.pki.processes import processors, spread
from sectigo_iot.pki.unpacking.forms import Format, check_format
from sectigo_iot.pki.unpacking.keys import KeyRing
from sectigo_iot.pki.unpacking.replacing import begin_of, refuse_loss
from sectigo_iot.pki.unpacking.sources import LARGEST, Source, opened_source
from sectigo_iot.pki.unpacking.staging import Entry, Made, Order, stage_entries

_PIECE = 64
"""Entries that a process gets at once,"""
_PIECE_BYTES = 1 << 20
"""and bytes after which it gets no further one."""
_WORTH_A_PROCESS = 128
"""Entries: with fewer than that for each, starting a process costs more than it saves."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A certificate whose files are in place.

    `installed` says where they are. `key_source` names the file of `keys` that the private key stands in; it is empty
    where the key came with the certificate, None where there is none. `out_of_date` says of the certificate, and of
    each one of its chain, that it is expired or not yet valid; `incomplete` is True where the chain reaches no root,
    `is_older` where the certificate that was in force before became valid later.
    """

    installed: Installed
    common_name: str
    dns_names: tuple[str, ...]
    serial_number: str
    not_before: datetime
    not_after: datetime
    key_source: str | None
    out_of_date: tuple[str, ...]
    incomplete: bool
    is_older: bool = False

    @property
    def name(self) -> str:
        """The name by which it is installed."""
        return self.installed.name

    @property
    def has_key(self) -> bool:
        """Whether the private key is among the files."""
        return self.key_source is not None


def unpack(
    file: IO[bytes] | str | PathLike[str],
    folder: str | PathLike[str],
    *,
    password: str | None = None,
    keys: KeyRing | None = None,
    format: Format = "pem",  # noqa: A002 - as the option is called
    modernize: bool = False,
    allow_incomplete: bool = False,
    keep: int = 3,
    grants: Sequence[str] | None = None,
    processes: int | None = 1,
    at: datetime | None = None,
    roots: bytes | None = None,
    again: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Unpacked, ...]:
    """Unpack a downloaded ZIP, a PKCS#12 or a file of certificates into `folder`, each certificate under its name.

    Of every certificate is proven what `open_pkcs12` and `IssuedCertificate.verify` prove: its key fits it, and its
    chain verifies, by the root that came with it or by `roots` (PEM). What is out of date at the time `at` (aware;
    now, if None) is told in the result and put in place all the same. A chain that reaches no root is refused, unless
    `allow_incomplete`. The files are put in place as `install` does it, all of them or none: with `keep` versions of
    each, and readable for the users `grants` (None: for those who may read the version in force). With `again` false
    a certificate whose files in force are the same, and open to those users already, gets no new version.

    `format` is `pem` (`cert.pem`, `chain.pem`, `fullchain.pem`, `privkey.pem`, `full.pem`), `der` (`cert.der`,
    `chain-1.der`…, `privkey.der`) or `p12`: the PKCS#12 as it came, or, with `modernize`, one under AES-256 in place
    of one under older algorithms. Private keys leave a PKCS#12 unencrypted, in files with mode 0600.

    `keys` are for certificates that were issued for requests: each gets the key that fits it, if one does. So many
    `processes` work at once on what is large, as many as can run if None; they are started anew, so a program that
    wants more than one needs the usual `if __name__ == "__main__":`. `on_progress` is told how many entries are done,
    and of how many.

    Raises `BundleError` for what is not what it should be, with the entry's name, `PKCSPasswordRequiredError` where a
    password is needed, `TargetExistsError` where something else stands in the way, `InvalidInputError` for an
    argument that is wrong, and `OSError`. Then nothing has changed. A certificate without its key is a `BundleError`,
    too, where the version in force has one.
    """
    check_format(format, modernize=modernize)
    if at is not None and at.tzinfo is None:
        raise InvalidInputError("the time to verify at has no time zone")
    _check_roots(roots)
    with contextlib.ExitStack() as opened:
        source = opened.enter_context(opened_source(file))
        _check_password(source, password)
        authorities = _authorities(source)
        with Installer(folder, keep=keep, grants=grants) as installer:
            order = Order(
                installer.staging_root, format, at, password, roots, authorities, modernize, allow_incomplete
            )
            made = _staged(source, order, keys, processors() if processes is None else processes, on_progress)
            # The list of what is in a large ZIP is large, too.
            opened.close()
            refuse_loss(Path(folder), made)
            return tuple(map(_unpacked, _in_force(installer, [each.staged for each in made], again=again), made))


def _in_force(installer: Installer, staged: Sequence[Staged], *, again: bool) -> list[Installed]:
    found = {} if again else {one.name: installer.standing(one) for one in staged}
    standing = {name: one for name, one in found.items() if one is not None}
    new = [one for one in staged if one.name not in standing]
    placed = {one.name: one for one in installer.commit(new)} if new else {}
    standing |= placed
    return [standing[one.name] for one in staged]


def _check_roots(roots: bytes | None) -> None:
    try:
        if roots is not None:
            x509.load_pem_x509_certificates(roots)
    except ValueError:
        raise InvalidInputError("the root certificates to verify against are not PEM") from None


def _check_password(source: Source, password: str | None) -> None:
    """Raise before anything is done what would be raised after the first of ten thousand."""
    if password is None and any(map(is_pkcs12, source.names)):
        raise PKCSPasswordRequiredError("a password is needed to open the PKCS#12")


def _is_loose(name: str) -> bool:
    return not is_pkcs12(name)


def _authorities(source: Source) -> tuple[bytes, ...]:
    """Return as DER the CA certificates of entries that are no PKCS#12: they complete the chains of the others."""
    if all(map(is_pkcs12, source.names)):
        return ()
    found: dict[bytes, None] = {}
    for name, content in source.contents(LARGEST, _is_loose):
        for certificate in filter(is_authority, certificates_in(name, content)):
            found[certificate.public_bytes(Encoding.DER)] = None
    return tuple(found)


def _staged(
    source: Source,
    order: Order,
    keys: KeyRing | None,
    processes: int,
    on_progress: Callable[[int, int], None] | None,
) -> list[Made]:
    total, done = len(source.names), 0
    made: dict[str, Made] = {}
    if on_progress is not None:
        on_progress(0, total)
    pieces = _pieces(source, keys)
    with contextlib.closing(_spread(order, pieces, min(processes, 1 + total // _WORTH_A_PROCESS))) as results:
        for count, several in results:
            for each in several:
                _refuse_twin(made.setdefault(each.staged.name.casefold(), each), each)
            done += count
            if on_progress is not None:
                on_progress(done, total)
    if not made:
        raise BundleError("there is no certificate of an end entity in it")
    return list(made.values())


def _spread(
    order: Order, pieces: Iterable[list[Entry]], processes: int
) -> Generator[tuple[int, list[Made]], None, None]:
    yield from spread(partial(_counted, order), pieces, processes=processes)


def _counted(order: Order, entries: list[Entry]) -> tuple[int, list[Made]]:
    return len(entries), stage_entries(order, entries)


def _pieces(source: Source, keys: KeyRing | None) -> Iterator[list[Entry]]:
    piece: list[Entry] = []
    size = 0
    for name, content in source.contents(LARGEST):
        fitting = keys.fitting(certificates_in(name, content)) if keys and _is_loose(name) else {}
        piece.append(Entry(name, content, fitting))
        size += len(content)
        if len(piece) == _PIECE or size > _PIECE_BYTES:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _refuse_twin(first: Made, each: Made) -> None:
    if first is not each:
        raise BundleError(
            f"{first.entry} and {each.entry} lead to one name, {each.staged.name}",
            hint="some file systems do not tell upper from lower case",
        )


def _unpacked(installed: Installed, made: Made) -> Unpacked:
    before = begin_of(installed.previous)
    return Unpacked(
        installed,
        made.common_name,
        made.dns_names,
        made.serial_number,
        made.not_before,
        made.not_after,
        made.key_source,
        made.out_of_date,
        made.incomplete,
        before is not None and before > made.not_before,
    )
