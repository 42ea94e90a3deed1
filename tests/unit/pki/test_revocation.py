from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from sectigo_iot import revocation
from sectigo_iot.errors import (
    BundleError,
    DeadlineError,
    InvalidInputError,
    InvalidReplyError,
    RedirectError,
    UnreachableError,
)
from sectigo_iot.revocation import RevocationStatus, check_crl, check_ocsp
from tests.unit.pki.home import NOW, Key, build, ec_key, home, leaf_extensions, pem


class Responder(ThreadingHTTPServer):
    """Answers every request with `body`, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.body, self.status, self.location = b"", 200, ""
        self.asked: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.done = threading.Event()
        self.dribble = ""


class Handler(BaseHTTPRequestHandler):
    server: BaseServer

    def do_GET(self) -> None:
        responder = self.server
        assert isinstance(responder, Responder)
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        responder.asked.append((self.command, self.path, asked, dict(self.headers)))
        if responder.dribble and not self._dribble(responder):
            return
        self.send_response(301 if responder.location and self.path != "/there" else responder.status)
        self.send_header("Location", responder.location)
        self.send_header("Content-Length", str(len(responder.body)))
        self.end_headers()
        self.wfile.write(responder.body)

    do_POST = do_GET  # noqa: N815

    def _dribble(self, responder: Responder) -> bool:
        start = b"HTTP/1.1 200 OK\r\nX: " if responder.dribble == "headers" else b"HTTP/1.1 200 OK\r\n\r\n"
        self.wfile.write(start)
        while not responder.done.wait(0.02):
            try:
                self.wfile.write(b"x")
            except OSError:
                break
        return False

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def responder() -> Iterator[Responder]:
    with Responder() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.done.set()
        server.shutdown()
        thread.join()


def answer(
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    *,
    certificate: x509.Certificate | None = None,
    issuer: x509.Certificate | None = None,
    signer: Key | None = None,
    responder: x509.Certificate | None = None,
    enclosed: tuple[x509.Certificate, ...] = (),
    since: datetime = NOW,
    until: datetime | None = NOW + timedelta(days=1),
    reason: x509.ReasonFlags | None = None,
    by: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.NAME,
    digest: hashes.SHA1 | hashes.SHA256 | None = None,
) -> bytes:
    own = home()
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate or own.leaf,
        issuer=issuer or own.issuing,
        algorithm=digest or hashes.SHA1(),
        cert_status=status,
        this_update=since,
        next_update=until,
        revocation_time=NOW - timedelta(hours=1) if status is ocsp.OCSPCertStatus.REVOKED else None,
        revocation_reason=reason,
    )
    builder = builder.responder_id(by, responder or own.issuing)
    if enclosed:
        builder = builder.certificates(list(enclosed))
    return builder.sign(signer or own.issuing_key, hashes.SHA256()).public_bytes(Encoding.DER)


def delegate(*, ocsp_signing: bool = True, signer: Key | None = None, days: int = 30) -> x509.Certificate:
    purpose = ExtendedKeyUsageOID.OCSP_SIGNING if ocsp_signing else ExtendedKeyUsageOID.CLIENT_AUTH
    extra = ((x509.ExtendedKeyUsage([purpose]), False),)
    start = NOW - timedelta(days=20)
    by = signer or home().issuing_key
    return build("OCSP", ec_key("delegate"), "TEST Issuing", by, ca=False, extra=extra, start=start, days=days)


def ask(responder: Responder, body: bytes) -> RevocationStatus:
    responder.body = body
    return check_ocsp(home().leaf, home().issuing, url=responder.url + "/ocsp")


def test_the_responder_in_the_certificate_is_asked_about_this_certificate(responder: Responder) -> None:
    leaf = home().issue(extra=leaf_extensions(responder.url))
    responder.body = answer(certificate=leaf)
    status = check_ocsp(pem(leaf), pem(home().issuing))
    assert (status.status, status.reason, status.revoked_at) == ("good", None, None)
    assert status.source == responder.url + "/ocsp"
    [(method, path, body, headers)] = responder.asked
    assert (method, path, headers["Content-Type"]) == ("POST", "/ocsp", "application/ocsp-request")
    assert ocsp.load_der_ocsp_request(body).serial_number == leaf.serial_number
    assert "Authorization" not in headers


def test_revoked_and_unknown_are_told(responder: Responder) -> None:
    revoked = ask(responder, answer(ocsp.OCSPCertStatus.REVOKED, reason=x509.ReasonFlags.key_compromise))
    assert (revoked.status, revoked.reason) == ("revoked", "keyCompromise")
    assert revoked.revoked_at == NOW - timedelta(hours=1)
    assert abs(revoked.produced_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert ask(responder, answer(ocsp.OCSPCertStatus.UNKNOWN)).status == "unknown"


def test_a_delegated_responder_and_another_hash_are_believed(responder: Responder) -> None:
    one = delegate()
    for by in ocsp.OCSPResponderEncoding:
        body = answer(signer=ec_key("delegate"), responder=one, enclosed=(one,), by=by, digest=hashes.SHA256())
        assert ask(responder, body).status == "good"


def wrong_serial() -> bytes:
    return answer(certificate=home().issue(serial=77))


def wrong_issuer() -> bytes:
    other = home().sub_ca()
    twin = build("TEST Issuing", ec_key("twin"), "TEST Root", home().root_key, ca=True)
    assert other.subject == twin.subject
    return answer(issuer=twin)


def by_stranger() -> bytes:
    key = ec_key("stranger")
    return answer(signer=key, responder=build("TEST Issuing", key, "TEST Root", key, ca=True))


def under_another_name() -> bytes:
    key = home().issuing_key
    return answer(responder=build("TEST Other", key, "TEST Root", key, ca=True))


def by_delegate(certificate: x509.Certificate) -> bytes:
    return answer(signer=ec_key("delegate"), responder=certificate, enclosed=(certificate,))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"garbage", "is not an OCSP response"),
        (b"", "is not an OCSP response"),
        (b"<html>", "is not an OCSP response"),
        (wrong_serial(), "about another certificate"),
        (wrong_issuer(), "about another certificate"),
        (under_another_name(), "not signed by the issuer"),
        (by_stranger(), "not signed by the issuer"),
        (by_delegate(delegate(ocsp_signing=False)), "not signed by the issuer"),
        (by_delegate(delegate(signer=ec_key("stranger"))), "not signed by the issuer"),
        (by_delegate(delegate(days=10)), "not signed by the issuer"),
        (answer(since=NOW - timedelta(days=3), until=NOW - timedelta(days=1)), "stale"),
        (answer(since=NOW - timedelta(days=8), until=None), "stale"),
        (answer(since=NOW + timedelta(hours=1)), "from the future"),
        (
            ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER),
            "refused: TRY_LATER",
        ),
    ],
)
def test_what_cannot_be_believed_is_refused(responder: Responder, body: bytes, words: str) -> None:
    with pytest.raises(InvalidReplyError, match=words):
        ask(responder, body)


def test_an_altered_answer_is_refused(responder: Responder) -> None:
    body = bytearray(answer())
    body[-5] ^= 1
    with pytest.raises(InvalidReplyError):
        ask(responder, bytes(body))


def test_too_much_is_refused(responder: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "MAX_OCSP_BYTES", 1000)
    with pytest.raises(InvalidReplyError, match="larger than 1000 bytes"):
        ask(responder, bytes(1001))


@pytest.mark.parametrize("dribble", ["headers", "body"])
def test_the_deadline_holds_against_a_dribble(responder: Responder, dribble: str) -> None:
    responder.dribble = dribble
    start = time.monotonic()
    with pytest.raises(DeadlineError, match=r"within 0\.3 seconds"):
        check_ocsp(home().leaf, home().issuing, url=responder.url, timeout=0.3)
    assert time.monotonic() - start < 2


def test_a_status_other_than_ok_is_refused(responder: Responder) -> None:
    responder.status = 503
    with pytest.raises(InvalidReplyError, match="status 503"):
        ask(responder, answer())


def test_a_redirect_is_followed_on_the_host_alone(responder: Responder) -> None:
    responder.location = "/there"
    assert ask(responder, answer()).status == "good"
    assert [path for _, path, _, _ in responder.asked] == ["/ocsp", "/there"]
    responder.location = "http://localhost:1/there"
    with pytest.raises(RedirectError) as caught:
        ask(responder, answer())
    assert caught.value.location == "http://localhost:1/there"


def test_the_environment_does_not_steer(responder: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    assert ask(responder, answer()).status == "good"


def test_a_circle_ends(responder: Responder) -> None:
    responder.location = "/ocsp"
    with pytest.raises(RedirectError, match="circle"):
        ask(responder, answer())
    assert len(responder.asked) == 4


def test_nobody_there() -> None:
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1 cannot be reached"):
        check_ocsp(home().leaf, home().issuing, url="http://127.0.0.1:1/")


@pytest.mark.parametrize(
    "url", ["ftp://example.com/x", "file:///etc/passwd", "http://", "http://me:secret@127.0.0.1/"]
)
def test_unusable_urls_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInputError, match="must be http or https") as caught:
        check_crl(home().leaf, home().issuing, url=url)
    assert "secret" not in str(caught.value)


def test_a_session_with_credentials_is_refused(responder: Responder) -> None:
    responder.body = answer()
    with requests.Session() as session:
        with pytest.raises(InvalidInputError, match="no credentials"):
            check_ocsp(home().leaf, home().issuing, url=responder.url, session=session)
        session.trust_env = False
        assert check_ocsp(home().leaf, home().issuing, url=responder.url, session=session).status == "good"
        session.headers["Authorization"] = "Bearer x"
        with pytest.raises(InvalidInputError, match="no credentials"):
            check_ocsp(home().leaf, home().issuing, url=responder.url, session=session)


def test_arguments_are_checked() -> None:
    with pytest.raises(BundleError, match="did not issue"):
        check_ocsp(home().leaf, home().root)
    with pytest.raises(InvalidInputError, match="the issuer is not a PEM certificate"):
        check_ocsp(home().leaf, b"nothing")
    bare = home().issue(extra=())
    with pytest.raises(BundleError, match="names no OCSP responder"):
        check_ocsp(bare, home().issuing)
    with pytest.raises(BundleError, match="names no CRL"):
        check_crl(bare, home().issuing)


def crl(
    *serials: int,
    issuer: str = "TEST Issuing",
    signer: Key | None = None,
    since: datetime = NOW,
    until: datetime = NOW + timedelta(days=1),
    reason: x509.ReasonFlags | None = None,
    extra: x509.ExtensionType | None = None,
) -> bytes:
    builder = x509.CertificateRevocationListBuilder().issuer_name(x509.Name.from_rfc4514_string(f"CN={issuer}"))
    builder = builder.last_update(since).next_update(until)
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    if extra is not None:
        builder = builder.add_extension(extra, critical=True)
    return builder.sign(signer or home().issuing_key, hashes.SHA256()).public_bytes(Encoding.DER)


def scope(*, url: str | None = None, **flags: bool) -> x509.IssuingDistributionPoint:
    names = ["only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs"]
    values = dict.fromkeys(names, False) | flags
    place = [x509.UniformResourceIdentifier(url)] if url else None
    return x509.IssuingDistributionPoint(place, None, only_some_reasons=None, **values)


def look_up(responder: Responder, body: bytes) -> RevocationStatus:
    responder.body = body
    return check_crl(home().leaf, home().issuing, url=responder.url)


def test_a_crl_tells_revoked_or_good(responder: Responder) -> None:
    serial = home().leaf.serial_number
    revoked = look_up(responder, crl(1, serial, reason=x509.ReasonFlags.superseded))
    assert revoked == RevocationStatus("revoked", "superseded", NOW, responder.url, NOW)
    assert look_up(responder, crl(serial)).reason is None
    assert look_up(responder, crl(1, 2)).status == "good"
    assert responder.asked[0][0] == "GET"


def test_a_crl_that_was_downloaded_is_not_asked_for_again(responder: Responder) -> None:
    responder.body = crl(home().leaf.serial_number)
    downloaded: dict[str, bytes] = {}
    for _ in range(3):
        known = check_crl(home().leaf, home().issuing, url=responder.url, downloaded=downloaded)
        assert known.status == "revoked"
    assert len(responder.asked) == 1


def test_the_crl_in_the_certificate_is_asked_for_in_pem_too(responder: Responder) -> None:
    leaf = home().issue(extra=leaf_extensions(responder.url))
    responder.body = x509.load_der_x509_crl(crl(leaf.serial_number)).public_bytes(Encoding.PEM)
    assert check_crl(leaf, home().issuing).status == "revoked"
    assert responder.asked[0][1] == "/issuing.crl"


def test_a_crl_whose_scope_holds_the_certificate_is_believed(responder: Responder) -> None:
    assert look_up(responder, crl(extra=scope(only_contains_user_certs=True))).status == "good"
    assert look_up(responder, crl(extra=scope(url="http://pki.example.com/issuing.crl"))).status == "good"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"garbage", "is not a CRL"),
        (b"-----BEGIN X509 CRL-----\n", "is not a CRL"),
        (crl(signer=ec_key("stranger")), "not signed by the issuer"),
        (crl(issuer="TEST Root"), "not signed by the issuer"),
        (crl(since=NOW - timedelta(days=3), until=NOW - timedelta(days=1)), "stale"),
        (crl(since=NOW + timedelta(hours=1)), "from the future"),
        (crl(extra=scope(only_contains_ca_certs=True)), "only a part"),
        (crl(extra=scope(indirect_crl=True)), "only a part"),
        (crl(extra=scope(url="http://pki.example.com/other.crl")), "only a part"),
        (crl(extra=x509.DeltaCRLIndicator(4)), "only a part"),
    ],
)
def test_a_crl_that_cannot_be_believed_is_refused(responder: Responder, body: bytes, words: str) -> None:
    with pytest.raises(InvalidReplyError, match=words):
        look_up(responder, body)


def test_an_issuer_that_may_not_sign_crls_is_not_believed(responder: Responder) -> None:
    issuer = home().sub_ca(key_usage=x509.KeyUsage(False, False, False, False, False, True, False, False, False))
    responder.body = crl()
    with pytest.raises(InvalidReplyError, match="may not sign CRLs"):
        check_crl(home().leaf, issuer, url=responder.url)
