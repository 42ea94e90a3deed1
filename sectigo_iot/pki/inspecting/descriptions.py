"""What a file is found to hold: one description for each thing in it, as values and as a document for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from cryptography import x509

ValidityState = Literal["valid", "expired", "not yet valid"]
ChainState = Literal["verified", "self-contained", "incomplete", "expired", "not yet valid", "invalid"]


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """Whether the issuers of a certificate are there and stand behind it (RFC 5280, section 6).

    `state` is `verified` where one of the roots that were given stands behind it; `self-contained` where a
    self-signed certificate of the same files does, which proves that they fit together and nothing about who made
    them; `incomplete` where an issuer is missing; `expired` or `not yet valid` where a certificate on the way is
    that; `invalid` where something else speaks against it. `reason` says in words what it is, `path` has the names
    from the certificate upwards as far as they are there. `holds` is false where something speaks against it, or
    where roots were given and none was reached.
    """

    state: ChainState
    reason: str
    path: tuple[str, ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class CertificateDescription:
    """An X.509 certificate (RFC 5280).

    `serial_number` has the form that `revoke` takes: whole octets of upper-case hexadecimal. `other_names` are the
    names of the subjectAltName that are no dNSNames, each with its kind in front, such as `IP:192.0.2.1`.
    `not_before` and `not_after` are the first and the last second, in UTC; `days_left` counts whole days until then,
    and is negative when it is over. `key` reads like `RSA-4096`, `signature_algorithm` like `ecdsa-with-SHA256` (the
    names of RFC 3279 and its successors). `sha256` and `sha1` are fingerprints of the certificate,
    `public_key_sha256` that of its SubjectPublicKeyInfo, which a key and a request share with it; all three are
    hexadecimal. What stands in no extension is empty or false. `chain` is None for a certificate that has issued
    another one of those inspected with it: the verdict stands with that one. `private_key` is the source of a private
    key that fits, None where there is none. `faults` say what of it cannot be read.

    `certificate` is the certificate itself, and `issuers` are its issuers as far as they are there, in order.
    """

    kind: ClassVar[str] = "certificate"
    subject: str
    common_name: str
    dns_names: tuple[str, ...]
    other_names: tuple[str, ...]
    serial_number: str
    not_before: datetime
    not_after: datetime
    days_left: int
    validity: ValidityState
    key: str
    signature_algorithm: str
    sha256: str
    sha1: str
    public_key_sha256: str
    issuer: str
    self_signed: bool
    ca: bool
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...]
    chain: ChainVerdict | None
    private_key: str | None
    faults: tuple[str, ...]
    certificate: x509.Certificate = field(repr=False, compare=False)
    issuers: tuple[x509.Certificate, ...] = field(repr=False, compare=False)

    @property
    def attention(self) -> tuple[str, ...]:
        """What is not as it should be, in words; nothing where all is well."""
        return tuple(dict.fromkeys(self._doubts()))

    def _doubts(self) -> Iterator[str]:
        name = self.common_name or self.subject or self.serial_number
        if self.validity == "expired":
            yield f"the certificate {name!r} expired on {self.not_after:%F %T} UTC"
        if self.validity == "not yet valid":
            yield f"the certificate {name!r} is not valid before {self.not_before:%F %T} UTC"
        if self.chain is not None and not self.chain.holds:
            yield self.chain.reason
        yield from (f"of the certificate {name!r} {fault}" for fault in self.faults)


@dataclass(frozen=True, slots=True)
class RequestDescription:
    """A certificate signing request (RFC 2986).

    The fields that it shares with `CertificateDescription` mean the same; key usages and names are those that it asks
    for. `signature_fits` tells whether it is signed with the key that it is about. `faults` are what an upload of it
    would be refused for.
    """

    kind: ClassVar[str] = "certificate request"
    subject: str
    common_name: str
    dns_names: tuple[str, ...]
    other_names: tuple[str, ...]
    key: str
    signature_algorithm: str
    signature_fits: bool
    public_key_sha256: str
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...]
    private_key: str | None
    faults: tuple[str, ...]

    @property
    def attention(self) -> tuple[str, ...]:
        """What is not as it should be, in words; nothing where all is well."""
        name = self.common_name or self.subject or ", ".join(self.dns_names)
        return tuple(f"the request for {name!r}: {fault}" for fault in self.faults)


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """A key. Of a private key nothing is kept but what its public half tells.

    `form` is the label of its PEM block, or `PRIVATE KEY` and the like where it is DER. `key` and `public_key_sha256`
    are empty where it is encrypted and was not opened, or is damaged, which `fault` tells. `fits` names the
    certificate or request that it belongs to; `stray` tells that there are such in its file, and it fits none.
    """

    kind: ClassVar[str] = "key"
    form: str
    private: bool
    encrypted: bool
    key: str
    public_key_sha256: str
    fault: str = ""
    fits: str | None = None
    stray: bool = False

    @property
    def attention(self) -> tuple[str, ...]:
        """What is not as it should be, in words; nothing where all is well."""
        return ("the private key fits nothing in its file",) if self.stray else ()


@dataclass(frozen=True, slots=True)
class PKCS12Description:
    """A PKCS#12 as such (RFC 7292); what it holds is described beside it, if it could be opened.

    `key_encryption` and `certificate_encryption` hold each kind of protection once, with the words that
    `openssl pkcs12 -info` has for it, and `mac` likewise; they are told without the password, and empty where there
    is none. `needs_legacy` tells that OpenSSL 3 opens it only with `-legacy`. `locked`
    means that no password was given; `fault` says why it does not open with the one that was.
    """

    kind: ClassVar[str] = "PKCS#12"
    key_encryption: tuple[str, ...]
    certificate_encryption: tuple[str, ...]
    mac: str
    needs_legacy: bool
    locked: bool
    fault: str = ""

    @property
    def attention(self) -> tuple[str, ...]:
        """What is not as it should be, in words; nothing where all is well."""
        return ("the PKCS#12 is locked: a password is needed to see what it holds",) if self.locked else ()


@dataclass(frozen=True, slots=True)
class RevocationListDescription:
    """A certificate revocation list (RFC 5280, section 5). `count` is how many certificates it names.

    `this_update` and `next_update` (None where it tells none) are in UTC; `stale` means that the next one is due.
    """

    kind: ClassVar[str] = "CRL"
    issuer: str
    number: int | None
    this_update: datetime
    next_update: datetime | None
    stale: bool
    count: int
    signature_algorithm: str
    sha256: str

    @property
    def attention(self) -> tuple[str, ...]:
        """What is not as it should be, in words; nothing where all is well."""
        if not self.stale:
            return ()
        return (f"the CRL of {self.issuer!r} is stale: it counted until {self.next_update:%F %T} UTC",)


@dataclass(frozen=True, slots=True)
class OtherDescription:
    """A PEM block that is nothing of the above, by its label (RFC 7468)."""

    kind: ClassVar[str] = "other"
    label: str

    @property
    def attention(self) -> tuple[str, ...]:
        """Nothing: it is not looked into."""
        return ()


Description = (
    CertificateDescription
    | RequestDescription
    | KeyDescription
    | PKCS12Description
    | RevocationListDescription
    | OtherDescription
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What one file is, or one entry of a ZIP, whose `source` is that of the ZIP, a slash, and its own name.

    `form` is `PEM`, `DER`, `PKCS#7`, `PKCS#12` or `ZIP`, empty where it is nothing that can be told. `items` describe
    what it holds, in order; `entries` are those of a ZIP. `faults` say what cannot be read, in it or of it.
    """

    source: str
    form: str
    items: tuple[Description, ...] = ()
    entries: tuple[Inspection, ...] = ()
    faults: tuple[str, ...] = ()

    def everything(self) -> Iterator[Inspection]:
        """Yield this inspection, and those of its entries."""
        yield self
        for entry in self.entries:
            yield from entry.everything()

    @property
    def certificates(self) -> tuple[CertificateDescription, ...]:
        """The certificates among the items."""
        return tuple(item for item in self.items if isinstance(item, CertificateDescription))

    @property
    def locked(self) -> bool:
        """Whether it is a PKCS#12 for which no password was given."""
        return any(isinstance(item, PKCS12Description) and item.locked for item in self.items)

    @property
    def attention(self) -> tuple[str, ...]:
        """What is not as it should be of what it holds, entries apart, in words; nothing where all is well."""
        return tuple(dict.fromkeys(doubt for item in self.items for doubt in item.attention))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as a document for JSON: field names as here, times as in RFC 3339, each item's `kind`."""
        document: dict[str, Any] = _document(self)
        return document


def _document(value: Any) -> Any:
    """Return a value as JSON has it; what is no text, such as a certificate itself, is left out."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, tuple):
        return [_document(each) for each in value]
    if not is_dataclass(value):
        return value
    told = {each.name: _document(getattr(value, each.name)) for each in fields(value) if each.repr}
    kind = {"kind": getattr(value, "kind")} if hasattr(value, "kind") else {}  # noqa: B009 - not every one has it
    doubts = {"attention": list(value.attention)} if hasattr(value, "attention") else {}
    return {**kind, **told, **doubts}
