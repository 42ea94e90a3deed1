from __future__ import annotations

import io
import ipaddress
import json
import random
import time
import zipfile
from base64 import encodebytes as b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from sectigo_iot.errors import BundleError, InvalidInputError
from sectigo_iot.pki import (
    CertificateDescription,
    Inspection,
    KeyDescription,
    OtherDescription,
    PKCS12Description,
    RequestDescription,
    RevocationListDescription,
    inspect,
    inspect_files,
)
from tests.reliability.figures import share
from tests.unit.pki.home import NOW, PASSWORD, build, ec_key, home, leaf_extensions, pem, pfx, request

Item = TypeVar("Item")


def key_pem(password: str | None = None, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    protection = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
    return ec_key("inspected").private_bytes(Encoding.PEM, form, protection)


@cache
def leaf() -> x509.Certificate:
    own = home()
    extra = leaf_extensions()
    key = ec_key("inspected")
    return build("a.example.com", key, "TEST Issuing", own.issuing_key, ca=False, serial=0x0ABC, extra=extra)


@cache
def crl(until: datetime | None = NOW + timedelta(days=1)) -> x509.CertificateRevocationList:
    builder = x509.CertificateRevocationListBuilder().issuer_name(home().issuing.subject)
    for serial in (5, 6):
        gone = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW).build()
        builder = builder.add_revoked_certificate(gone)
    builder = builder.last_update(NOW - timedelta(days=2)).next_update(until or NOW)
    return builder.add_extension(x509.CRLNumber(255), False).sign(home().issuing_key, hashes.SHA256())


def zipped(**entries: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("_", "."), content)
    return target.getvalue()


def only(told: Inspection, kind: type[Item]) -> Item:
    (one,) = (item for item in told.items if isinstance(item, kind))
    return one


def certificate(data: bytes, at: datetime = NOW, **options: object) -> CertificateDescription:
    return inspect(data, at=at, **options).certificates[0]  # type: ignore[arg-type]


def test_a_certificate_is_described() -> None:
    told = certificate(pem(leaf()))
    assert (told.subject, told.common_name, told.issuer) == ("CN=a.example.com", "a.example.com", "CN=TEST Issuing")
    assert (told.dns_names, told.other_names) == (("a.example.com", "*.b.example.com"), ())
    assert (told.serial_number, told.key, told.signature_algorithm) == ("0ABC", "P-256", "ecdsa-with-SHA256")
    assert (told.not_before, told.not_after) == (leaf().not_valid_before_utc, leaf().not_valid_after_utc)
    assert (told.days_left, told.validity, told.self_signed, told.ca) == (393, "valid", False, False)
    assert told.key_usage == ("digitalSignature", "nonRepudiation", "keyEncipherment")
    assert told.extended_key_usage == ("clientAuth", "serverAuth")
    assert told.sha256 == leaf().fingerprint(hashes.SHA256()).hex()
    assert told.sha1 == leaf().fingerprint(hashes.SHA1()).hex()
    assert (told.private_key, told.faults, told.attention) == (None, (), ())


def test_every_kind_of_name_and_usage_is_told() -> None:
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName("a.example.com"),
            x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
            x509.RFC822Name("jane@example.com"),
            x509.UniformResourceIdentifier("spiffe://example.com/a"),
            x509.DirectoryName(home().root.subject),
            x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
            x509.OtherName(x509.ObjectIdentifier("1.2.3.5"), b"\x0c\x01a"),
        ]
    )
    usage = x509.KeyUsage(*[True] * 9)
    purposes = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.2.3.6"), x509.OID_CODE_SIGNING])
    told = certificate(pem(home().issue(extra=((names, False), (purposes, False)), key_usage=usage)))
    assert told.dns_names == ("a.example.com",)
    assert told.other_names == (
        *("IP:192.0.2.1", "email:jane@example.com", "URI:spiffe://example.com/a", "dirName:CN=TEST Root"),
        *("RID:1.2.3.4", "otherName:1.2.3.5"),
    )
    assert told.key_usage[-4:] == ("keyCertSign", "cRLSign", "encipherOnly", "decipherOnly")
    assert told.extended_key_usage == ("1.2.3.6", "codeSigning")


@pytest.mark.parametrize(
    ("after_the_end", "days", "validity"),
    [
        (timedelta(days=-1), 1, "valid"),
        (timedelta(seconds=-1), 0, "valid"),
        (timedelta(0), 0, "valid"),
        (timedelta(seconds=1), -1, "expired"),
        (timedelta(days=1, seconds=1), -2, "expired"),
        (timedelta(days=-396), 396, "not yet valid"),
    ],
)
def test_days_left_are_whole_days(after_the_end: timedelta, days: int, validity: str) -> None:
    told = certificate(pem(leaf()), leaf().not_valid_after_utc + after_the_end)
    assert (told.days_left, told.validity) == (days, validity)
    assert bool(told.attention) is (validity != "valid")


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no time zone"):
        inspect(pem(leaf()), at=datetime(2026, 1, 1))


ROOT = pem(home().root)


@pytest.mark.parametrize(
    ("parts", "roots", "state", "path", "holds"),
    [
        ("leaf", None, "incomplete", "a.example.com", True),
        ("leaf issuing", None, "incomplete", "a.example.com TEST_Issuing", True),
        ("leaf root issuing", None, "self-contained", "a.example.com TEST_Issuing TEST_Root", True),
        ("leaf issuing", ROOT, "verified", "a.example.com TEST_Issuing TEST_Root", True),
        ("leaf issuing root", ROOT, "verified", "a.example.com TEST_Issuing TEST_Root", True),
        ("leaf", ROOT, "incomplete", "a.example.com", False),
        ("root", None, "self-contained", "TEST_Root", True),
        ("root", ROOT, "verified", "TEST_Root", True),
        ("issuing", None, "incomplete", "TEST_Issuing", True),
    ],
)
def test_the_chain_has_a_verdict(parts: str, roots: bytes | None, state: str, path: str, holds: bool) -> None:
    certificates = {"leaf": leaf(), "issuing": home().issuing, "root": home().root}
    told = inspect(pem(*(certificates[part] for part in parts.split())), roots=roots, at=NOW)
    verdict = told.certificates[0].chain
    assert verdict is not None
    assert (verdict.state, verdict.path, verdict.holds) == (
        state,
        tuple(name.replace("_", " ") for name in path.split()),
        holds,
    )
    assert [one.chain is None for one in told.certificates[1:]] == [True] * (len(told.certificates) - 1)
    assert bool(told.attention) is not holds
    assert told.certificates[0].issuers == tuple(
        {"TEST Issuing": home().issuing, "TEST Root": home().root}[name] for name in verdict.path[1:]
    )


def test_a_foreign_root_is_not_enough() -> None:
    foreign = build("TEST Root", ec_key("foreign"), "TEST Root", ec_key("foreign"), ca=True)
    told = certificate(pem(leaf(), home().issuing, foreign), roots=pem(foreign))
    assert told.chain is not None
    assert (told.chain.state, told.chain.holds) == ("incomplete", False)
    assert "none of the given roots has issued 'TEST Issuing'" in told.chain.reason


@pytest.mark.parametrize(
    ("issuing", "state", "said"),
    [
        ({"days": 1, "start": NOW - timedelta(days=9)}, "expired", "the certificate 'TEST Issuing' expired on "),
        ({"start": NOW + timedelta(days=1)}, "not yet valid", "the certificate 'TEST Issuing' is not valid before "),
        (
            {"ca": False, "pathlen": None},
            "invalid",
            "the certificate 'TEST Issuing' has issued another, and is no CA",
        ),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_an_intermediate_that_is_wrong(issuing: dict[str, object], state: str, said: str, whole: bool) -> None:
    told = inspect(pem(leaf(), home().sub_ca(**issuing), *[home().root] * whole), at=NOW)
    verdict = told.certificates[0].chain
    assert verdict is not None
    assert (verdict.state, verdict.holds) == (state, False)
    assert verdict.reason.startswith(said)
    assert verdict.reason in told.attention


def test_an_expired_certificate_needs_attention_once() -> None:
    told = inspect(pem(leaf()), at=leaf().not_valid_after_utc + timedelta(days=1))
    assert told.attention == (f"the certificate 'a.example.com' expired on {leaf().not_valid_after_utc:%F %T} UTC",)


def test_requests_are_described() -> None:
    told = inspect(request("a.example.com", ("a.example.com", "b.example.com")))
    one = only(told, RequestDescription)
    assert (one.subject, one.common_name, one.key) == ("CN=a.example.com", "a.example.com", "P-256")
    assert one.dns_names == ("a.example.com", "b.example.com")
    assert (one.signature_algorithm, one.signature_fits, one.faults) == ("ecdsa-with-SHA384", True, ())
    assert told.attention == ()


def test_a_request_whose_signature_does_not_fit_says_so() -> None:
    der = x509.load_pem_x509_csr(request()).public_bytes(Encoding.DER)
    told = inspect(der[:-1] + bytes([der[-1] ^ 1]))
    assert not only(told, RequestDescription).signature_fits
    assert told.attention == ("the request for 'a.example.com': the signature does not fit the key",)


def test_what_an_upload_refuses_is_told_of_a_request() -> None:
    told = inspect(request(" ", ("under score.example.com",)))
    faults = only(told, RequestDescription).faults
    assert any("begins or ends with a blank" in fault for fault in faults)
    assert any("has a blank in it" in fault for fault in faults)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("password", [None, "sesame-4711"])
def test_of_a_private_key_only_its_public_half_is_told(form: PrivateFormat, password: str | None) -> None:
    data = key_pem(password, form)
    told = only(inspect(data, password=password), KeyDescription)
    public = ec_key("inspected").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert (told.private, told.encrypted, told.key, told.fault) == (True, password is not None, "P-256", "")
    assert told.public_key_sha256 == hashes_of(public)
    assert certificate(pem(leaf())).public_key_sha256 == told.public_key_sha256
    shown = json.dumps(inspect(data, password=password).to_dict()) + repr(told)
    numbers = ec_key("inspected").private_numbers()
    assert "sesame-4711" not in shown
    assert not [secret for secret in (f"{numbers.private_value:x}", str(numbers.private_value)) if secret in shown]


def hashes_of(data: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize().hex()


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_an_encrypted_key_is_told_without_its_password(encoding: Encoding) -> None:
    protection = BestAvailableEncryption(b"sesame")
    data = ec_key("inspected").private_bytes(encoding, PrivateFormat.PKCS8, protection)
    told = only(inspect(data), KeyDescription)
    assert (told.encrypted, told.key, told.public_key_sha256, told.fault) == (True, "", "", "")
    closed = inspect(data, password="wrong")
    assert closed.faults == ("the password does not open the private key",)
    assert only(inspect(data, password="sesame"), KeyDescription).key == "P-256"


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_public_key_and_an_ed25519_key_are_told(encoding: Encoding) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    private = only(inspect(key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())), KeyDescription)
    public = key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    told = only(inspect(public), KeyDescription)
    assert (private.private, told.private, private.key, told.key) == (True, False, "Ed25519", "Ed25519")
    assert private.public_key_sha256 == told.public_key_sha256


def test_a_key_fits_or_is_astray() -> None:
    together = inspect(key_pem() + pem(leaf()), source="both.pem")
    assert only(together, KeyDescription).fits == "a.example.com"
    assert together.certificates[0].private_key == "both.pem"
    stray = inspect(key_pem() + pem(home().leaf))
    assert only(stray, KeyDescription).fits is None
    assert stray.attention == ("the private key fits nothing in its file",)
    assert inspect(key_pem()).attention == ()


def test_files_complete_each_other() -> None:
    files = {"cert.pem": pem(leaf()), "chain.pem": pem(home().issuing, home().root), "privkey.pem": key_pem()}
    cert, chain, key = inspect_files(files, at=NOW)
    (told,) = cert.certificates
    assert told.chain is not None
    assert (told.chain.state, told.private_key) == ("self-contained", "privkey.pem")
    assert [one.chain for one in chain.certificates] == [None, None], "the verdict stands with the leaf"
    assert only(key, KeyDescription).fits == "a.example.com"


def test_a_file_that_is_nothing_keeps_nothing_from_being_said_of_the_others() -> None:
    bad, good = inspect_files({"bad": b"nothing", "good": pem(leaf())})
    assert (bad.form, bad.items, bad.faults) == ("", (), ("it is neither PEM, DER nor a ZIP",))
    assert good.certificates[0].common_name == "a.example.com"


def test_a_pkcs12_is_opened_and_its_chain_and_key_are_told() -> None:
    told = inspect(pfx(leaf(), [home().root, home().issuing], ec_key("inspected")), password=PASSWORD, source="a.p12")
    one = only(told, PKCS12Description)
    assert (told.form, one.locked, one.fault, one.needs_legacy) == ("PKCS#12", False, "", False)
    assert [each.common_name for each in told.certificates] == ["a.example.com", "TEST Issuing", "TEST Root"]
    assert only(told, KeyDescription).fits == "a.example.com"
    assert told.certificates[0].private_key == "a.p12"
    assert told.certificates[0].chain is not None
    assert told.certificates[0].chain.state == "self-contained"


def test_of_a_pkcs12_without_a_password_is_said_what_can_be_said() -> None:
    told = inspect(pfx(leaf(), [], ec_key("inspected")))
    one = only(told, PKCS12Description)
    assert (told.locked, one.locked, told.faults, len(told.items)) == (True, True, (), 1)
    assert one.key_encryption == ("PBES2, PBKDF2, AES-256-CBC, Iteration 20000, PRF hmacWithSHA256",)
    assert one.certificate_encryption == one.key_encryption
    assert one.mac == "sha256, Iteration 2048"
    assert told.attention == ("the PKCS#12 is locked: a password is needed to see what it holds",)


def test_a_wrong_password_is_a_fault_of_the_file() -> None:
    told = inspect(pfx(leaf(), [], ec_key("inspected")), password="wrong")
    assert told.faults == ("the password does not open this PKCS#12",)
    assert only(told, PKCS12Description).fault == told.faults[0]


def test_a_pkcs12_with_certificates_alone_is_told() -> None:
    data = pkcs12.serialize_key_and_certificates(
        None, None, None, [home().issuing, home().root], BestAvailableEncryption(PASSWORD.encode())
    )
    told = inspect(data, password=PASSWORD)
    assert {one.common_name for one in told.certificates} == {"TEST Issuing", "TEST Root"}
    assert told.faults == ()


def test_a_pkcs12_with_the_key_of_another_certificate_is_told() -> None:
    data = pkcs12.serialize_key_and_certificates(
        None, ec_key("inspected"), None, [home().leaf], BestAvailableEncryption(PASSWORD.encode())
    )
    told = inspect(data, password=PASSWORD)
    assert [one.common_name for one in told.certificates] == ["a.example.com"]
    assert "the private key fits nothing in its file" in told.attention


def test_a_revocation_list_is_told() -> None:
    for data in (crl().public_bytes(Encoding.DER), crl().public_bytes(Encoding.PEM)):
        told = only(inspect(data, at=NOW), RevocationListDescription)
        assert (told.issuer, told.number, told.count, told.stale) == ("CN=TEST Issuing", 255, 2, False)
        assert (told.this_update, told.next_update) == (NOW - timedelta(days=2), NOW + timedelta(days=1))
    stale = inspect(crl().public_bytes(Encoding.DER), at=NOW + timedelta(days=3))
    assert stale.attention[0].startswith("the CRL of 'CN=TEST Issuing' is stale: it counted until ")


def test_pkcs7_is_told_in_both_encodings() -> None:
    for encoding, form in ((Encoding.DER, "PKCS#7"), (Encoding.PEM, "PEM")):
        told = inspect(pkcs7.serialize_certificates([leaf(), home().issuing], encoding))
        assert told.form == form
        assert {one.common_name for one in told.certificates} == {"a.example.com", "TEST Issuing"}


def test_der_is_told() -> None:
    told = inspect(leaf().public_bytes(Encoding.DER))
    assert (told.form, told.certificates[0].serial_number) == ("DER", "0ABC")
    der = x509.load_pem_x509_csr(request()).public_bytes(Encoding.DER)
    assert only(inspect(der), RequestDescription).common_name == "a.example.com"


def test_a_zip_is_told_entry_by_entry() -> None:
    data = zipped(
        a_p12=pfx(leaf(), [], ec_key("inspected")),
        ca_pem=pem(home().issuing, home().root),
        a_csr=request(),
        note_txt=b"hello",
        b_zip=zipped(x=b"y"),
    )
    told = inspect(data, source="7.zip", password=PASSWORD)
    assert [entry.source for entry in told.entries] == [
        *("7.zip/a.p12", "7.zip/ca.pem", "7.zip/a.csr", "7.zip/note.txt", "7.zip/b.zip")
    ]
    assert [entry.form for entry in told.entries] == ["PKCS#12", "PEM", "PEM", "", "ZIP"]
    chain = told.entries[0].certificates[0].chain
    assert chain is not None
    assert chain.path == ("a.example.com", "TEST Issuing", "TEST Root"), "an entry completes another one's chain"
    assert told.entries[3].faults == ("it is neither PEM, DER nor a ZIP",)
    assert told.entries[4].faults == ("it is a ZIP, and is not opened",)


def test_pem_of_several_kinds_is_told_in_order() -> None:
    data = key_pem() + request() + pem(leaf()) + crl().public_bytes(Encoding.PEM)
    data += b"-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n"
    told = inspect(b"\xef\xbb\xbfhello\r\n" + data)
    kinds = [KeyDescription, RequestDescription, CertificateDescription, RevocationListDescription, OtherDescription]
    assert [type(item) for item in told.items] == kinds
    assert told.faults == ()


def test_what_is_broken_in_a_file_is_a_fault_and_the_rest_is_told() -> None:
    damaged = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    told = inspect(pem(leaf()) + damaged + damaged.replace(b"AAAA", b"!") + b"-----BEGIN CERTIFICATE-----\n")
    line = len(pem(leaf()).splitlines()) + 1
    assert [one.common_name for one in told.certificates] == ["a.example.com"]
    assert told.faults == (
        f"the block that begins on line {line} as CERTIFICATE is damaged",
        f"the block that begins on line {line + 3} as CERTIFICATE is not base64",
        f"the block that begins on line {line + 6} is cut short: its END line is missing",
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b"hello", "it is neither PEM, DER nor a ZIP"),
        (b"0 hello", "it is damaged, or DER of a kind that is not known here"),
        (b"PK\x03\x04cut", "the ZIP is cut short or damaged: its directory is missing"),
        (b"\xfe\xed\xfe\xed\x00\x00\x00\x02", "it is a Java keystore of the old form"),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "the block that begins on line 1"),
    ],
)
def test_what_is_nothing_is_an_error(data: bytes, said: str) -> None:
    with pytest.raises(BundleError) as caught:
        inspect(data, source="a file")
    assert caught.value.message.startswith(f"a file: {said}")


def test_roots_must_be_certificates() -> None:
    with pytest.raises(InvalidInputError, match="holds no certificate"):
        inspect(pem(leaf()), roots=b"nothing")
    der = home().root.public_bytes(Encoding.DER)
    assert inspect(pem(leaf(), home().issuing), roots=der, at=NOW).attention == ()


def test_the_document_is_json_with_the_values() -> None:
    data = zipped(a_p12=pfx(leaf(), [home().issuing], ec_key("inspected")), a_csr=request())
    document = json.loads(json.dumps(inspect(data, source="7.zip", password=PASSWORD, at=NOW).to_dict()))
    assert set(document) == {"source", "form", "items", "entries", "faults", "attention"}
    (_, key, told, _), (asked,) = (entry["items"] for entry in document["entries"])
    assert (key["kind"], told["kind"], asked["kind"]) == ("key", "certificate", "certificate request")
    assert told["not_after"] == f"{leaf().not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    assert told["chain"]["path"] == ["a.example.com", "TEST Issuing"]
    assert "certificate" not in told and "issuers" not in told


def test_names_that_would_change_a_terminal_stay_as_they_are_in_the_values() -> None:
    told = certificate(pem(build("a\x1b[2J", ec_key("inspected"), "TEST Issuing", home().issuing_key, ca=False)))
    assert told.common_name == "a\x1b[2J"


def check_that_something_is_said(data: bytes, password: str | None) -> None:
    try:
        told = inspect(data, password=password, source="x")
    except (BundleError, InvalidInputError):
        return
    json.dumps(told.to_dict())
    assert told.items or told.entries or told.faults


@given(data=st.binary(max_size=300), start=st.sampled_from([b"", b"0\x82", b"PK\x03\x04", b"-----BEGIN "]))
def test_whatever_bytes_come_something_is_said(data: bytes, start: bytes) -> None:
    check_that_something_is_said(start + data, "x")


@cache
def corpus() -> list[bytes]:
    key = ec_key("inspected")
    return [
        leaf().public_bytes(Encoding.DER),
        pem(leaf(), home().issuing),
        crl().public_bytes(Encoding.DER),
        x509.load_pem_x509_csr(request(dns=("a.example.com",))).public_bytes(Encoding.DER),
        pfx(leaf(), [home().issuing], key),
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        key_pem("x"),
        pkcs7.serialize_certificates([leaf(), home().issuing], Encoding.DER),
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        zipped(a_pem=pem(leaf()), a_p12=pfx(leaf(), [], key)),
    ]


def mutated(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8))):
        place = draw.randrange(len(changed) if draw.random() < 0.6 else min(len(changed), 80))
        what = draw.random()
        if what < 0.6:
            changed[place] = draw.randrange(256)
        elif what < 0.8:
            del changed[place : place + draw.randrange(1, 5)]
        else:
            changed[place:place] = draw.randbytes(draw.randrange(1, 4))
    return bytes(changed)


def test_whatever_is_changed_in_a_file_something_is_said() -> None:
    draw = random.Random(6)
    for _ in range(share(20_000, 600)):
        check_that_something_is_said(mutated(draw.choice(corpus()), draw), draw.choice((None, PASSWORD, "x")))


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (0, lambda der: der.replace(b"\x55\x1d\x11", b"\x55\x1d\x0f")),
        (0, lambda der: der.replace(b"\x0c\x0da.ex", b"\x0c\x0d\xff.ex")),
    ],
    ids=["extension twice", "subject"],
)
def test_what_cannot_be_read_of_a_certificate_is_told(number: int, change: Callable[[bytes], bytes]) -> None:
    changed = change(corpus()[number])
    assert changed != corpus()[number]
    told = inspect(changed, at=NOW)
    (one,) = told.certificates
    assert one.serial_number == "0ABC"
    assert one.faults and told.attention


def test_many_keys_of_one_issuer_are_judged_alike() -> None:
    leaves = [home().issue(f"n{number}.example.com", serial=number + 1) for number in range(20)]
    told = inspect(pem(*leaves, home().issuing), at=NOW)
    assert {one.chain.state for one in told.certificates if one.chain} == {"incomplete"}
    assert sum(one.chain is not None for one in told.certificates) == 20


def tlv(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    assert len(body) < 0x80
    return bytes([tag, len(body)]) + body


ITERATIONS = tlv(0x02, (20_000_000).to_bytes(4, "big"))
TRIPLE_DES = bytes.fromhex("060a2a864886f70d010c0103")
SHA1 = bytes.fromhex("06052b0e03021a")
DATA = bytes.fromhex("06092a864886f70d010701")


def test_what_takes_too_long_to_open_is_not_opened() -> None:
    scheme = tlv(0x30, TRIPLE_DES, tlv(0x30, tlv(0x04, b"saltsalt"), ITERATIONS))
    key = tlv(0x30, scheme, tlv(0x04, b"\0" * 16))
    mac = tlv(0x30, tlv(0x30, tlv(0x30, SHA1, b"\5\0"), tlv(0x04, b"\0" * 20)), tlv(0x04, b"saltsalt"), ITERATIONS)
    content = tlv(0x30, DATA, tlv(0xA0, tlv(0x04, tlv(0x30))))
    store = tlv(0x30, b"\2\1\3", content, mac)
    pem_key = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n%s-----END ENCRYPTED PRIVATE KEY-----\n" % b64encode(key)
    before = time.process_time()
    told = [inspect(data, password="x") for data in (key, pem_key, store)]
    assert time.process_time() - before < 0.2
    assert [only(each, KeyDescription).encrypted for each in told[:2]] == [True, True]
    assert all(
        "20,000,000 iterations" in each.faults[0] or "10,000,000 iterations" in each.faults[0] for each in told
    )
    assert only(inspect(store), PKCS12Description).mac == "sha1, Iteration 20000000"


@pytest.mark.parametrize("rooted", [False, True])
def test_thousands_of_one_name_cost_no_more_than_they_must(rooted: bool) -> None:
    keys = [ec_key(f"crowd {number}") for number in range(60)]
    crowd = [build("X", key, "X", keys[number - 1], ca=True) for number, key in enumerate(keys)]
    leaves = [
        build(f"n{each}.example.com", keys[0], "X", ec_key("none"), ca=False) for each in range(share(2000, 60))
    ]
    before = time.process_time()
    told = inspect(pem(*crowd, *leaves), at=NOW, roots=pem(home().root) if rooted else None)
    assert time.process_time() - before < 1 + len(leaves) / 30
    assert {one.chain.state for one in told.certificates[-len(leaves) :] if one.chain} == {"incomplete"}


def test_more_of_one_name_than_are_tried_is_no_verdict_that_holds() -> None:
    crowd = [build("X", ec_key(f"crowd {number}"), "Y", ec_key("y"), ca=True) for number in range(120)]
    leaf_of = [build("n.example.com", ec_key("n"), "X", ec_key(who), ca=False) for who in ("crowd 119", "none")]
    good, bad = (inspect(pem(one, *crowd), at=NOW).certificates[0].chain for one in leaf_of)
    assert good is not None and bad is not None
    assert (good.path, good.holds) == (("n.example.com", "X"), True), "the key that it names is tried first"
    assert (bad.state, bad.holds) == ("incomplete", False)
    assert "than are tried: CN=X" in bad.reason


def test_every_way_leads_to_the_verdict_that_one_way_alone_has() -> None:
    """As in a renewal: two issuing CAs with one name and one key, of which one is valid."""
    old = home().sub_ca(start=NOW - timedelta(days=90), days=30)
    new = home().sub_ca(start=NOW + timedelta(days=1), days=3000)
    for pair in ((old, home().issuing), (home().issuing, new), (new, home().issuing, old)):
        told = inspect(pem(leaf(), *pair, home().root), at=NOW).certificates[0]
        assert told.chain is not None
        assert (told.chain.state, told.issuers) == ("self-contained", (home().issuing, home().root))
        alone = inspect(pem(leaf(), *pair), at=NOW).certificates[0]
        assert alone.chain is not None
        assert (alone.chain.state, alone.issuers) == ("incomplete", (home().issuing,))


def test_crossed_certificates_cost_no_exponential_time() -> None:
    layers = [
        build(f"L{depth}", ec_key(f"l{depth}"), f"L{depth + 1}", ec_key(f"l{depth + 1}"), ca=True)
        for depth in range(8)
        for _ in range(8)
    ]
    end = build("n.example.com", ec_key("n"), "L0", ec_key("l0"), ca=False)
    before = time.process_time()
    told = inspect(pem(end, *layers), at=NOW).certificates[0].chain
    assert time.process_time() - before < 2
    assert told is not None
    assert (told.state, told.path[-1]) == ("incomplete", "L7")
    root = build("L8", ec_key("l8"), "L8", ec_key("l8"), ca=True)
    rooted = inspect(pem(end, *layers, root), at=NOW).certificates[0].chain
    assert rooted is not None
    assert (rooted.state, len(rooted.path)) == ("self-contained", 10)


def test_a_circle_of_issuers_has_an_end() -> None:
    circle = [
        build(f"C{n}", ec_key(f"c{n}"), f"C{(n + 1) % 3}", ec_key(f"c{(n + 1) % 3}"), ca=True) for n in range(3)
    ]
    end = build("n.example.com", ec_key("n"), "C0", ec_key("c0"), ca=False)
    told = inspect(pem(end, *circle), at=NOW).certificates[0].chain
    assert told is not None
    assert (told.path, told.state) == (("n.example.com", "C0", "C1", "C2"), "incomplete")


SHA1_ROOT = b"""\
-----BEGIN CERTIFICATE-----
MIIBgzCCASqgAwIBAgIUFaMZRiy0E2zsA7krDecXoXcgeOQwCQYHKoZIzj0EATAY
MRYwFAYDVQQDDA1URVNUIE9sZCBSb290MB4XDTI2MTEyNjEwMDcxNloXDTM2MTEy
MzEwMDcxNlowGDEWMBQGA1UEAwwNVEVTVCBPbGQgUm9vdDBZMBMGByqGSM49AgEG
CCqGSM49AwEHA0IABPgUzSEEETJ8sFp8PQuzqY49ExPqxJiqfyJmZ+sSGefEnwWf
RlCjp8FtqzqIAIqNDy4FgTATqtEz/PUl5GrYvdCjUzBRMB0GA1UdDgQWBBS8lpVT
/mQqtuT6b96nf+4244OSyDAfBgNVHSMEGDAWgBS8lpVT/mQqtuT6b96nf+4244OS
yDAPBgNVHRMBAf8EBTADAQH/MAkGByqGSM49BAEDSAAwRQIhAJUOID52j5Cyfmlk
I/MgEXSrDUwrD6Ou7v9z1eaavP+7AiABnBqKhgD5WqqJUnx0rtoCJ75Od0uWqErs
s5nQ5rRDfw==
-----END CERTIFICATE-----
"""


def test_a_short_rsa_key_needs_attention_also_alone() -> None:
    short = rsa.generate_private_key(65537, 1024)
    told = inspect(pem(build("n.example.com", short, "TEST Issuing", home().issuing_key, ca=False)), at=NOW)
    assert told.attention == ("the certificate 'n.example.com' has an RSA key of 1024 bits, and 2048 are the least",)


def test_the_signature_of_a_root_on_itself_does_not_count() -> None:
    # As `openssl req -x509 -sha1` makes it, and as many an old root is.
    root = x509.load_pem_x509_certificate(SHA1_ROOT)
    told = certificate(SHA1_ROOT, root.not_valid_before_utc + timedelta(days=1))
    assert told.chain is not None
    assert (told.signature_algorithm, told.chain.state) == ("ecdsa-with-SHA1", "self-contained")


def aged(year: bytes) -> x509.Certificate:
    """A certificate whose validity begins in a year of its own."""
    start = datetime(2055, 1, 1)
    made = build("old.example.com", ec_key("inspected"), "TEST Issuing", home().issuing_key, ca=False, start=start)
    return x509.load_der_x509_certificate(made.public_bytes(Encoding.DER).replace(b"20550101", year + b"0101"))


def test_a_year_that_python_has_no_date_for() -> None:
    listed = crl(datetime(2055, 1, 1, tzinfo=UTC)).public_bytes(Encoding.DER).replace(b"20550101", b"00000101")
    for data in (pem(aged(b"0000")), aged(b"0000").public_bytes(Encoding.DER), listed):
        bad, good = inspect_files({"bad": data, "good": pem(leaf())}, at=NOW)
        assert (bad.items, bad.faults) == ((), ("a certificate or a CRL in it has dates that cannot be read",))
        assert good.certificates[0].common_name == "a.example.com"
    assert certificate(pem(aged(b"0001"))).not_before.year == 1


def test_a_text_that_begins_as_a_zip_or_as_der_does_is_still_read() -> None:
    for start in (b"PKI of the example\n", b"0 s:CN = a.example.com\n"):
        told = inspect(start + pem(leaf()))
        assert (told.form, len(told.certificates)) == ("PEM", 1)


def test_of_millions_of_faults_not_all_are_told() -> None:
    told = inspect(pem(leaf()) + b"-----BEGIN CERTIFICATE-----\n" * 500)
    assert len(told.certificates) == 1
    assert len(told.faults) == 101
    assert told.faults[-1] == "400 more blocks cannot be read"


def test_more_blocks_than_are_read() -> None:
    told = inspect(b"-----BEGIN X-----\n-----END X-----\n" * 100_001)
    assert len(told.items) == 100_000
    assert told.faults == ("it holds 100001 blocks, and what follows the first 100000 is not read",)


def test_lines_are_not_looked_for_where_there_are_none() -> None:
    before = time.process_time()
    with pytest.raises(BundleError, match="neither PEM"):
        inspect(b"\n" * (16 << 20))
    assert time.process_time() - before < 1
