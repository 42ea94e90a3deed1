"""What an upload would be refused for: each request by itself, beside the others, and by the profile's rules."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from sectigo_iot import UPLOAD_CHECKS, InvalidInputError, ProfileParameter, UploadFault, check_upload
from sectigo_iot.matching import is_cheap, matches
from sectigo_iot.pki import CertificateRequest, read_requests

CN, O, L, ST, C = (  # noqa: E741 - that is what they are called
    NameOID.COMMON_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.LOCALITY_NAME,
    NameOID.STATE_OR_PROVINCE_NAME,
    NameOID.COUNTRY_NAME,
)
FULL = ((O, "Example"), (L, "Menlo Park"), (ST, "California"), (C, "US"))
Attributes = tuple[tuple[ObjectIdentifier, str], ...]


def made(
    name: str = "a.example.com",
    *more: tuple[ObjectIdentifier, str],
    dns: tuple[str, ...] | None = None,
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | None = None,
    source: str = "a.csr",
) -> CertificateRequest:
    """Return a request as it is read; its dNSName is its common name unless others are given."""
    attributes = [*([(CN, name)] if name else []), *more]
    with warnings.catch_warnings():
        # Of a length that is to be refused.
        warnings.simplefilter("ignore")
        subject = x509.Name([x509.NameAttribute(oid, value, _validate=False) for oid, value in attributes])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    names = (name,) if dns is None else dns
    if names:
        san = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        builder = builder.add_extension(san, critical=False)
    signer = key or ec.generate_private_key(ec.SECP256R1())
    request = builder.sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    [read] = read_requests(request.public_bytes(Encoding.PEM), source)
    return read


@cache
def good() -> CertificateRequest:
    return made("a.example.com", *FULL)


def rule(name: str, pattern: str | None = None, *, required: bool = True, **more: object) -> ProfileParameter:
    return ProfileParameter.read({"name": name, "required": required, "validationPattern": pattern, **more})


SEVENTEEN = (rule("commonName"), rule("dNSName"), rule("pkcs12Password"))
EIGHTY_FIVE = (
    *SEVENTEEN,
    rule("organizationName"),
    rule("localityName"),
    rule("stateOrProvinceName"),
    rule("countryName", "^[A-Z]{2}$", message="two capital letters"),
)


def found(*requests: CertificateRequest, rules: tuple[ProfileParameter, ...] | None = None) -> list[tuple[str, str]]:
    return [(fault.check, fault.text) for fault in check_upload(requests, rules).faults]


@pytest.mark.parametrize("rules", [None, (), SEVENTEEN, EIGHTY_FIVE])
def test_a_good_request_passes_whatever_the_profile_demands(rules: tuple[ProfileParameter, ...] | None) -> None:
    assert check_upload([good()], rules) == ((), (), ())


def test_a_request_without_a_dns_name_is_told_in_the_services_own_words() -> None:
    [(check, text)] = found(made(dns=()))
    assert check == "missing-san"
    assert "'Cert subject name error: SubjectAlternativeName dNSName value is missing'" in text
    assert text.endswith("make it with subjectAltName=DNS:a.example.com")


def test_a_san_of_another_kind_is_no_dns_name() -> None:
    [read] = read_requests(_with_address())
    assert found(read)[0][0] == "missing-san"


def _with_address() -> bytes:
    from ipaddress import ip_address

    san = x509.SubjectAlternativeName([x509.IPAddress(ip_address("192.0.2.1"))])
    subject = x509.Name([x509.NameAttribute(CN, "a.example.com")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(san, critical=False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM)


def test_a_name_twice_in_one_request_is_told_whatever_its_case() -> None:
    faults = found(made(dns=("a.example.com", "b.example.com", "A.Example.COM", "b.example.com")))
    assert [check for check, _ in faults] == ["repeated-san", "repeated-san"]
    assert "'A.Example.COM' stands there twice" in faults[0][1]


@pytest.mark.parametrize("second", ["a.example.com", "A.EXAMPLE.com"])
def test_a_name_in_two_requests_is_told_with_the_place_of_the_first(second: str) -> None:
    [fault] = check_upload([made(source="x.csr"), made("b.example.com"), made(second, source="y.csr")]).faults
    assert fault.check == "same-name"
    assert str(fault).startswith(f"y.csr, request 1: its name {second!r} is that of x.csr, request 1: ")


def test_the_name_of_a_request_without_a_common_name_is_its_first_dns_name() -> None:
    nameless = made("", dns=("a.example.com", "b.example.com"))
    assert [check for check, _ in found(made(), nameless)] == ["same-name"]
    assert found(made(), made("", dns=("b.example.com", "a.example.com"))) == []


def test_two_requests_for_one_key_are_told() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    [(check, text)] = found(made(key=key), made("b.example.com", key=key))
    assert (check, "a.csr, request 1" in text) == ("same-key", True)


def test_a_request_made_anew_with_its_old_key_is_told_twice_and_a_copy_once() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert [check for check, _ in found(made(key=key), made(key=key))] == ["same-name", "same-key"]
    [(check, text)] = found(good(), good_again())
    assert (check, text) == ("same-request", "it is the same as a.csr, request 1, and each would be paid for")


def good_again() -> CertificateRequest:
    [read] = read_requests(good().pem, "again.csr")
    return read


def test_profile_85_demands_a_whole_subject_and_17_does_not() -> None:
    bare = made()
    assert found(bare, rules=SEVENTEEN) == []
    faults = found(bare, rules=EIGHTY_FIVE)
    assert {check for check, _ in faults} == {"missing-subject"}
    names = ["organizationName", "localityName", "stateOrProvinceName", "countryName"]
    assert [name in text for name, (_, text) in zip(names, faults, strict=True)] == [True] * 4
    assert faults[0][1].endswith("make it with O=… there")


def test_a_blank_value_is_none() -> None:
    read = made("a.example.com", (O, "  "), *FULL[1:])
    assert ("missing-subject", "organizationName") in [
        (check, text.split()[4].rstrip(",")) for check, text in found(read, rules=EIGHTY_FIVE)
    ]


def test_what_is_not_required_or_has_a_value_may_be_missing() -> None:
    assert found(made(), rules=(rule("organizationName", required=False), rule("localityName", value="Here"))) == []


def test_a_common_name_is_demanded_where_the_profile_does() -> None:
    nameless = made("", dns=("a.example.com",))
    assert found(nameless) == []
    [(check, text)] = found(nameless, rules=SEVENTEEN)
    assert (check, "commonName" in text) == ("missing-subject", True)


def test_the_profiles_patterns_are_applied_to_the_requests_values() -> None:
    rules = (
        rule("commonName", r"^[a-z.]+\.org$", message="a name in .org"),
        rule("dNSName", "^[a-z.]+$"),
        rule("localityName", "^[A-Z ]+$"),
    )
    faults = found(made("a.example.com", *FULL, dns=("a.example.com", "b-2.example.com")), rules=rules)
    assert faults == [
        ("refused-subject", "its commonName 'a.example.com' is refused by the profile: a name in .org"),
        ("refused-subject", "its dNSName 'b-2.example.com' is refused by the profile: it must match ^[a-z.]+$"),
        ("refused-subject", "its localityName 'Menlo Park' is refused by the profile: it must match ^[A-Z ]+$"),
    ]


def test_the_password_of_a_pkcs12_is_nothing_that_a_request_has() -> None:
    assert check_upload([good()], [rule("pkcs12Password", "^never$")]) == ((), (), ())


def test_a_demand_that_no_request_can_meet_is_said() -> None:
    check = check_upload([good()], [rule("deviceModel"), rule("deviceColour", required=False)])
    assert check.faults == ()
    assert check.unchecked == (
        "deviceModel is not checked: the profile demands it, and a request has no place for it",
    )


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ((O, "Example "), "begins or ends with a blank"),
        ((O, "[organization]"), "is a placeholder"),
        ((L, "<city>"), "is a placeholder"),
        ((ST, "Some-State"), "is what openssl suggests"),
        ((O, "x" * 65), "has 65 characters, and 64 are allowed"),
        ((C, "UK"), "is no country code of ISO 3166: write GB"),
        ((C, "XX"), "is no country code of ISO 3166"),
        ((C, "us"), "write US"),
        ((C, "USA"), "write US"),
        ((O, ""), "is empty"),
        ((L, " "), "is empty"),
        ((NameOID.ORGANIZATIONAL_UNIT_NAME, "[unit]"), "is a placeholder"),
        ((NameOID.ORGANIZATIONAL_UNIT_NAME, " IT"), "begins or ends with a blank"),
    ],
)
def test_a_value_that_nobody_meant_is_told(attribute: tuple[ObjectIdentifier, str], said: str) -> None:
    [(check, text)] = found(made("a.example.com", attribute))
    assert (check, said in text) == ("odd-subject", True), text


def test_all_faults_come_at_once_in_the_order_of_the_requests() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    first = made("a.example.com", (C, "uk"), dns=(), key=key, source="1.csr")
    second = made("a.example.com", *FULL, key=key, source="2.csr")
    faults = check_upload([second, first], EIGHTY_FIVE).faults
    assert [(f.request.source, f.check) for f in faults] == [
        ("1.csr", "missing-san"),
        *[("1.csr", "missing-subject")] * 3,
        ("1.csr", "odd-subject"),
        ("1.csr", "refused-subject"),
        ("1.csr", "same-name"),
        ("1.csr", "same-key"),
    ]


MADE_WITH_FAULTS: dict[str, Callable[[], list[CertificateRequest]]] = {
    "missing-san": lambda: [made("a.example.com", *FULL, dns=())],
    "repeated-san": lambda: [made("a.example.com", *FULL, dns=("a.example.com",) * 2)],
    "same-name": lambda: [made("a.example.com", *FULL), good()],
    "same-key": lambda: [
        made(f"{each}.example.com", *FULL, key=ec.derive_private_key(7, ec.SECP256R1())) for each in "bc"
    ],
    "missing-subject": lambda: [made()],
    "refused-subject": lambda: [made("a.example.com", *FULL[:3], (C, "U1"))],
    "odd-subject": lambda: [made("a.example.com", (O, "[name]"), *FULL[1:])],
}


@pytest.mark.parametrize("check", UPLOAD_CHECKS)
def test_each_check_can_be_left_out_and_no_other_with_it(check: str) -> None:
    requests = MADE_WITH_FAULTS[check]()
    checks = {fault.check for fault in check_upload(requests, EIGHTY_FIVE).faults}
    assert check in checks
    assert {fault.check for fault in check_upload(requests, EIGHTY_FIVE, [check]).faults} == checks - {check}


@pytest.mark.parametrize("check", ["same-request", "weak-key", "", "MISSING-SAN"])
def test_another_check_cannot_be_left_out(check: str) -> None:
    with pytest.raises(InvalidInputError, match="there is no check") as caught:
        check_upload([good()], allow=["missing-san", check])
    assert caught.value.hint == f"there are {', '.join(UPLOAD_CHECKS)}"


def test_a_copy_is_refused_whatever_is_allowed() -> None:
    assert [f.check for f in check_upload([good(), good_again()], allow=UPLOAD_CHECKS).faults] == ["same-request"]


def warned(request: CertificateRequest) -> tuple[UploadFault, ...]:
    check = check_upload([request])
    assert check.faults == ()
    return check.warnings


@pytest.mark.parametrize("dns", [("b.example.com",), ("*.b.example.com",), ("*.com",), ("example.com",)])
def test_a_common_name_beside_the_dns_names_is_warned_of(dns: tuple[str, ...]) -> None:
    [warning] = warned(made(dns=dns))
    assert "its common name 'a.example.com' is none of its dNSNames" in str(warning)


@pytest.mark.parametrize("dns", [("b.example.com", "A.example.com"), ("*.example.com",)])
def test_a_common_name_that_a_dns_name_stands_for_is_not(dns: tuple[str, ...]) -> None:
    assert warned(made(dns=dns)) == ()


@pytest.mark.parametrize(
    ("name", "dns"),
    [
        ("m\u00fcnchen.example.com", "xn--mnchen-3ya.example.com"),
        ("*.M\u00dcNCHEN.example.com", "*.xn--mnchen-3ya.example.com"),
        ("00:1A:2B:3C:4D:5E", "sensor.example.com"),
        ("urn:imei:49-015420", "sensor.example.com"),
        ("4711", "sensor.example.com"),
        ("Sensor 7 in the hall.", "sensor.example.com"),
        ("192.0.2.1", "sensor.example.com"),
    ],
)
def test_a_name_in_other_letters_and_the_number_of_a_device_are_not_warned_of(name: str, dns: str) -> None:
    assert warned(made(name, dns=(dns,))) == ()


def test_a_name_in_other_letters_that_stands_nowhere_is_warned_of() -> None:
    for name in ("k\u00f6ln.example.com", "\u00df-.example.com", "a_b.example.com", "-\u00fc.example.com"):
        [warning] = warned(made(name, dns=("xn--mnchen-3ya.example.com",)))
        assert f"its common name {name!r} is none of its dNSNames" in warning.text


def test_two_common_names_are_warned_of() -> None:
    [warning] = warned(made("a.example.com", (CN, "b.example.com"), dns=("a.example.com", "b.example.com")))
    assert warning.text == "its subject has 2 common names: which of them the service goes by is not known"


def test_what_a_profile_may_not_take_is_warned_of() -> None:
    [warning] = warned(made(key=ed25519.Ed25519PrivateKey.generate()))
    assert "Ed25519" in warning.text
    [warning] = warned(made("a.example.com", (ST, "CA")))
    assert "spelt out" in warning.text


def test_ten_thousand_requests_are_compared_in_no_time() -> None:
    one = good()
    many = [
        CertificateRequest(
            f"h{i}.example.com", (f"h{i}.example.com",), b"%d" % i, "P-256", None, i, "m", str(i), FULL_TEXT
        )
        for i in range(10_000)
    ]
    assert one.subject[1:] == FULL_TEXT[1:]
    begun = time.process_time()
    assert check_upload(many, EIGHTY_FIVE).faults == ()
    assert time.process_time() - begun < 5


FULL_TEXT = (
    ("commonName", "h.example.com"),
    ("organizationName", "Example"),
    ("localityName", "Menlo Park"),
    ("stateOrProvinceName", "California"),
    ("countryName", "US"),
)

BAD_PATTERNS = ("(a+)+b", "(a|a)*b", "(a|aa)+b", "a?" * 40 + "a" * 40 + "b", "(.*a){25}b", "(?x)#[\n(a+)+b")


@pytest.mark.parametrize("pattern", BAD_PATTERNS)
def test_a_pattern_without_end_is_given_up(pattern: str) -> None:
    assert not is_cheap(pattern)
    text = "a" * 64
    begun = time.monotonic()
    assert matches([(pattern, text), ("a+", text), ("(?:a)+", "b")], seconds=0.1)["a+", text] is True
    assert time.monotonic() - begun < 5


def test_what_was_tried_before_the_time_was_over_is_known() -> None:
    pairs = [("(?:a)+", "aa"), ("(?:a)+", "ab"), ("(a+)+b", "a" * 64), ("(?:b)+", "b")]
    assert list(matches(pairs, seconds=0.5).values()) == [True, False, None, None]


def test_a_pattern_that_takes_too_long_is_said_and_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matches, "__kwdefaults__", {"seconds": 0.2})
    request = made("a.example.com", (O, "a" * 60))
    check = check_upload([request], [rule("organizationName", "(a+)+b")])
    assert check.faults == ()
    assert check.unchecked == ("organizationName is not checked: the profile's pattern for it cannot be tried here",)


@pytest.mark.parametrize("pattern", ["(", "[a-z&&[^x]]+", "/^[a-z]+$/i", r"\p{Lower}+", "a{99999999999999999999}"])
def test_a_pattern_that_python_reads_otherwise_decides_nothing(pattern: str) -> None:
    check = check_upload([good()], [rule("organizationName", pattern)])
    assert (check.faults, len(check.unchecked)) == ((), 1)


@pytest.mark.parametrize(
    "pattern",
    [r"^(?!\s)[^\x00-\x1f\x7f]{1,64}(?<!\s)$", "^[A-Z]{2}$", r"^[^()+*?|\]]+$", r"\(a\)\*", "", "[]+*|?]+", "(?:ab)"],
)
def test_what_repeats_little_is_tried_at_once(pattern: str) -> None:
    assert is_cheap(pattern)


def test_a_cheap_pattern_with_a_long_text_is_tried_elsewhere_with_the_same_result() -> None:
    assert matches([("a+", "a" * 1000), ("a+", "a" * 1000 + "b"), ("a+", "aa")]) == {
        ("a+", "aa"): True,
        ("a+", "a" * 1000): True,
        ("a+", "a" * 1000 + "b"): False,
    }


def test_a_pattern_that_takes_long_to_read_is_given_up_too() -> None:
    begun = time.monotonic()
    hard = f"(?i:{'[' + chr(0) + '-' + chr(0xFFFF) + ']'}" * 2000 + ")" * 2000
    assert matches([(hard, "a")], seconds=0.5) == {(hard, "a"): None}
    assert time.monotonic() - begun < 3
    long = "[a-z]" * 500
    assert matches([(long, "a" * 500), (long, "b"), ("/" + long, "/" + "a" * 500)]) == {
        (long, "a" * 500): True,
        (long, "b"): False,
        ("/" + long, "/" + "a" * 500): None,
    }


def test_where_there_is_no_interpreter_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = ("(?:a)+", "aa")
    for executable in ("", "/nonexistent/python"):
        monkeypatch.setattr("sys.executable", executable)
        assert matches([pair]) == {pair: None}
    monkeypatch.undo()
    monkeypatch.setattr("sys.frozen", True, raising=False)
    assert matches([pair]) == {pair: None}
