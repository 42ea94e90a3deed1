"""Requests as they are built: what stands in them, alone and many at once."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import multiprocessing
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sectigo_iot.errors import InvalidInputError, InvalidRequestError
from sectigo_iot.pki import (
    KEY_KINDS,
    CertificateRequest,
    MadeRequest,
    RequestKey,
    RequestSpec,
    build_request,
    generate_key,
    make_requests,
    private_key_pem,
    read_private_key,
    read_requests,
    request_fits,
    write_zip,
)
from sectigo_iot.pki.requesting import many

FULL = RequestSpec(
    ("node.example.com", "api.example.com", "*.example.org"), "Example & Söhne GmbH", "München", "Bayern", "DE"
)
BARE = RequestSpec(("node.example.com",))
KINDS = ("RSA-2048", "P-256", "P-384", "Ed25519")


@functools.cache
def key_of(kind: str) -> RequestKey:
    return generate_key(kind)


def built(kind: str = "P-256", spec: RequestSpec = FULL) -> x509.CertificateSigningRequest:
    return x509.load_pem_x509_csr(build_request(key_of(kind), spec))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read_as_a_good_request(kind: str) -> None:
    (request,) = read_requests(build_request(key_of(kind), FULL))
    assert (request.common_name, request.dns_names) == (FULL.names[0], FULL.names)
    assert request.key == kind
    assert request.signature_hash == (None if kind == "Ed25519" else "SHA-384")


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_the_four_extensions_and_none_is_critical(kind: str) -> None:
    extensions = list(built(kind).extensions)
    assert [type(each.value) for each in extensions] == [
        x509.BasicConstraints,
        x509.KeyUsage,
        x509.ExtendedKeyUsage,
        x509.SubjectAlternativeName,
    ]
    assert not [each for each in extensions if each.critical]
    basic, usage, extended, names = (each.value for each in extensions)
    assert basic == x509.BasicConstraints(ca=False, path_length=None)
    assert isinstance(usage, x509.KeyUsage)
    assert usage.digital_signature
    assert usage.content_commitment
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    assert names == x509.SubjectAlternativeName([x509.DNSName(name) for name in FULL.names])


@pytest.mark.parametrize("kind", KINDS)
def test_only_an_rsa_key_enciphers_keys(kind: str) -> None:
    usage = built(kind).extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_encipherment is kind.startswith("RSA")
    assert not (usage.data_encipherment or usage.key_agreement or usage.key_cert_sign or usage.crl_sign)


def test_the_subject_is_in_the_order_of_the_manual() -> None:
    assert [(each.oid, each.value) for each in built().subject] == [
        (NameOID.COMMON_NAME, "node.example.com"),
        (NameOID.ORGANIZATION_NAME, "Example & Söhne GmbH"),
        (NameOID.LOCALITY_NAME, "München"),
        (NameOID.STATE_OR_PROVINCE_NAME, "Bayern"),
        (NameOID.COUNTRY_NAME, "DE"),
    ]


def test_what_is_empty_does_not_stand_in_it() -> None:
    assert [each.oid for each in built(spec=BARE).subject] == [NameOID.COMMON_NAME]


def test_the_spec_is_brought_into_form() -> None:
    request = built(spec=RequestSpec(("Node.EXAMPLE.com", "müller.example.com"), country="de"))
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["node.example.com", "xn--mller-kva.example.com"]
    assert request.subject.rfc4514_string() == "C=DE,CN=node.example.com"


def test_all_that_is_wrong_with_a_spec_is_told() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        build_request(key_of("P-256"), RequestSpec(("https://example.com", "192.0.2.1"), country="XX"))
    assert len(refused.value.faults) == 3


def test_a_request_fits_its_own_key_and_spec() -> None:
    for kind, spec in itertools.product(KINDS, (FULL, BARE)):
        assert request_fits(build_request(key_of(kind), spec), key_of(kind), spec)
    assert request_fits(build_request(key_of("P-256"), BARE), key_of("P-256"), RequestSpec(("NODE.example.com",)))


OTHERS = {
    "another name": RequestSpec(("other.example.com",)),
    "one more name": RequestSpec((*BARE.names, "b.example.com")),
    "another organization": RequestSpec(BARE.names, organization="Example"),
}


@pytest.mark.parametrize("spec", OTHERS.values(), ids=OTHERS)
def test_it_does_not_fit_another_spec(spec: RequestSpec) -> None:
    assert not request_fits(build_request(key_of("P-256"), BARE), key_of("P-256"), spec)


def test_it_does_not_fit_another_key_or_signature_or_extensions() -> None:
    request, key = build_request(key_of("P-256"), BARE), key_of("P-256")
    assert not request_fits(request, generate_key("P-256"), BARE)
    assert not request_fits(spoilt(request), key, BARE)
    assert not request_fits(b"nothing", key, BARE)
    plain = x509.CertificateSigningRequestBuilder(x509.load_pem_x509_csr(request).subject)
    from cryptography.hazmat.primitives.hashes import SHA384
    from cryptography.hazmat.primitives.serialization import Encoding

    assert not request_fits(plain.sign(key, SHA384()).public_bytes(Encoding.PEM), key, BARE)


def spoilt(request: bytes) -> bytes:
    """Return a request whose signature is that of another."""
    from cryptography.hazmat.primitives.serialization import Encoding

    key = key_of("P-256")
    other = x509.load_pem_x509_csr(build_request(key, FULL))
    found = x509.load_pem_x509_csr(request)
    der = found.public_bytes(Encoding.DER)
    changed = der.replace(found.signature, other.signature)
    body = changed if len(changed) == len(der) else der[:-1] + bytes([der[-1] ^ 1])
    return x509.load_der_x509_csr(body).public_bytes(Encoding.PEM)


def specs(count: int) -> list[RequestSpec]:
    return [RequestSpec((f"n{each}.example.com", f"m{each}.example.com"), "Example Ltd") for each in range(count)]


def check(made: list[MadeRequest], wanted: list[RequestSpec], kind: str, password: str | None = None) -> None:
    """Check that each request is that of its spec and key, and that no key is there twice."""
    assert [(each.name, each.spec, each.key) for each in made] == [(each.names[0], each, kind) for each in wanted]
    for each in made:
        assert request_fits(each.request_pem, read_private_key(each.key_pem, password), each.spec)
        assert read_requests(each.request_pem) == [each.described()]
    assert len({each.public_key_fingerprint for each in made}) == len(wanted)


@pytest.mark.parametrize(("kind", "count"), [("P-256", 250), ("P-384", 3), ("Ed25519", 101), ("RSA-2048", 2)])
def test_many_are_made_in_order(kind: str, count: int) -> None:
    check(list(make_requests(specs(count), kind=kind)), specs(count), kind)


def test_all_of_them_are_encrypted_under_a_password() -> None:
    made = list(make_requests(specs(3), kind="P-256", password="long enough"))
    assert all(b"BEGIN ENCRYPTED PRIVATE KEY" in each.key_pem for each in made)
    check(made, specs(3), "P-256", "long enough")


def test_the_kind_that_trisa_asks_for_is_the_default() -> None:
    for function in (generate_key, make_requests):
        assert inspect.signature(function).parameters["kind"].default == KEY_KINDS[0]


def test_none_are_made_of_none() -> None:
    assert list(make_requests([])) == []


@pytest.mark.parametrize(("kind", "at_once"), [("P-256", 1), ("RSA-2048", 2)])
def test_only_keys_that_cost_much_are_made_in_processes(
    monkeypatch: pytest.MonkeyPatch, kind: str, at_once: int
) -> None:
    seen: list[tuple[int, int]] = []

    def spread_nothing(_: object, pieces: list[object], *, processes: int) -> Iterator[object]:
        seen.append((len(pieces), processes))
        yield from ()

    monkeypatch.setattr(many, "spread", spread_nothing)
    assert list(make_requests(specs(301), kind=kind, processes=2)) == []
    assert seen == [(4 if kind == "P-256" else 38, at_once)]


def test_what_is_wrong_is_told_before_anything_is_made() -> None:
    with pytest.raises(InvalidRequestError, match="common name"):
        make_requests([*specs(1), RequestSpec(("*.com",))], kind="P-256")
    with pytest.raises(InvalidInputError, match="no kind of key"):
        next(make_requests(specs(1), kind="RSA-512"))
    with pytest.raises(InvalidInputError, match="password"):
        make_requests(specs(1), kind="P-256", password="")
    with pytest.raises(InvalidInputError, match="password"):
        make_requests(specs(1), kind="P-256", password="ü" * 512)


def test_rsa_keys_are_made_in_several_processes_and_one_may_stop_early() -> None:
    with contextlib.closing(make_requests(specs(10), kind="RSA-2048", processes=2)) as making:
        check([next(making), next(making)], specs(2), "RSA-2048")
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()


def test_a_key_is_in_no_repr() -> None:
    (made,) = make_requests(specs(1), kind="P-256")
    assert "PRIVATE" not in repr(made)
    assert "n0.example.com" in repr(made)


def test_described_ones_go_into_a_zip() -> None:
    described: list[CertificateRequest] = [each.described() for each in make_requests(specs(2), kind="P-256")]
    read = read_requests(write_zip(described))
    assert [each.pem for each in read] == [each.pem for each in described]


def test_a_key_of_p_521_has_a_request_too() -> None:
    key = ec.generate_private_key(ec.SECP521R1())
    (request,) = read_requests(build_request(read_private_key(private_key_pem(key)), BARE))
    assert (request.key, request.signature_hash) == ("P-521", "SHA-384")
