"""An inventory as one HTML page that needs nothing else: no network, no script, a policy that allows none."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from string import Template

from sectigo_iot.pki.inspecting.axis import Axis, axis_for, month_name
from sectigo_iot.pki.inspecting.items import Inventory, InventoryItem, KeyBeside, Validity
from sectigo_iot.pki.inspecting.tree import UnreadFile

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_YEAR, _DECADES = 400.0, 11_000.0
"""Days that the time line shows at the most, of end entities and of CAs."""
_MOST = 100
"""Names, and places, that are told of one certificate."""


def inventory_page(found: Inventory, *, warn: float = 30, title: str = "Certificates") -> str:
    """The inventory as an HTML document: what has expired, what will within `warn` days, the rest, and the CAs.

    It shows what is left of each lifetime on a common time line. Its text is escaped, and its policy (CSP) lets it
    load and run nothing, so that it can be opened from a file or served as it is.
    """
    text = (resources.files("sectigo_iot.pki.inspecting") / "timeline.html").read_text("utf-8")
    sections = list(_sections(found, warn))
    return Template(text).substitute(
        policy=_policy(text),
        title=_text(title),
        at=_time(found.at, f"{found.at.day} {month_name(found.at)} {found.at.year}, {found.at:%H:%M} UTC"),
        tiles="".join(_tile(each, warn) for each in sections) + _unread_tile(found),
        parts="".join(_part(each, warn) for each in sections if each.items) or _NOTHING,
        unread=_unread(found),
    )


class _Section:
    """Certificates under one heading, and the time line that they are shown on."""

    def __init__(self, name: str, heading: str, items: list[InventoryItem], axis: Axis, remark: str = "") -> None:
        self.name = name
        self.heading = heading
        self.items = items
        self.axis = axis
        self.remark = remark


_NOTHING = '<p class="nothing">No certificate was found.</p>'


def _sections(found: Inventory, warn: float) -> Iterator[_Section]:
    current = [item for item in found.items if not item.superseded]
    expired = [item for item in current if item.validity is Validity.EXPIRED]
    soon = [item for item in current if item.expires_within(warn) and item.validity is not Validity.EXPIRED]
    later = [item for item in current if not item.expires_within(warn)]
    former = [item for item in found.items if item.superseded]
    axis = axis_for((item.not_after for item in found.items), found.at, least=1.5 * warn + 1, most=_YEAR)
    wide = axis_for((item.not_after for item in found.authorities), found.at, least=warn + 1, most=_DECADES)
    yield _Section("expired", "Expired", expired, axis)
    yield _Section("soon", f"Within {warn:g} days", soon, axis)
    yield _Section("later", "Later", later, axis)
    yield _Section("former", "Former versions", former, axis, "No link leads to them any more.")
    remark = "What they have issued is trusted no longer than they are."
    yield _Section("authorities", "Authorities", list(found.authorities), wide, remark)


def _policy(text: str) -> str:
    digest = hashlib.sha256("".join(_STYLE.findall(text)).encode()).digest()
    style = f"style-src 'sha256-{base64.b64encode(digest).decode()}'"
    return f"default-src 'none'; {style}; img-src data:; base-uri 'none'; form-action 'none'"


def _text(text: str) -> str:
    """Escape; what is invisible, such as a mark that turns the direction of writing, is spelt out."""
    return html.escape("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))


def _breakable(text: str) -> str:
    """Escape a name or a path, that a browser may break behind its parts."""
    return re.sub(r"(?<=[./])(?=[^./])", "<wbr>", _text(text))


def _time(moment: datetime, shown: str) -> str:
    return f'<time datetime="{moment.isoformat(timespec="seconds")}">{shown}</time>'


def _tile(section: _Section, warn: float) -> str:
    due = sum(item.expires_within(warn) for item in section.items) if section.name == "authorities" else 0
    inner = f"<b>{len(section.items)}</b> <span>{section.heading}{f', {due} due' if due else ''}</span>"
    if section.items:
        return f'<li class="tile {section.name}{" soon" if due else ""}"><a href="#{section.name}">{inner}</a></li>'
    always = section.name in ("expired", "soon", "later")
    return f'<li class="tile none"><p>{inner}</p></li>' if always else ""


def _unread_tile(found: Inventory) -> str:
    count = len(found.locked) + len(found.unreadable)
    inner = f'<a href="#unread"><b>{count}</b> <span>Not read</span></a>'
    return f'<li class="tile unread">{inner}</li>' if count else ""


def _part(section: _Section, warn: float) -> str:
    heading = (
        f'<h2 id="{section.name}-heading">{section.heading} <span class="count">{len(section.items)}</span></h2>'
    )
    remark = f'<p class="remark">{section.remark}</p>' if section.remark else ""
    rows = "".join(_row(item, section, warn) for item in section.items)
    return (
        f'<section id="{section.name}">{heading}{remark}{_grid(section, warn)}'
        f'<table role="table" aria-labelledby="{section.name}-heading"><thead role="rowgroup"><tr role="row">'
        f'<th role="columnheader" scope="col" class="who">Certificate</th>'
        f'<th role="columnheader" scope="col" class="when">Expires</th>'
        f'<th role="columnheader" scope="col" class="line"><span class="unseen">Lifetime</span>{_scale(section)}</th>'
        f'</tr></thead><tbody role="rowgroup">{rows}</tbody></table></section>\n'
    )


def _grid(section: _Section, warn: float) -> str:
    """What stands behind every line of a section, once: the marks, today, and the days that are warned of."""
    axis = section.axis
    now = axis.place(axis.now)
    marks = "".join(f'<line class="mark" x1="{x}%" x2="{x}%" y1="0" y2="100%"/>' for x, _ in axis.ticks())
    width = min(100 - now, warn * 86400 / (axis.end - axis.start).total_seconds() * 100)
    zone = f'<rect class="zone" x="{now}%" width="{width:.2f}%" y="0" height="100%"/>'
    today = f'<line class="today" x1="{now}%" x2="{now}%" y1="0" y2="100%"/>'
    return (
        f'<svg class="unseen" aria-hidden="true"><symbol id="grid-{section.name}">{zone}{marks}{today}</symbol></svg>'
    )


def _scale(section: _Section) -> str:
    now = section.axis.place(section.axis.now)
    labels = [
        f'<text class="label{" odd" * (number % 2)}" x="{x}%" y="1em">{label}</text>'
        for number, (x, label) in enumerate(section.axis.ticks())
        if abs(x - now) > 1
    ]
    today = f'<text class="label now" x="{now}%" y="2.3em">today</text>'
    return f'<svg class="scale" aria-hidden="true">{"".join(labels)}{today}</svg>'


def _row(item: InventoryItem, section: _Section, warn: float) -> str:
    state = _state(item, warn)
    return (
        f'<tr role="row" class="{state}"><th role="rowheader" scope="row" class="who">{_who(item)}</th>'
        f'<td role="cell" class="when">{_time(item.not_after, f"{item.not_after:%Y-%m-%d}")}'
        f' <span class="left">{_when(item)}</span></td>'
        f'<td role="cell" class="line">{_bar(item, section)}</td></tr>\n'
    )


def _state(item: InventoryItem, warn: float) -> str:
    if item.superseded:
        return "former"
    if item.validity is Validity.EXPIRED:
        return "expired"
    return "soon" if item.expires_within(warn) else "later"


def _when(item: InventoryItem) -> str:
    return f"expired {item.when}" if item.validity is Validity.EXPIRED else item.when


def _bar(item: InventoryItem, section: _Section) -> str:
    """The lifetime as far as the time line shows it: what is over, what is left, and where it ends."""
    axis = section.axis
    begin, now, end = (axis.place(moment) for moment in (item.not_before, axis.now, item.not_after))
    gone = min(now, end)
    first = max(begin, gone)
    over = f'<rect class="over" x="{begin}%" width="{max(0.0, gone - begin):.2f}%" y="18" height="6"/>'
    left = f'<rect class="rest" x="{first}%" width="{max(0.0, end - first):.2f}%" y="16" height="10"/>'
    stop = f'<circle class="stop" cx="{end}%" cy="21" r="5"/>'
    if item.not_after > axis.end:
        stop = '<svg x="100%" y="14" class="on"><path class="stop" d="M-1 0l8 7-8 7z"/></svg>'
    elif item.not_after < axis.start:
        stop = '<svg x="0" y="14" class="on"><path class="stop" d="M7 0l-8 7 8 7z"/></svg>'
    grid = f'<use href="#grid-{section.name}" width="100%" height="100%"/>'
    return f'<svg class="bar" aria-hidden="true">{grid}{over}{left}{stop}</svg>'


def _who(item: InventoryItem) -> str:
    others = [name for name in item.names if name != item.name]
    more = f' <span class="more">and {len(others)} more</span>' if others else ""
    folders = list(dict.fromkeys(place.path.rpartition("/")[0] or "." for place in item.places))
    further = f' <span class="more">and {len(folders) - 1} more</span>' if len(folders) > 1 else ""
    where = f'<span class="where"><bdi>{_breakable(folders[0])}</bdi>{further}</span>' if folders else ""
    return (
        f'<details><summary><bdi class="name">{_breakable(item.name)}</bdi>{more}{_chips(item)}{where}</summary>'
        f"<dl>{_facts(item)}</dl></details>"
    )


def _chips(item: InventoryItem) -> str:
    chips = []
    if item.validity is Validity.NOT_YET:
        chips.append(f"not valid before {item.not_before:%Y-%m-%d}")
    if any(place.key is KeyBeside.OTHER for place in item.places):
        chips.append("the key beside it does not fit")
    if any(place.key is KeyBeside.MISSING for place in item.places):
        chips.append("its key is missing: an older version had one")
    return "".join(f' <span class="chip">{chip}</span>' for chip in chips)


def _facts(item: InventoryItem) -> str:
    beside = {KeyBeside.NONE: "", KeyBeside.FITS: " (with its key)"}
    places = [f"{place.path}{beside.get(place.key, f' (key: {place.key.value})')}" for place in item.places]
    facts = {
        "Names": list(item.names),
        "Subject": [item.subject] if item.subject else [],
        "Serial number": [item.serial_number],
        "Issuer": [item.issuer],
        "Valid from": [f"{item.not_before:%Y-%m-%d %H:%M:%S} UTC"],
        "Valid until": [f"{item.not_after:%Y-%m-%d %H:%M:%S} UTC"],
        "Key": [item.key or "unknown"],
        "SHA-256": [item.sha256],
        "Found in": places,
    }
    return "".join(_fact(term, values) for term, values in facts.items() if values)


def _fact(term: str, values: list[str]) -> str:
    more = f"<dd>and {len(values) - _MOST} more</dd>" if len(values) > _MOST else ""
    told = "".join(f"<dd><bdi>{_text(value)}</bdi></dd>" for value in values[:_MOST])
    return f"<dt>{term}</dt>{told}{more}"


def _unread(found: Inventory) -> str:
    if not found.locked and not found.unreadable:
        return ""
    count = len(found.locked) + len(found.unreadable)
    lists = _list("Locked", found.locked) + _list("Unreadable", found.unreadable)
    remark = '<p class="remark">Whether something in them expires, this page cannot tell.</p>'
    return f'<section id="unread"><h2>Not read <span class="count">{count}</span></h2>{remark}{lists}</section>'


def _list(heading: str, files: tuple[UnreadFile, ...]) -> str:
    rows = "".join(f"<li><bdi>{_text(each.path)}</bdi> <span>{_text(each.reason)}</span></li>" for each in files)
    return f"<h3>{heading}</h3><ul>{rows}</ul>" if rows else ""
