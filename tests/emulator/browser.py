"""A headless Chromium for a module of tests: it starts once, keeps nothing, and leaves nothing running."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

needs_browser = pytest.mark.needs("chromium", "chromedriver")

_SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)

_FAINT = r"""
const channels = color => (color.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);

function over(front, back) {
  const alpha = front[3] ?? 1;
  return [0, 1, 2].map(i => front[i] * alpha + back[i] * (1 - alpha));
}

function behind(element) {
  if (!element) return [255, 255, 255];
  return over(channels(getComputedStyle(element).backgroundColor), behind(element.parentElement));
}

function luminance(color) {
  const [r, g, b] = color.map(each => each / 255)
    .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(element) {
  const back = behind(element);
  const front = over(channels(getComputedStyle(element).color), back);
  const [light, dark] = [front, back].map(luminance).sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const speaks = element => ["INPUT", "SELECT"].includes(element.tagName)
  || [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
const shown = [...document.body.querySelectorAll("*")].filter(element => element.checkVisibility());
const texts = shown.filter(speaks);
const faint = texts.map(element => [element.textContent.slice(0, 40), contrast(element)])
  .filter(([, ratio]) => ratio < 4.5);
return texts.length > 20 ? faint : [["too few texts to judge", texts.length]];
"""


class Browser:
    """One window. What is waited for is waited for ten seconds at the most."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Load a page anew, at 1280 by 900 pixels and in the light."""
        self.driver.get("about:blank")
        self.screen(1280)
        self.driver.get(url)

    def screen(self, width: int, *, dark: bool = False) -> None:
        """Set the width of the window in pixels, and which colours the reader prefers."""
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def run(self, script: str, *values: object) -> Any:
        """Return what a function's body in JavaScript returns; `arguments` are the values."""
        return self.driver.execute_script(script, *values)

    def until(self, expression: str, *values: object) -> Any:
        """Wait until an expression in JavaScript is true of the page, and return it. Fails after ten seconds."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = self.run(f"return {expression}", *values)
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"not within ten seconds: {expression} {values}")

    def shows(self, css: str, text: str = "") -> None:
        """Wait until an element is shown, and holds a text."""
        self.until(
            "[...document.querySelectorAll(arguments[0])].some("
            "e => e.checkVisibility() && e.textContent.includes(arguments[1]))",
            css,
            text,
        )

    def element(self, css: str) -> WebElement:
        """Return the first element that fits."""
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def click(self, css: str) -> None:
        """Click on the first element that fits, as soon as it is there."""
        self.shows(css)
        self.element(css).click()

    def keys(self, *keys: str) -> None:
        """Press keys, one after the other."""
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def faint(self) -> list[tuple[str, float]]:
        """Return the texts that have less contrast than WCAG AA asks for, each with its ratio."""
        return [(text, ratio) for text, ratio in self.run(_FAINT)]

    def put(self, css: str, value: str) -> None:
        """Put a value into a field, or choose it, as soon as it can be chosen."""
        fits = "(e => e && (e.tagName !== 'SELECT' || [...e.options].some(o => o.value === arguments[1])) && e)"
        field = self.until(f"{fits}(document.querySelector(arguments[0]))", css, value)
        script = "const [e, v] = arguments; e.value = v; e.dispatchEvent(new Event('input', {bubbles: true}));"
        self.run(f"{script} e.dispatchEvent(new Event('change', {{bubbles: true}}))", field, value)

    def complaints(self) -> list[str]:
        """Return what the page wrote to its console since this was asked last."""
        return [entry["message"] for entry in self._log("browser")]

    def requested(self) -> set[str]:
        """Return the addresses of everything that pages asked for since this was asked last."""
        messages = (json.loads(entry["message"])["message"] for entry in self._log("performance"))
        sent = (each["params"] for each in messages if each["method"] == "Network.requestWillBeSent")
        addresses = (each["request"]["url"] for each in sent)
        # A new window shows a page of the browser's own first.
        return {url for url in addresses if not url.startswith(("chrome:", "chrome-untrusted:", "about:", "data:"))}

    def _log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return entries


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with a profile of its own."""
    profile = tmp_path_factory.mktemp("chromium")
    with pytest.MonkeyPatch.context() as patch:
        for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
            patch.delenv(name)
        try:
            driver = webdriver.Chrome(_options(profile), _service(profile))
            try:
                yield Browser(driver)
            finally:
                driver.quit()
        finally:
            _end(profile)


def _options(profile: Path) -> webdriver.ChromeOptions:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for switch in (*_SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": False})
    return options


def _service(home: Path) -> Service:
    environ = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    return Service(shutil.which("chromedriver"), log_output=DEVNULL, env=environ)


def _end(profile: Path) -> None:
    """Wait until every process of the browser is gone, and end those that are not."""
    deadline = time.monotonic() + 2
    while (left := _processes(profile)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for number in left:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def _processes(profile: Path) -> list[int]:
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"--user-data-dir={profile}".encode() in line.read_bytes():
                found.append(int(line.parent.name))
    return found
