"""Many keys with their requests at once: RSA keys in as many processes as there are processors."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sectigo_iot.pki.csr import CertificateRequest
from sectigo_iot.pki.processes import processors, spread
from sectigo_iot.pki.request_rules import key_name
from sectigo_iot.pki.requesting.building import built, subject_of
from sectigo_iot.pki.requesting.keys import KEY_KINDS, RequestKey, check_password, generate_key, private_key_pem
from sectigo_iot.pki.requesting.spec import RequestSpec, checked_spec

_Piece = tuple[str, str | None, tuple[RequestSpec, ...]]

_TOGETHER = {"RSA-4096": 1, "RSA-3072": 2, "RSA-2048": 8}
"""Requests that a process makes in one go: about a second's work."""
_TOGETHER_HERE = 100
"""Requests of a cheap kind, a few milliseconds' work: to start a process would take longer than most tables."""


@dataclass(frozen=True, slots=True)
class MadeRequest:
    """A new key with the request for it.

    `name` is the common name, `spec` what was asked for, as `checked_spec` returns it; `key` reads like `RSA-4096`.
    `key_pem` is the private key (PKCS#8), `request_pem` the request (PKCS#10). `public_key_fingerprint` is the
    SHA-256 of the SubjectPublicKeyInfo in hexadecimal, as in `CertificateRequest`.
    """

    name: str
    spec: RequestSpec
    key: str
    key_pem: bytes = field(repr=False)
    request_pem: bytes
    public_key_fingerprint: str

    def described(self, source: str = "request", position: int = 1) -> CertificateRequest:
        """Return the request as `read_requests` would describe it, without reading it: for `write_zip`, or a list."""
        return CertificateRequest(
            common_name=self.name,
            dns_names=self.spec.names,
            pem=self.request_pem,
            key=self.key,
            signature_hash=None if self.key == "Ed25519" else "SHA-384",
            position=position,
            source=source,
            public_key_fingerprint=self.public_key_fingerprint,
            subject=tuple(subject_of(self.spec)),
        )


def make_requests(
    specs: Iterable[RequestSpec],
    *,
    kind: str = KEY_KINDS[0],
    processes: int | None = None,
    password: str | None = None,
) -> Generator[MadeRequest, None, None]:
    """Make a key and a request for each spec, and yield them in order, each as soon as it is there.

    `kind` is one of `KEY_KINDS`; a password encrypts every key. RSA keys are made in `processes` processes, by
    default one for each processor; a program that calls this needs the usual `if __name__ == "__main__":`. Keys of
    the other kinds cost so little that they are made in this process. Closing the iterator ends the processes.
    Raises `InvalidRequestError` for a spec that is wrong, and what `private_key_pem` raises for a password, before
    anything is made, and with the first key what `generate_key` raises.
    """
    check_password(password)
    wanted = tuple(checked_spec(spec) for spec in specs)
    together = _TOGETHER.get(kind, _TOGETHER_HERE)
    pieces = [(kind, password, chunk) for chunk in _chunks(wanted, together)]
    at_once = min(processes or processors(), len(pieces)) if kind in _TOGETHER else 1
    return _each(pieces, at_once)


def _each(pieces: list[_Piece], processes: int) -> Generator[MadeRequest, None, None]:
    with contextlib.closing(spread(_made, pieces, processes=processes)) as lists:
        for made in lists:
            yield from made


def _chunks(specs: tuple[RequestSpec, ...], size: int) -> Iterator[tuple[RequestSpec, ...]]:
    for start in range(0, len(specs), size):
        yield specs[start : start + size]


def _made(piece: _Piece) -> list[MadeRequest]:
    kind, password, specs = piece
    return [_one(generate_key(kind), spec, password) for spec in specs]


def _one(key: RequestKey, spec: RequestSpec, password: str | None) -> MadeRequest:
    public = key.public_key()
    encoded = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return MadeRequest(
        name=spec.names[0],
        spec=spec,
        key=key_name(public),
        key_pem=private_key_pem(key, password),
        request_pem=built(key, spec),
        public_key_fingerprint=hashlib.sha256(encoded).hexdigest(),
    )
