"""From a ZIP or a PKCS#12 to files in place: what is in them, what is proven before, and all of it or nothing."""

from __future__ import annotations

import base64
import io
import stat
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs7,
    pkcs12,
)

from sectigo_iot.emulator.ca.legacy import make_legacy_pkcs12
from sectigo_iot.errors import BundleError, InvalidInputError, PKCSPasswordRequiredError, TargetExistsError
from sectigo_iot.pki import KeyRing, needs_legacy, open_pkcs12, unpack
from sectigo_iot.pki.unpacking.keys import proven_key
from tests.unit.pki.downloads import issue, key_pem, store, whole_store, zipped
from tests.unit.pki.home import NOW, PASSWORD, build, ec_key, home, pem, request, rsa_key
from tests.unit.pki.pfx_making import certificate_bag, made, open_part, private_key_info, shrouded_bag

PEM_FILES = ("cert.pem", "chain.pem", "fullchain.pem", "privkey.pem", "full.pem")


BEGIN = b"-----BEGIN PRIVATE KEY-----\n"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def write(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def tree(folder: Path) -> dict[str, bytes | str]:
    """Return everything under a folder: contents of files, targets of links."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_each_certificate_gets_its_files(written: Callable[[str, bytes], Path], target: Path) -> None:
    own, names = home(), ("one.example.com", "*.two.example.com")
    file = written("24.zip", zipped({f"{name}.p12": whole_store(name) for name in names}))
    done = unpack(file, target, password=PASSWORD)
    assert [one.name for one in done] == ["one.example.com", "_.two.example.com"]
    for one, name in zip(done, names, strict=True):
        leaf, link = issue_of(one.installed.path), target / one.name
        assert one.installed.path == link
        assert tuple(one.installed.files) == PEM_FILES
        assert (one.common_name, one.dns_names) == (name, ("a.example.com", "*.b.example.com"))
        assert int(one.serial_number, 16) == leaf.serial_number
        assert (one.not_before, one.not_after) == (leaf.not_valid_before_utc, leaf.not_valid_after_utc)
        assert (one.has_key, one.key_source, one.out_of_date, one.incomplete) == (True, "", (), False)
        chain, key = pem(own.issuing, own.root), (link / "privkey.pem").read_bytes()
        assert (link / "chain.pem").read_bytes() == chain
        assert (link / "fullchain.pem").read_bytes() == pem(leaf) + chain
        assert (link / "full.pem").read_bytes() == key + pem(leaf) + chain
        assert load_pem_private_key(key, None).public_key() == ec_key(name).public_key() == leaf.public_key()
        assert {stat.S_IMODE(path.stat().st_mode) for path in link.iterdir()} == {0o600}


def issue_of(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())


def test_a_renewal_is_a_switch_and_the_former_version_stays(
    written: Callable[[str, bytes], Path], target: Path
) -> None:
    files = [written(f"{n}.zip", zipped({"a.example.com.p12": whole_store("a.example.com")})) for n in range(3)]
    versions = [unpack(file, target, password=PASSWORD, keep=2)[0].installed for file in files]
    assert [one.previous for one in versions] == [None, versions[0].folder, versions[1].folder]
    assert not versions[0].folder.exists()
    assert issue_of(versions[1].folder) != issue_of(versions[2].folder) == issue_of(target / "a.example.com")


def test_der(written: Callable[[str, bytes], Path], target: Path) -> None:
    unpack(written("a.p12", whole_store("a.example.com")), target, password=PASSWORD, format="der")
    assert sorted(path.name for path in (target / "a").iterdir()) == [
        *("cert.der", "chain-1.der", "chain-2.der", "privkey.der")
    ]
    chain = [x509.load_der_x509_certificate((target / "a" / f"chain-{n}.der").read_bytes()) for n in (1, 2)]
    assert chain == [home().issuing, home().root]
    key = load_der_private_key((target / "a" / "privkey.der").read_bytes(), None)
    leaf = x509.load_der_x509_certificate((target / "a" / "cert.der").read_bytes())
    assert key.public_key() == leaf.public_key()


@pytest.mark.needs("openssl")
def test_a_pkcs12_stays_as_it_came_unless_an_old_one_is_to_be_modernized(
    written: Callable[[str, bytes], Path], target: Path
) -> None:
    own, leaf = home(), issue("old.example.com")
    old = make_legacy_pkcs12("x", ec_key("old.example.com"), leaf, [own.root, own.issuing], PASSWORD)
    new = whole_store("new.example.com")
    assert needs_legacy(old)
    file = written("24.zip", zipped({"old.p12": old, "new.pfx": new}))
    unpack(file, target, password=PASSWORD, format="p12")
    assert ((target / "old/old.p12").read_bytes(), (target / "new/new.p12").read_bytes()) == (old, new)
    unpack(file, target, password=PASSWORD, format="p12", modernize=True)
    modern = (target / "old/old.p12").read_bytes()
    assert not needs_legacy(modern)
    assert (target / "new/new.p12").read_bytes() == new
    opened = open_pkcs12(modern, PASSWORD)
    assert (opened.leaf, opened.chain) == (leaf, (own.issuing, own.root))
    assert opened.key.public_key() == leaf.public_key()
    # 3DES and the SHA-1 of its MAC are as old, although OpenSSL opens them without being told to.
    triple = own_3des(leaf)
    unpack(written("t.p12", triple), target, password=PASSWORD, format="p12", modernize=True)
    assert (target / "t/t.p12").read_bytes() != triple


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(
    ("words", "is_modern"),
    [
        ("-keypbe NONE -certpbe NONE", False),
        ("-nomac", False),
        ("-macalg md5", False),
        ("-macalg sha384", True),
        ("-certpbe NONE", True),
        ("-keypbe AES-128-CBC -certpbe AES-192-CBC", True),
    ],
)
def test_what_lies_open_is_modernized_too(target: Path, tmp_path: Path, words: str, is_modern: bool) -> None:
    key, file = ec_key("a.example.com"), tmp_path / "a.p12"
    whole = key_pem(key) + pem(issue("a.example.com"), home().issuing, home().root)
    command = ["openssl", "pkcs12", "-export", *words.split(), "-out", str(file), "-passout", f"pass:{PASSWORD}"]
    subprocess.run(command, input=whole, check=True, timeout=30)
    unpack(file, target, password=PASSWORD, format="p12", modernize=True)
    there = (target / "a/a.p12").read_bytes()
    assert (there == file.read_bytes()) is is_modern
    assert open_pkcs12(there, PASSWORD).key.public_key() == key.public_key()


def test_what_is_no_certificate_is_passed_over(written: Callable[[str, bytes], Path], target: Path) -> None:
    others = {
        "README.txt": b"0. Read this first.",
        "b.csr": x509.load_pem_x509_csr(request()).public_bytes(Encoding.DER),
    }
    (done,) = unpack(written("24.zip", zipped({"a.p12": whole_store("a"), **others})), target, password=PASSWORD)
    assert done.name == "a"


@pytest.mark.parametrize("place", ["issuer of a CA", "issuer", "subject", "extensions"])
@pytest.mark.parametrize("form", ["p12", "pem"])
def test_a_certificate_with_a_damaged_part_is_told(
    written: Callable[[str, bytes], Path], target: Path, place: str, form: str
) -> None:
    own = home()
    leaf, issuing = (each.public_bytes(Encoding.DER) for each in (own.leaf, own.issuing))
    # A UTF8String becomes an EXTERNAL, and a dNSName no ASCII.
    if place == "issuer of a CA":
        issuing = issuing.replace(b"\x0c\x09TEST Root", b"\x08\x09TEST Root")
    elif place == "extensions":
        leaf = leaf.replace(b"*.b.example.com", b"*.b.ex\xffmple.com")
    else:
        name = b"TEST Issuing" if place == "issuer" else b"a.example.com"
        leaf = leaf.replace(bytes((0x0C, len(name))) + name, bytes((0x08, len(name))) + name)
    chain = [leaf, issuing, own.root.public_bytes(Encoding.DER)]
    if form == "p12":
        bags = map(certificate_bag, chain)
        file = written("a.p12", made(open_part(*bags, shrouded_bag(private_key_info(own.leaf_key)))))
    else:
        armoured = (base64.encodebytes(each).decode() for each in chain)
        text = "".join(f"-----BEGIN CERTIFICATE-----\n{each}-----END CERTIFICATE-----\n" for each in armoured)
        file = written("a.pem", text.encode())
    with pytest.raises(BundleError, match=rf"^a\.{form}: .* (is|are) damaged$"):
        unpack(file, target, password=PASSWORD, allow_incomplete=True)
    assert not target.exists() or not tree(target)


def own_3des(leaf: x509.Certificate) -> bytes:
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(1).hmac_hash(hashes.SHA1())
    protection = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).build(PASSWORD.encode())
    others = (home().issuing, home().root)
    return pkcs12.serialize_key_and_certificates(None, ec_key("old.example.com"), leaf, others, protection)


def test_certificates_for_requests_get_the_keys_that_fit(written: Callable[[str, bytes], Path], target: Path) -> None:
    names = ("a.example.com", "b.example.com", "c.example.com")
    entries = {f"{name}.crt": pem(issue(name)) for name in names}
    file = written("24.zip", zipped({**entries, "ca.pem": pem(home().root, home().issuing)}))
    locked = ec_key(names[1]).private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass"))
    two = key_pem(ec_key("stranger")) + key_pem(ec_key(names[0]))
    ring = KeyRing({"two.pem": two, "b.key": locked, "none.key": key_pem(ec_key("nobody"))}, "pass")
    done = unpack(file, target, keys=ring)
    assert [(one.name, one.key_source) for one in done] == [
        (names[0], "two.pem"),
        (names[1], "b.key"),
        (names[2], None),
    ]
    assert ring.sources == {"two.pem", "b.key", "none.key"}
    key = load_pem_private_key((target / names[1] / "privkey.pem").read_bytes(), None)
    assert key.public_key() == issue_of(target / names[1]).public_key()
    assert sorted(path.name for path in (target / names[2]).iterdir()) == sorted(PEM_FILES[:3])


def test_an_rsa_key_must_sign_for_its_certificate(written: Callable[[str, bytes], Path], target: Path) -> None:
    file = written("24.zip", zipped({"a.crt": pem(home().leaf), "ca.crt": pem(home().issuing, home().root)}))
    done = unpack(file, target, keys=KeyRing({"a.key": key_pem(rsa_key())}))
    assert done[0].key_source == "a.key"
    before = tree(target)
    with pytest.raises(BundleError, match=r"^a\.crt: the private key does not fit the certificate"):
        unpack(file, target, keys=KeyRing({"a.key": spoilt(rsa_key())}))
    assert tree(target) == before


@pytest.mark.parametrize("number", ["d", "dmp1", "iqmp"])
def test_a_damaged_rsa_key_is_refused_though_openssl_signs_with_it(
    written: Callable[[str, bytes], Path], target: Path, number: str
) -> None:
    content = rsa_key().private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    value = getattr(rsa_key().private_numbers(), number)
    encoded = value.to_bytes((value.bit_length() + 7) // 8, "big")
    assert content.count(encoded) == 1
    damaged = content.replace(encoded, encoded[:-1] + bytes([encoded[-1] ^ 2]))
    file = written("a.pem", pem(home().leaf, home().issuing, home().root))
    with pytest.raises(BundleError, match=r"^a\.pem: the private key (is damaged|does not fit)"):
        unpack(file, target, keys=KeyRing({"k": damaged}))
    assert not target.exists() or not tree(target)


def test_an_unusual_rsa_key_is_tested_whole(written: Callable[[str, bytes], Path], target: Path) -> None:
    key = rsa.generate_private_key(3, 2048)
    file = written("a.pem", pem(issue("a.example.com", key), home().issuing, home().root))
    (done,) = unpack(file, target, keys=KeyRing({"k": key_pem(key)}))
    assert done.has_key


def test_a_key_must_be_that_of_the_certificate() -> None:
    der = ec_key("b").private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(BundleError, match="does not fit"):
        proven_key(der, issue("a"))


def spoilt(key: object) -> bytes:
    """Return an RSA key whose public half is right and whose private half signs nothing that verifies."""
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d + 2, numbers.dmp1 + 2, numbers.dmq1 + 2, numbers.iqmp, numbers.public_numbers
    )
    return key_pem(wrong.private_key(unsafe_skip_rsa_key_validation=True))


@pytest.mark.parametrize(
    ("data", "password", "error", "words"),
    [
        (b"hello", None, InvalidInputError, "k holds no private key"),
        (pem(home().leaf), None, InvalidInputError, "k holds no private key"),
        (
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            None,
            InvalidInputError,
            "cannot be read",
        ),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n", None, InvalidInputError, "cut short"),
        (b"\x30\x03\x02\x01\x00", None, InvalidInputError, "cannot be read"),
        (None, None, PKCSPasswordRequiredError, "a password is needed to open the private key in k"),
        (None, "wrong", InvalidInputError, "the password does not open the private key in k"),
    ],
)
def test_a_key_that_is_none(data: bytes | None, password: str | None, error: type[Exception], words: str) -> None:
    locked = ec_key("k").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass"))
    with pytest.raises(error, match=words):
        KeyRing({"k": locked if data is None else data}, password)


def test_what_is_out_of_date_is_told_and_put_in_place(written: Callable[[str, bytes], Path], target: Path) -> None:
    old = issue("old.example.com", start=NOW - timedelta(days=400), days=100)
    root, issuing = long_lived(ca=True)
    early = issue("early.example.com", start=NOW + timedelta(days=100), days=100)
    entries = {"old.p12": old, "early.p12": early, "fine.p12": issue("fine.example.com")}
    keys = {name: ec_key(leaf_name(leaf)) for name, leaf in entries.items()}
    stores = {name: store(leaf, keys[name], issuing, root) for name, leaf in entries.items()}
    done = unpack(written("24.zip", zipped(stores)), target, password=PASSWORD)
    told = {one.name: " ".join(one.out_of_date) for one in done}
    assert "'old.example.com' expired on" in told["old"]
    assert "'early.example.com' is not valid before" in told["early"]
    assert told["fine"] == ""
    assert all((target / one.name / "privkey.pem").is_file() for one in done)
    later = unpack(written("24.zip", zipped(stores)), target, password=PASSWORD, at=NOW + timedelta(days=3000))
    assert ["'TEST Issuing' expired on" in " ".join(one.out_of_date) for one in later] == [True, True, True]


def long_lived(*, ca: bool) -> tuple[x509.Certificate, x509.Certificate]:
    """Return a root and an issuing certificate that were there before the old certificates of these tests."""
    own, start = home(), NOW - timedelta(days=500)
    root = build("TEST Root", own.root_key, "TEST Root", own.root_key, ca=True, start=start, days=3650)
    return root, build("TEST Issuing", own.issuing_key, "TEST Root", own.root_key, ca=ca, start=start, days=2500)


def leaf_name(leaf: x509.Certificate) -> str:
    return str(next(iter(leaf.subject)).value)


def test_what_is_out_of_date_must_verify_all_the_same(written: Callable[[str, bytes], Path], target: Path) -> None:
    root, false_ca = long_lived(ca=False)
    old = issue("old.example.com", start=NOW - timedelta(days=400), days=100)
    file = written("a.p12", store(old, ec_key("old.example.com"), false_ca, root))
    with pytest.raises(BundleError, match=r"^a\.p12: the certificate 'TEST Issuing'.* is no CA"):
        unpack(file, target, password=PASSWORD)
    assert not target.exists()


def test_a_chain_without_a_root_is_refused_unless_it_is_allowed(
    written: Callable[[str, bytes], Path], target: Path
) -> None:
    leaf, key = issue("a.example.com"), ec_key("a.example.com")
    file, alone = written("a.p12", store(leaf, key, home().issuing)), written("b.p12", store(leaf, key))
    for each, lacking in ((file, "TEST Root"), (alone, "TEST Issuing")):
        with pytest.raises(
            BundleError, match=f"the chain is incomplete: it lacks the issuer of .*CN={lacking}"
        ) as raised:
            unpack(each, target, password=PASSWORD)
        assert raised.value.hint
    assert not target.exists()
    [one] = unpack(file, target, password=PASSWORD, allow_incomplete=True)
    assert one.incomplete
    assert (target / "a/fullchain.pem").read_bytes() == pem(leaf, home().issuing)
    [one] = unpack(alone, target, password=PASSWORD, allow_incomplete=True)
    assert (one.incomplete, (target / "b/chain.pem").read_bytes()) == (True, b"")
    [one] = unpack(file, target, password=PASSWORD, roots=pem(home().root))
    assert not one.incomplete
    assert (target / "a/fullchain.pem").read_bytes() == pem(leaf, home().issuing, home().root), (
        "completed by the root"
    )


def test_what_is_incomplete_is_proven_as_far_as_it_goes(written: Callable[[str, bytes], Path], target: Path) -> None:
    plain = build("TEST Issuing", ec_key("issuing"), "TEST Root", ec_key("root"), ca=False, days=1800)
    file = written("a.p12", store(issue("a.example.com"), ec_key("a.example.com"), plain))
    with pytest.raises(BundleError, match="is no CA"):
        unpack(file, target, password=PASSWORD, allow_incomplete=True)


def test_roots_of_ones_own_decide(written: Callable[[str, bytes], Path], target: Path) -> None:
    file = written("a.p12", whole_store("a.example.com"))
    stranger = build("Other Root", ec_key("other"), "Other Root", ec_key("other"), ca=True)
    with pytest.raises(BundleError, match="which none of the given roots has issued"):
        unpack(file, target, password=PASSWORD, roots=pem(stranger))
    with pytest.raises(InvalidInputError, match="are not PEM"):
        unpack(file, target, password=PASSWORD, roots=b"hello")
    assert not target.exists()


def test_one_bad_entry_and_nothing_is_put_in_place(written: Callable[[str, bytes], Path], target: Path) -> None:
    good = {f"{n}.example.com.p12": whole_store(f"{n}.example.com") for n in "abc"}
    unpack(written("1.zip", zipped(good)), target, password=PASSWORD)
    before = tree(target)
    bad = store(issue("d.example.com"), ec_key("d.example.com"))
    with pytest.raises(BundleError, match=r"^d\.p12: "):
        unpack(written("2.zip", zipped({**good, "d.p12": bad})), target, password=PASSWORD)
    assert tree(target) == before
    (target / "e").mkdir()
    with pytest.raises(TargetExistsError):
        unpack(written("3.zip", zipped({**good, "e.p12": whole_store("e")})), target, password=PASSWORD)
    assert tree(target) == before


@pytest.mark.parametrize("names", [("x/a.p12", "y/a.p12"), ("x/a.p12", "y/A.p12"), ("x/a.p12", "a.crt")])
def test_two_entries_with_one_name_are_refused(
    written: Callable[[str, bytes], Path], target: Path, names: tuple[str, str]
) -> None:
    entries = {name: pem(issue("b")) if name.endswith("crt") else whole_store("a") for name in names}
    with pytest.raises(BundleError, match="name"):
        unpack(
            written("1.zip", zipped({**entries, "ca.pem": pem(home().issuing, home().root)})),
            target,
            password=PASSWORD,
        )
    assert not target.exists()


def test_in_other_processes_it_is_the_same(written: Callable[[str, bytes], Path], tmp_path: Path) -> None:
    leaves = {f"n{number:03}.example.com": issue(f"n{number:03}", ec_key("many")) for number in range(150)}
    entries = {f"{name}.pem": pem(leaf) for name, leaf in leaves.items()}
    entries["ca.pem"] = pem(home().issuing, home().root)
    file, ring = written("24.zip", zipped(entries)), KeyRing({"k": key_pem(ec_key("many"))})
    told: list[tuple[int, int]] = []
    alone = unpack(file, tmp_path / "one", keys=ring, processes=1)
    shared = unpack(file, tmp_path / "two", keys=ring, processes=2, on_progress=lambda *done: told.append(done))
    assert [one.name for one in shared] == [one.name for one in alone] == list(leaves)
    assert [issue_of(one.installed.path) for one in shared] == list(leaves.values())
    assert told[0] == (0, 151)
    assert told[-1] == (151, 151)
    assert told == sorted(told)
    before = tree(tmp_path / "two")
    late = {**entries, "z.pem": pem(build("z", ec_key("z"), "Other CA", ec_key("other"), ca=False))}
    with pytest.raises(BundleError, match=r"^z\.pem: the chain is incomplete") as raised:
        unpack(written("25.zip", zipped(late)), tmp_path / "two", keys=ring, processes=2)
    assert raised.value.hint
    assert tree(tmp_path / "two") == before


@pytest.mark.parametrize("form", ["p12", "named oddly", "pem", "der", "p7b"])
def test_one_file_of_any_form(written: Callable[[str, bytes], Path], target: Path, form: str) -> None:
    own, leaf = home(), issue("a.example.com")
    name, data, folder = {
        "p12": ("a.example.com.PFX", whole_store("a.example.com"), "a.example.com"),
        "named oddly": ("a.example.com", whole_store("a.example.com"), "a.example.com"),
        "pem": ("x.pem", pem(own.root, leaf, own.issuing), "x"),
        "der": ("x.bin", leaf.public_bytes(Encoding.DER), "x.bin"),
        "p7b": ("x.p7b", pkcs7.serialize_certificates([own.root, leaf, own.issuing], Encoding.DER), "x"),
    }[form]
    roots = pem(own.issuing) if form == "der" else None
    [one] = unpack(written(name, data), target, password=PASSWORD, roots=roots)
    assert (one.name, one.common_name) == (folder, "a.example.com")


def test_a_stream_is_named_by_its_certificate(target: Path) -> None:
    [one] = unpack(io.BytesIO(whole_store("b.example.com")), target, password=PASSWORD)
    assert one.name == "a.example.com", "its first DNS name"
    with pytest.raises(BundleError, match=r"^-\.p12: the password does not open"):
        unpack(io.BytesIO(whole_store("b.example.com")), target, password="wrong")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a", b"hello", "a is neither a ZIP nor a PKCS#12 nor a certificate"),
        ("a", b"", "a is neither a ZIP nor a PKCS#12 nor a certificate"),
        ("a.zip", b"hello", "this is not a ZIP"),
        ("a.p12", b"hello", "the PKCS#12 is damaged, or it is none"),
        ("a.pem", b"hello", "holds no certificate"),
        ("a.pem", pem(home().issuing), "no certificate of an end entity"),
        ("a.zip", zipped({"readme.txt": b"hello"}), "no certificate of an end entity"),
    ],
)
def test_what_is_none_of_them(
    written: Callable[[str, bytes], Path], target: Path, name: str, data: bytes, words: str
) -> None:
    with pytest.raises(BundleError, match=words):
        unpack(written(name, data), target, password=PASSWORD)
    assert not target.exists()


def test_what_is_too_large_is_not_taken_into_memory(
    written: Callable[[str, bytes], Path], target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sources", "unpack"):
        monkeypatch.setattr(f"sectigo_iot.pki.unpacking.{module}.LARGEST", 1 << 10)
    for file in (written("a.p12", b"0" * 2000), written("a.zip", zipped({"a.p12": b"0" * 2000}))):
        with pytest.raises(BundleError, match=r"larger than|more than 1024 bytes"):
            unpack(file, target, password=PASSWORD)


def test_what_is_asked_for_wrongly(written: Callable[[str, bytes], Path], target: Path) -> None:
    file = written("a.p12", whole_store("a"))
    wrong: list[tuple[dict[str, object], type[Exception], str]] = [
        ({"format": "jks"}, InvalidInputError, "no format 'jks'"),
        ({"modernize": True}, InvalidInputError, "only a PKCS#12"),
        ({"at": datetime(2026, 1, 1)}, InvalidInputError, "no time zone"),
        ({"keep": 0}, InvalidInputError, "at least one"),
        ({"grants": ["no such user"]}, InvalidInputError, "no user"),
        ({"password": None}, PKCSPasswordRequiredError, "a password is needed"),
    ]
    for arguments, error, words in wrong:
        with pytest.raises(error, match=words):
            unpack(file, target, **{"password": PASSWORD, **arguments})  # type: ignore[arg-type]
    assert not target.exists()
    leaf = written("a.pem", pem(issue("a"), home().issuing, home().root))
    with pytest.raises(BundleError, match="no private key to put into a PKCS#12"):
        unpack(leaf, target, format="p12")
    ring = KeyRing({"k": key_pem(ec_key("a"))})
    with pytest.raises(PKCSPasswordRequiredError, match="to make a PKCS#12"):
        unpack(leaf, target, format="p12", keys=ring)
    unpack(leaf, target, format="p12", keys=ring, password="new password")
    assert open_pkcs12((target / "a/a.p12").read_bytes(), "new password").chain == (home().issuing, home().root)


def test_no_secret_is_in_what_is_returned(written: Callable[[str, bytes], Path], target: Path) -> None:
    done = unpack(written("a.p12", whole_store("a")), target, password=PASSWORD)
    assert PASSWORD not in repr(done)
    assert "PRIVATE" not in repr(done)
    assert "PRIVATE" not in repr(KeyRing({"k": key_pem(ec_key("a"))}))
