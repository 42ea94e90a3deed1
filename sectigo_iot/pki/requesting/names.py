"""DNS names as somebody types them, and the form in which they stand in a dNSName and a common name.

RFC 5280, section 4.2.1.6, wants a dNSName in the preferred name syntax, and section 7.2 an internationalized name in
its A-labels (RFC 5890, section 2.3.2.1). RFC 1035, section 2.3.4, sets the lengths.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import NoReturn

from sectigo_iot.errors import InvalidRequestError, clean
from sectigo_iot.pki.request_rules import LONGEST_COMMON_NAME, LONGEST_DNS_NAME, LONGEST_LABEL
from sectigo_iot.pki.requesting.typed import check_typed, refuse_placeholder, shown

BARE = "write the bare name, such as example.com or *.example.com"
_DOTS = ".\u3002\uff0e\uff61"
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_PLACEHOLDER = re.compile(r"your[_-]?domain(?:[_-]?name)?(?:\.[a-z]+)?", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def dns_name(text: str) -> str:
    """Return what stands in a dNSName for a name as it was typed: lower case, and A-labels (`xn--…`) by IDNA 2008.

    A wildcard is the whole first label, and at least two labels follow it (RFC 6125, section 6.4.3). `_` is taken in
    labels, because it is seen in the wild. Raises `InvalidRequestError` for whatever is no DNS name: empty, with a
    blank, a placeholder, an IP address however it is spelt, a URL, an e-mail address, a dot at the end, a label that
    IDNA 2008 does not allow, a label over 63 or a name over 253 characters. Its hint says what would be right.
    """
    _check_form(text)
    labels = _mapped(text).split(".")
    wildcard = labels[:1] if labels[0] == "*" else []
    rest = [_label(label, text) for label in labels[len(wildcard) :]]
    if wildcard and len(rest) < 2:
        _refuse(text, "stands for every name under a top-level label", "name a domain, as in *.example.com")
    if _NUMBER.fullmatch(rest[-1]):
        _refuse(text, "ends in a number, as an IP address does", "name the host that has this address")
    name = ".".join([*wildcard, *rest])
    if len(name) > LONGEST_DNS_NAME:
        _refuse(text, f"has {len(name)} characters, and {LONGEST_DNS_NAME} are allowed (RFC 1035)")
    return name


def common_name(text: str) -> str:
    """Return a name as `dns_name` does, if it fits a common name: 64 characters (RFC 5280, ub-common-name).

    Raises `InvalidRequestError`.
    """
    name = dns_name(text)
    if len(name) > LONGEST_COMMON_NAME:
        words = f"has {len(name)} characters, and a common name holds {LONGEST_COMMON_NAME}"
        _refuse(text, words, "put a shorter name first, and this one among the further DNS names")
    return name


def oddities(name: str) -> Iterator[str]:
    """What is unusual about a name that `dns_name` returned, and what a certification authority may refuse."""
    labels = name.removeprefix("*.").split(".")
    if "_" in name:
        yield f"{name} has an underscore, which is no letter, digit or hyphen (RFC 5280, section 4.2.1.6)"
    for label in labels:
        if label[2:4] == "--" and not label.startswith("xn--"):
            yield f"{name} has -- where RFC 5890 keeps it for other uses, in {label}"
    if len(labels) == 1:
        yield f"{name} is a single label: it has no domain"


def _check_form(text: str) -> None:
    """Refuse what is no name at first sight, and tell why."""
    if not text.strip():
        raise InvalidRequestError("the name is empty", hint="name the host, as in example.com")
    if _is_address(text):
        _refuse(text, "is an IP address", "name the host that has this address, as in example.com")
    check_typed(text)
    if _PLACEHOLDER.fullmatch(text):
        refuse_placeholder(text)
    if "://" in text:
        _refuse(text, "is a URL", BARE)
    if re.search(r"[\s,;]", text):
        _refuse(text, "has a blank, comma or semicolon in it", "give each name by itself")
    if "@" in text:
        _refuse(text, "is an e-mail address", BARE)
    if re.search(r"[/?#\\]", text):
        _refuse(text, "has a path", BARE)
    if ":" in text:
        _refuse(text, "has a port, or something else after a colon", BARE)
    if text[-1] in _DOTS:
        rest = text.rstrip(_DOTS)
        hint = f"write {rest}" if rest.strip("*") else BARE
        _refuse(text, "ends in a dot, which does not stand in a certificate", hint)


def _is_address(text: str) -> bool:
    if ":" not in text and not text.strip()[:1].isdigit():
        return False
    bracketed = re.fullmatch(r"\[([^]]*)\](?::[0-9]+)?", text.strip())
    address = re.split("[/%]", bracketed[1] if bracketed else text.strip())[0]
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _mapped(text: str) -> str:
    """Map a name for the look-up of its labels (UTS 46): lower case, full stops of other scripts as dots."""
    if text.isascii():
        return text.lower()
    import idna

    try:
        return idna.uts46_remap(text, std3_rules=False)
    except (idna.IDNAError, UnicodeError) as fault:
        raise _no_label(text, text, fault) from None


def _label(label: str, name: str) -> str:
    """Return one label in ASCII; `name` is for the message."""
    if not label:
        _refuse(name, "has an empty label: two dots in a row, or one at the beginning", BARE)
    if "*" in label:
        _refuse(name, "has a * that is not the whole first label", "write it as in *.example.com")
    if not label.isascii() or label.startswith("xn--"):
        label = _a_label(label, name)
    if len(label) > LONGEST_LABEL:
        _refuse(name, f"has a label of {len(label)} characters, and {LONGEST_LABEL} are allowed (RFC 1035)")
    if not _LABEL.fullmatch(label):
        _refuse(name, f"is no DNS name: {shown(label)} is no label of letters, digits and hyphens within", BARE)
    return label


def _a_label(label: str, name: str) -> str:
    import idna

    try:
        return idna.alabel(label).decode()
    except (idna.IDNAError, UnicodeError) as fault:
        raise _no_label(label, name, fault) from None


def _no_label(label: str, name: str, fault: Exception) -> InvalidRequestError:
    words = f"{shown(name)} is no name of IDNA 2008: {clean(str(fault))}"
    return InvalidRequestError(words, hint=f"look at {shown(label)}" if label != name else None)


def _refuse(name: str, words: str, hint: str | None = None) -> NoReturn:
    raise InvalidRequestError(f"{shown(name)} {words}", hint=hint)
