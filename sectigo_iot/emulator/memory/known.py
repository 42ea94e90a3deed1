"""The passwords that orders carried, so that none is shown where it turns up later, perhaps as a batch's name."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import Any

MASK = "********"
_SHORTEST = 4
_PLAIN_KEPT = 100
_DIGESTS_KEPT = 20_000
_WORD = re.compile(r"""[^\s"'&=,;:/?<>()\[\]{}\\]{4,}""")


class KnownSecrets:
    """The newest are known as they are, within any text; of older ones a digest is kept, by which a word is known.

    Texts of less than 4 characters are not noted: they stand everywhere. The repr shows none.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._newest: dict[str, int] = {}
        self._digests: dict[bytes, int] = {}
        self._lengths: set[int] = set()
        self._count = 0

    def note(self, secret: str) -> None:
        """Remember a text that is to be shown no more."""
        if len(secret) < _SHORTEST or secret in self._newest:
            return
        digest = self._digest(secret)
        if digest not in self._digests:
            self._count += 1
            self._digests[digest] = self._count
            self._lengths.add(len(secret))
        self._newest[secret] = self._digests[digest]
        for kept, limit in ((self._newest, _PLAIN_KEPT), (self._digests, _DIGESTS_KEPT)):
            _forget_oldest(kept, limit)

    def mask(self, text: str) -> str:
        """Return a text without them. Each has a number of its own, so that names that differ do so still."""
        if not self._count or len(text) < _SHORTEST:
            return text
        if self._number(text):
            return _mask_of(self._number(text))
        for secret in sorted(self._newest, key=len, reverse=True):
            if secret in text:
                text = text.replace(secret, _mask_of(self._newest[secret]))
        return _WORD.sub(self._word, text)

    def _word(self, found: re.Match[str]) -> str:
        number = self._number(found[0])
        return _mask_of(number) if number else found[0]

    def _number(self, text: str) -> int:
        """Return the number of a secret; 0 for what is none."""
        return self._digests.get(self._digest(text), 0) if len(text) in self._lengths else 0

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=12).digest()


def mask_words(text: str, words: Iterable[str]) -> str:
    """Return a text without some words, of which the longest come first."""
    for word in words:
        if word in text:
            text = text.replace(word, MASK)
    return text


def _mask_of(number: int) -> str:
    return f"{MASK} ({number})"


def _forget_oldest(kept: dict[Any, int], limit: int) -> None:
    if len(kept) > limit:
        del kept[next(iter(kept))]
