"""DNS names as they are typed: what no certificate can hold is refused before anything is asked of the service."""

from __future__ import annotations

import re

from sectigo_cli.options import UsageError

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
LONGEST_COMMON_NAME = 64
"""RFC 5280, appendix A.1, ub-common-name."""
LONGEST = 253


def dns_names(domain: str, others: list[str]) -> list[str]:
    """Return the common name and the further names, each once, the common name first. Raises UsageError."""
    names = [_checked(name) for name in (domain, *others)]
    if len(names[0]) > LONGEST_COMMON_NAME:
        raise UsageError(
            f"{names[0]!r} is longer than the {LONGEST_COMMON_NAME} characters of a common name",
            hint="choose a shorter name with -d, and add this one with --dns",
        )
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(name.lower(), name)
    return list(first.values())


def _checked(text: str) -> str:
    name = text.strip()
    if not name:
        raise UsageError("the domain is empty", hint="name the host to certify, as in -d example.com")
    if not name.isascii():
        raise UsageError(f"{name!r} is not ASCII", hint="write the name in its ASCII form, which begins with xn--")
    if len(name) > LONGEST or not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no domain name", hint="no scheme, port, blanks or dot at the end; *. in front")
    return name
