"""Makes what a batch holds: certificates, and the archive that they are downloaded in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from sectigo_iot.emulator.bundles import make_pkcs12, make_zip
from sectigo_iot.emulator.ca import CertificateAuthority, pem
from sectigo_iot.emulator.keypool import KeyPool
from sectigo_iot.emulator.signing_requests import SigningRequest, read_request

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
    """The certificates of a batch, by common name and serial number, and their ZIP."""

    certificates: list[tuple[str, int]]
    archive: bytes


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes certificates under one authority. `stopped` is asked before each; if so, StoppedError."""

    authority: CertificateAuthority
    keys: KeyPool
    stopped: Callable[[], bool]

    def from_parameters(self, parameters: Mapping[str, str], dns_names: list[str]) -> Made:
        """Make key pair and certificate for the parameters of an order; the ZIP holds one PKCS#12.

        The common name is certified as a DNS name only where it is one of `dns_names`.
        """
        name = parameters["commonName"]
        subject = x509.Name(
            [x509.NameAttribute(oid, parameters[field]) for field, oid in _SUBJECT if parameters.get(field)]
        )
        self._go_on()
        key = self.keys.take()
        certificate = self.authority.issue(subject, dns_names, key.public_key())
        chain = self.authority.chain
        content = make_pkcs12(name, key, certificate, chain, parameters["pkcs12Password"])
        return Made([(name, certificate.serial_number)], make_zip([(name, content)], ".p12"))

    def from_requests(self, blocks: tuple[bytes, ...]) -> Made:
        """Make a certificate for each request, all or none; the ZIP holds a chain in PEM for each.

        Raises UnusableRequestError for the first that cannot be signed.
        """
        requests = [self._read(block) for block in blocks]
        made = [(request.common_name, self._signed(request)) for request in requests]
        files = [(name, pem(certificate, *self.authority.chain)) for name, certificate in made]
        return Made([(name, each.serial_number) for name, each in made], make_zip(files, ".pem"))

    def _read(self, block: bytes) -> SigningRequest:
        self._go_on()
        return read_request(block)

    def _signed(self, request: SigningRequest) -> x509.Certificate:
        self._go_on()
        return self.authority.issue(request.subject, request.dns_names, request.key)

    def _go_on(self) -> None:
        if self.stopped():
            raise StoppedError
