"""An inventory: what is found in folders, what is told of it, and what is done with all that is no certificate."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
)

from sectigo_iot import InvalidInputError
from sectigo_iot.pki import Inventory, InventoryItem, KeyBeside, Validity, install, inventory, inventory_csv
from sectigo_iot.pki.inspecting import tree
from tests.unit.pki.home import PASSWORD, build, ec_key, home, pem, pfx, rsa_key
from tests.unit.pki.installed import AT, authorities, certificate, key_pem, other_key, put

LEAF = ec_key("leaf")
SECRET = BestAvailableEncryption(b"secret")


def found_in(*paths: Path, **settings: object) -> Inventory:
    return inventory(paths, **{"at": AT, **settings})  # type: ignore[arg-type]


def the_one(*paths: Path, **settings: object) -> InventoryItem:
    found = found_in(*paths, **settings)
    assert len(found.items) == 1, found
    return found.items[0]


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# What is installed


def test_each_certificate_once_with_all_its_places(tmp_path: Path) -> None:
    put(tmp_path, certificate(names=("a.example.com", "b.example.com"), serial=0x0A << 120 | 0xBEEF))
    found = found_in(tmp_path)
    assert (found.locked, found.unreadable, found.at) == ((), (), AT)
    (item,) = found.items
    assert (item.name, item.common_name, item.names) == (
        "a.example.com",
        "a.example.com",
        ("a.example.com", "b.example.com"),
    )
    assert item.serial_number == "0A" + "0" * 26 + "BEEF"
    assert (item.subject, item.issuer, item.key) == ("CN=a.example.com", "CN=TEST Issuing", "P-256")
    assert (item.days_left, item.when, item.validity, item.ca) == (100, "in 100 days", Validity.VALID, False)
    places = {f"{tmp_path}/a.example.com/{name}.pem" for name in ("cert", "fullchain", "full")}
    assert {place.path for place in item.places} == places
    assert {place.key for place in item.places} == {KeyBeside.FITS}
    assert [item.name for item in found.authorities] == ["TEST Issuing", "TEST Root"]
    assert all(item.ca and len(item.places) == 3 for item in found.authorities)


def test_former_versions_are_told_when_they_are_asked_for(tmp_path: Path) -> None:
    put(tmp_path, certificate(expires=AT - timedelta(days=5)))
    put(tmp_path, certificate())
    assert the_one(tmp_path).days_left == 100
    assert the_one(tmp_path / "a.example.com").days_left == 100
    former, current = found_in(tmp_path, versions=True).items
    assert (former.superseded, current.superseded) == (True, False)
    assert all("/.versions/" in place.path for place in former.places)
    assert not any("/.versions/" in place.path for place in current.places)
    assert found_in(tmp_path, versions=True).expiring(30) == ()


def test_what_expires_first_comes_first(tmp_path: Path) -> None:
    for days in (40, -3, 400, 7):
        write(tmp_path / f"{days}.pem", pem(certificate(f"d{days}.example.com", expires=AT + timedelta(days=days))))
    found = found_in(tmp_path)
    assert [item.name for item in found.items] == [f"d{days}.example.com" for days in (-3, 7, 40, 400)]
    assert [item.name for item in found.expiring(30)] == ["d-3.example.com", "d7.example.com"]
    assert [item.name for item in found.within(7).items] == ["d-3.example.com", "d7.example.com"]
    assert found.within(7).authorities == ()


def test_of_what_expires_together_names_count_as_people_count(tmp_path: Path) -> None:
    names = ["dev2", "dev02b", "dev10", "dev" + "9" * 50, "prod"]
    for number, name in enumerate(reversed(names)):
        write(tmp_path / f"{number}.pem", pem(certificate(name, names=())))
    assert [item.name for item in found_in(tmp_path).items] == names


def test_a_ca_that_expires_is_found(tmp_path: Path) -> None:
    write(tmp_path / "chain.pem", pem(*authorities()))
    found = found_in(tmp_path, at=AT + timedelta(days=1790))
    assert found.items == ()
    assert [item.name for item in found.expiring(30)] == ["TEST Issuing"]


# Days


NOON = datetime(2027, 3, 10, 12, tzinfo=UTC)
"""The last second of the certificate below."""
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.fixture(scope="module")
def until_noon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noon")
    return write(folder / "cert.pem", pem(certificate(expires=NOON + SECOND, days=100)))


@pytest.mark.parametrize(
    ("at", "days", "when", "validity"),
    [
        (NOON - 30 * DAY - SECOND, 30, "in 30 days", Validity.VALID),
        (NOON - 30 * DAY, 30, "in 30 days", Validity.VALID),
        (NOON - 30 * DAY + SECOND, 29, "in 29 days", Validity.VALID),
        (NOON - DAY, 1, "in 1 day", Validity.VALID),
        (NOON - DAY + SECOND, 0, "tomorrow", Validity.VALID),
        (NOON - 12 * 3600 * SECOND, 0, "today", Validity.VALID),
        (NOON, 0, "today", Validity.VALID),
        (NOON + SECOND, -1, "today", Validity.EXPIRED),
        (NOON + 23 * 3600 * SECOND, -1, "yesterday", Validity.EXPIRED),
        (NOON + DAY, -1, "1 day ago", Validity.EXPIRED),
        (NOON + DAY + SECOND, -2, "1 day ago", Validity.EXPIRED),
        (NOON + 3 * DAY, -3, "3 days ago", Validity.EXPIRED),
        (NOON - 101 * DAY, 101, "in 101 days", Validity.NOT_YET),
        (NOON + SECOND - 100 * DAY, 99, "in 99 days", Validity.VALID),
    ],
)
def test_days(until_noon: Path, at: datetime, days: int, when: str, validity: Validity) -> None:
    item = the_one(until_noon, at=at)
    assert (item.days_left, item.when, item.validity) == (days, when, validity)


@pytest.mark.parametrize("hours", [-11, 0, 5.5, 14])
def test_the_zone_of_the_time_does_not_matter(until_noon: Path, hours: float) -> None:
    item = the_one(until_noon, at=NOON.astimezone(timezone(timedelta(hours=hours))))
    assert (item.days_left, item.when, item.to_dict()["not_after"]) == (0, "today", "2027-03-10T12:00:00Z")


def test_a_time_without_zone(until_noon: Path) -> None:
    with pytest.raises(InvalidInputError, match="no time zone"):
        inventory([until_noon], at=NOON.replace(tzinfo=None))


def test_without_a_time_it_is_now(until_noon: Path) -> None:
    before = datetime.now(UTC)
    assert before <= inventory([until_noon]).at <= datetime.now(UTC)


@pytest.mark.parametrize(("days", "left"), [(-1, 1.0), (0, 1.0), (25, 0.75), (50, 0.5), (100, 0.0), (120, 0.0)])
def test_what_is_left_of_the_lifetime(until_noon: Path, days: int, left: float) -> None:
    item = the_one(until_noon, at=NOON - 100 * DAY + days * DAY)
    assert item.lifetime_left == pytest.approx(left, abs=1e-6)


@pytest.mark.parametrize(("days", "within"), [(30, True), (29, False), (31, True), (0, False)])
def test_a_day_that_is_just_within(until_noon: Path, days: int, within: bool) -> None:
    assert the_one(until_noon, at=NOON - 30 * DAY).expires_within(days) is within


# Forms


def encodings() -> dict[str, bytes]:
    leaf = certificate()
    der = leaf.public_bytes(Encoding.DER)
    return {
        "a.pem": pem(leaf),
        "b.CRT": pem(leaf).replace(b"\n", b"\r\n"),
        "c.cer": der,
        "d.der": der,
        "e.cert": b"Bag Attributes\n  friendlyName: x\n" + pem(leaf),
        "f.p7b": pkcs7.serialize_certificates([leaf], Encoding.PEM),
        "g.p7c": pkcs7.serialize_certificates([leaf], Encoding.DER),
        "h.pem": pem(leaf).replace(b" CERTIFICATE", b" X509 CERTIFICATE"),
    }


@pytest.mark.parametrize("name", encodings())
def test_every_form(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "deep" / "er" / name, encodings()[name])
    assert [place.path for place in the_one(tmp_path).places] == [str(path)]


def test_a_file_that_is_named_may_be_called_anything(tmp_path: Path) -> None:
    path = write(tmp_path / "certificate", pem(certificate()))
    assert found_in(tmp_path).items == ()
    assert the_one(path).places[0].path == str(path)


def test_what_is_beside_certificates_is_passed_over(tmp_path: Path) -> None:
    builder = x509.CertificateRevocationListBuilder().issuer_name(authorities()[0].subject)
    crl = builder.last_update(AT).next_update(AT + DAY).sign(ec_key("issuing"), hashes.SHA256())
    write(tmp_path / "dh.pem", b"-----BEGIN DH PARAMETERS-----\nMAYCAQ0CAQI=\n-----END DH PARAMETERS-----\n")
    write(tmp_path / "notes.pem", b"no certificate at all")
    write(tmp_path / "crl.der", crl.public_bytes(Encoding.DER))
    write(tmp_path / "key.der", LEAF.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    write(tmp_path / "README", pem(certificate()))
    assert found_in(tmp_path) == Inventory(AT)


def test_a_text_that_begins_as_der_does(tmp_path: Path) -> None:
    # As `openssl s_client -showcerts` numbers them.
    write(tmp_path / "a.pem", b"0 s:CN = a.example.com\n" + pem(certificate()))
    assert (the_one(tmp_path).name, found_in(tmp_path).unreadable) == ("a.example.com", ())


def test_a_pkcs12_by_whatever_name(tmp_path: Path) -> None:
    path = write(tmp_path / "store", pfx(certificate(), [], LEAF))
    assert the_one(path, passwords=(PASSWORD,)).name == "a.example.com"
    assert [each.path for each in found_in(path).locked] == [str(path)]


def test_a_certificate_without_any_name(tmp_path: Path) -> None:
    write(tmp_path / "a.pem", pem(certificate("", names=(), serial=0xABC)))
    assert the_one(tmp_path).name == "0ABC"


def test_a_pkcs12(tmp_path: Path) -> None:
    path = write(tmp_path / "a.p12", pfx(certificate(), list(authorities()), LEAF))
    locked = found_in(tmp_path)
    assert [(each.path, each.reason) for each in locked.locked] == [(str(path), "its password is needed")]
    assert (locked.items, locked.unreadable) == ((), ())
    opened = found_in(tmp_path, passwords=("wrong", PASSWORD))
    assert [(place.path, place.key) for place in opened.items[0].places] == [(str(path), KeyBeside.FITS)]
    assert (opened.locked, len(opened.authorities)) == ((), 2)
    refused = found_in(tmp_path, passwords=("wrong",))
    assert [each.reason for each in refused.locked] == ["the password does not open this PKCS#12"]


def test_a_pkcs12_that_is_damaged(tmp_path: Path) -> None:
    write(tmp_path / "a.pfx", b"\x30\x03\x02\x01\x03")
    found = found_in(tmp_path, passwords=(PASSWORD,))
    assert [each.reason for each in found.unreadable] == ["the PKCS#12 is damaged, or it is none"]


# The key beside it


@pytest.mark.parametrize(
    ("key", "beside"),
    [
        (key_pem(LEAF), KeyBeside.FITS),
        (key_pem(other_key()), KeyBeside.OTHER),
        (key_pem(LEAF, "secret"), KeyBeside.ENCRYPTED),
        (LEAF.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()), KeyBeside.FITS),
        (LEAF.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, SECRET), KeyBeside.ENCRYPTED),
        (None, KeyBeside.NONE),
    ],
)
def test_the_key_beside(tmp_path: Path, key: bytes | None, beside: KeyBeside) -> None:
    write(tmp_path / "cert.pem", pem(certificate(), *authorities()))
    if key is not None:
        write(tmp_path / "privkey.pem", key)
    found = found_in(tmp_path)
    assert [place.key for place in found.items[0].places] == [beside]
    assert {place.key for item in found.authorities for place in item.places} == {KeyBeside.NONE}
    assert found.unreadable == ()


def test_an_rsa_key_beside(tmp_path: Path) -> None:
    write(tmp_path / "cert.pem", pem(certificate(key=rsa_key())))
    write(tmp_path / "a.key", key_pem(rsa_key()))
    assert (the_one(tmp_path).key, the_one(tmp_path).places[0].key) == ("RSA-2048", KeyBeside.FITS)


def test_the_key_of_another_certificate_in_the_folder_is_nothing_to_it(tmp_path: Path) -> None:
    write(tmp_path / "a.crt", pem(certificate("a.example.com")))
    write(tmp_path / "b.crt", pem(certificate("b.example.com", key=other_key())))
    write(tmp_path / "b.key", key_pem(other_key()))
    write(tmp_path / "elsewhere" / "a.key", key_pem(LEAF))
    beside = {item.name: item.places[0].key for item in found_in(tmp_path).items}
    assert beside == {"a.example.com": KeyBeside.NONE, "b.example.com": KeyBeside.FITS}


def installed_without_key(folder: Path, leaf: x509.Certificate, name: str = "a.example.com") -> None:
    install(folder, name, {"cert.pem": pem(leaf), "fullchain.pem": pem(leaf, *authorities())})


def test_a_key_that_an_older_version_had_is_missing(tmp_path: Path) -> None:
    put(tmp_path, certificate(serial=1))
    installed_without_key(tmp_path, certificate(serial=2))
    found = found_in(tmp_path, versions=True)
    beside = {item.serial_number: {place.key for place in item.places} for item in found.items}
    assert beside == {"01": {KeyBeside.FITS}, "02": {KeyBeside.MISSING}}
    assert {place.key for item in found.authorities for place in item.places} == {KeyBeside.NONE}
    assert [item.serial_number for item in found.needing_attention(30).items] == ["02"]
    # The version itself, by a link or by its own name.
    for path in (tmp_path / "a.example.com", (tmp_path / "a.example.com").resolve()):
        assert {place.key for place in the_one(path).places} == {KeyBeside.MISSING}
    put(tmp_path, certificate(serial=3))
    assert {place.key for place in the_one(tmp_path).places} == {KeyBeside.FITS}


def test_a_key_that_no_version_had_is_not_missed(tmp_path: Path) -> None:
    for serial in (1, 2):
        installed_without_key(tmp_path, certificate(serial=serial))
    put(tmp_path, certificate("b.example.com", expires=AT + 2 * 100 * DAY), name="b.example.com")
    found = found_in(tmp_path)
    assert {place.key for place in found.items[0].places} == {KeyBeside.NONE}
    assert found.needing_attention(30).items == ()
    (tmp_path / "plain" / "a").mkdir(parents=True)
    write(tmp_path / "plain" / "a" / "privkey.pem", key_pem(LEAF))
    write(tmp_path / "plain" / "b" / "cert.pem", pem(certificate(serial=9)))
    assert the_one(tmp_path / "plain" / "b").places[0].key is KeyBeside.NONE


def test_a_key_that_does_not_fit_needs_attention_while_its_version_is_in_force(tmp_path: Path) -> None:
    put(tmp_path, certificate(serial=1), key=other_key())
    assert [item.serial_number for item in found_in(tmp_path).needing_attention(0).items] == ["01"]
    put(tmp_path, certificate(serial=2))
    found = found_in(tmp_path, versions=True)
    assert {place.key for item in found.items for place in item.places} == {KeyBeside.FITS, KeyBeside.OTHER}
    assert found.needing_attention(0).items == ()


def test_a_key_that_is_damaged(tmp_path: Path) -> None:
    write(tmp_path / "a.pem", pem(certificate()))
    write(tmp_path / "key.pem", b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n")
    assert [each.reason for each in found_in(tmp_path).unreadable] == ["the private key on line 1 cannot be read"]


# What cannot be read


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.crt", b"", "it holds no certificate"),
        ("a.cer", b"\x30\x03\x02\x01\x01", "it is damaged, or it holds no certificate"),
        ("a.pem", pem(certificate())[:300], "the block that begins on line 1 is cut short: its END line is missing"),
        ("a.pem", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", "the block on line 1 is not base64"),
        ("a.pem", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----", "a certificate in it is damaged"),
        ("a.pem", b" " * ((4 << 20) + 1), "it is larger than 4 MiB"),
    ],
)
def test_a_file_that_is_damaged_hides_no_other(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    path = write(tmp_path / name, data)
    write(tmp_path / "good.pem", pem(certificate()))
    found = found_in(tmp_path)
    assert [(each.path, each.reason) for each in found.unreadable] == [(str(path), reason)]
    assert [item.name for item in found.items] == ["a.example.com"]


def test_a_good_certificate_beside_a_damaged_one_in_the_same_file(tmp_path: Path) -> None:
    damaged = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    write(tmp_path / "a.pem", damaged + pem(certificate()) + damaged)
    found = found_in(tmp_path)
    assert (len(found.items), len(found.unreadable)) == (1, 1)


def test_what_is_not_there(tmp_path: Path) -> None:
    found = found_in(tmp_path / "missing", Path("nul\0"))
    assert [each.reason for each in found.unreadable] == ["No such file or directory", "embedded null byte"]


def test_no_fifo_is_waited_for_and_no_device_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cert.pem")
    (tmp_path / "zero.pem").symlink_to("/dev/zero")
    assert found_in(tmp_path) == Inventory(AT)
    named = found_in(tmp_path / "cert.pem", Path("/dev/zero"))
    assert [each.reason for each in named.unreadable] == ["it is neither a file nor a folder"] * 2


def test_a_file_that_has_become_a_fifo_in_the_meantime(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cert.pem")
    with pytest.raises(OSError, match="it is no plain file"):
        tree.read(str(tmp_path / "cert.pem"))


@contextlib.contextmanager
def as_nobody() -> Iterator[Path]:
    """A folder that this process may read as a user who is not root."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    root = os.geteuid() == 0
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        for path in folder.rglob("*"):
            path.chmod(0o700)
        shutil.rmtree(folder)


def test_what_others_must_not_read(tmp_path: Path) -> None:
    found_in(tmp_path)
    with as_nobody() as folder:
        put(folder / "whole", certificate("whole.example.com"))
        write(folder / "part" / "cert.pem", pem(certificate("part.example.com"))).chmod(0o644)
        write(folder / "part" / "privkey.pem", key_pem(LEAF)).chmod(0)
        write(folder / "part" / "full.pem", key_pem(LEAF)).chmod(0)
        hidden = write(folder / "part" / "other.crt", pem(certificate("other.example.com")))
        hidden.chmod(0)
        (folder / "part").chmod(0o755)
        (folder / "whole").chmod(0)
        if os.geteuid() == 0:
            os.seteuid(65534)
        found = found_in(folder)
        assert [(item.name, item.places[0].key) for item in found.items] == [
            ("part.example.com", KeyBeside.UNREADABLE)
        ]
        denied = [(each.path, each.reason) for each in found.unreadable]
        assert denied == [(f"{folder}/whole", "Permission denied"), (str(hidden), "Permission denied")]


# Links


def test_links_make_no_circle(tmp_path: Path) -> None:
    put(tmp_path, certificate())
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "self.pem").symlink_to("self.pem")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to("..")
    found = found_in(tmp_path, tmp_path, tmp_path / "loop")
    assert len(found.items[0].places) == 3
    assert [Path(each.path).name for each in found.unreadable] == ["self.pem"]


def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    archive, live = tmp_path / "archive", tmp_path / "live"
    write(archive / "cert1.pem", pem(certificate()))
    live.mkdir()
    (live / "elsewhere").symlink_to(archive)
    found = found_in(live)
    assert [each.reason for each in found.unreadable] == ["it leads out of the folder: name what it leads to, too"]
    assert found.items == ()
    both = found_in(live, archive)
    assert ([place.path for place in both.items[0].places], both.unreadable) == ([f"{archive}/cert1.pem"], ())


def test_a_link_to_a_file_is_followed_wherever_it_leads(tmp_path: Path) -> None:
    write(tmp_path / "archive" / "cert1.pem", pem(certificate()))
    live = tmp_path / "live"
    live.mkdir()
    (live / "cert.pem").symlink_to("../archive/cert1.pem")
    assert [place.path for place in the_one(live).places] == [f"{live}/cert.pem"]


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a.example.com").symlink_to(".versions/a.example.com/gone")
    (tmp_path / "cert.pem").symlink_to("gone")
    (tmp_path / "something").symlink_to("gone")
    assert [Path(each.path).name for each in found_in(tmp_path).unreadable] == ["a.example.com", "cert.pem"]


def test_what_a_killed_installation_left_is_not_installed(tmp_path: Path) -> None:
    write(tmp_path / ".versions" / "x.sectigo-part" / "cert.pem", pem(certificate()))
    assert found_in(tmp_path, versions=True) == Inventory(AT)


def test_names_of_files_that_are_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / os.fsdecode(b"caf\xe9.pem"), pem(certificate()))
    (place,) = the_one(tmp_path).places
    assert place.path == str(path)
    assert os.fsencode(place.path).endswith(b"/caf\xe9.pem")


# Whatever bytes come


def test_no_bytes_break_it(tmp_path: Path) -> None:
    chance = random.Random(20270310)
    sources = [*encodings().items(), ("a.key", key_pem(LEAF)), ("a.p12", pfx(certificate(), [], LEAF))]
    for number in range(300):
        name, data = sources[number % len(sources)]
        spoilt = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 8))):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        write(
            tmp_path / f"{number}-{name}",
            bytes(spoilt[: chance.choice((len(spoilt), chance.randrange(len(spoilt))))]),
        )
    found = found_in(tmp_path, passwords=(PASSWORD,))
    assert len(found.unreadable) > 50
    assert json.loads(json.dumps(found.to_dict()))
    assert inventory_csv(found)


# Documents


def test_the_document(tmp_path: Path) -> None:
    put(tmp_path, certificate(serial=0xABCDEF))
    document = json.loads(json.dumps(found_in(tmp_path).to_dict()))
    assert list(document) == ["at", "certificates", "authorities", "locked", "unreadable"]
    (told,) = document["certificates"]
    assert (told["name"], told["serial_number"], told["days_left"], told["validity"]) == (
        "a.example.com",
        "ABCDEF",
        100,
        "valid",
    )
    assert told["lifetime_left"] == pytest.approx(100 / 365, abs=0.001)
    assert told["not_after"] == (AT + timedelta(days=100)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert {place["key"] for place in told["places"]} == {"fits"}


def rows(found: Inventory) -> list[dict[str, str]]:
    text = inventory_csv(found)
    assert text.count("\r\n") == text.count("\r") >= 1
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv(tmp_path: Path) -> None:
    put(tmp_path, certificate(names=("a.example.com", "b.example.com"), expires=AT - DAY))
    leaf, issuing, root = rows(found_in(tmp_path))
    assert (leaf["name"], leaf["names"], leaf["days_left"]) == ("a.example.com", "a.example.com; b.example.com", "-2")
    assert (leaf["validity"], leaf["ca"], leaf["key"]) == ("expired", "no", "P-256")
    assert sorted(leaf["places"].split("; "))[0] == f"{tmp_path}/a.example.com/cert.pem"
    assert [issuing["name"], root["name"], root["ca"]] == ["TEST Issuing", "TEST Root", "yes"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\t=", "\r=", "\N{FULLWIDTH EQUALS SIGN}"])
def test_no_name_is_a_formula_in_a_spreadsheet(tmp_path: Path, start: str) -> None:
    name = f'{start}cmd|"/c calc"!A1,"x"'
    write(tmp_path / "a.pem", pem(certificate(name, names=())))
    (row,) = rows(found_in(tmp_path))
    assert row["name"] == "'" + "".join(c if c.isprintable() else "?" for c in name)
    assert row["subject"].startswith("CN=")


def test_a_cell_is_not_longer_than_a_spreadsheet_takes(tmp_path: Path) -> None:
    for number in range(101):
        write(tmp_path / f"{number}.pem", pem(authorities()[1]))
    (row,) = rows(found_in(tmp_path))
    assert row["places"].count("; ") == 100
    assert row["places"].endswith("; and 1 more")


def test_each_certificate_is_a_line_of_csv(tmp_path: Path) -> None:
    put(tmp_path, certificate("a\nb.example.com", names=("a.example.com", "b.example.com")))
    assert len(inventory_csv(found_in(tmp_path)).splitlines()) == 4


def test_progress_is_told(tmp_path: Path) -> None:
    put(tmp_path, certificate())
    told: list[tuple[int, int]] = []
    found_in(tmp_path, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 5) for number in range(1, 6)]


def test_what_rfc_5280_forbids_is_installed_no_less(tmp_path: Path) -> None:
    authority = build("", ec_key("odd"), "TEST Root", ec_key("root"), ca=True)
    write(tmp_path / "a.pem", pem(authority))
    assert found_in(tmp_path).authorities[0].name == found_in(tmp_path).authorities[0].serial_number


def test_whose_a_key_was_in_a_folder_of_many_nobody_can_tell(tmp_path: Path) -> None:
    for serial in (1, 2):
        other = build(f"{serial}.example.com", ec_key(f"many {serial}"), "TEST Issuing", home().issuing_key, ca=False)
        write(tmp_path / f"{serial}.crt", pem(other))
    write(tmp_path / "stray.key", key_pem(other_key()))
    found = found_in(tmp_path)
    assert [place.key for item in found.items for place in item.places] == [KeyBeside.NONE, KeyBeside.NONE]
    (tmp_path / "2.crt").unlink()
    assert [place.key for item in found_in(tmp_path).items for place in item.places] == [KeyBeside.OTHER]
