"""Makes what a batch holds: certificates, and the archive that they are downloaded in."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from sectigo_iot.emulator.ca.authority import CertificateAuthority, der, pem
from sectigo_iot.emulator.ca.bundles import make_pkcs12, make_zip
from sectigo_iot.emulator.ca.keypool import KeyPool
from sectigo_iot.emulator.ca.legacy import make_legacy_pkcs12
from sectigo_iot.emulator.ca.signing_requests import SigningRequest, read_request
from sectigo_iot.emulator.config.world import DNS_PATTERN, Profile, lines_of

_SUBJECT = (
    ("countryName", NameOID.COUNTRY_NAME),
    ("stateOrProvinceName", NameOID.STATE_OR_PROVINCE_NAME),
    ("localityName", NameOID.LOCALITY_NAME),
    ("organizationName", NameOID.ORGANIZATION_NAME),
    ("commonName", NameOID.COMMON_NAME),
)


class StoppedError(Exception):
    """The emulator is being ended while certificates are made."""


@dataclass(frozen=True, slots=True)
class Made:
    """The certificates of a batch, by common name, and their ZIP."""

    certificates: list[tuple[str, x509.Certificate]]
    archive: bytes


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes certificates under one authority. `stopped` is asked before each; if so, StoppedError."""

    authority: CertificateAuthority
    keys: KeyPool
    legacy: bool
    stopped: Callable[[], bool]

    def from_parameters(self, parameters: Mapping[str, str], profile: Profile, serial: int) -> Made:
        """Make key pair and certificate for the parameters of an order; the ZIP holds one PKCS#12.

        Raises ValueError for a name that cannot be certified, and StoppedError.
        """
        name = parameters["commonName"]
        subject = x509.Name(
            [x509.NameAttribute(oid, parameters[field]) for field, oid in _SUBJECT if parameters.get(field)]
        )
        self._go_on()
        key = self.keys.take()
        names = dns_names_of(parameters)
        certificate = self.authority.issue(subject, names, key.public_key(), serial, profile.validity_days)
        make = make_legacy_pkcs12 if self.legacy else make_pkcs12
        content = make(name, key, certificate, self.authority.chain, parameters.get("pkcs12Password", ""))
        return Made([(name, certificate)], make_zip([(name, content)], ".p12"))

    def from_requests(self, blocks: tuple[bytes, ...], profile: Profile, serials: Iterator[int], count: int) -> Made:
        """Make a certificate for each of the first `count` requests, if all of them can be signed.

        Raises UnusableRequestError, ValueError for a name that cannot be certified, and StoppedError.
        """
        requests = [self._read(block) for block in blocks][:count]
        made = [
            (request.common_name, self._signed(request, serial, profile.validity_days))
            for request, serial in zip(requests, serials, strict=False)
        ]
        suffix, content = _FORMATS[profile.certificate_format]
        files = [(name, content(certificate, self.authority.chain)) for name, certificate in made]
        return Made(made, make_zip(files, suffix))

    def _read(self, block: bytes) -> SigningRequest:
        self._go_on()
        return read_request(block)

    def _signed(self, request: SigningRequest, serial: int, days: int | None) -> x509.Certificate:
        self._go_on()
        return self.authority.issue(request.subject, request.dns_names, request.key, serial, days)

    def _go_on(self) -> None:
        if self.stopped():
            raise StoppedError


def dns_names_of(parameters: Mapping[str, str]) -> list[str]:
    """Return the DNS names that an order's certificate is for: the common name, if it is one, and `dNSName`."""
    common = parameters["commonName"]
    listed = lines_of(parameters["dNSName"]) if parameters.get("dNSName") else []
    return [common, *listed] if re.fullmatch(DNS_PATTERN, common) else listed


def serial_numbers(fraction: Callable[..., float], *key: object) -> Iterator[int]:
    """Yield serial numbers of 16 bytes that follow from the seed. They are always 32 digits in hex."""
    for index in itertools.count():
        pieces = [int(fraction("serial", *key, index, part) * 2**32) for part in range(4)]
        number = pieces[0] << 96 | pieces[1] << 64 | pieces[2] << 32 | pieces[3]
        # The first byte is neither 00 nor, as a signed number, negative.
        yield (number & ~(0xC0 << 120)) | 0x40 << 120


def _chain_in_pem(certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]) -> bytes:
    return pem(certificate, *chain)


def _alone_in_der(certificate: x509.Certificate, _chain: tuple[x509.Certificate, ...]) -> bytes:
    return der(certificate)


def _pkcs7(certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]) -> bytes:
    return pkcs7.serialize_certificates([certificate, *chain], serialization.Encoding.DER)


_FORMATS = {"pem": (".pem", _chain_in_pem), "der": (".cer", _alone_in_der), "pkcs7": (".p7b", _pkcs7)}
