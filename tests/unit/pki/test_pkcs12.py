from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from sectigo_iot.errors import BundleError, InvalidInputError, PKCSPasswordRequiredError
from sectigo_iot.pki import needs_legacy, open_pkcs12, write_pkcs12
from tests.reliability.figures import share
from tests.unit.pki.home import PASSWORD, build, ec_key, home, pfx
from tests.unit.pki.pfx_making import certificate_bag, made, oid, open_part, private_key_info, shrouded_bag

EC_PUBLIC_KEY = oid("1.2.840.10045.2.1")


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


@pytest.mark.parametrize("password", ["correct\0horse", "\0", "\ud800"])
def test_what_cannot_be_a_password_opens_nothing(password: str) -> None:
    with pytest.raises(BundleError, match=r"^the password does not open this PKCS#12$"):
        open_pkcs12(pfx(home().leaf, []), password)
    with pytest.raises(InvalidInputError, match="cannot have"):
        write_pkcs12(home().leaf_key, home().leaf, [], password)


def written(tmp_path: Path, key: PrivateKeyTypes, leaf: x509.Certificate, password: str = PASSWORD) -> Path:
    path = tmp_path / "made.p12"
    path.write_bytes(write_pkcs12(key, leaf, [home().issuing, home().root], password, "Größe"))
    return path


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("password", [PASSWORD, "Größe 😀"])
def test_openssl_opens_what_is_written_without_legacy(tmp_path: Path, password: str) -> None:
    path = written(tmp_path, home().leaf_key, home().leaf, password)
    assert not needs_legacy(path.read_bytes())
    command: list[str | Path] = ["openssl", "pkcs12", "-in", path, "-passin", "stdin", "-nodes", "-info"]
    done = subprocess.run(command, input=f"{password}\n".encode(), capture_output=True, check=True)
    assert b"MAC: sha256, Iteration 20000" in done.stderr
    assert done.stderr.count(b"PBES2, PBKDF2, AES-256-CBC, Iteration 20000, PRF hmacWithSHA256") == 2
    assert done.stdout.count(b"BEGIN CERTIFICATE") == 3
    key = home().leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert key in done.stdout


@pytest.mark.parametrize("key", [ec_key("written"), ed25519.Ed25519PrivateKey.generate()])
def test_what_is_written_is_opened(tmp_path: Path, key: Any) -> None:
    leaf = build("b.example.com", key, "TEST Issuing", home().issuing_key, ca=False)
    opened = open_pkcs12(written(tmp_path, key, leaf).read_bytes(), PASSWORD)
    assert (opened.leaf, opened.chain) == (leaf, (home().issuing, home().root))
    assert opened.key.public_key() == leaf.public_key()


def test_what_cannot_be_written() -> None:
    own = home()
    with pytest.raises(InvalidInputError, match="empty"):
        write_pkcs12(own.leaf_key, own.leaf, [], "")
    with pytest.raises(BundleError, match="does not belong to the certificate"):
        write_pkcs12(ec_key("other"), own.leaf, [], PASSWORD)
    with pytest.raises(InvalidInputError, match="of this kind"):
        write_pkcs12(x25519.X25519PrivateKey.generate(), own.leaf, [], PASSWORD)


def test_a_certificate_of_a_kind_that_is_not_known_is_no_leaf() -> None:
    """A CA's key may be of a kind that only others know; the leaf is found all the same."""
    own = home()
    unknown = own.issuing.public_bytes(Encoding.DER).replace(EC_PUBLIC_KEY, EC_PUBLIC_KEY[:-1] + b"\x63")
    data = made(
        open_part(certificate_bag(unknown), certificate_bag(own.leaf), shrouded_bag(private_key_info(own.leaf_key)))
    )
    assert open_pkcs12(data, PASSWORD).leaf == own.leaf


def test_memory_stays_flat_over_many_files() -> None:
    data = made(open_part(certificate_bag(home().leaf), shrouded_bag(private_key_info(home().leaf_key))))

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    for _ in range(100):
        open_pkcs12(data, PASSWORD)
    before = resident()
    for _ in range(share(1000, 300)):
        open_pkcs12(data, PASSWORD)
    assert resident() - before < 2 << 20


def test_a_certificate_whose_name_cannot_be_read_is_told() -> None:
    own = home()
    broken = own.issuing.public_bytes(Encoding.DER).replace(b"\x0c\x09TEST Root", b"\x08\x09TEST Root")
    key = shrouded_bag(private_key_info(own.leaf_key))
    with pytest.raises(BundleError, match=r"^a certificate in the PKCS#12 is damaged$"):
        open_pkcs12(made(open_part(certificate_bag(own.leaf), certificate_bag(broken), key)), PASSWORD)


def test_a_certificate_of_a_version_that_there_is_not_is_told() -> None:
    own = home()
    broken = own.issuing.public_bytes(Encoding.DER).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x22", 1)
    key = shrouded_bag(private_key_info(own.leaf_key))
    with pytest.raises(BundleError, match="damaged"):
        open_pkcs12(made(open_part(certificate_bag(own.leaf), certificate_bag(broken), key)), PASSWORD)
