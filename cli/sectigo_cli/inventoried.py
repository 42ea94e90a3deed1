"""What `sectigo inventory` shows: a line for each certificate, with a bar of what is left of its lifetime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sectigo_cli.context import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sectigo_iot.pki import Inventory, InventoryItem

BAR = 10
"""Characters of a bar that stands for a whole lifetime."""
_WIDEST_NAME = 48
KEY_DOUBTS = {
    "missing": "its key is missing: an older version had one",
    "does not fit": "the key beside it does not fit",
}
"""What is said of a key beside a certificate, by `KeyBeside`, where something is wrong with it."""


def lines(found: Inventory, warn: float, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the lines of the table, what expires first at the top; CAs, and what is locked, in parts of their own."""
    items = found.items
    width = min(_WIDEST_NAME, max((len(_name(item)) for item in (*items, *found.authorities)), default=0))
    left = max((len(_left(item)) for item in (*items, *found.authorities)), default=0)
    full, empty = ("█", "░") if _has(encoding, "█░") else ("#", ".")
    for heading, part in (("", items), ("certificate authorities:", found.authorities)):
        if heading and part:
            yield from ("", heading) if items else (heading,)
        for item in part:
            yield _line(item, warn, (full, empty), left, width)
    if found.locked:
        yield from ("", "locked:") if items or found.authorities else ("locked:",)
        yield from (f"  {_plain(each.path)}: {each.reason}" for each in found.locked)


def _line(item: InventoryItem, warn: float, blocks: tuple[str, str], left: int, width: int) -> str:
    mark = "!" if item.needs_attention(warn) else " "
    start = f"{mark} {item.not_after:%Y-%m-%d}  {_left(item):<{left}}  {_bar(item, *blocks)}"
    return f"{start}  {_name(item):<{width}}  {_places(item)}{_doubts(item)}"


def _bar(item: InventoryItem, full: str, empty: str) -> str:
    """Return the bar, rounded up: something is left until nothing is."""
    count = -int(-item.lifetime_left * BAR // 1)
    return full * count + empty * (BAR - count)


def _left(item: InventoryItem) -> str:
    return f"expired {item.when}" if item.not_after < item.at else item.when


def _name(item: InventoryItem) -> str:
    return _plain(item.name)


def _places(item: InventoryItem) -> str:
    folders = list(dict.fromkeys(place.path.rpartition("/")[0] or "." for place in item.places))
    more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
    return f"{_plain(folders[0])}{more}" if folders else ""


def _doubts(item: InventoryItem) -> str:
    doubts = ["not valid before " + f"{item.not_before:%Y-%m-%d}"] * (item.not_before > item.at)
    keys = {place.key.value for place in item.places}
    doubts += [told for key, told in KEY_DOUBTS.items() if key in keys]
    doubts += ["a former version"] * item.superseded
    return f" ({', '.join(doubts)})" if doubts else ""


def _plain(text: str) -> str:
    """Return a text as one line without control characters."""
    return harmless(text.replace("\n", " "))


def _has(encoding: str, characters: Sequence[str] | str) -> bool:
    try:
        "".join(characters).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
