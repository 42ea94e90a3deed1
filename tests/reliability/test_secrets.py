"""A certificate's whole life, every error, a server that repeats what it is told: no secret comes out anywhere."""

from __future__ import annotations

import io
import logging
import pprint
import random
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from sectigo_iot import (
    Exchange,
    FileTokenStore,
    MemoryTokenStore,
    SectigoError,
    Verdict,
    examine,
    login_of,
    to_har,
)
from sectigo_iot.calls import call_of
from sectigo_iot.emulator import Emulator
from sectigo_iot.transport import Transport
from tests.conftest import settings_for
from tests.reliability.figures import figure, share
from tests.reliability.forced import FORCED
from tests.reliability.lives import Life, body_of, client_files, live, load
from tests.reliability.parrots import CALLS, FROM_FILE, GIVEN, LOGIN, STATUSES, SURFACES, provoke, told
from tests.reliability.sought import Search
from tests.replay.cassettes import FOLDER
from tests.replay.scan import secrets_in
from tests.unit.lying_server import BATCH, PARAMS, answer, closed_port, json_answer, lies
from tests.unit.test_redaction import FORMS


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What every library logs, at DEBUG."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("tls", [False, True], ids=["password", "certificate"])
def test_no_secret_comes_out_of_a_life(home: Path, tmp_path: Path, tls: bool) -> None:
    search, here = Search(), tmp_path / "here"
    here.mkdir()
    with Emulator(username="jane", password=LOGIN, tls=tls) as service:
        environ = dict(service.environ)
        life = Life(environ, home, here, search)
        if tls:
            environ |= client_files(service, tmp_path / "client")
            life.secrets.add(body_of(load(tmp_path / "client" / "client-key.pem")))
        live(life, here)
    life.judge()
    assert search.found == []
    planted = Search()
    planted.look("a command that was typed", f"create -p {GIVEN}", life.secrets)
    assert len(planted.found) == 1, "what is there is found"
    tokens_seen = sum(secret.count(".") == 2 for secret in life.secrets)
    assert tokens_seen == share(8, 2), "log-ins and refreshes"
    figure("secrets", f"{life.runs} commands ({'certificate' if tls else 'password'} login): {search}")


@pytest.mark.usefixtures("home")
def test_a_server_that_repeats_everything_makes_nothing_known(log: io.StringIO) -> None:
    draw, search = random.Random(7), Search()
    cases = [(a, b, c, d) for a in SURFACES for b in FORMS for c in STATUSES for d in CALLS]
    for case in draw.sample(cases, share(3000, 40)):
        said, exchanges = provoke(*case)
        secrets = {LOGIN, GIVEN, FROM_FILE, *(secret for exchange in exchanges for secret in exchange.secrets)}
        trace = to_har(exchanges)
        for where, text in (("said", said), ("log", log.getvalue()), ("trace", trace), ("repr", repr(exchanges))):
            search.look(f"{where} of {case}", text, secrets)
        log.seek(0)
        log.truncate()
    assert search.found == [], "\n".join(search.found)
    figure("secrets", f"a server that repeats what it is told: {search}")


def kinds(of: type[SectigoError] = SectigoError) -> set[str]:
    """Return the names of the errors of the tree; what a room makes of one for itself is told as that one."""
    names = {of.__name__} if of.__module__ == "sectigo_iot.errors" else set()
    return names.union(*(kinds(kind) for kind in of.__subclasses__()))


def test_every_error_of_the_tree_keeps_its_secrets(
    tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://jane:{quote(FROM_FILE)}@127.0.0.1:{closed_port()}")
    search, seen = Search(), set()
    for name, force in FORCED.items():
        # On a busy machine the last of several attempts may not even connect in time, which is another error.
        for attempt in range(3):
            folder = tmp_path / f"{name} {attempt}"
            folder.mkdir()
            exchanges: list[Exchange] = []
            with pytest.raises(SectigoError) as caught:
                force(folder, exchanges.append)
            if type(caught.value).__name__ == name.partition(",")[0]:
                break
        assert type(caught.value).__name__ == name.partition(",")[0]
        seen.add(type(caught.value).__name__)
        secrets = {LOGIN, GIVEN, FROM_FILE, *(secret for exchange in exchanges for secret in exchange.secrets)}
        for where, text in (("error", told(caught.value)), ("log", log.getvalue()), ("trace", to_har(exchanges))):
            search.look(f"{where} of {name}", text, secrets)
    assert seen == kinds() - {"BatchError"}, "that one is what two others have in common"
    assert search.found == [], "\n".join(search.found)
    figure("secrets", f"{len(seen)} kinds of errors, each forced: {search}")


def shown(thing: object) -> str:
    return "\n".join(
        [repr(thing), str(thing), f"{thing}", f"{thing!a}", pprint.pformat({"a": [thing]}), f"{[thing]}"]
    )


@pytest.mark.usefixtures("home")
def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    search, exchanges = Search(), list[Exchange]()
    answers = (json_answer({"ordered": 1, "issued": 1}), json_answer({"password": GIVEN}))
    with lies(*answers, password=LOGIN, client_key_password=FROM_FILE, observer=exchanges.append) as (server, client):
        client.licenses_used()
        raw = client.raw("userCredentials")
        pair = client.refresh()
        store = MemoryTokenStore()
        store.save(server.url, "jane", pair)
        transport = Transport(client.settings)
        order = call_of(transport, "createSingleCertBatch")._replace(payload=PARAMS, secrets=(GIVEN,))
        login = login_of(client.settings, store)
        files = FileTokenStore(tmp_path)
        held = vars(client).values()
        things = [client, client.settings, client.creds, pair, raw, store, files, login, order, *exchanges, *held]
        secrets = {LOGIN, GIVEN, FROM_FILE, PARAMS["pkcs12Password"], pair.access_token, pair.refresh_token}
        for thing in things:
            search.look(type(thing).__name__, shown(thing), secrets)
    assert search.found == [], "\n".join(search.found)
    assert len(exchanges) == 4
    figure("secrets", f"{len(things)} objects, shown in six ways: {search}")


SAID_OF_A_BATCH = {
    "24": json_answer({**BATCH, "status": "ISSUED", "generatorParametersValues": {"pkcs12Password": GIVEN}}),
    "processing_info": json_answer({"active": 0, "success": 1, "failed": 0}),
    "status": answer(200, "Ready for download", "text/plain"),
    "auditLog": json_answer([{"action": f"created with password={GIVEN}", "pkcs12Password": GIVEN}]),
}
"""What each call about a batch answers, by the end of its path: two of them know what opens its PKCS#12."""


def test_no_answer_shows_a_secret_of_its_own() -> None:
    search = Search()
    with lies(lambda seen: SAID_OF_A_BATCH[seen.path.rpartition("/")[2]], password=LOGIN) as (_, client):
        batch, explained = client.batch_detail(24), client.explain(24)
    assert explained.verdict is Verdict.READY
    assert explained.audit_log is not None, "there was something to hide"
    with Emulator(username="jane", password=LOGIN) as service:
        settings = settings_for(service)
        findings = list(examine(settings))
        assert settings.token_store is not None
        pair = settings.token_store.load(service.url, "jane")
    assert pair is not None, "it has logged in"
    things = [batch, explained, *explained, *findings]
    for thing in things:
        search.look(type(thing).__name__, shown(thing), {LOGIN, GIVEN, pair.access_token, pair.refresh_token})
    assert search.found == [], "\n".join(search.found)
    assert GIVEN in str(batch.document), "whoever asks for the document has it"
    figure("secrets", f"{len(things)} answers, explanations and findings, shown in six ways: {search}")


def test_no_cassette_holds_a_secret() -> None:
    paths = sorted(FOLDER.rglob("*.yaml"))
    found = {str(path): secrets_in(path) for path in paths}
    assert len(paths) > 10
    assert {path: what for path, what in found.items() if what} == {}
    figure("secrets", f"{len(paths)} cassettes: {sum(map(len, found.values()))} found")
