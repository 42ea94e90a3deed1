"""An inventory as CSV (RFC 4180), fit for a spreadsheet."""

from __future__ import annotations

import csv
import io

from sectigo_iot.pki.inspecting.items import Inventory, InventoryItem, instant

_HEAD = (
    *("name", "names", "expires", "days_left", "validity", "valid_from", "serial_number", "subject", "issuer"),
    *("key", "key_beside", "ca", "superseded", "sha256", "places"),
)
_MOST = 100
"""Values in a cell: a spreadsheet takes no more than 32,767 characters, and a CA may stand in thousands of places."""
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def inventory_csv(found: Inventory) -> str:
    """The certificates of an inventory as CSV, a head line first, CA certificates last; lines end as RFC 4180 wants.

    Several names or places share a cell, with `; ` between them, a hundred at the most, so that each certificate is a
    line. A spreadsheet takes a cell
    that begins with `=`, `+`, `-` or `@` for a formula, so that such text gets an apostrophe in front; numbers have
    none.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_HEAD)
    for item in (*found.items, *found.authorities):
        writer.writerow([_cell(value) for value in _values(item)])
    return text.getvalue()


def _values(item: InventoryItem) -> tuple[str | int | bool, ...]:
    beside = _joined([place.key.value for place in item.places])
    return (
        *(item.name, _joined(list(item.names)), instant(item.not_after), item.days_left, item.validity.value),
        *(instant(item.not_before), item.serial_number, item.subject, item.issuer, item.key, beside),
        *(item.ca, item.superseded, item.sha256, _joined([place.path for place in item.places])),
    )


def _joined(values: list[str]) -> str:
    more = [f"and {len(values) - _MOST} more"] if len(values) > _MOST else []
    return "; ".join((*values[:_MOST], *more))


def _cell(value: str | int | bool) -> str | int:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return value
    # A name may hold any character; NUL and its like are no text, and a line's end would end the certificate's line.
    plain = "".join(each if each.isprintable() else "?" for each in value.replace("\n", " "))
    return f"'{plain}" if value.lstrip().startswith(_FORMULA) else plain
