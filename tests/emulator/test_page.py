"""The page in the browser, as whoever tests a client has it open beside the terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import requests
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from sectigo_iot.emulator import Emulator
from tests.emulator import browser as chromium
from tests.emulator.api import PARAMETERS, PASSWORD, Api
from tests.emulator.browser import Browser

pytestmark = chromium.needs_browser
browser = chromium.browser

TABS = ("batches", "certificates", "journal", "accounts", "faults")
HOSTILE = '<img src=x onerror="window.hit=1">"></script><script>window.hit=1</script>'
BACKWARDS = "invoice\u202egnp\u200b.exe"
SHORT_HOSTILE = "<img src=x onerror=window.hit=1>"

CONTROLS = """[...document.querySelectorAll('a[href], button, input, select, textarea, pre[tabindex="0"]')]
  .filter(e => e.checkVisibility() && e.tabIndex >= 0)"""
"""What a mouse can use: the keyboard must reach it, too."""

WATCH_FOCUS = """window.met = new Set(); window.unseen = [];
addEventListener('focusin', ({target}) => {
  met.add(target);
  if (getComputedStyle(target).outlineStyle === 'none' && target.id !== 'content') unseen.push(target.outerHTML);
});"""
"""Collects what got the focus, and what of it does not show so."""


_CONNECTION_LOST = re.compile(
    r"net::ERR_(CONNECTION_\w+|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|SOCKET_NOT_CONNECTED)"
)
"""What a browser may say of a server that goes away: which of it depends on how far the request has come."""


@pytest.fixture(autouse=True)
def _honest(browser: Browser) -> Iterator[None]:
    """After each test: the page had nothing to complain about, and asked nobody but its emulator."""
    browser.requested()
    browser.complaints()
    yield
    assert browser.complaints() == []
    assert [url for url in browser.requested() if not url.startswith("http://127.0.0.1:")] == []


@pytest.fixture(scope="module")
def busy() -> Iterator[Emulator]:
    """An emulator of which every view has something to show, and that nobody changes."""
    with Emulator() as emulator:
        api = Api(emulator)
        api.order(name="first of many")
        # Without a blank, longer than any screen is wide.
        api.order(name="long" * 60)
        emulator.control.revoke(api.serial("example.com"), "certificateHold")
        api.login(emulator.username, "not the password")
        emulator.control.queue_fault("html", calls=("upload",), status=503)
        emulator.control.add_fault("too-many", calls=("refresh",), percent=20)
        emulator.control.next_life("stuck")
        emulator.control.push(int(api.order(name=BACKWARDS).json()["batchId"]), "AWAITING_CEREMONY")
        api.session.close()
        yield emulator


@pytest.fixture(scope="module")
def second() -> Iterator[tuple[Emulator, Api]]:
    """An emulator that takes its time, and is put back to its start again and again."""
    with Emulator(delay=0.4) as emulator:
        client = Api(emulator)
        yield emulator, client
        client.session.close()


@pytest.fixture
def own(browser: Browser, second: tuple[Emulator, Api]) -> tuple[Emulator, Api]:
    """An emulator as at its start, and its page at the batches."""
    second[0].control.reset()
    _show(browser, second[0])
    browser.until("!document.querySelector('[data-batch]')")
    return second


def _open(browser: Browser, emulator: Emulator, tab: str = "batches") -> None:
    browser.open(f"{emulator.control_url}/#{tab}")
    browser.shows("#live", "live")


def _show(browser: Browser, emulator: Emulator, tab: str = "batches") -> None:
    """Turn to a tab, from the top. The page may be there from the test before."""
    browser.screen(1280)
    if browser.run("return location.href").startswith(f"{emulator.control_url}/"):
        browser.run("document.getElementById(`tab-${arguments[0]}`).click(); scrollTo(0, 0)", tab)
    else:
        _open(browser, emulator, tab)


def _turn(browser: Browser, tab: str) -> None:
    """Turn to a tab, and wait until it shows something; in the journal one entry is opened."""
    browser.run(f"document.getElementById('tab-{tab}').click()")
    browser.shows(f"#view-{tab} .list > li")
    if tab == "journal" and browser.run("return journal.open === null"):
        browser.run("document.querySelector('.entry-line').click()")
        browser.shows(".detail h3", "Reply")


def _top(browser: Browser, css: str) -> float:
    """Return how far below the window's edge an element is, in pixels."""
    found: float = browser.run("return document.querySelector(arguments[0]).getBoundingClientRect().top", css)
    return found


def test_a_button_rejects_a_batch(browser: Browser, emulator: Emulator, api: Api) -> None:
    _show(browser, emulator)
    emulator.control.next_life("stuck")
    number = api.order(name="to be rejected").json()["batchId"]
    browser.click(f"[data-batch='{number}'] [data-act=reject]")
    browser.keys("Papers are missing", Keys.ENTER)
    browser.shows(f"[data-batch='{number}'] .chip", "REJECTED")
    browser.shows(f"[data-batch='{number}'] .reason", "Papers are missing")
    assert api.batch(number)["status"] == "REJECTED"
    assert browser.run("return document.activeElement.dataset.act") == "reject"


def test_buttons_move_a_batch(browser: Browser, emulator: Emulator, api: Api) -> None:
    emulator.control.next_life("stuck")
    number = api.order(name="to be moved").json()["batchId"]
    _show(browser, emulator)
    for button, status in (("fail", "FAILED"), ("break", "BROKEN"), ("ready", "READY_FOR_DOWNLOAD")):
        browser.click(f"[data-batch='{number}'] [data-act={button}]")
        if button == "break":
            browser.keys(Keys.ENTER)
        browser.shows(f"[data-batch='{number}'] .chip", status)
        assert api.batch(number)["status"] == status


def test_a_batch_is_put_into_a_state_that_nobody_has_heard_of(browser: Browser, emulator: Emulator, api: Api) -> None:
    number = api.order(name="odd").json()["batchId"]
    _show(browser, emulator)
    browser.click(f"[data-batch='{number}'] [data-act=state]")
    browser.put("#dialog-status", "UNHEARD_OF")
    browser.keys(Keys.ENTER)
    browser.shows(f"[data-batch='{number}'] .chip", "UNHEARD_OF")
    assert api.batch(number)["status"] == "UNHEARD_OF"


def test_a_batch_that_is_too_far_on_says_that_it_cannot_be_rejected(
    browser: Browser, emulator: Emulator, api: Api
) -> None:
    number = api.order(name="done").json()["batchId"]
    _show(browser, emulator)
    browser.click(f"[data-batch='{number}'] [data-act=reject][aria-disabled=true]")
    browser.shows("#alarm", "too far on")
    assert not browser.run("return document.getElementById('dialog').open")


def test_a_certificate_is_held_and_made_good_again(browser: Browser, emulator: Emulator, api: Api) -> None:
    parameters = {**PARAMETERS, "commonName": "held.example.com", "dNSName": "held.example.com"}
    api.order(parameters, name="held")
    serial = emulator.control.certificates(common_name="held.example.com")[0]["serial"]
    _show(browser, emulator, "certificates")
    browser.click(f"[data-serial='{serial}'] [data-act=revoke]")
    browser.put("#dialog-reason", "certificateHold")
    browser.click("dialog [type=submit]")
    browser.shows(f"[data-serial='{serial}'] .chip", "on hold")
    browser.click(f"[data-serial='{serial}'] [data-act=lift]")
    browser.shows(f"[data-serial='{serial}'] .chip", "good")


def test_the_journal_shows_request_and_reply_without_secrets(browser: Browser, emulator: Emulator) -> None:
    fresh = Api(emulator)
    number = fresh.order(name="in the journal").json()["batchId"]
    _show(browser, emulator, "journal")
    browser.shows(".entry-line .call", "createSingleCertBatch")
    browser.run("document.querySelector('.entry-line').focus()")
    browser.keys(Keys.ENTER)
    request, reply = browser.until(
        "(p => p.length === 2 && p.map(e => e.textContent))([...document.querySelectorAll('pre')])"
    )
    assert json.loads(request)["batchName"] == "in the journal"
    assert json.loads(reply)["batchId"] == number
    browser.keys(Keys.ARROW_DOWN, Keys.ENTER)
    browser.until("document.querySelectorAll('.detail:not([hidden])').length === 1")
    browser.shows(".detail .heads", "application/json")
    assert not any(
        secret in browser.driver.page_source for secret in (PASSWORD, emulator.password, *fresh.tokens.values())
    )
    fresh.session.close()


def test_the_journal_follows_the_newest_until_the_reader_opens_one(
    browser: Browser, emulator: Emulator, api: Api
) -> None:
    _open(browser, emulator, "journal")
    api.get("/api/v1/batches/111")
    browser.shows("#journal-list li:first-child .what", "/api/v1/batches/111")
    browser.click(".entry-line")
    api.get("/api/v1/batches/222")
    browser.shows("#journal-newer", "1 newer request: show")
    browser.shows("#journal-list li:first-child .what", "/api/v1/batches/111")
    browser.click("#journal-newer")
    browser.shows("#journal-list li:first-child .what", "/api/v1/batches/222")


def test_the_journal_is_filtered_by_call_and_batch(browser: Browser, emulator: Emulator, api: Api) -> None:
    number = api.order(name="filtered").json()["batchId"]
    api.batch(number)
    _show(browser, emulator)
    browser.click(f"[data-batch='{number}'] [data-act=requests]")
    browser.shows("#journal-count", "2 requests")
    browser.put("#journal-call", "batchDetail")
    browser.shows("#journal-count", "1 request")
    browser.shows(".entry-line .call", "batchDetail")


def test_what_clients_send_stays_text(browser: Browser, api: Api, emulator: Emulator) -> None:
    api.order(name=HOSTILE)
    api.order({**PARAMETERS, "commonName": SHORT_HOSTILE})
    api.login(HOSTILE, HOSTILE)
    api.order({**PARAMETERS, "commonName": HOSTILE})
    api.get("/api/v1/<img src=x onerror=window.hit=1>")
    _open(browser, emulator)
    for tab in ("batches", "certificates", "journal"):
        browser.run(f"document.getElementById('tab-{tab}').click()")
        browser.shows(
            f"#view-{tab} .said", {"batches": HOSTILE, "certificates": SHORT_HOSTILE}.get(tab, "%3Cimg%20src=x")
        )
        if tab == "journal":
            order = "[...document.querySelectorAll('.entry-line')].find(e => e.textContent.includes('createSingle'))"
            browser.run(f"{order}.click()")
            browser.shows("pre", "window.hit")
        assert browser.run("return [window.hit, document.images.length, document.scripts.length]") == [None, 0, 1]


@pytest.mark.parametrize("address", ["/", "/#journal"])
def test_tab_begins_at_the_top_of_the_page(browser: Browser, busy: Emulator, address: str) -> None:
    browser.open(f"{busy.control_url}{address}")
    browser.shows("#live", "live")
    browser.keys(Keys.TAB)
    assert browser.run("return document.activeElement.id") == "skip"
    assert browser.run("return location.hash") == (address[1:] or "#batches")


def test_what_nobody_would_see_is_written_out(browser: Browser, busy: Emulator) -> None:
    _show(browser, busy)
    _turn(browser, "batches")
    name = "[...document.querySelectorAll('#view-batches .name.said')].find(e => e.textContent.includes('invoice'))"
    assert browser.run(f"return {name}.textContent") == "invoice<U+202E>gnp<U+200B>.exe"
    assert browser.run(f"return [...{name}.querySelectorAll('.invisible')].map(e => e.textContent)") == [
        "<U+202E>",
        "<U+200B>",
    ]
    assert browser.run(f"return getComputedStyle({name}).unicodeBidi") == "isolate"
    _turn(browser, "journal")
    browser.shows("pre", '"invoice<U+202E>gnp<U+200B>.exe"')
    assert browser.run("return document.querySelector('pre').textContent.split('\\n').length") > 3
    assert "\u202e" not in browser.run("return document.body.textContent")


def test_a_certificate_can_be_downloaded(browser: Browser, busy: Emulator) -> None:
    _show(browser, busy)
    _turn(browser, "certificates")
    link = browser.element("#certificate-list a[download]").get_attribute("href")
    assert link is not None
    reply = requests.get(link, timeout=5)
    assert reply.text.startswith("-----BEGIN CERTIFICATE-----")
    assert "attachment" in reply.headers["Content-Disposition"]
    assert "PRIVATE" not in reply.text


def test_nothing_is_wider_than_a_telephone(browser: Browser, busy: Emulator) -> None:
    _show(browser, busy)
    browser.screen(400)
    for tab in TABS:
        _turn(browser, tab)
        widths = browser.run("return [document.documentElement.scrollWidth <= innerWidth, innerWidth]")
        assert [tab, *widths] == [tab, True, 400]
        cut = browser.run(
            "return [...document.querySelectorAll('.list')].filter(e => e.scrollWidth > e.clientWidth).length"
        )
        assert (tab, cut) == (tab, 0)
    browser.click("#reset")
    assert browser.run("return document.getElementById('dialog').getBoundingClientRect().right < 400")
    browser.keys(Keys.ESCAPE)


def test_every_text_can_be_read_in_the_light_and_in_the_dark(browser: Browser, busy: Emulator) -> None:
    _show(browser, busy)
    grounds = set()
    for dark in (False, True):
        browser.screen(1280, dark=dark)
        grounds.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
        for tab in TABS:
            _turn(browser, tab)
            assert (tab, browser.faint()) == (tab, [])
    assert len(grounds) == 2


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(browser: Browser, busy: Emulator) -> None:
    _show(browser, busy)
    browser.run(WATCH_FOCUS)
    for tab in TABS:
        _turn(browser, tab)
        count = browser.run(
            f"met.clear(); unseen.length = 0; document.activeElement.blur(); return {CONTROLS}.length"
        )
        browser.run("getSelection().collapse(document.body, 0)")
        browser.keys(*[Keys.TAB] * (count + 5))
        missed = browser.run(f"return {CONTROLS}.filter(e => !met.has(e)).map(e => e.outerHTML)")
        assert [tab, count > 10, missed, browser.run("return unseen")] == [tab, True, [], []]


def test_arrow_keys_switch_the_tabs(browser: Browser, busy: Emulator) -> None:
    _show(browser, busy)
    browser.run("document.getElementById('tab-batches').focus()")
    for tab in (*TABS[1:], TABS[0]):
        browser.keys(Keys.ARROW_RIGHT)
        browser.shows(f"#view-{tab}")
        assert browser.run("return document.activeElement.id") == f"tab-{tab}"
    browser.keys(Keys.END)
    browser.shows("#view-faults")
    shown = browser.run("return [...document.querySelectorAll('[role=tabpanel]')].filter(e => !e.hidden).length")
    assert shown == 1


def test_a_dialog_keeps_the_focus_and_gives_it_back(browser: Browser, busy: Emulator) -> None:
    _show(browser, busy)
    _turn(browser, "batches")
    browser.run("document.querySelector('[data-act=break]').focus()")
    browser.keys(Keys.ENTER, *[Keys.TAB] * 7)
    assert browser.run("return document.activeElement.closest('dialog') !== null")
    browser.keys(Keys.ESCAPE)
    assert browser.run("return [document.getElementById('dialog').open, document.activeElement.dataset.act]") == [
        False,
        "break",
    ]


def test_the_url_of_the_service_is_copied(browser: Browser, busy: Emulator) -> None:
    _show(browser, busy)
    browser.shows("#service", busy.url)
    browser.click("#copy")
    browser.shows("#notice", "The URL is copied")


def test_a_batch_that_becomes_ready_appears_without_reload(browser: Browser, own: tuple[Emulator, Api]) -> None:
    browser.run("window.same = true")
    number = own[1].order(name="watched").json()["batchId"]
    browser.shows(f"[data-batch='{number}'] .chip", "READY_FOR_DOWNLOAD")
    browser.shows(f"[data-batch='{number}'] .timeline", "PROCESSING")
    browser.until("document.getElementById('news').textContent.includes('is READY_FOR_DOWNLOAD')")
    assert browser.run("return window.same")


def test_what_is_about_to_be_pressed_stays_where_it_is(browser: Browser, own: tuple[Emulator, Api]) -> None:
    emulator, api = own
    emulator.control.next_life("stuck", times=30)
    first, second, third = (int(api.order(name="early").json()["batchId"]) for _ in range(3))
    browser.shows("[data-batch]")
    held, pointed = (f"[data-batch='{number}'] [data-act=fail]" for number in (first, second))
    browser.run("document.querySelector(arguments[0]).focus()", held)
    before = _top(browser, held)
    _arrive(browser, api, 10)
    assert abs(_top(browser, held) - before) < 1
    browser.keys(Keys.ENTER)
    browser.shows(f"[data-batch='{first}'] .chip", "FAILED")
    ActionChains(browser.driver, duration=0).move_to_element(browser.element(pointed)).perform()
    before = _top(browser, pointed)
    _arrive(browser, api, 10)
    assert abs(_top(browser, pointed) - before) < 1
    ActionChains(browser.driver, duration=0).click().perform()
    browser.shows(f"[data-batch='{second}'] .chip", "FAILED")
    assert emulator.control.batch(third)["status"] != "FAILED"


def _arrive(browser: Browser, api: Api, count: int) -> None:
    """Order, and wait until all of it is shown."""
    numbers = [api.order(name="late").json()["batchId"] for _ in range(count)]
    browser.shows(f"[data-batch='{numbers[-1]}']")


def test_a_key_does_nothing_to_what_is_out_of_view(browser: Browser, own: tuple[Emulator, Api]) -> None:
    emulator, api = own
    emulator.control.next_life("stuck", times=8)
    numbers = [int(api.order().json()["batchId"]) for _ in range(8)]
    # A row that comes in would move the view on its way.
    browser.until("document.querySelectorAll('[data-batch]').length === 8")
    browser.run("document.querySelector(arguments[0]).focus()", f"[data-batch='{numbers[0]}'] [data-act=fail]")
    browser.run("scrollTo(0, 0)")
    browser.keys(Keys.ENTER)
    browser.shows("#alarm", "out of view")
    assert "FAILED" not in {each["status"] for each in emulator.control.batches()}
    browser.keys(Keys.ENTER)
    browser.shows(f"[data-batch='{numbers[0]}'] .chip", "FAILED")


def test_the_clock_a_balance_and_a_fault_are_moved(browser: Browser, own: tuple[Emulator, Api]) -> None:
    emulator, api = own
    browser.shows("#ahead", "not moved")
    browser.click("[data-seconds='60']")
    browser.shows("#ahead", "1 min ahead")
    browser.click("#tab-accounts")
    browser.click("#balance-423")
    browser.run("document.activeElement.select()")
    browser.keys("7", Keys.ENTER)
    browser.shows("#notice", "The balance of 423 is 7.")
    assert {each["id"]: each["balance"] for each in emulator.control.authorities()}[423] == 7
    browser.click("#tab-faults")
    browser.put("#fault-name", "html")
    browser.click("#fault-status")
    browser.keys("503", Keys.ENTER)
    browser.shows("#rule-list", "html")
    assert api.get("/api/v1/batches/1").status_code == 503
    browser.until("!document.querySelector('#rule-list li')")


def test_the_focus_is_not_lost_with_what_had_it(browser: Browser, own: tuple[Emulator, Api]) -> None:
    emulator, _ = own
    emulator.control.add_fault("html", calls=("refresh",))
    emulator.control.add_fault("null", calls=("refresh",))
    _turn(browser, "faults")
    for fault in ("html", "null"):
        browser.run("document.querySelector('#rule-list [data-act=remove]').focus()")
        browser.keys(Keys.ENTER)
        browser.until(
            "![...document.querySelectorAll('#rule-list b')].some(e => e.textContent === arguments[0])", fault
        )
        assert browser.run("return document.activeElement !== document.body")


def test_a_reset_is_asked_about_first(browser: Browser, own: tuple[Emulator, Api]) -> None:
    _, api = own
    api.order(name="gone")
    browser.shows("[data-batch]")
    browser.click("#reset")
    browser.shows("dialog h2", "Reset the emulator")
    assert browser.run("return document.querySelectorAll('[data-batch]').length") == 1
    browser.click("dialog [type=submit]")
    browser.until("!document.querySelector('[data-batch]')")
    browser.shows("#batch-empty", "No batch yet")


def test_the_page_shows_a_hundred_and_more_on_demand(browser: Browser, own: tuple[Emulator, Api]) -> None:
    emulator, api = own
    emulator.control.set_balance(423, 200)
    emulator.control.next_life("stuck", times=103)
    for number in range(103):
        api.order(name=f"number-{number}")
    browser.shows("#batch-count", "100 batches, there are more")
    assert browser.run("return document.querySelectorAll('[data-batch]').length") == 100
    browser.run("scrollTo(0, 0)")
    browser.click("#batch-filter")
    browser.keys("number-1")
    browser.shows("#batch-count", "14 batches")
    browser.put("#batch-filter", "")
    browser.click("#batch-more")
    browser.until("document.querySelectorAll('[data-batch]').length === 103")


def test_the_page_finds_an_emulator_that_comes_back(browser: Browser) -> None:
    with Emulator() as one:
        _open(browser, one)
        browser.shows("#about", "account staging")
        port = int(str(one.control_url).rpartition(":")[2])
    browser.shows("#live", "reconnecting")
    with Emulator(control_port=port, scenario="no-balance") as other:
        browser.shows("#live", "live")
        browser.shows("#about", "own configuration")
        browser.shows("#service", other.url)
    browser.open("about:blank")
    assert [each for each in browser.complaints() if not _CONNECTION_LOST.search(each)] == []
