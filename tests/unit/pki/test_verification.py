"""What verifies and what does not: each rule from both sides."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from sectigo_iot.errors import BundleError
from sectigo_iot.pki import IssuedCertificate, open_bundle
from tests.unit.pki.home import (
    NOW,
    PASSWORD,
    Key,
    build,
    ec_key,
    home,
    leaf_extensions,
    name,
    pem,
    pfx,
    rsa_key,
    usage,
)

Extra = tuple[tuple[x509.ExtensionType, bool], ...]
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
CODE, ANY = ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


@cache
def weak_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


def names(*dns: str) -> Extra:
    return ((x509.SubjectAlternativeName([x509.DNSName(each) for each in dns]), False),)


def verify(leaf: x509.Certificate, issuing: x509.Certificate, for_name: str | None = None) -> None:
    IssuedCertificate("a", leaf, (issuing,)).verify(pem(home().root), for_name)


def constrained(
    permitted: list[x509.GeneralName] | None, excluded: list[x509.GeneralName] | None, *, critical: bool = False
) -> x509.Certificate:
    return home().sub_ca(extra=((x509.NameConstraints(permitted, excluded), critical),))


def dns(text: str) -> list[x509.GeneralName]:
    return [x509.DNSName(text)]


@pytest.mark.parametrize("critical", [False, True])
@pytest.mark.parametrize(
    ("permitted", "excluded", "in_leaf", "good"),
    [
        ("example.org", None, "www.example.org", True),
        ("example.org", None, "www.example.com", False),
        ("example.org", None, "*.example.org", True),
        ("a.example.org", None, "*.example.org", False),
        (None, "example.com", "www.example.org", True),
        (None, "example.org", "www.example.org", False),
        (None, "www.example.org", "*.example.org", False),
    ],
)
def test_name_constraints_hold(
    permitted: str | None, excluded: str | None, in_leaf: str, good: bool, critical: bool
) -> None:
    issuing = constrained(permitted and dns(permitted), excluded and dns(excluded), critical=critical)  # type: ignore[arg-type]
    leaf = home().issue(extra=names(in_leaf))
    verify(leaf, home().issuing, in_leaf.replace("*", "www"))
    for asked in (None, in_leaf.replace("*", "www")):
        if good:
            verify(leaf, issuing, asked)
        else:
            with pytest.raises(BundleError, match=r"'a\.example\.com' does not verify: .*name constraint"):
                verify(leaf, issuing, asked)


@pytest.mark.parametrize(
    "base",
    [
        x509.DirectoryName(name("a.example.com")),
        x509.RFC822Name("example.com"),
        x509.UniformResourceIdentifier("example.com"),
    ],
)
def test_name_constraints_that_nobody_checks_are_refused(base: x509.GeneralName) -> None:
    for issuing in (constrained([base], None), constrained(None, [*dns("example.org"), base])):
        with pytest.raises(BundleError, match="the CA 'TEST Issuing' has nameConstraints of a kind"):
            verify(home().leaf, issuing, "a.example.com")


@pytest.mark.parametrize("critical", [False, True])
@pytest.mark.parametrize(
    ("usages", "server", "either"),
    [
        ([CODE], False, False),
        ([CLIENT], False, True),
        ([SERVER], True, True),
        ([CODE, SERVER], True, True),
        ([ANY], True, True),
    ],
)
def test_extended_key_usage_counts_in_leaf_and_ca(
    usages: list[ObjectIdentifier], server: bool, either: bool, critical: bool
) -> None:
    extra = ((x509.ExtendedKeyUsage(usages), critical),)
    own = home()
    paths = {
        "TEST Issuing": (own.leaf, own.sub_ca(extra=extra)),
        "a.example.com": (own.issue(extra=(*names("a.example.com"), *extra)), own.issuing),
    }
    for culprit, (leaf, issuing) in paths.items():
        for asked, good in (("a.example.com", server), (None, either)):
            if good:
                verify(leaf, issuing, asked)
            else:
                with pytest.raises(BundleError, match=f"^the certificate '{culprit}' is not for TLS"):
                    verify(leaf, issuing, asked)


def test_one_purpose_must_hold_all_the_way() -> None:
    leaf = home().issue(extra=((x509.ExtendedKeyUsage([CLIENT]), True),))
    verify(leaf, home().sub_ca(extra=((x509.ExtendedKeyUsage([CLIENT]), True),)))
    with pytest.raises(BundleError, match="'TEST Issuing' is not for TLS clients"):
        verify(leaf, home().sub_ca(extra=((x509.ExtendedKeyUsage([SERVER]), True),)))


def test_the_culprit_is_named_for_a_leaf_of_one_purpose() -> None:
    issuing = home().sub_ca(extra=((x509.ExtendedKeyUsage([CODE]), False),))
    for purpose, whom in ((CLIENT, "clients"), (SERVER, "servers")):
        leaf = home().issue(extra=((x509.ExtendedKeyUsage([purpose]), True),))
        with pytest.raises(BundleError, match=f"'TEST Issuing' is not for TLS {whom}"):
            verify(leaf, issuing)


@pytest.mark.parametrize("asked", [None, "a.example.com"])
def test_what_may_sign_but_is_no_ca_is_refused(asked: str | None) -> None:
    with pytest.raises(BundleError, match="'TEST Issuing' has issued another, and is no CA"):
        verify(home().leaf, home().sub_ca(ca=False, pathlen=None, key_usage=usage(ca=True)), asked)


def signed_by(key: Key) -> IssuedCertificate:
    root = build("Own", key, "Own", key, ca=True)
    return IssuedCertificate("a", build("a", rsa_key(), "Own", key, ca=False, extra=names("a.test")), (root,))


def test_weak_rsa_keys_are_refused_in_leaf_ca_and_root() -> None:
    own = home()
    leaf = build("weak", weak_key(), "TEST Issuing", own.issuing_key, ca=False, extra=leaf_extensions())
    with pytest.raises(BundleError, match="'weak' has an RSA key of 1024 bits, and 2048 are the least"):
        verify(leaf, own.issuing, "a.example.com")
    issuing = build("Weak CA", weak_key(), "TEST Root", own.root_key, ca=True)
    below = build("a", rsa_key(), "Weak CA", weak_key(), ca=False, extra=names("a.test"))
    with pytest.raises(BundleError, match="'Weak CA' has an RSA key of 1024 bits"):
        verify(below, issuing, "a.test")
    with pytest.raises(BundleError, match="'Own' has an RSA key of 1024 bits"):
        signed_by(weak_key()).verify(name="a.test")
    signed_by(rsa_key()).verify(name="a.test")


@pytest.mark.parametrize(
    ("pattern", "asked", "good"),
    [
        ("a.example.com", "a.example.com", True),
        ("a.example.com", "A.Example.COM", True),
        ("a.example.com", "a.example.com.", True),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.example.com", "*.example.com", False),
        ("a.example.com", "a.example.com..", False),
        ("*.2.3.4", "1.2.3.4", False),
        ("1.2.3.4", "1.2.3.4", False),
        ("::1", "::1", False),
        ("", "", False),
        ("a.example.com", "", False),
        ("a.example.com", "a.example.com\x00", False),
        ("b.example.com", "ä.example.com", False),
        ("xn--4ca.example.com", "xn--4ca.example.com", True),
    ],
)
def test_names_fit_as_in_rfc_9525(pattern: str, asked: str, good: bool) -> None:
    leaf = home().issue(extra=names(pattern))
    verify(leaf, home().issuing)
    if good:
        verify(leaf, home().issuing, asked)
    else:
        with pytest.raises(BundleError, match=r"'a\.example\.com' is not for the name"):
            verify(leaf, home().issuing, asked)


def test_the_common_name_is_no_name_to_verify() -> None:
    leaf = home().issue(extra=())
    verify(leaf, home().issuing)
    with pytest.raises(BundleError, match="is not for the name"):
        verify(leaf, home().issuing, "a.example.com")


@pytest.mark.parametrize("kind", ["p12", "pem"])
@pytest.mark.parametrize("expired_first", [False, True])
def test_a_renewed_issuing_ca_is_found_behind_the_expired_one(kind: str, expired_first: bool) -> None:
    own = home()
    expired = own.sub_ca(start=NOW - timedelta(days=9), days=5)
    others = [expired, own.issuing] if expired_first else [own.issuing, expired]
    one = bundle(kind, own.leaf, [*others, own.root])
    assert one.chain == (own.issuing, own.root)
    one.verify(pem(own.root), "a.example.com")
    one.verify()
    with pytest.raises(BundleError, match=r"'TEST Issuing' expired on \d{4}-"):
        bundle(kind, own.leaf, [expired, own.root]).verify(pem(own.root))


def bundle(kind: str, leaf: x509.Certificate, others: list[x509.Certificate]) -> IssuedCertificate:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(f"a.{kind}", pfx(leaf, others) if kind == "p12" else pem(leaf, *others))
    [one] = open_bundle(target.getvalue(), PASSWORD)
    return one


@pytest.mark.parametrize("expired_first", [False, True])
def test_a_renewed_root_is_found_behind_the_expired_one(expired_first: bool) -> None:
    own = home()
    start = NOW - timedelta(days=900)
    expired = build("TEST Root", own.root_key, "TEST Root", own.root_key, ca=True, start=start, days=800)
    store = pem(expired, own.root) if expired_first else pem(own.root, expired)
    issued = IssuedCertificate("a", own.leaf, (own.issuing,))
    issued.verify(store, "a.example.com")
    with pytest.raises(BundleError, match="'TEST Root' expired"):
        issued.verify(pem(expired))


def test_a_past_time_is_proven_by_the_root_of_that_time() -> None:
    own = home()
    start = NOW - timedelta(days=900)
    expired = build("TEST Root", own.root_key, "TEST Root", own.root_key, ca=True, start=start, days=890)
    issuing, leaf = own.sub_ca(start=start), own.issue(start=start, days=2000)
    one = bundle("pem", leaf, [issuing, expired, own.root])
    assert one.chain == (issuing, own.root)
    one.verify(at=NOW)
    one.verify(at=start)
    one.verify(pem(own.root, expired), at=start)
    with pytest.raises(BundleError, match="'TEST Root' is not valid before"):
        one.verify(pem(own.root), at=start)


@pytest.mark.parametrize("kind", ["p12", "pem"])
def test_either_side_of_a_cross_certification_is_enough(kind: str) -> None:
    own = home()
    old = build("Old Root", ec_key("old"), "Old Root", ec_key("old"), ca=True)
    cross = build("TEST Root", own.root_key, "Old Root", ec_key("old"), ca=True)
    one = bundle(kind, own.leaf, [own.issuing, cross, own.root])
    assert one.chain == (own.issuing, own.root)
    for root in (own.root, old):
        one.verify(pem(root), "a.example.com")
    one.verify()
    IssuedCertificate("a", own.leaf, (own.issuing, cross)).verify(pem(own.root))
    with pytest.raises(BundleError, match=r"which none of the given roots has issued \(it names 'CN=Old Root'"):
        IssuedCertificate("a", own.leaf, (own.issuing, cross)).verify(pem(stranger()))


def stranger() -> x509.Certificate:
    return build("Stranger", ec_key("stranger"), "Stranger", ec_key("stranger"), ca=True)


def test_a_given_intermediate_is_an_anchor_and_so_is_the_leaf() -> None:
    IssuedCertificate("a", home().leaf, ()).verify(pem(home().issuing), "a.example.com")
    IssuedCertificate("a", home().leaf, ()).verify(pem(home().leaf), "a.example.com")


def bare_root(*extensions: tuple[x509.ExtensionType, bool]) -> IssuedCertificate:
    key, own = ec_key("bare"), name("Bare")
    end = NOW + timedelta(days=200 * 365)
    builder = x509.CertificateBuilder(own, own, key.public_key(), 1, NOW - timedelta(days=9000), end)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    leaf = build("a", rsa_key(), "Bare", key, ca=False, extra=names("a.test"))
    return IssuedCertificate("a", leaf, (builder.sign(key, hashes.SHA256()),))


@pytest.mark.parametrize("critical", [False, True])
def test_a_private_root_needs_nothing_but_to_be_a_ca(critical: bool) -> None:
    bare_root((x509.BasicConstraints(True, None), critical)).verify(name="a.test")
    with pytest.raises(BundleError, match="'Bare' has issued another, and is no CA"):
        bare_root((usage(ca=True), critical)).verify(name="a.test")


def test_the_form_of_the_live_service_verifies() -> None:
    key, root_key = rsa.generate_private_key(65537, 4096), rsa_key()
    sha384 = hashes.SHA384()
    root = build("Root", root_key, "Root", root_key, ca=True, days=9000, digest=sha384)
    leaf = build("a.example.com", key, "Root", root_key, ca=False, extra=leaf_extensions(), digest=sha384)
    issued = IssuedCertificate("a", leaf, ())
    issued.verify(pem(root))
    issued.verify(pem(root), "a.example.com")


def test_the_ends_of_validity_belong_to_it() -> None:
    own = home()
    issued = IssuedCertificate("a", own.leaf, (own.issuing, own.root))
    issued.verify(at=own.leaf.not_valid_before_utc)
    issued.verify(at=own.leaf.not_valid_after_utc)
    with pytest.raises(BundleError, match="expired"):
        issued.verify(at=own.leaf.not_valid_after_utc + timedelta(seconds=1))


def test_critical_certificate_policies_are_refused_by_name() -> None:
    policies = x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("1.2.3"), None)])
    verify(home().leaf, home().sub_ca(extra=((policies, False),)))
    with pytest.raises(BundleError, match=r"'TEST Issuing' has a critical extension .* 2\.5\.29\.32"):
        verify(home().leaf, home().sub_ca(extra=((policies, True),)))
