"""A refused password is not tried again by itself: not by threads, not by processes, not by the night's next run."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from sectigo_iot import FileTokenStore, InvalidCredentialsError, IoTManager
from sectigo_iot.emulator import Emulator
from tests.conftest import Result, Runner, settings_for
from tests.reliability.crowd import Crowd
from tests.reliability.figures import figure, share

PROCESSES, THREADS = share(32, 4), share(4, 2)
RUNS = share(100, 6)
WRONG = "squirrel-of-yore"


def attempts(service: Emulator) -> int:
    return int(service.control.logins()["count"])


def is_locked(service: Emulator) -> bool:
    return any(bool(user["locked"]) for user in service.control.users())


def record(service: Emulator, folder: Path) -> Path:
    return FileTokenStore(folder).path(service.url, service.username).with_suffix(".refused")


def test_many_that_begin_at_once_try_it_once(emulator: Emulator, tmp_path: Path) -> None:
    with Crowd(PROCESSES) as crowd:
        outcomes = [crowd.begin(emulator, tmp_path, THREADS, WRONG) for _ in range(2)]
    assert [len(each) for each in outcomes] == [PROCESSES * THREADS] * 2
    assert {outcome.split(":")[0] for each in outcomes for outcome in each} == {"InvalidCredentialsError"}
    tried = Counter("refused before" in outcome for each in outcomes for outcome in each)
    assert tried[False] == attempts(emulator) == 1
    assert not is_locked(emulator)
    figure("refused-password", f"{PROCESSES} processes x {THREADS} threads, twice: {attempts(emulator)} attempt")


def test_a_job_that_runs_again_and_again_locks_no_account(emulator: Emulator, sectigo: Runner) -> None:
    env = {**emulator.environ, "SECTIGO_PASSWORD": WRONG}
    runs = [sectigo("licenses", env=env) for _ in range(RUNS)]
    assert {(run.code, run.out) for run in runs} == {(4, "")}
    assert attempts(emulator) == 1
    assert all("was refused before" in run.err and "`sectigo auth --login`" in run.err for run in runs[1:])
    assert not any(WRONG in run.err for run in runs)
    assert not is_locked(emulator)
    state = "locked" if is_locked(emulator) else "not locked"
    figure("refused-password", f"{len(runs)} runs of a command: {attempts(emulator)} attempt, account {state}")


def test_processes_of_their_own_know_it_too(emulator: Emulator, sectigo_process: Runner) -> None:
    env = {**emulator.environ, "SECTIGO_PASSWORD": WRONG}
    for _ in range(2):
        done = sectigo_process("create", "-d", "example.com", env=env)
        assert (done.code, done.out) == (4, "")
    assert attempts(emulator) == 1


def refused(service: Emulator, sectigo: Runner, password: str = WRONG) -> Result:
    done = sectigo("licenses", env={**service.environ, "SECTIGO_PASSWORD": password})
    assert done.code == 4
    return done


def test_another_password_is_tried_and_the_refusal_forgotten(emulator: Emulator, sectigo: Runner, home: Path) -> None:
    refused(emulator, sectigo)
    kept = record(emulator, home / ".cache" / "sectigo-iot")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert sectigo("licenses", env=emulator.environ).code == 0
    assert not kept.exists()
    assert attempts(emulator) == 2


def test_what_is_kept_is_not_the_password(emulator: Emulator, sectigo: Runner, home: Path) -> None:
    refused(emulator, sectigo)
    document = json.loads(record(emulator, home / ".cache" / "sectigo-iot").read_text())
    assert WRONG not in str(document)
    assert len(bytes.fromhex(document["mark"])) == 2
    refused(emulator, sectigo, "another")
    again = json.loads(record(emulator, home / ".cache" / "sectigo-iot").read_text())
    assert again["salt"] != document["salt"]


def test_whoever_wants_it_tried_gets_it_tried(emulator: Emulator, sectigo: Runner) -> None:
    env = {**emulator.environ, "SECTIGO_PASSWORD": WRONG}
    refused(emulator, sectigo)
    for tries, words in ((2, ("-p", WRONG, "auth")), (3, ("auth", "--login"))):
        done = sectigo(*words, env=env)
        assert done.code == 4
        assert "refused before" not in done.err
        assert attempts(emulator) == tries
    assert "refused before" in sectigo("auth", env=env).err
    assert attempts(emulator) == 3


def test_a_password_that_is_typed_is_tried(
    emulator: Emulator, sectigo: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    import getpass

    refused(emulator, sectigo)
    monkeypatch.setattr(getpass, "getpass", lambda *_: WRONG)
    env = {**emulator.environ, "SECTIGO_PASSWORD": "", "SECTIGO_ENVIRONMENT": "staging"}
    done = sectigo("licenses", env=env, terminal=True)
    assert "refused before" not in done.err
    assert attempts(emulator) == 2


def spoilt(good: bytes) -> dict[str, bytes]:
    document = json.loads(good)
    changes: list[dict[str, object]] = [
        {"salt": "zz"},
        {"salt": ""},
        {"mark": None},
        {"mark": ["x"]},
        {"refused": "soon"},
    ]
    changes += [{"refused": 1e300}, {"refused": float("nan")}, {"refused": -1}, {"username": "joe"}, {"endpoint": 1}]
    cases = {str(change): json.dumps({**document, **change}).encode() for change in changes}
    cases |= {f"cut at {length}": good[:length] for length in range(0, len(good), share(1, 101))}
    return cases | {"garbage": b"\xff\xfe", "list": b"[]", "deep": b"[" * 50_000, "long": b" " * 10_000_000}


def test_a_record_that_is_damaged_is_no_record_and_no_error(emulator: Emulator, tmp_path: Path) -> None:
    settings = settings_for(emulator, password=WRONG, token_store=FileTokenStore(tmp_path))
    with IoTManager(settings) as client, pytest.raises(InvalidCredentialsError):
        client.licenses_used()
    path = record(emulator, tmp_path)
    good = path.read_bytes()
    for number, (name, data) in enumerate(spoilt(good).items()):
        path.write_bytes(data)
        emulator.control.unlock(emulator.username)
        with IoTManager(settings) as client, pytest.raises(InvalidCredentialsError, match="wrong user name"):
            client.licenses_used()
        assert attempts(emulator) == number + 2, name
        assert json.loads(path.read_bytes())["username"] == emulator.username


@pytest.mark.parametrize("bits", [0o644, 0o620])
def test_a_record_that_others_can_read_is_not_trusted(emulator: Emulator, tmp_path: Path, bits: int) -> None:
    settings = settings_for(emulator, password=WRONG, token_store=FileTokenStore(tmp_path))
    for tries in (1, 2):
        with IoTManager(settings) as client, pytest.raises(InvalidCredentialsError, match="wrong user name"):
            client.licenses_used()
        assert attempts(emulator) == tries
        assert record(emulator, tmp_path).stat().st_mode & 0o777 == 0o600
        record(emulator, tmp_path).chmod(bits)


def test_a_record_that_is_a_link_is_replaced_and_not_followed(emulator: Emulator, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    path = record(emulator, tmp_path / "cache")
    path.parent.mkdir()
    path.symlink_to(elsewhere)
    settings = settings_for(emulator, password=WRONG, token_store=FileTokenStore(tmp_path / "cache"))
    for words in ("wrong user name", "refused before"):
        with IoTManager(settings) as client, pytest.raises(InvalidCredentialsError, match=words):
            client.licenses_used()
    assert elsewhere.read_text() == "mine"
    assert not path.is_symlink()


def test_where_nothing_can_be_kept_it_holds_in_the_process(emulator: Emulator, tmp_path: Path) -> None:
    settings = settings_for(emulator, password=WRONG, token_store=FileTokenStore(Path(os.devnull, "none")))
    with IoTManager(settings) as client:
        for words in ("wrong user name", "refused before"):
            with pytest.raises(InvalidCredentialsError, match=words):
                client.licenses_used()
    assert attempts(emulator) == 1
