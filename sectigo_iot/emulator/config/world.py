"""The world that an emulator plays, as data: organizations, their users and authorities, and the profiles' rules.

Each class is a table of a configuration file, with the same names. What a file may leave out has a default here.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

TEXT_PATTERN = r"^(?!\s)[^\x00-\x1f\x7f]{1,64}(?<!\s)$"
"""Text of 1 to 64 characters, X.520's bound for names, without control characters and blanks at its ends."""

DNS_PATTERN = (
    r"^(?=.{1,253}$)(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*"
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"
)
"""A DNS name in ASCII, with an optional wildcard label in front; internationalised names as `xn--`."""


PASSWORD = "pkcs12Password"  # noqa: S105 - the name of a parameter
_LONGEST = 64


def lines_of(value: str) -> list[str]:
    """Return the values in a newline-separated list."""
    return value.removesuffix("\n").split("\n")


class Parameter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One parameter of a profile, and the rule that its value must keep."""

    name: str
    title: str = ""
    pattern: str = TEXT_PATTERN
    """A regular expression that the whole value must match."""
    message: str = "1 to 64 characters, none of them a control character, no blank at either end"
    """The rule in words."""
    required: bool = True
    input_type: str = "text"
    placeholder: str | None = None
    lines: bool = False
    """Whether the value is a list, one a line, each of which must match."""


def _with_rule(parameter: Parameter, minimum: int) -> Parameter:
    if parameter.name != PASSWORD or parameter.pattern != TEXT_PATTERN:
        return parameter
    words = f"{minimum} to {_LONGEST} printable ASCII characters"
    return replace(parameter, pattern=rf"^[\x20-\x7e]{{{minimum},{_LONGEST}}}$", message=words)


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of certificate, and the rules for its orders."""

    id: int
    name: str
    title: str = ""
    """The name with the suffix of the template that it was made from; the name itself where it is left out."""
    parameters: tuple[Parameter, ...] = ()
    days_to_live: int = 30
    """Days for which a batch can be downloaded once it is ready. How many the service gives is not public."""
    validity_days: int | None = None
    """Days that a certificate is valid; None for 13 months less a second."""
    password_minimum: int = 8
    """The fewest characters that the password of a PKCS#12 may have."""
    duplicates: Literal["issue", "refuse"] | None = None
    """What becomes of an upload that names a subject twice; None for what the behaviour says."""
    certificate_format: Literal["pem", "der", "pkcs7"] = "pem"
    """What an upload's ZIP holds for each request: the chain in PEM, the certificate in DER, or a PKCS#7."""

    @property
    def rules(self) -> tuple[Parameter, ...]:
        """The parameters, that of the password with the rule that `password_minimum` makes."""
        return tuple(_with_rule(each, self.password_minimum) for each in self.parameters)


class Authority(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The right of an organization to order from one profile, with the licences left at the start."""

    id: int
    profile: int
    """The id of the profile."""
    balance: int = 100
    enabled: bool = True
    ecosystem_name: str = "Staging"
    signer_certificate_id: int = 0


class User(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may log in. The role stands in the token's scopes, and nowhere else: what each may do is not public."""

    id: int
    username: str
    password: str
    role: Literal["USER", "ADMIN"] = "USER"
    authorities: tuple[int, ...] | None = None
    """The ids of the authorities that this user may order with; None for all of the organization, () for none."""
    subject: str = ""
    """The token's `sub`; `/account/ORGANIZATION/user/ID` where it is left out."""

    def subject_in(self, organization: int) -> str:
        """Return the token's `sub` for a user of the organization with that id."""
        return self.subject or f"/account/{organization}/user/{self.id}"

    def __repr__(self) -> str:
        """Tell who it is; the password is never shown."""
        return f"User(id={self.id!r}, username={self.username!r}, role={self.role!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Tell rich no more."""
        return [("id", self.id), ("username", self.username), ("role", self.role)]


class Organization(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An organization. `ordered` and `issued` count the licences of the time before the emulator was started."""

    id: int
    name: str
    address: str = ""
    contact_name: str = ""
    contact_email: str = ""
    contact_phone: str = ""
    ecosystem_id: int = 21
    ordered: int = 0
    issued: int = 0
    authorities: tuple[Authority, ...] = ()
    users: tuple[User, ...] = ()


class World(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that exists when an emulator starts. Numbers of batches and orders count up from the first."""

    profiles: tuple[Profile, ...]
    organizations: tuple[Organization, ...]
    first_batch: int = 10000
    first_order: int = 11000
