"""Files of many programs' forms: the fast way, where it takes them, and the plain way give the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

from sectigo_iot.emulator.ca.legacy import make_legacy_pkcs12
from sectigo_iot.errors import BundleError
from sectigo_iot.pki import PKCS12Contents, open_pkcs12, write_pkcs12
from sectigo_iot.pki.pfx.opening import open_quickly
from sectigo_iot.pki.pfx.structure import read_store
from sectigo_iot.pki.pkcs12 import open_pkcs12_plainly
from tests.unit.pki.home import NOW, PASSWORD, build, ec_key, home, pem, pfx
from tests.unit.pki.pfx_making import (
    CRL_BAG,
    FRIENDLY_NAME,
    KEY_BAG,
    LOCAL_KEY_ID,
    SAFE_CONTENTS_BAG,
    attribute,
    bag,
    certificate_bag,
    element,
    encrypted_part,
    made,
    octets,
    oid,
    open_part,
    private_key_info,
    sequence,
    shrouded_bag,
    without_mac,
)

NAME = "Größe 中文"
FAST, PLAIN = True, False
MODERN = ("-keypbe", "aes-256-cbc", "-certpbe", "aes-256-cbc")
LIVE = ("-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-nomaciter")

EXPORTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "the default of OpenSSL 3": ((), FAST),
    "the live service's": (LIVE, FAST),
    "the default of OpenSSL 1": (("-legacy",), FAST),
    "-legacy -descert": (("-legacy", "-descert"), FAST),
    "one iteration": (("-iter", "1"), FAST),
    "5,000 iterations": (("-iter", "5000"), FAST),
    "no iterations of the MAC": (("-nomaciter",), FAST),
    "no MAC": (("-nomac",), PLAIN),
    "MAC by SHA-1": (("-macalg", "sha1"), FAST),
    "MAC by SHA-224": (("-macalg", "sha224"), FAST),
    "MAC by SHA-384": (("-macalg", "sha384"), FAST),
    "MAC by SHA-512": (("-macalg", "sha512"), FAST),
    "MAC by MD5": (("-macalg", "md5"), PLAIN),
    "AES-128": (("-keypbe", "aes-128-cbc", "-certpbe", "aes-128-cbc"), FAST),
    "AES-192": (("-keypbe", "aes-192-cbc", "-certpbe", "aes-192-cbc"), FAST),
    "AES-256": (MODERN, FAST),
    "3DES under PBES2": (("-keypbe", "des-ede3-cbc", "-certpbe", "des-ede3-cbc"), FAST),
    "Camellia": (("-keypbe", "camellia-256-cbc", "-certpbe", "camellia-256-cbc"), PLAIN),
    "3DES of PKCS#12": (("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"), FAST),
    "RC2-128": (("-legacy", "-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-128"), PLAIN),
    "RC4": (("-legacy", "-keypbe", "PBE-SHA1-RC4-128", "-certpbe", "PBE-SHA1-RC4-128"), PLAIN),
    "certificates in the open": (("-certpbe", "NONE"), FAST),
    "the key in the open": (("-keypbe", "NONE"), FAST),
    "nothing encrypted": (("-keypbe", "NONE", "-certpbe", "NONE"), FAST),
    "a friendly name": (("-name", NAME), FAST),
    "names of the CAs": (("-name", "leaf", "-caname", "one", "-caname", "two"), FAST),
    "a provider's name": (("-CSP", "Microsoft Strong Cryptographic Provider"), FAST),
    "a key for signatures alone": (("-keysig",), PLAIN),
}
PASSWORDS = {"of umlauts": "Größe", "beyond the BMP": "pass😀word", "long": "x" * 200, "empty": ""}


@cache
def home_files() -> dict[str, bytes]:
    own = home()
    key = own.leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {"key.pem": key, "leaf.pem": pem(own.leaf), "chain.pem": pem(own.root, own.issuing)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus")
    for name, content in home_files().items():
        (path / name).write_bytes(content)
    return path


def export(folder: Path, *options: str, password: str = PASSWORD) -> bytes:
    inputs = ("-inkey", "key.pem", "-in", "leaf.pem", "-certfile", "chain.pem", "-passout", "stdin", *options)
    command = ["openssl", "pkcs12", "-export", *inputs]
    done = subprocess.run(command, cwd=folder, input=f"{password}\n".encode(), capture_output=True, check=True)
    return done.stdout


def comparable(contents: PKCS12Contents) -> tuple[object, ...]:
    return private_key_info(contents.key), contents.leaf, contents.chain, contents.others


def outcome(way: Callable[[bytes, str], PKCS12Contents], data: bytes, password: str) -> tuple[object, ...]:
    try:
        return comparable(way(data, password))
    except BundleError as fault:
        return (fault.message,)


def check(data: bytes, password: str = PASSWORD, *, fast: bool) -> tuple[object, ...]:
    """Return what both ways make of a file, after seeing that it is the same, and which way it takes."""
    assert (open_quickly(read_store(data), password) is not None) is fast
    found = outcome(open_pkcs12, data, password)
    assert found == outcome(open_pkcs12_plainly, data, password)
    return found


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("form", EXPORTS)
def test_what_openssl_exports(folder: Path, form: str) -> None:
    options, fast = EXPORTS[form]
    own = home()
    found = check(export(folder, *options), fast=fast)
    assert found == (private_key_info(own.leaf_key), own.leaf, (own.issuing, own.root), ())


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
@pytest.mark.parametrize("form", [(), LIVE], ids=["modern", "live"])
def test_passwords(folder: Path, form: tuple[str, ...], password: str) -> None:
    found = check(export(folder, *form, password=password), password, fast=bool(password) or not form)
    assert found[1] == home().leaf


@pytest.mark.needs("openssl")
def test_a_wrong_password(folder: Path) -> None:
    data = export(folder, "-iter", "1")
    for password in ("wrong", "", PASSWORD + " "):
        assert check(data, password, fast=False) == ("the password does not open this PKCS#12",)


def cryptographys(encryption: object, key: object = None) -> bytes:
    own = home()
    protection = encryption or NoEncryption()
    return pkcs12.serialize_key_and_certificates(
        b"x",
        key or own.leaf_key,  # type: ignore[arg-type]
        own.leaf,
        [own.issuing, own.root],
        protection,  # type: ignore[arg-type]
    )


def test_what_cryptography_writes() -> None:
    own, builder = home(), PrivateFormat.PKCS12.encryption_builder()
    triple_des = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())
    assert check(cryptographys(triple_des.build(PASSWORD.encode())), fast=True)[1] == own.leaf
    assert check(pfx(own.leaf, [own.root, own.issuing]), fast=True)[2] == (own.issuing, own.root)
    assert check(cryptographys(None), "", fast=True)[1] == own.leaf


def test_what_this_library_writes() -> None:
    own = home()
    data = write_pkcs12(own.leaf_key, own.leaf, [own.issuing, own.root], PASSWORD, NAME)
    assert check(data, fast=True) == (private_key_info(own.leaf_key), own.leaf, (own.issuing, own.root), ())


def test_what_the_emulator_makes_in_the_live_form() -> None:
    own = home()
    data = make_legacy_pkcs12("a.example.com", own.leaf_key, own.leaf, [own.issuing, own.root], PASSWORD)
    assert check(data, fast=True)[1:] == (own.leaf, (own.issuing, own.root), ())


def issued(key: PrivateKeyTypes, **changes: object) -> x509.Certificate:
    arguments = {"ca": False, **changes}
    return build("b.example.com", key, "TEST Issuing", home().issuing_key, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "key", [ec_key("pfx"), ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()]
)
def test_keys_that_are_not_rsa_go_the_plain_way(key: PrivateKeyTypes) -> None:
    leaf = issued(key)
    data = made(encrypted_part(certificate_bag(leaf)), open_part(shrouded_bag(private_key_info(key))))
    assert check(data, fast=False)[1] == leaf


def test_a_short_rsa_key_goes_the_plain_way() -> None:
    key = rsa.generate_private_key(65537, 1024)
    data = made(open_part(certificate_bag(issued(key))), open_part(shrouded_bag(private_key_info(key))))
    assert check(data, fast=False)[0] == private_key_info(key)


@cache
def key_bag() -> bytes:
    return shrouded_bag(private_key_info(home().leaf_key))


def test_orders_and_places() -> None:
    own = home()
    leaf, issuing, root = map(certificate_bag, (own.leaf, own.issuing, own.root))
    whole = (own.leaf, (own.issuing, own.root), ())
    assert check(made(encrypted_part(leaf, issuing, root), open_part(key_bag())), fast=True)[1:] == whole
    assert check(made(encrypted_part(root, issuing, leaf), open_part(key_bag())), fast=True)[1:] == whole
    assert check(made(open_part(key_bag()), open_part(issuing), encrypted_part(root, leaf)), fast=True)[1:] == whole
    assert check(made(open_part(issuing, key_bag(), leaf, root)), fast=True)[1:] == whole
    assert check(made(open_part(key_bag(), leaf)), fast=True)[1:] == (own.leaf, (), ())
    assert check(made(open_part(key_bag(), leaf, root)), fast=True)[1:] == (own.leaf, (), (own.root,))
    assert check(made(open_part(key_bag(), leaf, issuing, leaf, issuing)), fast=True)[1:] == (
        own.leaf,
        (own.issuing,),
        (),
    )


def test_several_certificates_for_the_key() -> None:
    own = home()
    expired = own.issue(start=NOW - timedelta(days=400), days=30, serial=7)
    both = [certificate_bag(expired), certificate_bag(own.leaf)]
    assert check(made(open_part(*both, key_bag())), fast=True)[1:] == (expired, (), (own.leaf,))
    assert check(made(open_part(*reversed(both), key_bag())), fast=True)[1:] == (own.leaf, (), (expired,))


def test_no_key_and_several_and_a_foreign_one() -> None:
    own, other = home(), ec_key("other")
    leaf = certificate_bag(own.leaf)
    foreign = shrouded_bag(private_key_info(other))
    belongs_to_none = ("the private key in the PKCS#12 belongs to none of its certificates",)
    assert check(made(encrypted_part(leaf)), fast=False) == ("the PKCS#12 holds no private key",)
    assert check(made(open_part(certificate_bag(own.issuing), key_bag())), fast=False) == belongs_to_none
    assert check(made(encrypted_part(leaf), open_part(foreign)), fast=False) == belongs_to_none
    assert check(made(open_part(key_bag(), foreign, leaf)), fast=False)[1] == own.leaf
    assert check(made(open_part(foreign, key_bag(), leaf)), fast=False) == belongs_to_none
    assert check(made(open_part(key_bag())), fast=False) == belongs_to_none


def test_a_key_where_it_is_not_seen() -> None:
    """The first key in the file is the one that counts, also where it lies encrypted or in a bag in a bag."""
    own = home()
    leaf, foreign = certificate_bag(own.leaf), shrouded_bag(private_key_info(ec_key("other")))
    nested = bag(SAFE_CONTENTS_BAG, sequence(foreign))
    for first in (encrypted_part(foreign, leaf), open_part(nested, leaf)):
        assert check(made(first, open_part(key_bag())), fast=False)[0] == (
            "the private key in the PKCS#12 belongs to none of its certificates"
        )
        assert check(made(open_part(key_bag()), first), fast=False)[1] == own.leaf


def test_attributes() -> None:
    own = home()
    content, leaf = private_key_info(own.leaf_key), certificate_bag(own.leaf)
    name = element(0x1E, "leaf".encode("utf-16-be"))
    usual = [attribute(FRIENDLY_NAME, name), attribute(LOCAL_KEY_ID, octets(b"\1"))]
    refused = [attribute(FRIENDLY_NAME, element(0x0C, b"leaf")), attribute(LOCAL_KEY_ID, name)]
    seldom = [attribute(FRIENDLY_NAME, name, name), attribute("1.2.3.4", element(0x0C, b"x"))]
    assert check(made(open_part(leaf, shrouded_bag(content, *usual))), fast=True)[1] == own.leaf
    for one in seldom:
        assert check(made(open_part(leaf, shrouded_bag(content, one))), fast=False)[1] == own.leaf
    for one in refused:
        assert len(check(made(open_part(leaf, shrouded_bag(content, one))), fast=False)) == 1


def test_other_bags_are_passed_over() -> None:
    own = home()
    crl = bag(CRL_BAG, sequence(oid("1.2.840.113549.1.9.23.1"), element(0xA0, octets(b"\x30\0"))))
    unknown = bag("1.2.3.4", octets(b"x"))
    parts = (
        open_part(crl, certificate_bag(own.leaf), unknown),
        open_part(bag(KEY_BAG, private_key_info(own.leaf_key))),
    )
    assert check(made(*parts), fast=True)[1] == own.leaf
    nested = bag(SAFE_CONTENTS_BAG, sequence(certificate_bag(own.leaf)))
    assert check(made(open_part(nested), open_part(key_bag())), fast=True)[1] == own.leaf


def test_without_a_mac() -> None:
    parts = encrypted_part(certificate_bag(home().leaf)), open_part(key_bag())
    assert check(without_mac(*parts), fast=False)[1] == home().leaf


def test_a_private_key_with_attributes_goes_the_plain_way() -> None:
    """As OpenSSL's `-keysig` and Windows write it, beside the key's numbers."""
    whole = private_key_info(home().leaf_key)
    usage = attribute("2.5.29.15", element(0x03, b"\x07\x80"))
    content = sequence(whole[4:], element(0xA0, usage))
    data = made(open_part(certificate_bag(home().leaf), shrouded_bag(content)))
    assert check(data, fast=False)[1] == home().leaf
