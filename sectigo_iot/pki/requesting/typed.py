"""What no value of a request may be, whichever field it stands in: blank at an end, unseen, or a placeholder."""

from __future__ import annotations

import re
import unicodedata
from typing import NoReturn

from sectigo_iot.errors import InvalidRequestError

_LONGEST_SHOWN = 60
# More than any field holds, in whatever form it is typed.
_LONGEST = 1000
# Scripts that join their letters need these two (RFC 5892, appendices A.1 and A.2).
_JOINERS = "\u200c\u200d"
_UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
_BRACKETS = re.compile(r"\[[^]]*\]|<[^>]*>|\{\{.*\}\}|\$\{[^}]*\}|\$\([^)]*\)")
_WHOLE = re.compile(r"\$\w+|%\w+%")


def check_typed(text: str) -> None:
    """Refuse what is wrong with a value in whatever field it stands.

    A blank at an end would stand in the certificate; a character that cannot be seen is never meant; and `[city]`,
    `<city>`, `${CITY}` and the like are a template's text. Raises `InvalidRequestError`.
    """
    if text != text.strip():
        words = f"{shown(text)} begins or ends with a blank, which would stand in the certificate"
        raise InvalidRequestError(words, hint=f"write {shown(text.strip())}" if text.strip() else None)
    if len(text) > _LONGEST:
        raise InvalidRequestError(f"{shown(text)} has {len(text)} characters, and no field holds so many")
    for letter in () if text.isascii() and text.isprintable() else text:
        if letter == "\ufffd":
            raise InvalidRequestError(f"{shown(text)} was damaged when it was read: it holds U+FFFD")
        if unicodedata.category(letter) in _UNSEEN and letter not in _JOINERS:
            raise InvalidRequestError(f"{shown(text)} holds U+{ord(letter):04X}, which cannot be seen")
    if is_placeholder(text):
        refuse_placeholder(text)


def is_placeholder(text: str) -> bool:
    """Whether the text, or a part of it in brackets, stands for what somebody is to write: `[city]`, `${CITY}`."""
    return bool(_BRACKETS.search(text) or _WHOLE.fullmatch(text))


def refuse_placeholder(text: str) -> NoReturn:
    """Raise `InvalidRequestError` for a text that stands for what somebody is to write."""
    raise InvalidRequestError(f"{shown(text)} is a placeholder", hint="write what is to stand there")


def shown(text: str) -> str:
    """Return the text in quotes, fit for a message: nothing unprintable, and not longer than a line holds."""
    return repr(text) if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]!r}…"
