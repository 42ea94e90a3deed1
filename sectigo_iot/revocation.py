"""Whether a certificate is revoked, asked of its issuer: OCSP (RFC 6960) and CRL (RFC 5280, section 5).

These are public services of the authority, mostly on plain http, because what they answer is signed. They are asked
without credentials, and what they answer is believed only as far as its signature, its subject and its dates go.
"""

from __future__ import annotations

import threading
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

import requests
from cryptography import x509

from sectigo_iot.errors import (
    BundleError,
    DeadlineError,
    InvalidInputError,
    InvalidReplyError,
    RedirectError,
    TransportError,
    UnreachableError,
)
from sectigo_iot.pki.chain import is_issued_by
from sectigo_iot.pki.crl import crl_url, read_crl
from sectigo_iot.pki.ocsp import build_request, read_response, responder_url
from sectigo_iot.pki.status import RevocationStatus

MAX_OCSP_BYTES = 1 << 20
MAX_CRL_BYTES = 64 << 20
MAX_REDIRECTS = 3

__all__ = ["RevocationStatus", "check_crl", "check_ocsp"]


def check_ocsp(
    certificate: x509.Certificate | bytes,
    issuer: x509.Certificate | bytes,
    *,
    url: str | None = None,
    timeout: float = 10.0,
    session: requests.Session | None = None,
    at: datetime | None = None,
) -> RevocationStatus:
    """Ask the OCSP responder named in the certificate (or at `url`) about the certificate.

    Certificates are given as such or as PEM; `timeout` is in seconds for everything together; `session` must carry no
    credentials; `at` (aware) is the time at which the answer must be fresh, now if None. The answer must be signed by
    `issuer`, or by a responder with the usage OCSPSigning whose certificate `issuer` has signed.
    Raises `InvalidInputError` for unusable arguments, `BundleError` when `issuer` is not the issuer or no URL is
    known, `TransportError` or a subclass when no answer comes, `InvalidReplyError` for one that cannot be believed.
    """
    subject, authority = _pair(certificate, issuer)
    target = url or responder_url(subject)
    body = _fetch(target, build_request(subject, authority), timeout, MAX_OCSP_BYTES, session)
    return read_response(body, subject, authority, target, at or datetime.now(UTC))


def check_crl(
    certificate: x509.Certificate | bytes,
    issuer: x509.Certificate | bytes,
    *,
    url: str | None = None,
    timeout: float = 10.0,
    session: requests.Session | None = None,
    at: datetime | None = None,
    downloaded: MutableMapping[str, bytes] | None = None,
) -> RevocationStatus:
    """Look the certificate up in the CRL named in it (or at `url`), which `issuer` itself must have signed.

    Arguments and errors are those of `check_ocsp`. Delta, indirect and partial CRLs are not believed. CRLs are taken
    from `downloaded`, by their URL, and put there, so that those of one issuer are looked up in one download.
    """
    subject, authority = _pair(certificate, issuer)
    target = url or crl_url(subject)
    known = {} if downloaded is None else downloaded
    if target not in known:
        known[target] = _fetch(target, None, timeout, MAX_CRL_BYTES, session)
    body = known[target]
    return read_crl(body, subject, authority, target, at or datetime.now(UTC))


def _pair(
    certificate: x509.Certificate | bytes, issuer: x509.Certificate | bytes
) -> tuple[x509.Certificate, x509.Certificate]:
    subject, authority = _loaded(certificate, "certificate"), _loaded(issuer, "issuer")
    if not is_issued_by(subject, authority):
        raise BundleError("the given issuer did not issue the certificate")
    return subject, authority


def _loaded(certificate: x509.Certificate | bytes, what: str) -> x509.Certificate:
    if isinstance(certificate, x509.Certificate):
        return certificate
    try:
        return x509.load_pem_x509_certificate(certificate)
    except ValueError:
        raise InvalidInputError(f"the {what} is not a PEM certificate") from None


def _is_usable(url: str) -> bool:
    """Whether it is http or https and carries no credentials."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None


class _Call:
    """One exchange in a thread of its own, because the timeouts of `requests` count for each read alone."""

    def __init__(
        self, url: str, question: bytes | None, timeout: float, limit: int, session: requests.Session
    ) -> None:
        self.url, self.question, self.limit, self.session = url, question, limit, session
        self.timeout, self.deadline = timeout, time.monotonic() + timeout
        self.body: bytes | None = None
        self.fault: Exception | None = None

    def run(self) -> None:
        """Leave the body or the fault behind."""
        try:
            self.body = self._follow()
        except Exception as fault:  # noqa: BLE001  raised again by whoever waits
            self.fault = fault

    def _follow(self) -> bytes:
        url = self.url
        for _ in range(MAX_REDIRECTS + 1):
            with self._send(url) as response:
                if not response.is_redirect:
                    return self._read(response)
                url = self._redirected(url, response)
        raise RedirectError(f"{self.url} leads in a circle", status=response.status_code, location=url)

    def _send(self, url: str) -> requests.Response:
        method = "GET" if self.question is None else "POST"
        headers = {} if self.question is None else {"Content-Type": "application/ocsp-request"}
        return self.session.request(
            method, url, data=self.question, headers=headers, timeout=self.timeout, stream=True, allow_redirects=False
        )

    def _redirected(self, url: str, response: requests.Response) -> str:
        target = urljoin(url, response.headers["location"])
        if urlsplit(target).hostname != urlsplit(url).hostname or not _is_usable(target):
            raise RedirectError(f"{url} points to another place", status=response.status_code, location=target)
        return target

    def _read(self, response: requests.Response) -> bytes:
        if response.status_code != requests.codes.ok:
            raise InvalidReplyError(f"{self.url} answered with status {response.status_code}")
        body = bytearray()
        for chunk in response.iter_content(1 << 14):
            body += chunk
            if len(body) > self.limit:
                raise InvalidReplyError(f"the answer from {self.url} is larger than {self.limit} bytes")
            if time.monotonic() > self.deadline:
                raise DeadlineError(f"{self.url} did not answer within {self.timeout:g} seconds")
        return bytes(body)


def _fetch(url: str, question: bytes | None, timeout: float, limit: int, session: requests.Session | None) -> bytes:
    if not _is_usable(url):
        raise InvalidInputError("the URL to ask must be http or https and carry no credentials")
    if session is not None:
        return _waited(_Call(url, question, timeout, limit, _bare(session)))
    with requests.Session() as own:
        own.trust_env = False
        return _waited(_Call(url, question, timeout, limit, own))


def _bare(session: requests.Session) -> requests.Session:
    if session.trust_env or session.auth or "Authorization" in session.headers:
        raise InvalidInputError("the session must carry no credentials, and must not take any from the environment")
    return session


def _waited(call: _Call) -> bytes:
    worker = threading.Thread(target=call.run, name="revocation", daemon=True)
    worker.start()
    worker.join(call.timeout)
    if call.fault is not None:
        raise _translated(call.fault, call) from call.fault
    if call.body is None:
        raise DeadlineError(f"{call.url} did not answer within {call.timeout:g} seconds")
    return call.body


def _translated(fault: Exception, call: _Call) -> Exception:
    if isinstance(fault, requests.Timeout):
        return DeadlineError(f"{call.url} did not answer within {call.timeout:g} seconds")
    if isinstance(fault, requests.exceptions.InvalidURL):
        return InvalidInputError(f"the URL {call.url!r} cannot be used")
    if isinstance(fault, requests.ConnectionError):
        return UnreachableError(f"{urlsplit(call.url).netloc} cannot be reached")
    if isinstance(fault, requests.RequestException):
        return TransportError(f"the answer from {call.url} broke off")
    return fault
