"""The page that shows the VASPs."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from directory_service.directory import VERIFIED, Entry

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .8rem;border-bottom:1px solid #ddd}
code{font-size:.85em;overflow-wrap:anywhere}.verified{color:#06703c;font-weight:600}.attention{color:#8a3b00}"""
_HEAD = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Directory</title>
<meta http-equiv="refresh" content="5"><meta name="viewport" content="width=device-width">
<style>{_STYLE}</style></head>
<body><h1>Directory</h1><table><thead>
<tr><th>VASP</th><th>Names</th><th>State</th><th>Serial number</th><th>Until</th></tr>
</thead><tbody>
"""


def directory_page(entries: Iterable[Entry], following: str | None) -> str:
    """Return the page in HTML. `following`: what the next page comes after, if there is one."""
    rows = "".join(map(_row, entries)) or '<tr><td colspan="5">Nobody is registered yet.</td></tr>'
    link = f'<p><a href="/?after={quote(following)}">next page</a></p>' if following else ""
    return f"{_HEAD}{rows}</tbody></table>{link}</body></html>"


def _row(entry: Entry) -> str:
    kind = VERIFIED if entry.state == VERIFIED else "waiting"
    attention = f'<br><small class="attention">{escape(entry.attention)}</small>' if entry.attention else ""
    ends = f"{entry.ends:%Y-%m-%d}" if entry.ends else ""
    cells = (
        f"{escape(entry.name)}<br><small>{escape(entry.identifier)}</small>",
        "<br>".join(escape(name) for name in entry.names),
        f'<span class="{kind}">{escape(entry.state)}</span>{attention}',
        f"<code>{escape(entry.serial or '')}</code>",
        ends,
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"
