"""The page that `sectigo inventory` writes, in a browser: as it is opened from a file, on a screen of any size."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sectigo_iot.pki import Inventory, InventoryItem, UnreadFile, inventory, inventory_page
from tests.emulator import browser as chromium
from tests.emulator.browser import Browser
from tests.unit.pki.home import ec_key, pem, pfx
from tests.unit.pki.installed import AT, authorities, certificate, put

browser = chromium.browser

HOSTILE = "<script>window.hit=1</script><img src=x onerror=window.hit=1>"
BACKWARDS = "invoice\u202egnp\u200b.example.com"
LONG = "x" * 60 + "." + "y" * 60 + ".example.com"
NARROW, WIDE = 400, 1280


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """An inventory of which every part of the page has something to show."""
    folder = tmp_path_factory.mktemp("certs")
    put(folder, certificate(expires=AT - timedelta(days=40)))
    put(folder, certificate(expires=AT + timedelta(days=12, hours=6)))
    for days in (-140, -3, 28, 120, 250, 900):
        path = folder / f"{days}.pem"
        path.write_bytes(pem(certificate(f"d{days}.example.com", expires=AT + timedelta(days=days, hours=6))))
    for number, name in enumerate((HOSTILE, BACKWARDS)):
        path = folder / f"{number}<b onclick=alert(1)>.pem"
        path.write_bytes(pem(certificate(name, names=(name.encode("ascii", "ignore").decode(),))))
    (folder / "long.pem").write_bytes(pem(certificate("", names=(LONG, *(f"n{n}.example.com" for n in range(150))))))
    put(folder, certificate("odd.example.com", days=90), name="odd.example.com", key=ec_key("another"))
    (folder / "a.p12").write_bytes(pfx(certificate(), list(authorities()), ec_key("leaf")))
    (folder / "broken&.crt").write_bytes(b"")
    return inventory([folder], at=AT, versions=True)


@pytest.fixture(scope="module")
def page(found: Inventory, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page, in a file."""
    file = tmp_path_factory.mktemp("page") / "inventory.html"
    file.write_text(inventory_page(found))
    return file.as_uri()


@pytest.fixture
def opened(browser: Browser, page: str) -> Iterator[Browser]:
    """The page, open; it asks for nothing else, and has nothing to complain about."""
    browser.requested()
    browser.complaints()
    browser.open(page)
    yield browser
    assert browser.requested() <= {page}
    assert browser.complaints() == []


class _Outline(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)


def test_nothing_in_it_can_run_or_load(found: Inventory) -> None:
    text = inventory_page(found)
    outline = _Outline()
    outline.feed(text)
    assert not outline.tags & {"script", "iframe", "object", "embed", "img", "form", "base", "audio", "video"}
    assert not [name for name, _ in outline.attributes if name.startswith("on") or name in ("style", "src")]
    links = {value or "" for name, value in outline.attributes if name in ("href", "xlink:href")}
    assert all(link.startswith(("#", "data:image/svg+xml,")) for link in links)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert not re.search(r"url\(|@import|https?:", style)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    assert ("content", policy) in outline.attributes


def test_an_empty_inventory() -> None:
    assert "No certificate was found." in inventory_page(Inventory(AT))
    unread = inventory_page(Inventory(AT, unreadable=(UnreadFile("/a&b", "<it>"),)))
    assert "/a&amp;b" in unread
    assert "&lt;it&gt;" in unread


def test_a_ca_that_expires_is_told_at_the_top() -> None:
    end = AT + timedelta(days=5)
    item = InventoryItem(AT, "", "TEST Issuing", (), "01", AT - timedelta(days=9), end, "", "", "", ca=True)
    for warn, tile in (
        (4, 'authorities"><a href="#authorities"><b>1</b> <span>Authorities</span>'),
        (5, 'authorities soon"><a href="#authorities"><b>1</b> <span>Authorities, 1 due</span>'),
    ):
        assert tile in inventory_page(Inventory(AT, authorities=(item,)), warn=warn)


def test_a_title_of_one_s_own() -> None:
    text = inventory_page(Inventory(AT), title="Nodes of <example.com> $at")
    assert "<h1>Nodes of &lt;example.com&gt; $at</h1>" in text


@pytest.mark.parametrize("days", [0, 1, 7, 90, 4000, 2_900_000])
@pytest.mark.parametrize("warn", [0, 30, 100_000])
def test_a_time_line_of_any_length(days: int, warn: int) -> None:
    end = AT + timedelta(days=days)
    item = InventoryItem(AT, "", "a.example.com", (), "01", AT - timedelta(days=9000), end, "", "", "", ca=days > 99)
    text = inventory_page(Inventory(AT, *(((), (item,)) if item.ca else ((item,), ()))), warn=warn)
    places = [float(each) for each in re.findall(r'\b(?:x|x1|cx|width)="([\d.-]+)%"', text)]
    assert all(0 <= each <= 100 for each in places)
    assert len(re.findall(r'class="label', text)) < 14


@chromium.needs_browser
def test_it_needs_nobody_and_runs_nothing(opened: Browser) -> None:
    assert opened.run("return performance.getEntriesByType('resource').length") == 0
    assert opened.run("return [document.scripts.length, typeof window.hit]") == [0, "undefined"]
    tried = "return new Promise(done => fetch('data:,x').then(() => done('loaded'), () => done('refused')))"
    assert opened.run(tried) == "refused"
    assert (
        opened.run(
            "const s = document.createElement('script'); s.textContent = 'window.hit = 1';"
            "document.head.append(s); return typeof window.hit"
        )
        == "undefined"
    )
    # What this test tried, the browser complains about; nothing else.
    assert [each for each in opened.complaints() if "Content Security Policy" not in each] == []


@chromium.needs_browser
def test_names_are_text(opened: Browser, found: Inventory) -> None:
    names = opened.run("return [...document.querySelectorAll('.name')].map(e => e.textContent)")
    spelt = BACKWARDS.replace("\u202e", r"\u202e").replace("\u200b", r"\u200b")
    assert {HOSTILE, spelt, LONG} <= set(names)
    assert len(names) == len(found.items) + len(found.authorities)
    assert opened.run("return document.querySelectorAll('b[onclick], .name img').length") == 0
    assert "0<b onclick=alert(1)>.pem" in opened.run("return document.body.textContent")


@chromium.needs_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, NARROW, WIDE])
def test_it_fits_the_screen_and_can_be_read(opened: Browser, width: int, dark: bool) -> None:
    opened.screen(width, dark=dark)
    for shut in (True, False):
        opened.run("document.querySelectorAll('details').forEach(e => e.open = !arguments[0])", shut)
        assert opened.run("return document.documentElement.scrollWidth") <= width
        # Nothing is cut off at the right, either.
        cut = (
            "return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('svg') && "
        )
        cut += "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 90))"
        assert opened.run(cut) == []
        assert opened.faint() == []


@chromium.needs_browser
def test_the_dark_is_dark(opened: Browser) -> None:
    colours = "return ['body', 'table', '.later .rest', '.soon .left', '.expired .left'].map(css => {"
    colours += (
        "const s = getComputedStyle(document.querySelector(css)); return [s.backgroundColor, s.color, s.fill]})"
    )
    seen = []
    for dark in (False, True):
        opened.screen(WIDE, dark=dark)
        seen.append(opened.run(colours))
    assert all(light != dark for light, dark in zip(*seen, strict=True))
    grounds = [sum(map(int, re.findall(r"\d+", each[0][0])[:3])) for each in seen]
    assert grounds[0] > 600 > 150 > grounds[1]


@chromium.needs_browser
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_the_bars_are_as_long_as_what_is_left(opened: Browser, width: int) -> None:
    opened.screen(width)
    script = """const rows = [...document.querySelectorAll('tbody tr')];
    const row = rows.find(e => e.textContent.includes('d250.example.com'));
    const bar = row.querySelector('.rest').getBoundingClientRect();
    const all = row.querySelector('.bar').getBoundingClientRect();
    const other = rows.find(e => e.textContent.includes('d28.example.com'));
    return [bar.left, bar.width, other.querySelector('.rest').getBoundingClientRect().width, all.left, all.right,
      document.querySelector('#later .now').getBoundingClientRect()].flat()"""
    begin, long, short, first, last, now = opened.run(script)
    assert long / short == pytest.approx(250.25 / 28.25, rel=0.02)
    assert first < begin < begin + long < last
    assert now["left"] < begin < now["right"]


@chromium.needs_browser
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_a_table_stays_a_table_for_who_hears_it(opened: Browser, width: int) -> None:
    opened.screen(width)
    tree = opened.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    assert roles.count("table") == 5
    assert roles.count("columnheader") == 15
    assert roles.count("rowheader") == opened.run("return document.querySelectorAll('tbody tr').length")
    names = [node.get("name", {}).get("value", "") for node in tree if node["role"]["value"] == "table"]
    assert names == ["Expired 2", "Within 30 days 2", "Later 7", "Former versions 1", "Authorities 2"]


@chromium.needs_browser
def test_the_keyboard_opens_what_is_known_of_a_certificate(opened: Browser) -> None:
    opened.element("#expired summary").send_keys("\n")
    opened.shows("#expired dl", "Serial number")
    assert opened.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    terms = opened.run("return [...document.querySelectorAll('#expired details[open] dt')].map(e => e.textContent)")
    assert terms == [
        "Names",
        "Subject",
        "Serial number",
        "Issuer",
        "Valid from",
        "Valid until",
        "Key",
        "SHA-256",
        "Found in",
    ]
    opened.click(".tile.authorities a")
    assert opened.run("return location.hash") == "#authorities"


@chromium.needs_browser
def test_a_certificate_of_many_names(opened: Browser) -> None:
    script = """const row = [...document.querySelectorAll('tbody tr')].find(e => e.textContent.includes('xxxx'));
    return [row.querySelector('summary .more').textContent, row.querySelector('dl').textContent]"""
    more, facts = opened.run(script)
    assert (more, "and 51 more" in facts) == ("and 150 more", True)


@chromium.needs_browser
def test_on_paper(opened: Browser) -> None:
    paper = opened.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    pdf = base64.b64decode(paper)
    assert pdf.startswith(b"%PDF-")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 4


@chromium.needs_browser
def test_a_thousand_certificates(browser: Browser, found: Inventory, tmp_path: Path) -> None:
    items = tuple(item for item in found.items for _ in range(1000 // len(found.items) + 1))[:1000]
    file = tmp_path / "many.html"
    file.write_text(inventory_page(Inventory(AT, items, found.authorities)))
    assert file.stat().st_size < 6_000_000
    browser.open(file.as_uri())
    assert browser.run("return document.querySelectorAll('tbody tr').length") == 1000 + len(found.authorities)
    browser.screen(NARROW)
    assert browser.run("return document.documentElement.scrollWidth") <= NARROW
    browser.click(".tile.authorities a")
    browser.until("Math.abs(document.querySelector('#authorities').getBoundingClientRect().top) < innerHeight")
