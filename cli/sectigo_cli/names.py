"""DNS names as they are typed: what no certificate can hold is refused before anything is asked of the service."""

from __future__ import annotations

import ipaddress
import re

from sectigo_cli.options import UsageError

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
LONGEST_COMMON_NAME = 64
"""RFC 5280, appendix A.1, ub-common-name."""
LONGEST = 253


def dns_names(domain: str, others: list[str], *, said_as: str) -> list[str]:
    """Return the common name and the further names, each once, the common name first. Raises UsageError.

    `said_as`: what a line of the command calls the common name.
    """
    names = [_checked(name) for name in (domain, *others)]
    if len(names[0]) > LONGEST_COMMON_NAME:
        raise UsageError(
            f"{names[0]!r} is longer than the {LONGEST_COMMON_NAME} characters of a common name",
            hint=f"choose a shorter {said_as}, and add this one with --dns",
        )
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(name.lower(), name)
    return list(first.values())


def _checked(text: str) -> str:
    name = text.strip()
    if not name:
        raise UsageError("the domain is empty", hint="name the host to certify, such as example.com")
    if not name.isascii():
        raise UsageError(f"{name!r} is not ASCII", hint="write the name in its ASCII form, which begins with xn--")
    if name.endswith(".") and _NAME.fullmatch(name[:-1]):
        raise UsageError(f"{name!r} is no domain name as it stands in a certificate", hint=f"write {name[:-1]}")
    if _is_address(name):
        raise UsageError(
            f"{name!r} is an IP address: what is ordered here names hosts, by their domain names",
            hint="name the host that has this address, such as example.com",
        )
    if len(name) > LONGEST or not _NAME.fullmatch(name):
        hint = "write the bare name, such as example.com or *.example.com: no https://, port, path or blanks"
        raise UsageError(f"{name!r} is no domain name", hint=hint)
    return name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
