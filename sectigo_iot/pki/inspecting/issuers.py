"""Who has issued what, among the certificates of some files: found once for each, at a cost that has bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from cryptography import x509

from sectigo_iot.errors import BundleError
from sectigo_iot.pki.chain import extension_of, is_issued_by, is_self_signed, is_valid

_LONGEST = 10
"""Certificates of a path, as in `sectigo_iot.pki.chain`."""
_FEW = 8
"""Certificates of the issuer's name that are tried for each certificate whatever they cost."""
_MOST = 100
"""Those that are tried at the most: more come from nobody who means well."""
_TRIES = 10_000
"""Signatures that are tried beyond those few, of all certificates together."""

Path = tuple[x509.Certificate, ...]


class Issuers:
    """Some certificates, the roots that are trusted (None: the self-signed ones), and the time (aware)."""

    def __init__(
        self, certificates: Iterable[x509.Certificate], roots: Sequence[x509.Certificate] | None, at: datetime
    ) -> None:
        self._roots = None if roots is None else frozenset(filter(has_names, roots))
        self._at = at
        self._tries = _TRIES
        self._named: dict[bytes, list[x509.Certificate]] = {}
        self._by_key: dict[tuple[bytes, bytes], list[x509.Certificate]] = {}
        self._links: dict[x509.Certificate, Path] = {}
        self._anchors: dict[x509.Certificate, bool] = {}
        self._upward: dict[Path, Path] = {}
        self._crowded: set[x509.Certificate] = set()
        for certificate in filter(has_names, dict.fromkeys(certificates)):
            name = name_of(certificate)
            self._named.setdefault(name, []).append(certificate)
            self._by_key.setdefault((name, _own_key(certificate)), []).append(certificate)

    def is_anchor(self, certificate: x509.Certificate) -> bool:
        """Whether a path may end at it."""
        if self._roots is not None:
            return certificate in self._roots
        if certificate not in self._anchors:
            self._anchors[certificate] = is_self_signed(certificate)
        return self._anchors[certificate]

    def is_crowded(self, certificate: x509.Certificate) -> bool:
        """Whether none of those that were tried is its issuer, and not all were tried that bear the issuer's name."""
        return certificate in self._crowded

    def path(self, certificate: x509.Certificate) -> Path:
        """The best way from it, by its issuers, to an anchor; or as far as the best of them lead.

        As in `find_path`, a way that ends at an anchor comes before one that does not, then one that is valid.
        """
        if self.is_anchor(certificate):
            return (certificate,)
        links = self.of(certificate)
        if links not in self._upward:
            self._upward[links] = self._found(links)
        return (certificate, *self._upward[links])

    def above(self, certificate: x509.Certificate, most: int) -> Path:
        """Its issuers, and theirs; those that were found up to there, once they are more than `most`."""
        found = dict.fromkeys(self.of(certificate))
        left = list(found)
        while left and len(found) <= most:
            new = [each for each in self.of(left.pop()) if each not in found]
            found.update(dict.fromkeys(new))
            left += new
        return tuple(found)

    def of(self, certificate: x509.Certificate) -> Path:
        """The certificates whose key has signed it and that bear its issuer's name, the best first."""
        if certificate not in self._links:
            candidates, all_of_them = self._candidates(certificate)
            found = [each for each in candidates if is_issued_by(certificate, each)]
            self._links[certificate] = tuple(sorted(found, key=self._preference))
            if not (found or all_of_them):
                self._crowded.add(certificate)
        return self._links[certificate]

    def _candidates(self, certificate: x509.Certificate) -> tuple[list[x509.Certificate], bool]:
        """Those that are tried as its issuer, first those whose key it names; and whether they are all there are."""
        name = issuer_of(certificate)
        named = self._named.get(name, [])
        if len(named) <= _FEW:
            return [each for each in named if each != certificate], True
        meant = self._by_key.get((name, _issuer_key(certificate)), [])
        tried = [each for each in dict.fromkeys((*meant[:_MOST], *named[:_MOST])) if each != certificate]
        most = min(_MOST, _FEW + self._tries)
        self._tries -= max(0, min(len(tried), most) - _FEW)
        return tried[:most], len(named) <= most

    def _preference(self, certificate: x509.Certificate) -> tuple[bool, bool, float]:
        longest = -certificate.not_valid_after_utc.timestamp()
        return not is_valid(certificate, self._at), is_self_signed(certificate), longest

    def _found(self, issuers: Path) -> Path:
        valid = self._search((), issuers, set(), valid=True)
        return valid or self._search((), issuers, set(), valid=False) or tuple(self._as_far_as(issuers))

    def _search(self, path: Path, issuers: Path, seen: set[x509.Certificate], *, valid: bool) -> Path:
        if len(path) + 1 >= _LONGEST:
            return ()
        for issuer in issuers:
            if issuer in seen or (valid and not is_valid(issuer, self._at)):
                continue
            if self.is_anchor(issuer):
                return (*path, issuer)
            # What led nowhere once leads nowhere again.
            seen.add(issuer)
            found = self._search((*path, issuer), self.of(issuer), seen, valid=valid)
            if found:
                return found
        return ()

    def _as_far_as(self, issuers: Path) -> Iterator[x509.Certificate]:
        passed: set[x509.Certificate] = set()
        for _ in range(_LONGEST - 1):
            issuer = next((each for each in issuers if each not in passed), None)
            if issuer is None:
                return
            passed.add(issuer)
            yield issuer
            issuers = self.of(issuer)


def has_names(certificate: x509.Certificate) -> bool:
    """Whether its subject and its issuer can be read, and the issuer is not empty."""
    return bool(name_of(certificate) and issuer_of(certificate))


def name_of(certificate: x509.Certificate) -> bytes:
    """The subject as DER; empty where it cannot be read."""
    try:
        return certificate.subject.public_bytes()
    except ValueError:
        return b""


def issuer_of(certificate: x509.Certificate) -> bytes:
    """The issuer as DER; empty where it cannot be read."""
    try:
        return certificate.issuer.public_bytes()
    except ValueError:
        return b""


def _own_key(certificate: x509.Certificate) -> bytes:
    try:
        found = extension_of(certificate, x509.SubjectKeyIdentifier)
    except BundleError:
        return b""
    return b"" if found is None else found.digest


def _issuer_key(certificate: x509.Certificate) -> bytes:
    try:
        found = extension_of(certificate, x509.AuthorityKeyIdentifier)
    except BundleError:
        return b""
    return b"" if found is None else found.key_identifier or b""
