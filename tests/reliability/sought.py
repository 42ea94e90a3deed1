"""Searching whatever came out for whatever must not: each secret in every spelling that a program might give it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from tests.unit.test_redaction import FORMS

LONG = 64
"""Characters above which two pieces of a spelling are looked for: a message may show it cut."""


def pieces(data: bytes) -> Iterator[str]:
    """What stands in any base64 of something that holds these bytes, wherever in it."""
    for shift, unsure in ((0, 0), (1, 2), (2, 3)):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(shift) + data).decode()[unsure : (shift + len(data)) * 8 // 6]


@lru_cache
def spellings(secret: str) -> frozenset[str]:
    """How a secret may be written."""
    coded = pieces(secret.encode())
    return frozenset({*(form(secret) for form in FORMS.values()), *coded, secret[::-1]})


@lru_cache
def needles(secret: str) -> frozenset[str]:
    """What is looked for: of what is long two pieces, neither the beginning, which all tokens share."""
    whole = spellings(secret)
    return frozenset(piece for s in whole for piece in ((s,) if len(s) <= LONG else (s[24:72], s[-48:])))


class Search:
    """Counts what it searches, and keeps where it found something, without repeating it."""

    def __init__(self) -> None:
        self.texts = 0
        self.characters = 0
        self.sought: set[str] = set()
        self.found: list[str] = []

    def look(self, where: str, text: str | bytes, secrets: Iterable[str]) -> None:
        """Search a text for secrets; a key in it may be broken into lines."""
        read = text if isinstance(text, str) else text.decode("utf-8", "replace")
        self.texts += 1
        self.characters += len(read)
        joined, small = re.sub(r"\\n|\s", "", read), read.lower()
        for secret in secrets:
            self.sought |= spellings(secret)
            if any(needle in read or needle in joined or needle.lower() in small for needle in needles(secret)):
                self.found.append(f"{where}: a secret of {len(secret)} characters")

    def __str__(self) -> str:
        return (
            f"{self.texts:,} texts, {self.characters:,} characters, {len(self.sought):,} spellings of secrets: "
            f"{len(self.found)} found"
        )
