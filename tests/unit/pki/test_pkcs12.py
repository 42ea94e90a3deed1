from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption, pkcs12

from sectigo_iot.errors import BundleError, PKCSPasswordRequiredError
from sectigo_iot.pki import needs_legacy, open_pkcs12
from tests.unit.pki.home import PASSWORD, ec_key, home, pfx


def test_the_leaf_fits_the_key_and_the_chain_is_in_order() -> None:
    own = home()
    contents = open_pkcs12(pfx(own.leaf, [own.root, own.issuing]), PASSWORD)
    assert (contents.leaf, contents.chain) == (own.leaf, (own.issuing, own.root))
    assert contents.key.public_key() == own.leaf.public_key()
    assert "PrivateKey" not in repr(contents)


def test_a_missing_password_is_its_own_error() -> None:
    with pytest.raises(PKCSPasswordRequiredError, match="password is needed"):
        open_pkcs12(b"", None)


def test_an_empty_password_is_one() -> None:
    data = pkcs12.serialize_key_and_certificates(None, home().leaf_key, home().leaf, None, NoEncryption())
    assert open_pkcs12(data, "").leaf == home().leaf


def test_a_wrong_password_is_told_and_not_shown() -> None:
    with pytest.raises(BundleError, match=r"^the password does not open this PKCS#12$"):
        open_pkcs12(pfx(home().leaf, []), "wrong horse")


@pytest.mark.parametrize("data", [b"", b"0", b"garbage", b"<html>", b"0\x82\x01\x00" + bytes(256)])
def test_what_is_no_pkcs12_is_told(data: bytes) -> None:
    with pytest.raises(BundleError, match="the PKCS#12 is damaged, or it is none"):
        open_pkcs12(data, PASSWORD)


def test_a_cut_or_lengthened_file_is_told() -> None:
    whole = pfx(home().leaf, [])
    with pytest.raises(BundleError, match="cut short"):
        open_pkcs12(whole[:-1], PASSWORD)
    with pytest.raises(BundleError, match="more behind its end"):
        open_pkcs12(whole + b"\0", PASSWORD)


def test_no_damage_escapes_as_another_error() -> None:
    whole = pfx(home().leaf, [home().issuing])
    dice = random.Random(7)
    for _ in range(60):
        data = bytearray(whole)
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        try:
            opened = open_pkcs12(bytes(data), PASSWORD)
        except BundleError:
            continue
        assert opened.leaf == home().leaf


def test_a_key_without_its_certificate_is_refused() -> None:
    protection = BestAvailableEncryption(PASSWORD.encode())
    data = pkcs12.serialize_key_and_certificates(None, ec_key("other"), None, [home().leaf], protection)
    with pytest.raises(BundleError, match="belongs to none of its certificates"):
        open_pkcs12(data, PASSWORD)


def test_a_file_without_a_key_is_refused() -> None:
    data = pkcs12.serialize_key_and_certificates(None, None, home().leaf, None, BestAvailableEncryption(b"x"))
    with pytest.raises(BundleError, match="no private key"):
        open_pkcs12(data, "x")


def test_modern_protection_needs_no_legacy() -> None:
    assert not needs_legacy(pfx(home().leaf, []))
    assert not needs_legacy(b"")
