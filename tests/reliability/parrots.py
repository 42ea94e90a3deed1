"""A server that repeats every secret that it is told, in every place of an answer where there is room for it."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable

from sectigo_iot import Exchange, IoTManager, SectigoError
from tests.unit.lying_server import PARAMS, Answer, Seen, answer, json_answer, lies
from tests.unit.test_redaction import FORMS

LOGIN, GIVEN, FROM_FILE = "l0g-in/Pa55+word", "giv3n-Pa55word", "f1le Pa55word&co"


def carried(seen: Seen) -> list[str]:
    """Return the secrets that came with a request."""
    found = [seen.headers.get("authorization", "").removeprefix("Bearer ")]
    if seen.path.endswith("/auth/refresh"):
        found.append(seen.body.decode())
    elif seen.body.startswith(b"{"):
        document = seen.document
        found += [document.get("password", ""), document.get("profileParams", {}).get("pkcs12Password", "")]
    elif seen.body:
        found += [secret for secret in (GIVEN, FROM_FILE) if secret.encode() in seen.body]
    return [secret for secret in found if secret]


def in_header(text: str) -> str:
    return re.sub(r"[\r\n]", " ", text).encode().decode("latin-1")


SURFACES: dict[str, Callable[[str, int], bytes]] = {
    "message": lambda text, status: json_answer({"status": status, "message": text, "errorCode": 7}, status),
    "error": lambda text, status: json_answer({"error": f"no: {text}"}, status),
    "text": lambda text, status: answer(status, f"you sent {text}!", "text/plain"),
    "page": lambda text, status: answer(status, f"<html><title>{text}</title>{text}</html>", "text/html"),
    "JSON": lambda text, status: json_answer(text, status),
    "names": lambda text, status: json_answer({text: {"status": text}, "items": [text], "status": text}, status),
    "type": lambda text, status: answer(status, "x", f"text/{in_header(text)}"),
    "fields": lambda text, status: answer(
        status, "{", **dict.fromkeys(("Set_Cookie", "Retry_After", "X"), in_header(text))
    ),
    "elsewhere": lambda text, status: answer(
        status, "", Location=f"http://127.0.0.1:1/{in_header(text)}?{in_header(text)}"
    ),
    "here": lambda text, status: answer(status, "", Location=f"/{in_header(text)}"),
    "reason": lambda text, status: answer(status).replace(b" Word\r", f" {in_header(text)}\r".encode("latin-1"), 1),
    "disposition": lambda text, status: answer(
        status, "PK", "application/zip", Content_Disposition=f'attachment; filename="{in_header(text)}.zip"'
    ),
    "cut": lambda text, status: answer(status, text, Content_Length="9999"),
    "no HTTP": lambda text, _: f"HTTP/1.1 {in_header(text)}\r\n\r\n".encode("latin-1"),
}  # fmt: skip
STATUSES = (200, 201, 302, 307, 400, 401, 403, 404, 405, 500, 503)
CALLS: dict[str, Callable[[IoTManager], object]] = {
    "read": lambda client: client.licenses_used(),
    "order": lambda client: client.create_single_cert_batch(423, "first", {**PARAMS, "pkcs12Password": GIVEN}),
    "upload": lambda client: client.upload_csr_batch(17, "a.csr", b"-----BEGIN", {"pkcs12Password": GIVEN}),
    "status": lambda client: client.batch_status(24),
    "fetch": lambda client: client.download_bytes(24),
    "find": lambda client: client.find_certificate("a.example.com"),
    "revoke": lambda client: client.revoke_certificate(17, "superseded", "ABCDEF"),
    "raw": lambda client: client.raw("userCredentials", method="POST", data=b"token=" + FROM_FILE.encode()),
    "log in": lambda client: client.authenticate(),
    "refresh": lambda client: client.refresh(),
}


def parrot(surface: str, form: str, status: int) -> Answer:
    def reply(seen: Seen) -> bytes:
        return SURFACES[surface](" ".join(FORMS[form](secret) for secret in carried(seen)), status)

    return reply


def told(error: BaseException) -> str:
    """Return all that can be had of an error without looking into its frames."""
    said = [str(error), repr(error), repr(error.args), repr(vars(error)), *traceback.format_exception(error)]
    return "\n".join(said)


def provoke(surface: str, form: str, status: int, call: str) -> tuple[str, list[Exchange]]:
    """Make one call to a server that repeats everything; return what is said of it, and what was exchanged."""
    exchanges: list[Exchange] = []
    liar = parrot(surface, form, status)
    login, refresh = (liar if call == name else None for name in ("log in", "refresh"))
    with lies(liar, login=login, refresh=refresh, password=LOGIN, observer=exchanges.append) as (_, client):
        try:
            if call == "refresh":
                client.authenticate()
            CALLS[call](client)
        except (SectigoError, OSError) as error:
            return told(error), exchanges
        # What the service answers belongs to whoever asked.
        return "", exchanges
