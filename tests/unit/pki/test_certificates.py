from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7
from cryptography.x509.oid import ObjectIdentifier

from sectigo_iot.errors import BundleError, InvalidInputError, PKCSPasswordRequiredError
from sectigo_iot.pki import IssuedCertificate, open_bundle
from tests.unit.pki.home import (
    NOW,
    PASSWORD,
    build,
    ec_key,
    home,
    leaf_extensions,
    pem,
    pfx,
    rsa_key,
    usage,
)


def packed(**entries: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "."), content)
    return target.getvalue()


def issued(leaf: x509.Certificate | None = None, *chain: x509.Certificate) -> IssuedCertificate:
    return IssuedCertificate("a", leaf or home().leaf, chain or (home().issuing, home().root))


def test_a_pkcs12_entry_is_opened_and_described() -> None:
    own = home()
    [one] = open_bundle(packed(a__example__com__p12=pfx(own.leaf, [own.root, own.issuing])), PASSWORD)
    assert (one.name, one.common_name) == ("a.example.com", "a.example.com")
    assert one.dns_names == ("a.example.com", "*.b.example.com")
    assert one.serial_number == "0A0000000000000000000000" + "0000BEEF"
    assert (one.not_before, one.not_after) == (NOW - timedelta(days=1), NOW + timedelta(days=394, seconds=-1))
    assert one.certificate_pem == pem(own.leaf)
    assert one.chain_pem == pem(own.issuing, own.root)
    assert one.fullchain_pem == pem(own.leaf, own.issuing, own.root)
    one.verify(pem(own.root), "A.example.com")


def test_the_key_comes_out_plain_or_encrypted_and_never_in_a_repr() -> None:
    [one] = open_bundle(packed(a__pfx=pfx(home().leaf, [])), PASSWORD)
    assert load_pem_private_key(one.private_key_pem(), None).public_key() == home().leaf.public_key()
    locked = one.private_key_pem("pass")
    assert locked.startswith(b"-----BEGIN ENCRYPTED")
    assert load_pem_private_key(locked, b"pass").public_key() == home().leaf.public_key()
    assert "Key" not in repr(one)
    with pytest.raises(InvalidInputError, match="empty"):
        one.private_key_pem("")


def test_a_password_is_needed_only_where_there_is_a_key() -> None:
    with pytest.raises(PKCSPasswordRequiredError):
        open_bundle(packed(a__p12=pfx(home().leaf, [])))
    [one] = open_bundle(packed(a__crt=pem(home().leaf)))
    assert one.private_key is None
    with pytest.raises(BundleError, match="there is no private key for 'a'"):
        one.private_key_pem()


def test_a_fault_in_an_entry_names_it() -> None:
    with pytest.raises(BundleError, match=r"^b\.p12: the password does not open"):
        open_bundle(packed(b__p12=pfx(home().leaf, [])), "wrong")


@pytest.mark.parametrize("form", ["pem", "shuffled", "p7b", "der-p7b", "old-label"])
def test_certificates_are_read_in_every_form_and_put_in_order(form: str) -> None:
    own = home()
    three = [own.root, own.leaf, own.issuing]
    content = {
        "pem": pem(own.leaf, own.issuing, own.root),
        "shuffled": b"subject=\r\n" + pem(*three).replace(b"\n", b"\r\n"),
        "p7b": pkcs7.serialize_certificates(three, Encoding.PEM),
        "der-p7b": pkcs7.serialize_certificates(three, Encoding.DER),
        "old-label": pem(*three).replace(b" CERTIFICATE", b" X509 CERTIFICATE"),
    }[form]
    [one] = open_bundle(packed(a__crt=content))
    assert (one.leaf, one.chain) == (own.leaf, (own.issuing, own.root))


def test_authorities_of_their_own_complete_the_chain() -> None:
    own = home()
    der = own.leaf.public_bytes(Encoding.DER)
    [one] = open_bundle(packed(root__crt=pem(own.root), a__cer=der, ca__pem=pem(own.issuing), note__txt=b"hello"))
    assert (one.name, one.chain) == ("a", (own.issuing, own.root))


def test_strangers_are_left_out_of_the_chain() -> None:
    stranger = build("TEST Root", ec_key("stranger"), "TEST Root", ec_key("stranger"), ca=True)
    [one] = open_bundle(packed(a__pem=pem(stranger, home().leaf, home().issuing)))
    assert one.chain == (home().issuing,)


def test_several_leaves_in_one_entry_are_numbered() -> None:
    other = home().issue("b.example.com", serial=5)
    several = open_bundle(packed(batch__pem=pem(home().leaf, other, home().issuing)))
    assert [(one.name, one.common_name) for one in several] == [
        ("batch-1", "a.example.com"),
        ("batch-2", "b.example.com"),
    ]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"a__crt": b"nothing"}, "a.crt: holds no certificate"),
        ({"a__crt": b"0\x03abc"}, "a.crt: its certificates cannot be read"),
        ({"a__txt": b"nothing"}, "no certificate of an end entity"),
        ({"a__pem": b"-----BEGIN CERTIFICATE-----\nMIIB\n"}, "a.pem: .* cut short"),
    ],
)
def test_what_cannot_be_read_is_told(entries: dict[str, bytes], words: str) -> None:
    with pytest.raises(BundleError, match=words):
        open_bundle(packed(**entries))


def test_only_authorities_are_not_an_issued_batch() -> None:
    with pytest.raises(BundleError, match="no certificate of an end entity"):
        open_bundle(packed(a__pem=pem(home().issuing, home().root)))


def test_the_chain_is_proven_with_and_without_a_root() -> None:
    issued().verify()
    issued().verify(pem(home().root), "x.b.example.com")
    issued(home().leaf, home().issuing).verify(pem(home().root))
    with pytest.raises(BundleError, match="does not reach a root"):
        issued(home().leaf, home().issuing).verify()


@pytest.mark.parametrize("name", ["c.example.com", "b.example.com", "x.y.b.example.com", ""])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match="is not for the name"):
        issued().verify(name=name)


def test_a_root_of_the_same_name_is_not_the_root() -> None:
    impostor = build("TEST Root", ec_key("impostor"), "TEST Root", ec_key("impostor"), ca=True)
    with pytest.raises(BundleError, match="none of the given roots has issued"):
        issued().verify(pem(impostor))
    issued().verify(pem(impostor, home().root))


def test_an_unreadable_root_or_a_naive_time_is_an_input_error() -> None:
    with pytest.raises(InvalidInputError, match="not PEM"):
        issued().verify(b"nothing")
    with pytest.raises(InvalidInputError, match="no time zone"):
        issued().verify(at=datetime(2026, 1, 1))


@pytest.mark.parametrize(
    ("days", "words"),
    [(-2, "'TEST (Root|Issuing)|a.example.com' is not valid before"), (396, "'a.example.com' expired")],
)
def test_dates_count(days: int, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        issued().verify(at=NOW + timedelta(days=days))


def test_the_issuing_ca_must_be_one() -> None:
    own = home()
    cases: list[tuple[dict[str, object], str]] = [
        ({"ca": False, "pathlen": None}, "'TEST Issuing' has issued another, and is no CA"),
        ({"key_usage": usage(ca=False)}, "'TEST Issuing' may not sign certificates"),
        ({"days": 1}, "'TEST Issuing' expired"),
        ({"extra": ((x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),)}, "1.2.3.4"),
    ]
    for changes, words in cases:
        with pytest.raises(BundleError, match=words):
            issued(own.leaf, own.sub_ca(**changes), own.root).verify()


def test_the_path_length_counts() -> None:
    own, key = home(), ec_key("third")
    third = build("TEST Third", key, "TEST Issuing", own.issuing_key, ca=True)
    leaf = build("a.example.com", rsa_key(), "TEST Third", key, ca=False, extra=leaf_extensions())
    with pytest.raises(BundleError, match="'TEST Issuing' allows 0 authorities below it, not 1"):
        issued(leaf, third, own.issuing, own.root).verify()


def test_a_chain_whose_signatures_do_not_fit_is_refused() -> None:
    own = home()
    forged = build("TEST Issuing", own.issuing_key, "TEST Root", ec_key("impostor"), ca=True)
    leaf = build("a.example.com", rsa_key(), "TEST Issuing", ec_key("impostor"), ca=False)
    with pytest.raises(BundleError, match="none of the given roots"):
        issued(own.leaf, forged).verify(pem(own.root))
    with pytest.raises(BundleError, match=r"ends at 'a\.example\.com', which none of the given .*'CN=TEST Issuing'"):
        issued(leaf, own.issuing, own.root).verify(pem(own.root))
