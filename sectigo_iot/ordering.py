"""What an order will be, settled before anything is sent: which authority, which parameters, which password."""

from __future__ import annotations

import re
import secrets
import string
import warnings
from typing import TYPE_CHECKING, NamedTuple

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.statuses import Param

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sectigo_iot.models import Authority, ProfileParameter

PASSWORD_LENGTH = 24
_SYMBOLS = "-_.+=!"
"""None of them means anything to a shell, to OpenSSL or to a configuration file."""

ALWAYS_KNOWN = (Param.COMMON_NAME, Param.DNS_NAMES, Param.PKCS12_PASSWORD)
"""The parameters that every profile seen so far takes; used where a service has no list of them."""


_SUFFIX = re.compile(r"_#\d+$")


class Choice(NamedTuple):
    """The authority to order from, and a note where it is not literally the one that was named."""

    authority: Authority
    note: str | None = None


def profile_matches(authority: Authority, profile: str) -> bool:
    """Whether this authority has the profile, given by id, or by name with or without a suffix such as `_#17`."""
    if profile.strip().isascii() and profile.strip().isdigit():
        return authority.profile_id == int(profile)
    name = (authority.profile_name or "").strip().casefold()
    # A wish with a suffix is about that very template; one without is about any.
    return profile.strip().casefold() in (name, _SUFFIX.sub("", name))


def choose_authority(
    authorities: Sequence[Authority], number: int | None = None, *, profile: str | None = None, exact: bool = False
) -> Choice:
    """Choose the authority to order from.

    `number`: an authority's id; where none has it, the profile id of exactly one enabled authority; `exact` takes
    it as an authority's id alone. `profile`: name or id that the authority must have. Without a number, the only
    enabled authority with balance is chosen. Raises InvalidInputError, listing the candidates, if it is not clear.
    """
    fitting = [a for a in authorities if profile is None or profile_matches(a, profile)]
    if number is None:
        return Choice(
            _only([a for a in fitting if a.enabled and (a.balance or 0) > 0], fitting or authorities, profile)
        )
    by_id = [a for a in authorities if a.id == number]
    by_profile = [] if exact else [a for a in authorities if a.profile_id == number and a.enabled and a.id != number]
    if by_id and by_profile and profile is None:
        raise InvalidInputError(
            f"{number} is the id of one authority and the profile of another:{_listed([*by_id, *by_profile])}",
            hint=f"say --authority-id {number}, or choose the profile with -P",
        )
    return _named(number, by_id, by_profile, profile)


def _named(number: int, by_id: list[Authority], by_profile: list[Authority], profile: str | None) -> Choice:
    candidates = [a for a in [*by_id, *by_profile] if profile is None or profile_matches(a, profile)]
    if not candidates and (by_id or by_profile):
        raise InvalidInputError(
            f"the authority does not have the profile {profile!r}:{_listed(by_id or by_profile)}",
            hint="choose another with -P, or leave -P and SECTIGO_PROFILE away",
        )
    if len(candidates) != 1:
        what = "no authority has" if not candidates else "several enabled authorities have the profile"
        hint = "`sectigo authorities` lists what may be ordered from"
        raise InvalidInputError(f"{what} id {number}{_listed(candidates)}", hint=hint)
    chosen = candidates[0]
    if not chosen.enabled:
        raise InvalidInputError(f"the authority {chosen.id} is not enabled")
    note = f"{number} is a profile id: ordering from the authority {chosen.id} of that profile"
    return Choice(chosen, None if chosen.id == number else note)


def _only(candidates: list[Authority], known: Sequence[Authority], profile: str | None) -> Authority:
    if len(candidates) == 1:
        return candidates[0]
    which = f" for the profile {profile!r}" if profile is not None else ""
    if profile is not None and not any(profile_matches(a, profile) for a in known):
        raise InvalidInputError(f"no authority has the profile {profile!r}{_colon(known)}", hint="choose one with -P")
    if candidates:
        raise InvalidInputError(
            f"several authorities may be ordered from{which}:{_listed(candidates)}", hint="choose one with -a ID"
        )
    raise InvalidInputError(
        f"no authority is enabled and has balance left{which}{_colon(known)}",
        hint="-a ID orders from one all the same, should the list be behind the times",
    )


def _colon(authorities: Sequence[Authority]) -> str:
    return f":{_listed(authorities)}" if authorities else ""


def _listed(authorities: Iterable[Authority]) -> str:
    return "".join(
        f"\n  authority {a.id}: profile {a.profile_id} {a.profile_name!r}, balance {a.balance}"
        f"{'' if a.enabled else ', not enabled'}"
        for a in authorities
    )


def order_params(
    rules: Sequence[ProfileParameter] | None, derived: Mapping[str, str], asked: Mapping[str, str]
) -> dict[str, str]:
    """Return the parameters to send: what was asked for, and what is derived as far as the profile knows it.

    `rules` is the profile's own list, or None where the service has none.
    """
    known = set(ALWAYS_KNOWN) if rules is None else {rule.name for rule in rules}
    return {**{name: value for name, value in derived.items() if name in known}, **asked}


def check_params(rules: Sequence[ProfileParameter], params: Mapping[str, str]) -> tuple[str, ...]:
    """Return every fault of these parameters against the profile's own list; none, if they may be ordered with."""
    by_name = {rule.name: rule for rule in rules}
    missing = [
        f"{r.name} is missing" for r in rules if r.required and not (params.get(r.name) or r.value or "").strip()
    ]
    unknown = [f"{name} is not a parameter of this profile" for name in params if name not in by_name]
    wrong = [_wrong(by_name[name], value) for name, value in params.items() if name in by_name and value]
    return (*missing, *unknown, *filter(None, wrong))


def _wrong(rule: ProfileParameter, value: str) -> str | None:
    if satisfies(rule, value):
        return None
    why = rule.message or f"it must match {rule.validation_pattern}"
    shown = "" if rule.name == Param.PKCS12_PASSWORD else f" {value!r}"
    return f"{rule.name}{shown} is refused by the profile: {why}"


def satisfies(rule: ProfileParameter, value: str) -> bool:
    """Whether a value matches the rule's pattern, whole, or line by line where it is a list of lines.

    A pattern that Python cannot read, or may read otherwise than Java does, decides nothing: the service will.
    """
    pattern = _compiled(rule.validation_pattern or "")
    if pattern is None:
        return True
    lines = value.split("\n") if rule.name == Param.DNS_NAMES else ()
    return bool(pattern.fullmatch(value) or (lines and all(pattern.fullmatch(line) for line in lines)))


def _compiled(text: str) -> re.Pattern[str] | None:
    if not text or text.startswith("/"):
        return None
    try:
        with warnings.catch_warnings():
            # `[a-z&&[^x]]` is an intersection to Java, and a FutureWarning here.
            warnings.simplefilter("error")
            return re.compile(text)
    except (re.error, Warning, OverflowError, RecursionError):
        return None


def generate_password(rule: ProfileParameter | None = None) -> str:
    """Return a password of 24 characters, or as many as the rule allows, from the system's secure source.

    Raises InvalidInputError where none can be found that the rule allows.
    """
    for length in (PASSWORD_LENGTH, 20, 16, 12, 10, 8):
        for alphabet in (string.ascii_letters + string.digits, string.ascii_letters + string.digits + _SYMBOLS):
            for _ in range(50):
                password = "".join(secrets.choice(alphabet) for _ in range(length))
                if _mixed(password) and (rule is None or satisfies(rule, password)):
                    return password
    raise InvalidInputError(
        "no password could be made that the profile's rule allows", hint="choose one yourself, with --password-file"
    )


def _mixed(password: str) -> bool:
    return all(
        any(c in kind for c in password) for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits)
    )
