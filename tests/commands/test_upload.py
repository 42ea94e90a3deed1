"""upload: one file or many, PEM or ZIP, one batch; every fault named before anything is sent."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sectigo_cli.upload_findings import CHECKS
from sectigo_iot import UPLOAD_CHECKS
from sectigo_iot.emulator import Emulator
from sectigo_iot.matching import matches
from tests.commands.conftest import balance
from tests.commands.lying_service import CUT, PARAMETERS, UPLOAD, Answer, LyingService, document, html
from tests.commands.signing_requests import private_key, request
from tests.conftest import Runner

ONE, TWO, THREE = (request(f"{name}.example.com") for name in ("one", "two", "three"))


def zipped(**entries: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("_", "."), content)
    return target.getvalue()


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    contents = {
        "one.csr": ONE,
        "many.pem": TWO + b"\n" + THREE,
        "all.zip": zipped(a_csr=ONE, b_pem=TWO),
        "key.csr": ONE + private_key(),
        "cut.csr": TWO + ONE[:200],
        "bad.csr": TWO + ONE.replace(b"BEGIN CERTIFICATE REQUEST-----\nM", b"BEGIN CERTIFICATE REQUEST-----\nA"),
        "text.csr": b"hello\n",
        "empty.csr": b"",
        "fake.zip": b"PK\x03\x04 this is no ZIP",
        "foreign.zip": zipped(a_csr=ONE, readme_txt=b"hello"),
    }
    for name, content in contents.items():
        Path(name).write_bytes(content)


GOOD = {
    "a PEM": (("one.csr",), 1, "one.csr"),
    "several requests in one PEM": (("many.pem",), 2, "many.pem"),
    "a ZIP": (("all.zip",), 2, "all.zip"),
    "several files": (("one.csr", "many.pem"), 3, "requests.zip"),
    "a path": (("./one.csr",), 1, "one.csr"),
}


@pytest.mark.parametrize(("paths", "size", "name"), GOOD.values(), ids=GOOD)
def test_one_batch_of_all_that_is_given(
    sectigo: Runner, shared: Emulator, paths: tuple[str, ...], size: int, name: str
) -> None:
    before = balance(shared)
    done = sectigo("upload", *paths, "-p", "423", env=shared.environ)
    assert done.code == 0, done
    batch = json.loads(done.out)
    assert (batch["size"], batch["batchName"]) == (size, name)
    plural = "" if size == 1 else "s"
    assert done.err == f"sectigo: ordering {size} certificate{plural} of profile 423\n"
    assert balance(shared) == before - size


@pytest.mark.parametrize(
    "words", [("-p", "423", "one.csr"), ("one.csr", "--profile", "423"), ("one.csr",), ("one.csr", "-P", "423")]
)
def test_where_the_profile_may_stand(sectigo: Runner, shared: Emulator, words: tuple[str, ...]) -> None:
    done = sectigo("upload", *words, env=shared.environ)
    assert done.code == 0, done
    assert json.loads(done.out)["profile"] == "CipherTrace EE"


def test_only_the_requests_are_sent(sectigo: Runner, liar: LyingService) -> None:
    der = x509.load_pem_x509_csr(ONE).public_bytes(Encoding.DER)
    for content in (b"a private remark\r\n" + ONE.replace(b"\n", b"\r\n"), der):
        Path("odd.csr").write_bytes(content)
        assert sectigo("upload", "odd.csr", "-p", "8", env=liar.environ).code == 0
        sent = liar.bodies[UPLOAD]
        assert ONE in sent
        assert b"remark" not in sent


def test_flags_between_the_files(sectigo: Runner, shared: Emulator) -> None:
    done = sectigo("upload", "one.csr", "-p", "423", "many.pem", env=shared.environ)
    assert json.loads(done.out)["size"] == 3


NO_PROFILE = {
    "none": (None, "which profile?", "`sectigo authorities`"),
    "unknown": ("Nonesuch", "no authority has the name 'Nonesuch'", "-p ID"),
}


@pytest.mark.parametrize(("name", "said", "hint"), NO_PROFILE.values(), ids=NO_PROFILE)
def test_no_profile(sectigo: Runner, liar: LyingService, name: str | None, said: str, hint: str) -> None:
    env = {**liar.environ, **({"SECTIGO_PROFILE": name} if name else {})}
    done = sectigo("upload", "one.csr", env=env)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert hint in done.err
    assert UPLOAD not in liar.asked


FAULTS = {
    "a missing file": (("none.csr",), ["none.csr: No such file or directory"]),
    "a folder": ((".",), [".: Is a directory"]),
    "no request": (("text.csr",), ["text.csr: holds no certificate signing request"]),
    "nothing": (("empty.csr",), ["empty.csr: holds no certificate signing request"]),
    "a ZIP that is none": (("fake.zip",), ["fake.zip: the ZIP is cut short or damaged"]),
    "a ZIP with something else": (("foreign.zip",), ["foreign.zip/readme.txt: is neither a .csr nor a .pem file"]),
    "a private key": (("key.csr",), ["key.csr: holds a private key: it must not be uploaded"]),
    "a damaged one, second in its file": (("bad.csr",), ["bad.csr, request 2: it is not a PKCS#10 request"]),
    "a cut one, second in its file": (("cut.csr",), ["cut.csr, request 2: "]),
    "faults in several files": (
        ("one.csr", "text.csr", "bad.csr"),
        ["2 faults, nothing was sent:", "text.csr: holds no", "bad.csr, request 2: "],
    ),
}


@pytest.mark.parametrize(("paths", "said"), FAULTS.values(), ids=FAULTS)
def test_faults_are_named_by_file_and_position(
    sectigo: Runner, liar: LyingService, paths: tuple[str, ...], said: list[str]
) -> None:
    done = sectigo("upload", *paths, "-p", "8", env=liar.environ)
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert len(lines) == len(said)
    for line, part in zip(lines, said, strict=True):
        assert part in line
    assert "PRIVATE KEY" not in done.err
    assert liar.asked == []


@pytest.mark.parametrize("paths", [("one.csr", "one.csr"), ("one.csr", "./one.csr"), ("all.zip", "one.csr")])
def test_a_request_that_is_given_twice(sectigo: Runner, liar: LyingService, paths: tuple[str, str]) -> None:
    done = sectigo("upload", *paths, "-p", "8", env=liar.environ)
    assert (done.code, done.out) == (2, "")
    assert "each would be paid for" in done.err
    assert liar.asked == []


@pytest.mark.parametrize("answer", [CUT, html(), document(None), Answer(), document({}, 502)])
def test_a_reply_that_is_lost(sectigo: Runner, liar: LyingService, answer: Answer) -> None:
    liar.answers[UPLOAD] = answer
    done = sectigo("upload", "one.csr", "-p", "8", env=liar.environ)
    assert (done.code, done.out) == (5, "")
    assert "'one.csr'" in done.err
    assert "do not repeat it" in done.err
    assert liar.asked.count(UPLOAD) == 1


@pytest.fixture(scope="module")
def own() -> Iterator[Emulator]:
    """An emulator that nobody orders from but in these tests: what its journal has of orders is theirs."""
    with Emulator(balances={423: 1000, 489: 1000}) as service:
        yield service


KEYS = {"k": ec.generate_private_key(ec.SECP256R1())}
SUBJECT = ("/O=Example", "/L=Menlo Park", "/ST=California", "/C=US")


def signing_request(
    name: str = "/CN=a.example.com", *more: str, dns: tuple[str, ...] | None = None, key: str = ""
) -> bytes:
    """Return a request as `openssl req -subj` would make it; the dNSName is the common name unless told otherwise."""
    parts = [part.partition("=") for part in (name, *more) if part]
    attributes = [x509.NameAttribute(OIDS[part], value, _validate=False) for part, _, value in parts]
    names = (name.partition("=")[2],) if dns is None else dns
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    return builder.sign(KEYS.get(key) or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(
        Encoding.PEM
    )


OIDS = {
    "/CN": NameOID.COMMON_NAME,
    "/O": NameOID.ORGANIZATION_NAME,
    "/L": NameOID.LOCALITY_NAME,
    "/ST": NameOID.STATE_OR_PROVINCE_NAME,
    "/C": NameOID.COUNTRY_NAME,
}
FULL = signing_request("/CN=full.example.com", *SUBJECT)
REFUSED: dict[str, tuple[int, list[bytes], list[str]]] = {
    "without a dNSName": (423, [signing_request(dns=())], ["0.csr, request 1: it has no dNSName"]),
    "a dNSName twice": (
        423,
        [signing_request(dns=("a.example.com", "A.example.com"))],
        ["0.csr, request 1: its dNSName 'A.example.com' stands there twice"],
    ),
    "a name in two requests": (
        423,
        [signing_request(), signing_request("/CN=A.example.com")],
        ["1.csr, request 1: its name 'A.example.com' is that of 0.csr, request 1"],
    ),
    "a name in two requests of a file": (
        423,
        [signing_request() + signing_request()],
        ["0.csr, request 2: its name 'a.example.com' is that of 0.csr, request 1"],
    ),
    "a key in two requests": (
        423,
        [signing_request(key="k"), signing_request("/CN=b.example.com", key="k")],
        ["1.csr, request 1: its key is that of 0.csr, request 1"],
    ),
    "what profile 85 demands": (
        489,
        [FULL, signing_request("/CN=a.example.com", "/C=U1", "/O= x ")],
        [
            "6 faults, nothing was sent:",
            "1.csr, request 1: its subject has no localityName, which the profile demands: make it with L=… there",
            "1.csr, request 1: its subject has no stateOrProvinceName",
            "1.csr, request 1: its countryName 'U1' is no country code",
            "1.csr, request 1: its organizationName ' x ' begins or ends with a blank",
            "1.csr, request 1: its countryName 'U1' is refused by the profile: two capital letters",
        ],
    ),
    "everything at once": (
        489,
        [signing_request("/CN=a.example.com", *SUBJECT[:3], dns=()), ONE[:200], b"hello"],
        [
            " faults, nothing was sent:",
            "0.csr, request 1: it has no dNSName",
            "1.csr, request 1: ",
            "2.csr: holds no certificate signing request",
        ],
    ),
}


def written(contents: list[bytes]) -> list[str]:
    for number, content in enumerate(contents):
        Path(f"{number}.csr").write_bytes(content)
    return [f"{number}.csr" for number in range(len(contents))]


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("more", [(), ("--check-only",)], ids=["upload", "check only"])
def test_what_would_be_paid_for_in_vain_is_refused_before_it_is_sent(
    sectigo: Runner, own: Emulator, case: str, more: tuple[str, ...]
) -> None:
    profile, contents, said = REFUSED[case]
    before = own.control.orders()["count"]
    done = sectigo("upload", *written(contents), "-p", str(profile), *more, env=own.environ)
    assert done.code == 2, done
    lines = done.err.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("sectigo: error: "))
    for part in said:
        assert any(part in line for line in lines[start:]), (part, lines)
    assert own.control.orders()["count"] == before


def test_profile_17_demands_no_subject(sectigo: Runner, own: Emulator) -> None:
    paths = written([signing_request("/CN=plain.example.com")])
    for profile, code in ((489, 2), (423, 0)):
        assert sectigo("upload", *paths, "-p", str(profile), env=own.environ).code == code


def test_a_whole_subject_is_ordered_from_profile_85(sectigo: Runner, own: Emulator) -> None:
    done = sectigo("upload", *written([FULL]), "-p", "489", env=own.environ)
    assert done.code == 0, done
    assert done.err == "sectigo: ordering 1 certificate of profile 489\n"


def test_a_demand_that_came_without_notice_is_heeded(sectigo: Runner, emulator: Emulator) -> None:
    paths = written([signing_request("/CN=plain.example.com")])
    emulator.control.require_parameter(423, "organizationName")
    done = sectigo("upload", *paths, "-p", "423", env=emulator.environ)
    assert (done.code, done.out) == (2, "")
    assert "its subject has no organizationName" in done.err
    assert done.err.endswith(
        "sectigo: hint: `sectigo profiles -i 423 --params` lists the profile's rules; "
        "`--allow missing-subject` takes it all the same\n"
    )
    assert emulator.control.orders()["count"] == 0
    assert sectigo("upload", *paths, "-p", "423", "--allow", "missing-subject", env=emulator.environ).code == 0
    assert emulator.control.orders()["count"] == 1


ALLOWED = {
    "missing-san": [signing_request(dns=())],
    "repeated-san": [signing_request(dns=("a.example.com",) * 2)],
    "same-name": [signing_request(), signing_request()],
    "same-key": [signing_request(key="k"), signing_request("/CN=b.example.com", key="k")],
    "odd-subject": [signing_request("/CN=a.example.com", "/O=[organization]")],
}


@pytest.mark.parametrize("check", ALLOWED)
def test_a_check_is_left_out_on_demand(sectigo: Runner, liar: LyingService, check: str) -> None:
    paths = written(ALLOWED[check])
    refused = sectigo("upload", *paths, "-p", "8", env=liar.environ)
    assert (refused.code, UPLOAD in liar.asked) == (2, False)
    assert f"`--allow {check}` takes it all the same" in refused.err
    others = [word for other in CHECKS if other != check for word in ("--allow", other)]
    assert sectigo("upload", *paths, "-p", "8", *others, env=liar.environ).code == 2
    assert sectigo("upload", *paths, "-p", "8", "--allow", check, env=liar.environ).code == 0
    assert liar.asked.count(UPLOAD) == 1


def test_the_checks_are_those_of_the_library() -> None:
    assert CHECKS == UPLOAD_CHECKS


@pytest.mark.parametrize("check", ["weak-key", "same-request", ""])
def test_no_other_check_can_be_left_out(sectigo: Runner, liar: LyingService, check: str) -> None:
    done = sectigo("upload", "one.csr", "-p", "8", "--allow", check, env=liar.environ)
    assert (done.code, done.out, liar.asked) == (2, "", [])
    assert "argument --allow: invalid choice" in done.err


def test_what_is_unsound_is_refused_whatever_is_allowed(sectigo: Runner, liar: LyingService) -> None:
    every = [word for check in CHECKS for word in ("--allow", check)]
    for paths in (["cut.csr"], ["one.csr", "one.csr"], ["key.csr"]):
        done = sectigo("upload", *paths, "-p", "8", *every, env=liar.environ)
        assert (done.code, done.out, liar.asked) == (2, "", [])
        assert "--allow" not in done.err


def test_check_only_prints_what_was_found_and_sends_nothing(sectigo: Runner, own: Emulator) -> None:
    before = own.control.orders()["count"]
    done = sectigo("upload", "many.pem", "all.zip", "-p", "423", "--check-only", env=own.environ)
    assert done.code == 2, done
    entries = json.loads(done.out)
    assert [(each["file"], each["request"], each["name"]) for each in entries] == [
        ("many.pem", 1, "two.example.com"),
        ("many.pem", 2, "three.example.com"),
        ("all.zip/a.csr", 1, "one.example.com"),
        ("all.zip/b.pem", 1, "two.example.com"),
    ]
    assert [(each["dns"], each["keyType"]) for each in entries] == [([each["name"]], "P-256") for each in entries]
    assert [len(each["publicKeySHA256"]) for each in entries] == [64] * 4
    assert [each["faults"] for each in entries] == [
        *[[]] * 3,
        ["it is the same as many.pem, request 1, and each would be paid for"],
    ]
    assert own.control.orders()["count"] == before


def test_check_only_of_what_is_good(sectigo: Runner, own: Emulator) -> None:
    before = own.control.orders()["count"]
    words = ("upload", "many.pem", "-p", "423", "--check-only", "--wait", "--download", "certs")
    done = sectigo(*words, env=own.environ)
    assert done.code == 0, done
    assert done.err == "sectigo: nothing was ordered (--check-only)\n"
    assert [each["faults"] + each["warnings"] for each in json.loads(done.out)] == [[], []]
    assert own.control.orders()["count"] == before
    assert not Path("certs").exists()


UNSOUND = {
    "text.csr": (None, None, "holds no certificate signing request"),
    "weak.csr": (1, "weak.example.com", "its RSA key has 1024 bits, and 2048 are needed"),
    "cut.csr": (2, None, "the block that begins on line "),
}


@pytest.mark.parametrize("path", UNSOUND)
def test_check_only_needs_no_service_and_no_settings(sectigo: Runner, path: str) -> None:
    key = rsa.generate_private_key(65537, 1024)
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weak.example.com")])
    )
    san = x509.SubjectAlternativeName([x509.DNSName("weak.example.com")])
    weak = builder.add_extension(san, critical=False).sign(key, hashes.SHA256())
    Path("weak.csr").write_bytes(weak.public_bytes(Encoding.PEM))
    done = sectigo("upload", path, "--check-only")
    position, name, said = UNSOUND[path]
    entry = json.loads(done.out)[-1]
    assert (done.code, entry["file"], entry["request"], entry["name"]) == (2, path, position, name)
    assert [fault.startswith(said) for fault in entry["faults"]] == [True]
    assert done.err.startswith(
        "sectigo: what the profile demands is not checked before ordering: no profile was named, with -p ID\n"
    )


def test_check_only_says_why_the_profile_was_not_asked(sectigo: Runner, liar: LyingService) -> None:
    said = "sectigo: what the profile demands is not checked before ordering: "
    done = sectigo("upload", "one.csr", "-p", "8", "--check-only")
    assert (done.code, done.err.startswith(f"{said}there are no credentials")) == (0, True), done
    free = {**liar.environ, "SECTIGO_ENDPOINT": "http://127.0.0.1:1"}
    done = sectigo("upload", "one.csr", "-p", "8", "--check-only", env=free)
    assert (done.code, done.err.startswith(said)) == (0, True), done
    done = sectigo("upload", "one.csr", "-p", "8", "--check-only", env=liar.environ)
    assert (done.code, done.err.startswith(f"{said}the service does not list it")) == (0, True), done
    liar.answers[PARAMETERS] = document([])
    done = sectigo("upload", "one.csr", "-p", "8", "--check-only", env=liar.environ)
    assert (done.code, done.err.startswith(f"{said}the service's list of it is empty")) == (0, True), done
    liar.answers[PARAMETERS] = document({"message": "no"}, 403)
    done = sectigo("upload", "one.csr", "-p", "8", "--check-only", env=liar.environ)
    assert done.code == 1, "a refusal is no answer to pass over"
    assert UPLOAD not in liar.asked


def test_what_is_odd_is_said_and_ordered_all_the_same(sectigo: Runner, liar: LyingService) -> None:
    odd = [signing_request(f"/CN={n}.example.com", "/ST=CA", dns=(f"{n}.example.org",)) for n in range(12)]
    liar.answers[PARAMETERS] = document([{"name": "deviceModel", "required": True}])
    done = sectigo("upload", *written(odd), "-p", "8", env=liar.environ)
    assert done.code == 0, done
    lines = done.err.splitlines()
    assert lines[0].startswith("sectigo: deviceModel is not checked")
    assert lines[1].startswith("sectigo: 0.csr, request 1: its common name '0.example.com' is none of its dNSNames")
    assert lines[-2:] == ["sectigo: and 4 more like that", "sectigo: ordering 12 certificates of profile 8"]


def test_a_pattern_that_never_ends_keeps_nobody_waiting(
    sectigo: Runner, liar: LyingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matches, "__kwdefaults__", {"seconds": 0.2})
    pattern = {"name": "organizationName", "required": True, "validationPattern": "(a+)+b"}
    liar.answers[PARAMETERS] = document([pattern])
    done = sectigo("upload", *written([signing_request("/CN=a.test", f"/O={'a' * 60}")]), "-p", "8", env=liar.environ)
    assert done.code == 0
    assert done.err.startswith("sectigo: organizationName is not checked: the profile's pattern")


def test_wait_and_download(sectigo: Runner, shared: Emulator) -> None:
    done = sectigo("upload", "one.csr", "-p", "423", "--wait", "--download", "certs", env=shared.environ)
    assert done.code == 0, done
    batch = json.loads(done.out)["batchId"]
    assert f"batch {batch} is ready: 1 issued\n" in done.err
    assert f"downloaded batch {batch} to certs/{batch}.zip\n" in done.err
    with zipfile.ZipFile(f"certs/{batch}.zip") as archive:
        names = archive.namelist()
    assert f"after unzipping, the certificates are in {', '.join(names)}\n" in done.err
    assert Path("certs").stat().st_mode & 0o777 == 0o700


def test_a_download_folder_that_cannot_be(sectigo: Runner, liar: LyingService) -> None:
    done = sectigo("upload", "one.csr", "-p", "8", "--download", "one.csr", env=liar.environ)
    assert (done.code, done.out) == (2, "")
    assert "one.csr is no folder" in done.err
    assert liar.asked == []


def test_of_very_many_faults_some_are_told(sectigo: Runner, liar: LyingService, here: Path) -> None:
    Path("all.csr").write_text(
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n" * 1000
    )
    done = sectigo("upload", "all.csr", "-p", "42", env=liar.environ)
    assert (done.code, done.out, liar.asked) == (2, "", [])
    lines = done.err.splitlines()
    assert len(lines) <= 104
    assert any(line.startswith("  and ") and line.endswith(" more") for line in lines)
