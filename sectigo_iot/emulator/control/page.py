"""The page in the browser, and the policy by which it can load and run nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

from starlette.responses import Response

from sectigo_iot.emulator.control.asking import Asked
from sectigo_iot.emulator.exchange.replies import RefusalError

_BLOCKS = {
    "style": re.compile(r"<style>(.*?)</style>", re.DOTALL),
    "script": re.compile(r"<script>(.*?)</script>", re.DOTALL),
}


async def page(_asked: Asked) -> Response:
    """The page for people."""
    file = resources.files("sectigo_iot.emulator.control") / "page.html"
    if not file.is_file():
        raise RefusalError(404, "the page is not installed")
    text = file.read_text("utf-8")
    return Response(text, 200, {"Content-Security-Policy": policy_of(text)}, "text/html")


def policy_of(text: str) -> str:
    """Return the content security policy of a page: its own blocks run, known by their hashes, and nothing else."""
    own = [f"{kind}-src {_hashes(pattern.findall(text))}" for kind, pattern in _BLOCKS.items()]
    rest = ("connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")
    return "; ".join(("default-src 'none'", *own, *rest))


def _hashes(blocks: list[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in blocks]
    return " ".join(f"'sha256-{each}'" for each in digests) or "'none'"
