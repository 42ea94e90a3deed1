"""What a doctor finds of clock and answer, of cache, keyring and client certificate, and of the account."""

from __future__ import annotations

import os
import resource
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.errors
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sectigo_iot import (
    APIError,
    ConfigError,
    DeadlineError,
    FileTokenStore,
    Health,
    InvalidCredentialsError,
    InvalidReplyError,
    IoTManager,
    MemoryTokenStore,
    NoCredentialsError,
    NotAuthorizedError,
    RedirectError,
    TokenPair,
    TransportError,
)
from sectigo_iot.doctor.places import examine_cache
from sectigo_iot.emulator import Emulator
from sectigo_iot.exchanges import Exchange
from tests.conftest import MemoryKeyring, settings_for
from tests.unit.doctor_patients import (
    AUTHORITY,
    LATIN_1,
    VERSION_6,
    client_certificate,
    examined,
    healths,
    service,
    spoil,
    unchecked,
)
from tests.unit.lying_server import (
    HANG,
    PASSWORD,
    RESET,
    USERNAME,
    Answer,
    LyingServer,
    answer,
    closed_port,
    json_answer,
    settings_at,
    token,
    tokens,
)
from tests.unit.tls_server import KEY_PASSWORD, client_files, new_authority

ACCOUNT = {"credentials", "role", "balance"}


@pytest.fixture
def well() -> Iterator[LyingServer]:
    """A service with which all is well."""
    with LyingServer(service()) as server:
        yield server


def test_all_is_well_at_the_emulator(emulator: Emulator) -> None:
    control = emulator.control
    before = control.authorities()
    settings = settings_for(emulator)
    found = examined(settings)
    assert healths(found) == {}
    assert unchecked(found) == {"tls", "proxy", "cache", "keyring"}
    assert found["credentials"].details["logged_in"] is True
    assert found["role"].details["scopes"] == ["ROLE_USER"]
    assert found["balance"].details["balances"] == {"489": 0, "423": 100}
    again = examined(settings)
    assert again["credentials"].details["logged_in"] is False
    assert "the session there was is accepted" in again["credentials"].facts
    assert control.logins()["count"] == 1
    assert control.authorities() == before
    assert control.orders()["count"] == 0
    journal = control.journal()
    assert {each["method"] for each in journal if each["call"] != "authenticate"} == {"GET"}


# The clock


@pytest.mark.parametrize(
    ("skew", "said"),
    [(-3600, "60.0 minutes ahead of"), (3600, "60.0 minutes behind"), (-400_000, "4.6 days ahead of")],
)
def test_a_clock_that_is_wrong(skew: float, said: str) -> None:
    with LyingServer(service(skew=skew)) as server:
        found = examined(settings_at(server.url))
    assert healths(found) == {"clock": "attention"}
    assert f"this machine's clock is {said} the service's" in found["clock"].facts
    away = found["clock"].details["skew_seconds"]
    assert isinstance(away, float)
    assert abs(away + skew) < 3


def test_our_own_clock_is_the_one_that_is_given(well: LyingServer) -> None:
    found = examined(settings_at(well.url), clock=lambda: time.time() + 1000)
    assert healths(found) == {"clock": "attention"}
    assert "ahead of" in found["clock"].facts


@pytest.mark.parametrize(
    "date", [None, "yesterday", "Thu, 99 Foo 2026 00:00:00 GMT", "Thu, 01 Jan 99999 00:00:00 GMT"]
)
def test_a_date_that_is_none(date: str | None) -> None:
    with LyingServer(service(date=date)) as server:
        found = examined(settings_at(server.url))
    assert healths(found) == {}
    assert "clock" in unchecked(found)


def test_whoever_observes_the_client_is_told_of_all(well: LyingServer) -> None:
    told: list[Exchange] = []
    examined(settings_at(well.url, observer=told.append))
    assert [each.name for each in told] == [
        *("devices", "authenticate", "userAuthorities", "authorityUserBalanceAvailable")
    ]


# The answer to a request without a token

HTML = answer(200, "<!DOCTYPE html><html>Welcome to the network</html>", "text/html")
REDIRECT = answer(302, b"", Location="https://elsewhere.example.com/")


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (HTML, InvalidReplyError, "an HTML page answers"),
        (answer(200, "<html>"), InvalidReplyError, "an HTML page answers"),
        (REDIRECT, RedirectError, "points to https://elsewhere.example.com/"),
        (answer(500, "oops"), APIError, "status 500"),
        (answer(503, ""), APIError, "status 503"),
        (HANG, DeadlineError, "did not answer within 0.6 s"),
        (RESET, TransportError, "broke off"),
        (b"rubbish\r\n\r\n", TransportError, "devices"),
    ],
)
def test_no_password_goes_to_what_is_no_iot_manager(reply: bytes, kind: type[Exception], said: str) -> None:
    begun = time.monotonic()
    with LyingServer(reply) as server:
        found = examined(settings_at(server.url, timeout=0.6 if reply is HANG else 1.5))
        assert time.monotonic() - begun < 5
        assert server.logins == []
    assert healths(found) == {"http": "wrong"}
    assert isinstance(found["http"].error, kind)
    assert said in found["http"].facts
    assert unchecked(found) >= ACCOUNT


@pytest.mark.parametrize("reply", [json_answer({"ordered": 1}), answer(404, "no such page"), answer(405, "")])
def test_an_answer_that_is_strange(reply: bytes) -> None:
    def strange(seen: Any) -> bytes:
        return service()(seen) if "authorization" in seen.headers else reply

    with LyingServer(strange) as server:
        found = examined(settings_at(server.url))
    assert healths(found) == {"http": "attention"}
    assert "--endpoint" in (found["http"].hint or "")
    assert found["balance"].health is Health.OK


# The token cache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a cache in which there is a session."""
    path = tmp_path / "cache"
    path.mkdir(mode=0o700)
    return path


def look_at(server: LyingServer, folder: Path) -> Any:
    return examined(settings_at(server.url, token_store=FileTokenStore(folder)))


def test_a_cache_that_is_to_be_made_and_one_with_a_session(well: LyingServer, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cache"
    assert look_at(well, folder)["cache"].facts == f"{folder} is made, 0700, at the first log-in"
    found = look_at(well, folder)
    assert found["cache"].facts == f"{folder} (0700), 1 session"
    assert len(well.logins) == 1


def test_a_cache_that_is_open_to_others(well: LyingServer, folder: Path) -> None:
    folder.chmod(0o755)
    found = look_at(well, folder)
    assert healths(found) == {"cache": "attention"}
    assert found["cache"].facts == f"{folder} is open to others (0755)"
    assert f"chmod 700 {folder}" in (found["cache"].hint or "")


def written(content: bytes, mode: int = 0o600) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)
        path.chmod(mode)

    return write


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "mode": (written(b"{}", 0o644), "can be read by others"),
    "link": (lambda path: path.symlink_to(path.parent / "elsewhere"), "is a link"),
    "fifo": (os.mkfifo, "is no file"),
    "folder": (Path.mkdir, "is no file"),
    "damaged": (written(b"garbage"), "is damaged"),
    "no object": (written(b"[]"), "is damaged"),
    "too large": (written(b"{" + b" " * 70_000 + b"}"), "is too large"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_session_that_is_not_trusted(
    well: LyingServer, folder: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    spoil, said = SPOILT[kind]
    path = FileTokenStore(folder).path(well.url, USERNAME)
    spoil(path)
    found = look_at(well, folder)
    assert healths(found) == {"cache": "attention"}
    assert found["cache"].facts == f"{path} {said}"
    assert found["cache"].details["sessions"] == 0
    assert f"{path} {said}, so it is not trusted" in caplog.messages, "the cache itself says the same"


def test_a_cache_that_is_no_folder(well: LyingServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = look_at(well, tmp_path / "file")
    assert found["cache"].health is Health.ATTENTION
    assert "it is no folder" in found["cache"].facts


LEADING_NOWHERE = {
    "to nothing": "nothing",
    "to itself": "cache",
    # For a user who is not root, a folder above that lets nobody in is the like.
    "to what no file system has": "x" * 300,
}


@pytest.mark.parametrize("target", LEADING_NOWHERE)
def test_a_cache_that_is_a_link_to_nowhere(well: LyingServer, tmp_path: Path, target: str) -> None:
    (tmp_path / "cache").symlink_to(tmp_path / LEADING_NOWHERE[target])
    found = look_at(well, tmp_path / "cache")
    assert healths(found) == {"cache": "attention"}
    assert f"no tokens can be kept in {tmp_path / 'cache'}: " in found["cache"].facts


def test_a_cache_in_a_folder_that_lets_nobody_in(well: LyingServer, tmp_path: Path) -> None:
    (tmp_path / "closed" / "in").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "closed" / "in")
    (tmp_path / "closed").chmod(0)
    try:
        found = look_at(well, tmp_path / "link")
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert found["cache"].health is Health.ATTENTION


def test_a_cache_that_is_a_link_to_a_folder(well: LyingServer, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert look_at(well, tmp_path / "link")["cache"].facts == f"{tmp_path / 'link'} (0700), 0 sessions"


def test_a_cache_where_no_folder_can_be_made(well: LyingServer) -> None:
    folder = Path("/proc/nothing/cache")
    found = look_at(well, folder)
    assert healths(found) == {"cache": "attention"}
    assert found["cache"].facts.startswith(f"no tokens can be kept in {folder}: ")


@pytest.mark.parametrize("made", [True, False], ids=["there is a folder", "there is none"])
def test_a_cache_without_room_for_a_session(well: LyingServer, folder: Path, made: bool) -> None:
    if not made:
        folder.rmdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As on a full disk a file can be made, and nothing written to it.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        found = look_at(well, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert healths(found) == {"cache": "attention"}
    assert "make room there" in (found["cache"].hint or "")
    assert f"no tokens can be kept in {folder}: " in found["cache"].facts


def test_what_is_tried_in_the_cache_leaves_nothing_behind(well: LyingServer, folder: Path) -> None:
    assert look_at(well, folder.parent)["cache"].health is not Health.WRONG
    examine_cache(FileTokenStore(folder))
    assert list(folder.iterdir()) == []


def test_a_full_folder_in_the_place_of_a_session(well: LyingServer, folder: Path) -> None:
    path = FileTokenStore(folder).path(well.url, USERNAME)
    (path / "in it").mkdir(parents=True)
    hint = look_at(well, folder)["cache"].hint or ""
    subprocess.run(hint[hint.index("rm ") :], shell=True, check=True)
    assert not path.exists()


def test_a_program_that_keeps_its_tokens_itself(well: LyingServer) -> None:
    assert "MemoryTokenStore" in examined(settings_at(well.url))["cache"].facts


# The keyring


class Keyring(MemoryKeyring):
    """Fails or hangs as it is told."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act

    def get_password(self, service: str, username: str) -> str | None:
        self.act()
        return super().get_password(service, username)


def raising(error: Exception) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (keyring.errors.KeyringLocked("opens-it"), "the keyring is locked"),
        (keyring.errors.InitError("opens-it"), "the keyring cannot be opened"),
        (RuntimeError("opens-it"), "the keyring fails (RuntimeError)"),
    ],
)
def test_a_keyring_that_fails(well: LyingServer, error: Exception, said: str) -> None:
    keyring.set_keyring(Keyring(raising(error)))
    settings = settings_at(well.url, use_keyring=True, password=None, prompt=lambda *_: PASSWORD)
    found = examined(settings)
    assert healths(found) == {"keyring": "attention"}
    assert found["keyring"].facts == said
    assert "opens-it" not in repr(found)
    assert "password: prompt" in found["credentials"].facts
    needless = examined(settings_at(well.url, use_keyring=True))
    assert needless["keyring"].facts == f"{said}; not needed: the password is from argument"
    assert healths(needless) == {}


def test_a_keyring_that_is_locked_may_hold_the_password_that_lacks(well: LyingServer) -> None:
    keyring.set_keyring(Keyring(raising(keyring.errors.KeyringLocked("opens-it"))))
    found = examined(settings_at(well.url, use_keyring=True, password=None))
    assert healths(found) == {"keyring": "attention", "credentials": "wrong"}
    hint = found["credentials"].hint or ""
    assert hint.startswith("the keyring is locked: unlock it")
    assert "SECTIGO_PASSWORD" in hint


def test_a_keyring_that_hangs(well: LyingServer) -> None:
    over = threading.Event()
    keyring.set_keyring(Keyring(lambda: over.wait(20)))
    begun = time.monotonic()
    found = examined(settings_at(well.url, use_keyring=True))
    assert time.monotonic() - begun < 3
    over.set()
    assert "the keyring does not answer within" in found["keyring"].facts


@pytest.mark.parametrize("held", [False, True])
def test_a_keyring_that_answers(well: LyingServer, memory_keyring: MemoryKeyring, held: bool) -> None:
    if held:
        memory_keyring.set_password(f"sectigo-iot:{well.url}", USERNAME, PASSWORD)
    found = examined(settings_at(well.url, use_keyring=True, password=None if held else PASSWORD))
    assert healths(found) == {}
    assert f"holds {'the' if held else 'no'} password of {USERNAME}" in found["keyring"].facts
    assert f"password: {'keyring' if held else 'argument'}" in found["credentials"].facts


def test_a_machine_without_a_keyring(well: LyingServer) -> None:
    keyring.set_keyring(Keyring(raising(keyring.errors.NoKeyringError())))
    found = examined(settings_at(well.url, use_keyring=True))
    assert (found["keyring"].health, found["keyring"].facts) == (Health.OK, "this machine has none")


# The client certificate


def test_a_client_certificate_that_is_good(well: LyingServer, tmp_path: Path) -> None:
    files = client_files(new_authority(), tmp_path, days=(-1, 100.5))
    found = examined(settings_at(well.url, **files.settings))
    assert found["client certificate"].health is Health.OK
    assert "client.example.test, from " in found["client certificate"].facts
    assert "100 days left" in found["client certificate"].facts


@pytest.mark.parametrize("days", [(-9, -1), (1, 90), (-1, 10)])
def test_a_client_certificate_that_is_out_of_date(
    well: LyingServer, tmp_path: Path, days: tuple[float, float]
) -> None:
    files = client_files(new_authority(), tmp_path, days=days)
    found = examined(settings_at(well.url, **files.settings))
    assert healths(found) == {"client certificate": "attention"}


def test_a_client_key_that_others_can_read(well: LyingServer, tmp_path: Path) -> None:
    files = client_files(new_authority(), tmp_path, days=(-1, 90))
    Path(files.key).chmod(0o644)
    found = examined(settings_at(well.url, **files.settings))
    assert healths(found) == {"client certificate": "attention"}
    assert f"others can read its key {files.key}" in found["client certificate"].facts
    assert f"chmod 600 {files.key}" in (found["client certificate"].hint or "")


def test_a_key_of_another_certificate(well: LyingServer, tmp_path: Path) -> None:
    first = client_files(new_authority(), tmp_path / "first")
    second = client_files(new_authority(), tmp_path / "second")
    found = examined(settings_at(well.url, client_cert=first.certificate, client_key=second.key))
    assert healths(found) == {"client certificate": "wrong"}
    assert isinstance(found["client certificate"].error, ConfigError)
    assert found["credentials"].facts == "the client certificate is of no use"
    assert well.logins == []


@pytest.mark.parametrize("name", ["client_cert", "client_key"])
def test_a_file_that_is_not_there(well: LyingServer, tmp_path: Path, name: str) -> None:
    settings = {**client_files(new_authority(), tmp_path).settings, name: str(tmp_path / "nothing")}
    assert healths(examined(settings_at(well.url, **settings))) == {"client certificate": "wrong"}


def test_a_key_without_a_certificate(well: LyingServer, tmp_path: Path) -> None:
    files = client_files(new_authority(), tmp_path)
    assert healths(examined(settings_at(well.url, client_key=files.key))) == {"client certificate": "wrong"}


def test_a_client_certificate_whose_name_cannot_be_read(well: LyingServer, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    own = client_certificate(key)
    for swap, said in ((LATIN_1, "somebody without a name that can be read"), (VERSION_6, "cannot be read here")):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = tmp_path / "both.pem"
        path.touch(0o600)
        path.write_bytes(pem + ssl.DER_cert_to_PEM_cert(spoil(own, key, swap)).encode())
        found = examined(settings_at(well.url, client_cert=str(path)))
        assert said in found["client certificate"].facts
        assert found["credentials"].health is Health.OK


def test_a_key_with_a_password(well: LyingServer, tmp_path: Path) -> None:
    files = client_files(new_authority(), tmp_path, days=(-1, 90), password=KEY_PASSWORD)
    asked: list[str] = []

    def prompt(question: str, _: bool) -> str:
        asked.append(question)
        return KEY_PASSWORD

    found = examined(settings_at(well.url, prompt=prompt, **files.settings))
    assert "its key's password is asked for at the log-in" in found["client certificate"].facts
    assert asked == []
    assert healths(examined(settings_at(well.url, client_key_password=KEY_PASSWORD, **files.settings))) == {}
    refused = examined(settings_at(well.url, client_key_password="another-one", **files.settings))
    assert healths(refused) == {"client certificate": "wrong"}
    assert "another-one" not in repr(refused)


# Credentials


def test_a_wrong_password_is_tried_once(emulator: Emulator, tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path / "cache")
    for _ in range(3):
        found = examined(settings_for(emulator, password=PASSWORD, token_store=store))
        assert healths(found) == {"credentials": "wrong"}
        assert isinstance(found["credentials"].error, InvalidCredentialsError)
        assert "(user name: argument; password: argument)" in found["credentials"].facts
        assert {"role", "balance"} <= unchecked(found)
    assert emulator.control.logins()["count"] == 1


def test_a_user_without_authority() -> None:
    with Emulator(authorized=False) as emulator:
        found = examined(settings_for(emulator))
    assert healths(found) == {"credentials": "wrong"}
    assert isinstance(found["credentials"].error, NotAuthorizedError)
    assert found["credentials"].error.action == "authenticate"


def test_nobody_to_log_in(well: LyingServer) -> None:
    settings = settings_at(well.url, username=None, password=None, environment="testing")
    settings.environment_name = "docker"
    found = examined(settings)
    assert healths(found) == {"credentials": "wrong"}
    assert isinstance(found["credentials"].error, NoCredentialsError)
    assert well.logins == []


def test_nobody_to_log_in_is_seen_without_a_service() -> None:
    settings = settings_at(f"http://127.0.0.1:{closed_port()}", username=None, password=None)
    settings.environment_name = "docker"
    found = examined(settings)
    assert healths(found) == {"tcp": "wrong", "credentials": "wrong"}
    assert isinstance(found["credentials"].error, NoCredentialsError)
    settings.prompt = lambda *_: PASSWORD
    assert "credentials" in unchecked(examined(settings))


@pytest.mark.parametrize("content", [None, b"", b"\xff\n"], ids=["folder", "empty", "no text"])
def test_a_password_file_of_no_use(well: LyingServer, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "password"
    path.mkdir() if content is None else path.write_bytes(content)
    found = examined(settings_at(well.url, password=None, password_file=str(path)))
    assert healths(found) == {"credentials": "wrong"}
    assert isinstance(found["credentials"].error, ConfigError)
    assert "is SECTIGO_PASSWORD_FILE right?" in (found["credentials"].hint or "")
    assert well.logins == []


def test_a_log_in_that_cannot_be_read() -> None:
    with LyingServer(service(), login=answer(400, "no text")) as server:
        found = examined(settings_at(server.url))
    assert "are user name and password right" in (found["credentials"].hint or "")


@pytest.mark.parametrize("login", [HANG, RESET, answer(200, "{}"), HTML, answer(500, "")])
def test_a_log_in_that_comes_to_nothing(login: Answer) -> None:
    begun = time.monotonic()
    with LyingServer(service(), login=login) as server:
        found = examined(settings_at(server.url, timeout=0.6))
        assert time.monotonic() - begun < 5
    assert healths(found) == {"credentials": "wrong"}


def test_the_log_in_and_what_comes_before_and_after_it_are_one_step() -> None:
    store = MemoryTokenStore()
    with LyingServer(service(), refresh=HANG, login=HANG) as server:
        pair = TokenPair(token(1), token(7200), time.time() - 100)
        store.save(server.url, USERNAME, pair)
        begun = time.monotonic()
        found = examined(settings_at(server.url, timeout=1.0, token_store=store))
        assert time.monotonic() - begun < 1.6
        assert (len(server.refreshes), len(server.logins)) == (1, 1)
    assert healths(found) == {"credentials": "wrong"}
    assert isinstance(found["credentials"].error, DeadlineError)
    assert "this step was given 1 s in all" in (found["credentials"].hint or "")


def test_whoever_is_asked_for_the_password_takes_his_time(well: LyingServer) -> None:
    def prompt(_question: str, _secret: bool) -> str:
        time.sleep(0.8)
        return PASSWORD

    found = examined(settings_at(well.url, timeout=0.6, password=None, prompt=prompt))
    assert healths(found) == {}
    assert found["credentials"].details["logged_in"] is True


def test_a_session_that_is_renewed_and_one_that_the_service_does_not_know(emulator: Emulator) -> None:
    store = MemoryTokenStore()
    settings = settings_for(emulator, token_store=store)
    with IoTManager(settings) as client:
        pair = client.authenticate()
    later = examined(settings, clock=lambda: pair.valid_until + 1)
    assert "session renewed" in later["credentials"].facts
    assert emulator.control.logins()["count"] == 1
    # The service does not know these: it has been restarted since, say.
    foreign = tokens()
    store.save(
        emulator.url, emulator.username, TokenPair(foreign["accessToken"], foreign["refreshToken"], time.time())
    )
    found = examined(settings)
    assert healths(found) == {}
    assert found["credentials"].details["logged_in"] is True
    assert emulator.control.logins()["count"] == 2


def test_a_password_is_named_where_the_session_does_without(well: LyingServer) -> None:
    store = MemoryTokenStore()
    examined(settings_at(well.url, token_store=store))
    found = examined(settings_at(well.url, token_store=store, password=None))
    assert "password: none for the next log-in; the session there was is accepted" in found["credentials"].facts
    assert len(well.logins) == 1


# Role and balance


@pytest.mark.parametrize(
    ("scopes", "health", "said"),
    [
        (["ROLE_ADMIN"], Health.OK, "ADMIN (ecosystem administrator)"),
        (["ROLE_USER", "ROLE_ADMIN"], Health.OK, "USER (organization administrator), ADMIN"),
        (["ROLE_GUEST\x1b[2J"], Health.ATTENTION, "neither USER nor ADMIN, but ROLE_GUEST [2J"),
        ([], Health.NOT_CHECKED, "the token names no role"),
    ],
)
def test_roles(scopes: list[str], health: Health, said: str) -> None:
    login = json_answer({**tokens(), "accessToken": token(scopes=scopes)})
    with LyingServer(service(), login=login) as server:
        found = examined(settings_at(server.url))
    assert found["role"].health is health
    assert said in found["role"].facts


def test_no_licence_is_left() -> None:
    with Emulator(scenario="no-balance") as emulator:
        found = examined(settings_for(emulator))
    assert healths(found) == {"balance": "attention"}
    assert "no order can succeed" in (found["balance"].hint or "")


@pytest.mark.parametrize(
    ("changes", "profile", "said"),
    [
        ({}, "9", "no enabled authority has the profile '9' (CipherTrace EE_#8 (authority 7): 50)"),
        ({"enabled": False}, None, "no authority is enabled (CipherTrace EE_#8 (authority 7, not enabled): 50)"),
        ({"profileName": "A\x1b]0;x\x07B"}, "A", "no enabled authority has the profile 'A'"),
    ],
)
def test_nothing_can_be_ordered_from(changes: dict[str, object], profile: str | None, said: str) -> None:
    with LyingServer(service(authorities=json_answer([{**AUTHORITY, **changes}]))) as server:
        found = examined(settings_at(server.url, profile=profile))
    assert healths(found) == {"balance": "attention"}
    assert said in found["balance"].facts


def test_no_authority_at_all() -> None:
    with LyingServer(service(authorities=json_answer([]))) as server:
        assert "there is none at all" in examined(settings_at(server.url))["balance"].facts


@pytest.mark.parametrize(
    ("balance", "health", "said"),
    [(b"5", Health.ATTENTION, ": 5"), (b"6", Health.OK, ": 6"), (b"<html>", Health.OK, ": 50")],
)
def test_few_licences_are_left(balance: bytes, health: Health, said: str) -> None:
    with LyingServer(service(balance=balance)) as server:
        found = examined(settings_at(server.url))
    assert found["balance"].health is health
    assert found["balance"].facts.endswith(said)


def test_only_so_many_balances_are_asked_for() -> None:
    many = [{**AUTHORITY, "id": number} for number in range(1, 31)]
    with LyingServer(service(authorities=json_answer(many), balance=b"2")) as server:
        found = examined(settings_at(server.url))
        assert len([each for each in server.calls if each.path.endswith("/balanceavailable")]) == 10
    assert found["balance"].facts.endswith(", and 20 more")
    assert found["balance"].health is Health.OK


def test_ten_balances_that_hang_are_one_step() -> None:
    many = [{**AUTHORITY, "id": number} for number in range(1, 11)]
    with LyingServer(service(authorities=json_answer(many), balance=HANG)) as server:
        begun = time.monotonic()
        found = examined(settings_at(server.url, timeout=0.6))
        assert time.monotonic() - begun < 2
    assert found["balance"].details["balances"] == {str(number): 50 for number in range(1, 11)}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(answer(403, "no"), NotAuthorizedError), (HTML, InvalidReplyError), (answer(500, ""), APIError)],
)
def test_a_list_that_cannot_be_had(reply: bytes, kind: type[Exception]) -> None:
    with LyingServer(service(authorities=reply)) as server:
        found = examined(settings_at(server.url))
    assert healths(found) == {"balance": "wrong"}
    assert isinstance(found["balance"].error, kind)
    assert found["credentials"].health is Health.OK
