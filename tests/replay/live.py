"""Records the calls of a real account that only read, scrubbed: `make record`, by the owner of the account.

It says first what it is going to ask, and asks for consent. Settings come from the usual SECTIGO_ variables and the
keyring; RECORD_COMMON_NAME and RECORD_BATCH_ID add what there is to look at, RECORD_FOLDER says where the recording
goes (tests/cassettes/live), RECORD_REPLACE=yes lets it replace an earlier one, RECORD_CONSENT=yes consents where
nobody can be asked. What came over the wire is in memory alone until it is scrubbed and searched for everything that
was scrubbed out of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO
from unittest import mock
from urllib.parse import urljoin, urlsplit

import requests
import vcr  # type: ignore[import-untyped]
import yaml  # type: ignore[import-untyped]
from requests.utils import requote_uri
from vcr.persisters.filesystem import CassetteNotFoundError  # type: ignore[import-untyped]
from vcr.record_mode import RecordMode  # type: ignore[import-untyped]
from vcr.request import Request  # type: ignore[import-untyped]
from vcr.serialize import serialize  # type: ignore[import-untyped]
from vcr.serializers import yamlserializer  # type: ignore[import-untyped]

from sectigo_iot import ENDPOINTS, IoTManager, MemoryTokenStore, RedirectError, SectigoError, Settings
from sectigo_iot.certificate_login import CertificateLogin
from tests.replay.cassettes import FOLDER
from tests.replay.disguise import LIVE, Disguise
from tests.replay.facts import Recorded, beliefs, unproven
from tests.replay.reading import NotReadingError, Outcome, Reading, Wanted, call_named, plan
from tests.replay.scan import secrets_in
from tests.replay.scrubbing import SCRUBBED

NAME = "session"
"""The recording is `session.yaml`; what was asked, and how each call ended, is `session.json`."""
PASSING = {429, 502, 503, 504}
LOGIN = "https://login.example.com"
"""Where a recording is played that had its log-in go to another host, which a 307 named."""
_PORT = ":8443"
_SENT = ("Accept", "Authorization", "Content-Type")
_ANSWERED = ("content-type", "retry-after", "location")


class RecordingError(Exception):
    """Nothing was recorded, and why."""


class Exchange(NamedTuple):
    """One request and its answer, as vcrpy has them."""

    call: str
    request: Request
    response: dict[str, Any]


class Recording(NamedTuple):
    """What was recorded: the exchanges as they came, and how each call ended."""

    exchanges: list[Exchange]
    outcomes: list[Outcome]


# Recording


class _Memory:
    """Keeps what vcrpy would write, and where the client decided to log in with its certificate."""

    def __init__(self) -> None:
        self.exchanges: Mapping[str, Any] = {}
        self.logins: set[str] = set()
        self.login: object = None

    def repeats_login(self, request: requests.PreparedRequest) -> bool:
        """Whether a request is the log-in that was answered by a 307, on its way to where the client follows it."""
        again = request.method == "POST" and self.login is not None and request.body == self.login
        return again and one_spelling(str(request.url)) in self.logins

    def load_cassette(self, _path: object, serializer: object) -> None:
        raise CassetteNotFoundError

    def save_cassette(self, _path: object, exchanges: Mapping[str, Any], serializer: object) -> None:
        self.exchanges = exchanges


def record(settings: Settings, wanted: Wanted) -> Recording:
    """Make the calls, and return them as they came. Raises SectigoError, RecordingError, NotReadingError."""
    with IoTManager(settings) as client, only_reading(settings.endpoint) as memory:
        outcomes = Reading(client, wanted).run()
    asked, answered = memory.exchanges["requests"], memory.exchanges["responses"]
    exchanges = [
        Exchange(_name(settings.endpoint, request, memory), request, response)
        for request, response in zip(asked, answered, strict=True)
    ]
    broken = {each.response["status"]["code"] for each in exchanges} & PASSING
    if broken:
        raise RecordingError(f"the service answered {broken.pop()} once, which passes; record again")
    return Recording(exchanges, outcomes)


def _name(endpoint: str, request: Request, memory: _Memory) -> str:
    repeated = one_spelling(request.uri) in memory.logins and request.body == memory.login
    return "authenticate" if repeated else call_of(endpoint, request.method, request.uri)


@contextlib.contextmanager
def only_reading(endpoint: str) -> Iterator[_Memory]:
    """Record whatever is asked of new connections, and let no request leave this process that does not read.

    Of other places that one alone is let through where the client's own rule lets it log in with its certificate.
    """
    memory, send, target = _Memory(), requests.Session.send, CertificateLogin._target

    def checked(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if not memory.repeats_login(request):
            name = call_of(endpoint, str(request.method), str(request.url))
            memory.login = request.body if name == "authenticate" else memory.login
        return send(session, request, **options)

    def followed(login: CertificateLogin, origin: str, redirect: RedirectError) -> str:
        url = target(login, origin, redirect)
        memory.logins.add(one_spelling(url))
        return url

    recorder = vcr.VCR(record_mode=RecordMode.ALL)
    recorder.register_persister(memory)
    with (
        mock.patch.object(requests.Session, "send", checked),
        mock.patch.object(CertificateLogin, "_target", followed),
        recorder.use_cassette(NAME),
    ):
        yield memory


def one_spelling(url: str) -> str:
    """Return a URL as every reader of it spells it, its port written out."""
    parts = urlsplit(requote_uri(url))
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    return parts._replace(netloc=f"{parts.hostname}:{port}").geturl()


def call_of(endpoint: str, method: str, url: str) -> str:
    """Return the name of the call. Raises NotReadingError for what is no call of those, or goes elsewhere."""
    base, asked = urlsplit(endpoint), urlsplit(url)
    if (asked.scheme, asked.netloc) != (base.scheme, base.netloc) or not asked.path.startswith(base.path):
        raise NotReadingError(f"{method} to {asked.netloc} is none to the service: it was not sent")
    return call_named(method, asked.path.removeprefix(base.path))


# Scrubbing


def scrubbed(recording: Recording, endpoint: str, disguise: Disguise) -> list[tuple[Request, dict[str, Any]]]:
    """Return the exchanges as they may be written; the first of two passes learns what the second takes out."""
    disguise.tokens |= {str(each) for each in _bare_tokens(recording)}
    for _ in range(2):
        done = [
            (_sent(each, endpoint, disguise), _answered(each, endpoint, disguise)) for each in recording.exchanges
        ]
    return done


def _bare_tokens(recording: Recording) -> Iterator[str]:
    for each in recording.exchanges:
        if each.call == "refresh":
            yield (each.request.body or b"").decode()


def _sent(each: Exchange, endpoint: str, disguise: Disguise) -> Request:
    request = each.request
    headers = {name: disguise.words(request.headers[name]) for name in _SENT if name in request.headers}
    body = disguise.body(request.body) if request.body else None
    if each.call == "refresh" and body is not None and not body.endswith(f".{SCRUBBED}".encode()):
        body = SCRUBBED.encode()
    return Request(request.method, _place(each.call, request.uri, endpoint, disguise), body, headers)


def _place(call: str, url: str, endpoint: str, disguise: Disguise) -> str:
    """Return where a request goes when it is played; a log-in may have gone where a 307 points to."""
    base, asked = urlsplit(endpoint), urlsplit(url)
    path = asked.path.removeprefix(base.path)
    if call != "authenticate":
        return LIVE + disguise.path(path)
    host = LIVE if asked.hostname == base.hostname else LOGIN
    port = _PORT if asked.port not in (None, 443, base.port) else ""
    return f"{host}{port}{path if path == ENDPOINTS[call].path else '/elsewhere'}"


def _answered(each: Exchange, endpoint: str, disguise: Disguise) -> dict[str, Any]:
    try:
        body = disguise.body(each.response["body"]["string"])
    except ValueError:
        raise RecordingError(f"{each.call}: the answer is neither text nor JSON, and cannot be scrubbed") from None
    headers = {name.lower(): values for name, values in each.response["headers"].items()}
    kept = {name: [disguise.words(value) for value in headers[name]] for name in _ANSWERED if name in headers}
    if "location" in kept and each.call == "authenticate":
        places = [urljoin(each.request.uri, value) for value in headers["location"]]
        kept["location"] = [_place(each.call, place, endpoint, disguise) for place in places]
    return {**each.response, "headers": kept | {"content-length": [str(len(body))]}, "body": {"string": body}}


# Searching, and writing


def texts(value: Any) -> Iterator[str]:
    """Return every text in a structure; of a body that is JSON its texts, too, however they are written in it."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield str(name)
            yield from texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str | bytes):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        yield text
        try:
            document = json.loads(text)
        except ValueError:
            return
        if not isinstance(document, str | int | float):
            yield from texts(document)


def leaks(what: Any, disguise: Disguise, secrets: Mapping[str, str]) -> list[str]:
    """Return what kinds of things are in there that should not be, without repeating them."""
    placeholders = "\n".join([*disguise.names.values(), LIVE]).lower()
    originals = {each for each in disguise.names if len(each) >= 6 and each.lower() not in placeholders}
    known = {
        **dict.fromkeys(originals, "something that was replaced elsewhere"),
        **dict.fromkeys(disguise.passwords, "a password"),
        **dict.fromkeys(disguise.tokens, "a token"),
        **{value: kind for kind, value in secrets.items()},
    }
    found = list(texts(what))
    hidden = {original: kind for original, kind in known.items() if original and original != SCRUBBED}
    return sorted({kind for each, kind in hidden.items() if any(each.lower() in text.lower() for text in found)})


def write(recording: Recording, settings: Settings, wanted: Wanted, folder: Path) -> Path:
    """Write the recording, scrubbed. Raises RecordingError where something is left in it; then nothing is written."""
    disguise = Disguise()
    done = scrubbed(recording, settings.endpoint, disguise)
    asked = {
        "wanted": {
            "common_name": disguise.name(wanted.common_name, "commonName"),
            "batch_id": None if wanted.batch_id is None else disguise.number(wanted.batch_id),
        },
        "username": json.loads(done[0][0].body)["username"],
        "outcomes": [list(each) for each in recording.outcomes],
        "headers": sorted({name.lower() for each in recording.exchanges for name in each.response["headers"]}),
    }
    text = serialize({"requests": [r for r, _ in done], "responses": [a for _, a in done]}, yamlserializer)
    secrets = _known_secrets(recording, settings, wanted)
    found = leaks([yaml.safe_load(text), asked], disguise, secrets) + _scanned(text)
    if found:
        raise RecordingError(f"nothing was written, because this would be in it: {', '.join(found)}")
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / f"{NAME}.json", json.dumps(asked, indent=2) + "\n")
    return _put(folder / f"{NAME}.yaml", text)


def _known_secrets(recording: Recording, settings: Settings, wanted: Wanted) -> dict[str, str]:
    login = json.loads(recording.exchanges[0].request.body)
    address = urlsplit(settings.endpoint).netloc
    places = {urlsplit(each.request.uri).netloc for each in recording.exchanges} - {address}
    secrets = {
        "where it was logged in": "".join(places),
        "the password": login["password"],
        "the user name": login["username"],
        "the service's address": address,
        "the common name": wanted.common_name,
    }
    return {kind: value for kind, value in secrets.items() if value}


def _scanned(text: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        return secrets_in(_put(Path(folder) / "scanned.yaml", text))


def _put(path: Path, text: str) -> Path:
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    return beside.replace(path)


# The program


def main(environ: Mapping[str, str], stdin: TextIO, out: TextIO) -> int:
    """Say what will be asked, ask for consent, record, and say what is proven; return an exit code."""
    try:
        wanted, folder = _wanted(environ), _folder(environ)
        settings = Settings(environ=environ, use_keyring=True, token_store=MemoryTokenStore())
        settings.validate()
        _announce(settings, wanted, out)
        if not _consents(environ, stdin, out):
            print("Nothing was asked, and nothing recorded.", file=out)
            return 1
        recording = record(settings, wanted)
        path = write(recording, settings, wanted, folder)
    except (SectigoError, RecordingError, NotReadingError, OSError) as error:
        print(f"record: error: {error}", file=out)
        if isinstance(error, SectigoError) and error.hint:
            print(f"record: hint: {error.hint}", file=out)
        return 1
    print(f"\nRecorded {len(recording.exchanges)} exchanges to {path}. Read it before you hand it on.", file=out)
    print(f"\n{unproven(_answers(recording))}", file=out)
    return 0


def _answers(recording: Recording) -> list[Recorded]:
    return [Recorded(each.call, each.response, each.request.uri) for each in recording.exchanges]


def _wanted(environ: Mapping[str, str]) -> Wanted:
    number = environ.get("RECORD_BATCH_ID", "").strip()
    if number and not (number.isascii() and number.isdigit() and len(number) < 19):
        raise RecordingError(f"RECORD_BATCH_ID: {number[:40]!r} is no id of a batch")
    return Wanted(environ.get("RECORD_COMMON_NAME", "").strip(), int(number) if number else None)


def _folder(environ: Mapping[str, str]) -> Path:
    """Return where the recording goes. Raises RecordingError where there is an earlier one that nobody gave up."""
    folder = Path(environ.get("RECORD_FOLDER") or FOLDER / "live")
    for earlier in (folder / f"{NAME}.yaml", folder / f"{NAME}.json"):
        if environ.get("RECORD_REPLACE") != "yes" and os.path.lexists(earlier):
            raise RecordingError(f"{earlier} is there already: RECORD_REPLACE=yes replaces it")
    return folder


def _announce(settings: Settings, wanted: Wanted, out: TextIO) -> None:
    print(f"These calls will be made to {settings.endpoint}, and no others:\n", file=out)
    for call, often in plan(wanted):
        print(f"  {call:<56} {often}", file=out)
    if settings.client_cert is not None:
        print("\nThe log-in is repeated where a 307 points to, with the client certificate, if one comes.", file=out)
    print("\nNone of them orders, uploads, downloads, changes or revokes anything; no licence is spent.", file=out)
    if wanted.batch_id is None:
        print("RECORD_BATCH_ID=… adds those about a batch, RECORD_COMMON_NAME=… a search.", file=out)
    print("Names, addresses, ids, serial numbers, times, tokens and passwords are replaced; counts stay.", file=out)
    print(f"What that shows of {beliefs()} things that are believed of the service, a table says then.\n", file=out)


def _consents(environ: Mapping[str, str], stdin: TextIO, out: TextIO) -> bool:
    if environ.get("RECORD_CONSENT") == "yes":
        return True
    if not stdin.isatty():
        print("Nobody can be asked here: RECORD_CONSENT=yes consents.", file=out)
        return False
    print("Shall they be made and recorded? [y/N] ", end="", file=out, flush=True)
    return stdin.readline().strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main(os.environ, sys.stdin, sys.stdout))
