"""create: which authority, which parameters, which password; and that nothing is spent before all is settled."""

from __future__ import annotations

import getpass
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot.emulator import Emulator
from tests.commands.conftest import balance, names_in
from tests.commands.lying_service import (
    AUTHORITIES,
    AUTHORITY,
    BATCH,
    CREATE,
    CUT,
    PARAMETERS,
    Answer,
    LyingService,
    document,
    html,
    ready,
    waiting,
)
from tests.conftest import Result, Runner

TOLD = "pkcs12 password: "
HOW_TO_OPEN = (
    "after unzipping, unencrypt with your password using "
    "`openssl pkcs12 -in example.com.p12 -out example.com.crt -nodes`"
)
UNCHECKED = "the parameters are not checked before ordering"


def authority(number: int, profile: int, **changes: object) -> dict[str, object]:
    return {
        "id": number,
        "balance": 5,
        "enabled": True,
        "profileId": profile,
        "profileName": f"P_#{profile}",
        **changes,
    }


def rule(name: str, **changes: object) -> dict[str, object]:
    return {"name": name, "required": True, "validationPattern": None, "message": None, **changes}


def order_of(liar: LyingService) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(liar.bodies[CREATE])
    return sent


# The authority

ONE = [authority(1, 42)]
TWO = [authority(1, 42), authority(2, 43)]
CLASH = [authority(1, 42), authority(42, 43)]

CHOSEN = {
    "by its id": (TWO, ("-a", "2"), 2, ""),
    "by its profile's id": (TWO, ("-a", "43"), 2, "43 is a profile id: ordering from the authority 2"),
    "the enabled one of two with the profile": (
        [authority(1, 42, enabled=False), authority(2, 42)],
        ("-a", "42"),
        2,
        "42 is a profile id",
    ),
    "an id that is also the profile of one that is not enabled": (
        [authority(1, 42, enabled=False), authority(42, 43)],
        ("-a", "42"),
        42,
        "",
    ),
    "an id that is its own profile's id": ([authority(42, 42), authority(2, 43)], ("-a", "42"), 42, ""),
    "a clash, decided by --authority-id": (CLASH, ("--authority-id", "42"), 42, ""),
    "a clash, decided by the profile's id": (CLASH, ("-a", "42", "-P", "42"), 1, "42 is a profile id"),
    "a clash, decided by the other profile's id": (CLASH, ("-a", "42", "-P", "43"), 42, ""),
    "a clash, decided by the profile's name": (CLASH, ("-a", "42", "-P", "p"), None, "several"),
    "the only one": (ONE, (), 1, ""),
    "the only enabled one": ([authority(1, 42, enabled=False), authority(2, 43)], (), 2, ""),
    "the only one with balance": ([authority(1, 42, balance=0), authority(2, 43)], (), 2, ""),
    "the only one of the profile": (TWO, ("-P", "43"), 2, ""),
    "the only one of the profile by name": (
        [authority(1, 42, profileName="EE_#17"), authority(2, 43, profileName="End Entity_#85")],
        ("-P", "End Entity"),
        2,
        "",
    ),
    "a name with the suffix": (
        [authority(1, 42, profileName="EE_#17"), authority(2, 43, profileName="EE_#18")],
        ("-P", "EE_#17"),
        1,
        "",
    ),
}


@pytest.mark.parametrize(("known", "words", "chosen", "said"), CHOSEN.values(), ids=CHOSEN)
def test_the_authority_that_is_chosen(
    sectigo: Runner, liar: LyingService, known: object, words: tuple[str, ...], chosen: int | None, said: str
) -> None:
    liar.answers[AUTHORITIES] = document(known)
    done = sectigo("create", "-d", "example.com", "-p", "secrtpasswrd", *words, env=liar.environ)
    assert said in done.err
    if chosen is None:
        assert (done.code, done.out, CREATE in liar.asked) == (2, "", False)
        return
    assert done.code == 0, done
    assert order_of(liar)["authorityId"] == chosen
    assert ("is a profile id" in done.err) == bool(said)


REFUSED = {
    "a clash": (
        CLASH,
        ("-a", "42"),
        ("authority 1: profile 42", "authority 42: profile 43", "--authority-id 42", "-P"),
    ),
    "nothing of that id": (ONE, ("-a", "9"), ("no authority has id 9", "`sectigo authorities`")),
    "only a profile of that id": (ONE, ("--authority-id", "42"), ("no authority has id 42",)),
    "the profile of two": (
        [authority(1, 42), authority(2, 42)],
        ("-a", "42"),
        ("several enabled authorities have the profile", "authority 1:", "authority 2:"),
    ),
    "one that is not enabled": ([authority(1, 42, enabled=False)], ("-a", "1"), ("authority 1 is not enabled",)),
    "one of another profile": (
        TWO,
        ("-a", "2", "-P", "42"),
        ("does not have the profile '42'", "authority 2: profile 43"),
    ),
    "several": (TWO, (), ("several authorities", "authority 1:", "authority 2:", "-a ID")),
    "several of one profile": (
        [authority(1, 42), authority(2, 42)],
        ("-P", "42"),
        ("several authorities", "authority 1:", "authority 2:"),
    ),
    "none with balance": (
        [authority(1, 42, balance=0)],
        (),
        ("no authority is enabled and has balance", "authority 1:"),
    ),
    "none of the profile": (TWO, ("-P", "Nonesuch"), ("no authority", "'Nonesuch'", "authority 1:", "authority 2:")),
    "none at all": ([], (), ("no authority",)),
}


@pytest.mark.parametrize(("known", "words", "said"), REFUSED.values(), ids=REFUSED)
def test_an_authority_that_is_not_clear_is_refused(
    sectigo: Runner, liar: LyingService, known: object, words: tuple[str, ...], said: tuple[str, ...]
) -> None:
    liar.answers[AUTHORITIES] = document(known)
    done = sectigo("create", "-d", "example.com", *words, env=liar.environ)
    assert (done.code, done.out) == (2, "")
    assert CREATE not in liar.asked
    assert TOLD not in done.err
    for part in said:
        assert part in done.err


def test_the_default_profile_restricts_nothing(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[AUTHORITIES] = document([authority(1, 42, profileName="TRISA Profile")])
    assert sectigo("create", "-d", "example.com", env=liar.environ).code == 0
    done = sectigo("create", "-d", "example.com", env={**liar.environ, "SECTIGO_PROFILE": "CipherTrace EE"})
    assert done.code == 2
    assert "'CipherTrace EE'" in done.err


# The parameters


def test_every_fault_is_told_at_once_and_nothing_is_spent(
    sectigo: Runner, shared: Emulator, nothing_spent: None
) -> None:
    words = ("-a", "489", "-P", "489", "-c", "us", "-p", "short", "--param", "colour=red", "--dns", "www.example.com")
    done = sectigo("create", "-d", "example.com", *words, env=shared.environ)
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert lines[0] == "sectigo: error: 6 parameters are wrong, nothing was ordered:"
    assert lines[1:7] == [
        "  organizationName is missing",
        "  localityName is missing",
        "  stateOrProvinceName is missing",
        "  colour is not a parameter of this profile",
        "  pkcs12Password is refused by the profile: 8 to 64 printable ASCII characters",
        "  countryName 'us' is refused by the profile: two capital letters",
    ]
    assert "`sectigo profiles -i 489 --params`" in lines[7]
    assert "short" not in done.err


def test_the_whole_subject(sectigo: Runner, shared: Emulator) -> None:
    subject = ("--organization", "Ärger & Söhne", "-l", "Queenstown", "-s", "Maryland", "-c", "US")
    before = balance(shared, 489)
    done = sectigo("create", "-P", "489", "-d", "example.com", *subject, "-p", "secrtpasswrd", env=shared.environ)
    assert done.code == 0, done
    assert done.err == ""
    assert balance(shared, 489) == before - 1


def test_what_is_sent(sectigo: Runner, liar: LyingService) -> None:
    words = (
        "--dns",
        "www.example.com",
        "--dns",
        "Example.com",
        "--dns",
        "*.example.com",
        "-l",
        " ",
        "--param",
        "n=a=b",
    )
    done = sectigo("create", "-d", "example.com", *words, "-p", " pass word ", env=liar.environ)
    assert done.code == 0, done
    assert order_of(liar) == {
        "authorityId": 7,
        "batchName": "new certs for example.com",
        "profileParams": {
            "commonName": "example.com",
            "dNSName": "example.com\nwww.example.com\n*.example.com",
            "pkcs12Password": " pass word ",
            "n": "a=b",
        },
    }
    assert json.loads(done.out) == BATCH


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_service_without_a_list_of_parameters(sectigo: Runner, liar: LyingService, status: int) -> None:
    liar.answers[PARAMETERS] = Answer(b"", status)
    done = sectigo("create", "-d", "example.com", "-p", "secrtpasswrd", env=liar.environ)
    assert done.code == 0, done
    assert UNCHECKED in done.err
    assert set(order_of(liar)["profileParams"]) == {"commonName", "dNSName", "pkcs12Password"}


@pytest.mark.parametrize("answer", [document({}, 500), document({}, 403), html(), document(None)])
def test_a_list_of_parameters_that_fails_stops_the_order(sectigo: Runner, liar: LyingService, answer: Answer) -> None:
    liar.answers[PARAMETERS] = answer
    done = sectigo("create", "-d", "example.com", env=liar.environ)
    assert (done.code, done.out) == (1, "")
    assert CREATE not in liar.asked


def test_what_is_derived_is_sent_only_if_the_profile_knows_it(sectigo: Runner, manual: Emulator) -> None:
    done = sectigo("create", "-a", "42", "-d", "example.com", "-p", "secrtpasswrd", "-b", "mine", env=manual.environ)
    assert done.code == 0, done
    assert json.loads(done.out)["batchName"] == "mine"
    assert "42 is a profile id: ordering from the authority 1" in done.err


def test_a_profile_without_a_password(sectigo: Runner, liar: LyingService, here: Path) -> None:
    liar.answers[PARAMETERS] = document([rule("commonName"), rule("deviceId", required=False)])
    done = sectigo("create", "-d", "example.com", "--password-out", "pw", env=liar.environ)
    assert done.code == 0, done
    assert order_of(liar)["profileParams"] == {"commonName": "example.com"}
    assert not Path("pw").exists()
    assert TOLD not in done.err


NAMES = {
    "blank": (("-d", " "), "the domain is empty"),
    "empty": (("-d", ""), "the domain is empty"),
    "a blank among the others": (("-d", "example.com", "--dns", " "), "the domain is empty"),
    "a scheme": (("-d", "https://example.com"), "hint: write the bare name, such as example.com"),
    "a dot at the end": (("-d", "example.com."), "hint: write example.com\n"),
    "an address": (("-d", "10.0.0.1"), "'10.0.0.1' is an IP address"),
    "an address among the others": (("-d", "example.com", "--dns", "2001:db8::1"), "'2001:db8::1' is an IP address"),
    "a common name among the parameters": (("-d", "example.com", "--param", "commonName=x"), "use -d and --dns"),
    "DNS names among the parameters": (("-d", "example.com", "--param", "dNSName=x"), "use -d and --dns"),
    "nowhere to write a password": (
        ("-d", "example.com", "--password-out", "/proc/pw"),
        "/proc cannot be written to",
    ),
    "nowhere to download to": (("-d", "example.com", "--download", "/proc"), "/proc cannot be written to"),
    "nowhere to make a folder": (("-d", "example.com", "--download", "/proc/x"), "/proc"),
    "two in one": (("-d", "example.com,www.example.com"), "no domain name"),
    "a newline": (("-d", "example.com\nwww.example.com"), "no domain name"),
    "not ASCII": (("-d", "bücher.example.com"), "xn--"),
    "bytes that are no text": (("-d", "\udcff.example.com"), "argument 3 is not valid UTF-8"),
    "bytes that are no text in a password": (("-d", "example.com", "-p", "\udcff"), "argument 5 is not valid UTF-8"),
    "a label of 64": (("-d", "a" * 64), "no domain name"),
    "more than a common name holds": (("-d", "a." * 30 + "example.com"), "add this one with --dns"),
    "a name given twice": (("-d", "example.com", "-c", "US", "--param", "countryName=DE"), "is given twice"),
    "a password among the parameters": (("-d", "example.com", "--param", "pkcs12Password=x"), "--password-file"),
    "an empty password": (("-d", "example.com", "-p", ""), "the PKCS#12 password is empty"),
    "an empty batch name": (("-d", "example.com", "-b", " "), "the batch name is empty"),
    "a password file that is missing": (("-d", "example.com", "--password-file", "none"), "none cannot be read"),
    "a password file that is a folder": (("-d", "example.com", "--password-file", "."), "cannot be read"),
    "no folder for the password": (("-d", "example.com", "--password-out", "none/pw"), "there is no folder none"),
    "a folder for the password": (("-d", "example.com", "--password-out", "pw/"), "pw/ names a folder"),
    "a file where the password should go": (("-d", "example.com", "--password-out", "full"), "full exists already"),
    "no parent of the download folder": (("-d", "example.com", "--download", "a/b"), "a/b is missing, and so is a"),
    "a file for the download folder": (("-d", "example.com", "--download", "full"), "full is no folder"),
}


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["", "dry"])
@pytest.mark.parametrize(("words", "said"), NAMES.values(), ids=NAMES)
def test_bad_input_is_refused_before_any_request(
    sectigo: Runner, liar: LyingService, here: Path, words: tuple[str, ...], said: str, dry: tuple[str, ...]
) -> None:
    Path("full").write_text("kept")
    done = sectigo("create", *words, *dry, env=liar.environ)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err
    assert liar.asked == []
    assert Path("full").read_text() == "kept"
    assert names_in() == ["full"]


# The password


def told(done: Result) -> str:
    lines = [line for line in done.err.splitlines() if line.startswith(TOLD)]
    assert len(lines) == 1, done
    return lines[0].removeprefix(TOLD)


def test_a_generated_password_keeps_the_profile_s_rule(sectigo: Runner, liar: LyingService) -> None:
    hexadecimal = rule("pkcs12Password", validationPattern="(?=.*[+!=])[A-Za-z0-9+!=._-]{24}")
    liar.answers[PARAMETERS] = document([rule("commonName"), hexadecimal])
    done = sectigo("create", "-d", "example.com", env=liar.environ)
    assert done.code == 0, done
    password = told(done)
    assert len(password) == 24
    assert set(password) & set("+!=")
    assert order_of(liar)["profileParams"]["pkcs12Password"] == password
    assert password not in done.out
    other = told(sectigo("create", "-d", "example.com", env=liar.environ))
    assert other != password


def test_a_rule_that_no_password_keeps(sectigo: Runner, liar: LyingService) -> None:
    impossible = rule("pkcs12Password", validationPattern="[aeiou]+")
    liar.answers[PARAMETERS] = document([rule("commonName"), impossible])
    done = sectigo("create", "-d", "example.com", env=liar.environ)
    assert (done.code, done.out) == (2, "")
    assert "--password-file" in done.err
    assert CREATE not in liar.asked


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "BOM"])
@pytest.mark.parametrize("where", ["file", "stdin"])
def test_a_password_from_a_file(sectigo: Runner, liar: LyingService, here: Path, where: str, mark: str) -> None:
    Path("pw").write_bytes(f"{mark}gehéim nis\r\nsecond line\n".encode())
    words = ("--password-file", "pw" if where == "file" else "-")
    done = sectigo("create", "-d", "example.com", *words, env=liar.environ, stdin=Path("pw").read_text())
    assert done.code == 0, done
    assert order_of(liar)["profileParams"]["pkcs12Password"] == "gehéim nis"
    assert TOLD not in done.err


def test_a_password_from_a_terminal_is_not_shown(
    sectigo: Runner, liar: LyingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda *_: "typed unseen")
    words = ("create", "-d", "example.com", "--password-file", "-")
    assert sectigo(*words, env=liar.environ, terminal=True).code == 0
    assert order_of(liar)["profileParams"]["pkcs12Password"] == "typed unseen"


def test_the_password_file_is_private(sectigo: Runner, liar: LyingService, here: Path) -> None:
    done = sectigo("create", "-d", "example.com", "--password-out", "pw", env=liar.environ)
    assert done.code == 0, done
    assert TOLD not in done.err
    assert Path("pw").read_text() == order_of(liar)["profileParams"]["pkcs12Password"] + "\n"
    assert stat.S_IMODE(Path("pw").stat().st_mode) == 0o600


# What an order may come to, and whether the password is taken back.
OUTCOMES = {
    "refused": (document({"status": 400, "message": "no balance"}, 400), 1, False),
    "refused as unauthorized": (document({"message": "no"}, 403), 1, False),
    "not implemented": (Answer(b"", 501), 1, False),
    "broken off": (CUT, 5, True),
    "HTML": (html(), 5, True),
    "null": (document(None), 5, True),
    "empty": (Answer(), 5, True),
    "no batch id": (document({"status": "CREATED"}), 5, True),
    "a list": (document([BATCH]), 5, True),
    "a fault of the service": (document({"message": "oops"}, 500), 5, True),
    "a gateway that gave up": (html(504), 5, True),
}


@pytest.mark.parametrize(("answer", "code", "kept"), OUTCOMES.values(), ids=OUTCOMES)
def test_what_an_order_may_come_to(
    sectigo: Runner, liar: LyingService, here: Path, answer: Answer, code: int, kept: bool
) -> None:
    liar.answers[CREATE] = answer
    words = ("create", "-d", "example.com", "-b", "my batch")
    done = sectigo(*words, "--password-out", "pw", env=liar.environ)
    assert (done.code, done.out) == (code, ""), done
    assert Path("pw").exists() == kept
    assert liar.asked.count(CREATE) == 1, "an order is sent once"
    if code == 5:
        assert "'my batch'" in done.err
        assert "do not repeat it" in done.err
    shown = sectigo(*words, env=liar.environ)
    assert told(shown), "the password is told whatever becomes of the order"
    assert shown.err.index(TOLD) < shown.err.index("sectigo: error: ")


def test_an_order_that_never_left(sectigo: Runner, liar: LyingService, here: Path) -> None:
    liar.answers[CREATE] = Answer(b"", 307)
    done = sectigo("create", "-d", "example.com", "--password-out", "pw", env=liar.environ)
    assert (done.code, done.out) == (1, "")
    assert not Path("pw").exists()


# Dry run, wait, download


def test_a_dry_run_only_reads(sectigo: Runner, liar: LyingService, here: Path) -> None:
    words = ("--dry-run", "--password-out", "pw", "--download", "new", "--wait")
    done = sectigo("create", "-d", "example.com", "--param", "x=1", *words, env=liar.environ)
    assert done.code == 0, done
    assert json.loads(done.out) == {
        "authorityId": 7,
        "batchName": "new certs for example.com",
        "profileParams": {
            "commonName": "example.com",
            "dNSName": "example.com",
            "pkcs12Password": "[redacted]",
            "x": "1",
        },
    }
    assert set(liar.asked) == {"POST /auth/pwd", AUTHORITIES, PARAMETERS}
    assert names_in() == []
    assert TOLD not in done.err
    assert "nothing was ordered" in done.err
    given = sectigo("create", "-d", "example.com", "-p", "secrtpasswrd", "--dry-run", env=liar.environ)
    assert "secrtpasswrd" not in given.out + given.err


def test_wait_and_download(sectigo: Runner, shared: Emulator, here: Path) -> None:
    words = ("create", "-d", "example.com", "-p", "secrtpasswrd", "--download", "certs")
    done = sectigo(*words, env=shared.environ)
    assert done.code == 0, done
    batch = json.loads(done.out)["batchId"]
    assert done.err.splitlines() == [
        "sectigo: made the folder certs",
        f"sectigo: batch {batch} is ready: 1 issued",
        f"downloaded batch {batch} to certs/{batch}.zip",
        HOW_TO_OPEN,
    ]
    assert Path(f"certs/{batch}.zip").is_file()
    waited = sectigo("create", "-d", "example.com", "-p", "secrtpasswrd", "--wait", env=shared.environ)
    assert waited.err == f"sectigo: batch {batch + 1} is ready: 1 issued\n"


def test_the_batch_is_printed_before_the_first_poll(
    sectigo: Runner, liar: LyingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sectigo_cli import following

    asked: list[list[str]] = []
    with monkeypatch.context() as patch:
        patch.setattr(following, "wait", lambda *_: asked.append(list(liar.asked)))
        done = sectigo("create", "-d", "example.com", "--wait", env=liar.environ)
    assert json.loads(done.out) == BATCH
    assert asked[0][-1] == CREATE
    liar.answers.update(waiting(24))
    late = sectigo("create", "-d", "example.com", "--wait", "--timeout", "0", env=liar.environ)
    assert late.code == 8
    assert json.loads(late.out) == BATCH, "what was paid for is told although the wait failed"
    assert "not ready after 0 s" in late.err


def test_a_batch_that_failed(sectigo: Runner, liar: LyingService) -> None:
    liar.answers.update(ready(24))
    liar.answers["GET /api/v1/batches/24/status"] = Answer(b"Failed", 200, "text/plain")
    liar.answers["GET /api/v1/batches/24"] = document({**BATCH, "status": "REJECTED", "rejectReason": "no such host"})
    done = sectigo("create", "-d", "example.com", "--wait", env=liar.environ)
    assert done.code == 1
    assert json.loads(done.out) == BATCH
    assert "batch 24 ended as REJECTED: no such host" in done.err


def test_some_certificates_failed(sectigo: Runner, liar: LyingService) -> None:
    liar.answers.update(ready(24))
    liar.answers["GET /api/v1/batches/24/processing_info"] = document({"active": 0, "success": 2, "failed": 1})
    done = sectigo("create", "-d", "example.com", "--wait", env=liar.environ)
    assert done.code == 0, done
    assert "batch 24 is ready: 2 issued, 1 failed" in done.err


def test_an_authority_without_balance_is_asked_for_by_id(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[AUTHORITIES] = document([{**AUTHORITY, "balance": 0}])
    done = sectigo("create", "-a", "7", "-d", "example.com", "-p", "secrtpasswrd", env=liar.environ)
    assert done.code == 0, "the list's balance may be stale: the service decides"
    note = "sectigo: the service's list shows no balance left for authority 7\n"
    assert note in done.err
    assert note in sectigo("create", "-a", "7", "-d", "example.com", "--dry-run", env=liar.environ).err
    liar.answers[AUTHORITIES] = document([AUTHORITY])
    assert note not in sectigo("create", "-a", "7", "-d", "example.com", env=liar.environ).err


def test_names_that_the_profile_cannot_take_are_refused_and_not_dropped(sectigo: Runner, manual: Emulator) -> None:
    words = ("create", "-a", "42", "-d", "example.com", "--dns", "www.example.com", "-p", "secrtpasswrd")
    done = sectigo(*words, env=manual.environ)
    assert (done.code, done.out) == (2, "")
    assert "sectigo: error: dNSName is not a parameter of this profile" in done.err
    assert '"balance": 10' in sectigo("authorities", env=manual.environ).out
    assert sectigo(*words[:5], *words[7:], env=manual.environ).code == 0
