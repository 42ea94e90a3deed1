"""The accounts that the emulator can play, as data: who the user is, what may be ordered, and by which rules."""

from __future__ import annotations

from dataclasses import dataclass

TEXT_PATTERN = r"^(?!\s)[^\x00-\x1f\x7f]{1,64}(?<!\s)$"
"""Text of 1 to 64 characters, X.520's bound for names, without control characters and blanks at its ends."""

DNS_PATTERN = (
    r"^(?=.{1,253}$)(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*"
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"
)
"""A DNS name in ASCII, with an optional wildcard label in front; internationalised names as `xn--`."""

PASSWORD_PATTERN = r"^[\x20-\x7e]{8,64}$"  # noqa: S105 - a rule for passwords, not one of them
"""8 to 64 printable ASCII characters."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a profile, and the rule that its value must keep.

    A `lines` parameter is a list of values, one a line, each of which must match `pattern` in full.
    """

    name: str
    title: str
    pattern: str
    message: str
    required: bool = True
    input_type: str = "text"
    placeholder: str | None = None
    lines: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of certificate. `title` is its name with the suffix of the template it was made from."""

    id: int
    name: str
    title: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Authority:
    """The right of an account to order from one profile, with the licences left at the start."""

    id: int
    ecosystem_id: int
    ecosystem_name: str
    balance: int
    profile: Profile
    enabled: bool = True
    signer_certificate_id: int = 0


@dataclass(frozen=True, slots=True)
class Organization:
    """Whom the account belongs to."""

    id: int
    name: str
    address: str
    contact_name: str
    contact_email: str
    contact_phone: str


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `ordered` and `issued` count licences."""

    name: str
    user_id: int
    subject: str
    organization: Organization
    authorities: tuple[Authority, ...]
    ordered: int
    issued: int
    first_batch: int
    first_order: int


_TEXT_MESSAGE = "1 to 64 characters, none of them a control character, no blank at either end"
COMMON_NAME = Parameter("commonName", "Common Name", TEXT_PATTERN, _TEXT_MESSAGE)
DNS_NAME = Parameter(
    "dNSName",
    "DNS Names",
    DNS_PATTERN,
    "one DNS name a line, in ASCII",
    input_type="textarea",
    placeholder="www.example.com",
    lines=True,
)
PASSWORD = Parameter(
    "pkcs12Password", "PKCS12 Password", PASSWORD_PATTERN, "8 to 64 printable ASCII characters", input_type="password"
)
SUBJECT_FIELDS = (
    Parameter("organizationName", "Organization Name", TEXT_PATTERN, _TEXT_MESSAGE),
    Parameter("localityName", "Locality Name", TEXT_PATTERN, _TEXT_MESSAGE),
    Parameter("stateOrProvinceName", "State or Province Name", TEXT_PATTERN, _TEXT_MESSAGE),
    Parameter("countryName", "Country Name", "^[A-Z]{2}$", "two capital letters", placeholder="US"),
)

_EE = Profile(423, "CipherTrace EE", "CipherTrace EE_#17", (COMMON_NAME, DNS_NAME, PASSWORD))
_END_ENTITY = Profile(
    489,
    "CipherTrace End Entity Certificate",
    "CipherTrace End Entity Certificate_#85",
    (COMMON_NAME, DNS_NAME, *SUBJECT_FIELDS, PASSWORD),
)
_MANUAL_PROFILE = Profile(
    42,
    "TRISA Profile",
    "TRISA Profile",
    (Parameter("commonName", "Common Name", DNS_PATTERN, "a DNS name in ASCII"), PASSWORD),
)

STAGING = Account(
    name="staging",
    user_id=295,
    subject="/account/42/user/295",
    organization=Organization(1042, "Staging", "123 Main Street", "Jane Wilkerson", "jw@example.com", "555-555-5555"),
    authorities=(
        Authority(489, 21, "Staging", 0, _END_ENTITY),
        Authority(423, 21, "Staging", 100, _EE),
    ),
    ordered=1000,
    issued=0,
    first_batch=10000,
    first_order=11000,
)
"""The account of TRISA's staging server: two authorities, one of them without licences."""

MANUAL = Account(
    name="manual",
    user_id=10,
    subject="/account/100/user/10",
    organization=Organization(100, "TRISA", "1 Example Street", "Alex Example", "admin@example.com", "555-555-0100"),
    authorities=(Authority(1, 100, "TRISA", 10, _MANUAL_PROFILE),),
    ordered=2,
    issued=2,
    first_batch=24,
    first_order=1024,
)
"""The account that TRISA's manual shows, to the letter. Its authority and its profile have different ids."""

ACCOUNTS: dict[str, Account] = {account.name: account for account in (STAGING, MANUAL)}
