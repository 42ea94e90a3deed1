"""Configuration files: the worlds that are shipped, and every mistake by file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs, to_builtins

from sectigo_iot.emulator.config.file import (
    ACCOUNTS,
    Config,
    ConfigError,
    read_config,
    shipped_text,
    shipped_world,
    world_of,
)
from sectigo_iot.emulator.config.lives import KNOWN, Life, Step
from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.config.world import Authority, Organization, Parameter, Profile, User
from tests.emulator.soak import SCALE

PROFILES = """\
[[profiles]]
id = 1
name = "first"
parameters = [{ name = "commonName" }]
[[profiles]]
id = 2
name = "second"
[[profiles.parameters]]
name = "commonName"
[[profiles.parameters]]
name = "countryName"
"""
ORGANIZATIONS = """\
[[organizations]]
id = 10
name = "one"
[[organizations.authorities]]
id = 5
profile = 1
[[organizations.users]]
id = 7
username = "a"
password = "sesame"
[[organizations]]
id = 20
name = "two"
[[organizations.authorities]]
id = 6
profile = 2
[[organizations.users]]
id = 8
username = "b"
password = "open sesame"
authorities = [6]
"""
WHOLE = PROFILES + ORGANIZATIONS
LIFE = """\
[[lives]]
name = "slow"
[[lives.steps]]
status = "CREATED"
[[lives.steps]]
status = "READY_FOR_DOWNLOAD"
after = 5
"""
FAULT = '[[faults]]\nfault = "reset"\n'
KINDS: tuple[type[Struct], ...] = (Config, Profile, Parameter, Organization, Authority, User, Life, Step, Rule)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def written(content: str | bytes) -> Path:
        path = tmp_path / "world.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def complaint(path: Path, **checks: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(path, **checks)
    return str(caught.value).removeprefix(f"{path}:")


def changed(text: str, old: str, new: str, count: int = 1) -> str:
    """Replace the last `count` places, so that a mistake may be put into the second of two tables."""
    assert old in text
    return new.join(text.rsplit(old, count))


def test_the_worlds_keep_their_numbers() -> None:
    staging, manual = shipped_world("staging"), shipped_world("manual")
    assert [profile.id for profile in staging.profiles] == [489, 423]
    assert [len(profile.parameters) for profile in staging.profiles] == [7, 3]
    assert (staging.first_batch, staging.first_order) == (10000, 11000)
    (organization,) = staging.organizations
    assert [(each.id, each.profile, each.balance) for each in organization.authorities] == [
        (489, 489, 0),
        (423, 423, 100),
    ]
    assert (organization.id, organization.ordered, organization.issued) == (1042, 1000, 0)
    assert organization.users[0].subject_in(1042) == "/account/42/user/295"
    assert (manual.first_batch, manual.first_order) == (24, 1024)
    assert manual.organizations[0].authorities[0] == Authority(id=1, profile=42, balance=10, ecosystem_name="TRISA")
    assert manual.organizations[0].ecosystem_id == 100
    assert manual.organizations[0].users[0].id == 10


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_shipped_text_is_a_file_that_describes_its_world(account: str, write: Callable[[str], Path]) -> None:
    config = read_config(write(shipped_text(account)))
    assert config.account == account
    assert world_of(config, account) == shipped_world(account)


def test_the_examples_in_the_shipped_text_are_right(write: Callable[[str], Path]) -> None:
    text = re.sub(r"(?m)^#(?=[\[a-z])", "", shipped_text("staging"))
    config = read_config(write(text))
    assert len(config.lives) == 2
    assert len(config.faults) == 2
    assert config.profiles[0].validity_days == 396


def test_the_shipped_text_explains_every_key() -> None:
    text = shipped_text("staging")
    for kind in KINDS:
        for each in structs.fields(kind):
            assert re.search(rf"(?m)^#?(\[.*)?\b{each.name}\b|^# .*\b{each.name}\b", text), each.name


def test_an_unknown_account_is_refused() -> None:
    for function in (shipped_text, shipped_world, lambda account: world_of(Config(), account)):
        with pytest.raises(ValueError, match="account 'live' is none of staging, manual"):
            function("live")


@pytest.mark.parametrize("content", ["", "# nothing\n", "\ufeff", "\r\n"])
def test_an_empty_file_is_the_default(content: str, write: Callable[[str], Path]) -> None:
    config = read_config(write(content))
    assert config == Config()
    assert world_of(config, "manual") == shipped_world("manual")


def test_what_is_given_replaces_the_shipped_lists() -> None:
    config = read_config(tomllib.loads(WHOLE + ""))
    world = world_of(config, "staging")
    assert [each.name for each in world.profiles] == ["first", "second"]
    assert [each.name for each in world.organizations] == ["one", "two"]
    assert (world.first_batch, world.first_order) == (10000, 11000)
    assert world.profiles[1].parameters[1] == Parameter(name="countryName")


def test_numbers_alone_change_only_themselves() -> None:
    world = world_of(read_config({"first_batch": 0, "first_order": 5}), "staging")
    assert (world.first_batch, world.first_order) == (0, 5)
    assert world.organizations == shipped_world("staging").organizations


def test_a_mapping_may_hold_the_objects_themselves() -> None:
    world = shipped_world("manual")
    config = read_config(MappingProxyType({"profiles": world.profiles, "organizations": list(world.organizations)}))
    assert world_of(config, "staging").organizations == world.organizations


def test_no_password_is_shown(write: Callable[[str], Path]) -> None:
    config = read_config(write(WHOLE + '[behaviour]\nsecret = "hush"\n'))
    assert "sesame" not in repr((config, config.organizations, world_of(config, "staging")))
    assert "hush" not in repr(config)
    for text in (
        changed(WHOLE, '"open sesame"', '["open sesame"]'),
        changed(WHOLE, '"open sesame"', '"open sesame\\u0007"'),
    ):
        said = complaint(write(text))
        assert "password" in said
        assert "sesame" not in said


USER = "organizations[2].users[1]"
AUTHORITY = "organizations[2].authorities[1]"
PROFILE = "profiles[2]"
STEP = "lives[1].steps[2]"
MISTAKES: dict[str, tuple[str, int, str, str]] = {
    # name: (text, line, key, part of the words)
    "unknown key, meant is told": ("\nfirst_bach = 1\n", 2, "first_bach", "did you mean first_batch?"),
    "unknown key, all are told": ("\nspoon = 1\n", 2, "spoon", "the keys are account, profiles"),
    "unknown key that needs quotes": ('"a\\nb" = 1', 1, r'"a\nb"', "there is no such key"),
    "unknown key instead of a missing one": (
        changed(WHOLE, "username", "usernam"),
        30,
        f"{USER}.usernam",
        "did you mean username?",
    ),
    "unknown table": ("# c\n\n[[organisations]]\nid = 1\n", 3, "organisations", "did you mean organizations?"),
    "unknown account": ('account = "live"', 1, "account", "'live' is none of staging, manual"),
    "missing key": (changed(WHOLE, 'username = "b"\n', ""), 28, f"{USER}.username", "a string is wanted"),
    "missing key of an inline table": (
        changed(WHOLE, '{ name = "commonName" }', "{ }"),
        4,
        "profiles[1].parameters[1].name",
        "is missing",
    ),
    "text for an integer": (changed(WHOLE, "id = 8", 'id = "8"'), 29, f"{USER}.id", "an integer is wanted"),
    "float for an integer": (changed(WHOLE, "id = 8", "id = 8.0"), 29, f"{USER}.id", "a number stands here"),
    "boolean for an integer": (changed(WHOLE, "id = 8", "id = true"), 29, f"{USER}.id", "a boolean"),
    "date for a text": (changed(WHOLE, '"two"', "2020-01-01"), 24, "organizations[2].name", "a date stands here"),
    "table for an array": ("[profiles]\nid = 1\n", 1, "profiles", "an array of tables is wanted"),
    "value for a table": ("profiles = [\n1]\n", 2, "profiles[1]", "a table is wanted"),
    "value for the behaviour": ("behaviour = 1\n", 1, "behaviour", "a table is wanted"),
    "text in an array of integers": (
        changed(WHOLE, "[6]", '[\n6,\n"6"]'),
        34,
        f"{USER}.authorities[2]",
        "an integer is wanted",
    ),
    "counts of another length": (LIFE + "info = [1, 2]", 8, f"{STEP}.info", "an array of three integers is wanted"),
    "role": (WHOLE + 'role = "user"\n', 33, f"{USER}.role", "none of USER, ADMIN; did you mean USER?"),
    "duplicates": (
        changed(PROFILES, "id = 2", 'duplicates = "no"\nid = 2') + ORGANIZATIONS,
        6,
        f"{PROFILE}.duplicates",
        "issue, refuse",
    ),
    "certificate format": (
        changed(PROFILES, "id = 2", 'id = 2\ncertificate_format = "pen"') + ORGANIZATIONS,
        7,
        f"{PROFILE}.certificate_format",
        "none of pem, der, pkcs7; did you mean pem?",
    ),
    "negative id": (changed(WHOLE, "id = 8", "id = -8"), 29, f"{USER}.id", "-8 is out of range"),
    "enormous id": (changed(WHOLE, "id = 8", "id = 0x" + "f" * 5000), 29, f"{USER}.id", "out of range"),
    "negative batch": ("first_batch = -1", 1, "first_batch", "a number from 0 to"),
    "negative order": ("first_order = -1", 1, "first_order", "a number from 0 to"),
    "negative balance": (
        changed(WHOLE, "profile = 2", "profile = 2\nbalance = -1"),
        28,
        f"{AUTHORITY}.balance",
        "from 0",
    ),
    "no days to live": (
        changed(WHOLE, "id = 2\n", "id = 2\ndays_to_live = 0\n"),
        7,
        f"{PROFILE}.days_to_live",
        "from 1 to 36500",
    ),
    "no days of validity": (
        changed(WHOLE, "id = 2\n", "id = 2\nvalidity_days = 0\n"),
        7,
        f"{PROFILE}.validity_days",
        "from 1 to 36500",
    ),
    "no minimum": (
        changed(WHOLE, "id = 2\n", "id = 2\npassword_minimum = 0\n"),
        7,
        f"{PROFILE}.password_minimum",
        "from 1 to 64",
    ),
    "too long a minimum": (
        changed(WHOLE, "id = 2\n", "id = 2\npassword_minimum = 65\n"),
        7,
        f"{PROFILE}.password_minimum",
        "from 1 to 64",
    ),
    "percent of a fault": (
        FAULT + "percent = 100.5",
        3,
        "faults[1].percent",
        "100.5 is out of range; a number from 0 to 100",
    ),
    "percent that is none": (FAULT + "percent = nan", 3, "faults[1].percent", "nan is out of range"),
    "percent of a life": (
        changed(LIFE, '"slow"', '"slow"\npercent = inf'),
        3,
        "lives[1].percent",
        "inf is out of range",
    ),
    "percent too large for a float": (
        FAULT + "percent = 0x1" + "0" * 400,
        3,
        "faults[1].percent",
        "a smaller number is wanted",
    ),
    "times of a fault": (FAULT + "times = 0", 3, "faults[1].times", "from 1"),
    "times of a life": (changed(LIFE, '"slow"', '"slow"\ntimes = 0'), 3, "lives[1].times", "from 1"),
    "nth": (FAULT + "nth = [\n1,\n0\n]", 5, "faults[1].nth[2]", "from 1"),
    "negative fails": (changed(LIFE, '"slow"', '"slow"\nfails = -1'), 3, "lives[1].fails", "from 0"),
    "negative count": (LIFE + "info = [1, 2, -3]", 8, f"{STEP}.info[3]", "-3 is out of range"),
    "negative after": (changed(LIFE, "after = 5", "after = -1"), 7, f"{STEP}.after", "-1.0 is out of range"),
    "endless after": (changed(LIFE, "after = 5", "after = inf"), 7, f"{STEP}.after", "inf is out of range"),
    "steps that go backwards": (
        LIFE + '[[lives.steps]]\nstatus = "COLLECTED"\nafter = 4',
        10,
        "lives[1].steps[3].after",
        "5.0 or later is wanted",
    ),
    "step that goes back to the beginning": (
        LIFE + '[[lives.steps]]\nstatus = "COLLECTED"',
        8,
        "lives[1].steps[3].after",
        "5.0 or later is wanted",
    ),
    "life without steps": ('\n[[lives]]\nname = "x"', 2, "lives[1].steps", "at least one step is wanted"),
    "life with steps and another": (
        changed(LIFE, '"slow"', '"slow"\nlike = "stuck"'),
        3,
        "lives[1].like",
        "only one of the two",
    ),
    "life like none": ('[[lives]]\nlike = "stcuk"', 2, "lives[1].like", "did you mean stuck?"),
    "pattern": (
        changed(WHOLE, '"countryName"', "\"countryName\"\npattern = '[A-Z'"),
        12,
        f"{PROFILE}.parameters[2].pattern",
        "no regular expression",
    ),
    "pattern that will mean something else": (
        changed(WHOLE, '"countryName"', "\"countryName\"\npattern = '[[A]'"),
        12,
        f"{PROFILE}.parameters[2].pattern",
        "nested set",
    ),
    "two profiles with an id": (
        changed(WHOLE, "id = 2\n", "id = 1\n"),
        6,
        f"{PROFILE}.id",
        "1 is that of profiles[1] too",
    ),
    "two organizations with an id": (
        changed(WHOLE, "id = 20", "id = 10"),
        23,
        "organizations[2].id",
        "of organizations[1] too",
    ),
    "two authorities with an id": (
        changed(WHOLE, "id = 6\n", "id = 5\n"),
        26,
        f"{AUTHORITY}.id",
        "organizations[1].authorities[1] too",
    ),
    "two users with an id": (changed(WHOLE, "id = 8", "id = 7"), 29, f"{USER}.id", "organizations[1].users[1] too"),
    "two users with a name": (
        changed(WHOLE, '"b"', '"a"'),
        30,
        f"{USER}.username",
        "'a' is that of organizations[1]",
    ),
    "two users with a subject": (
        WHOLE + 'subject = "/account/10/user/7"',
        33,
        f"{USER}.subject",
        "is that of organizations[1].users[1] too",
    ),
    "unknown profile": (
        changed(WHOLE, "profile = 2", "profile = 3"),
        27,
        f"{AUTHORITY}.profile",
        "there is no profile 3; the profiles are 1, 2",
    ),
    "unknown profile of the shipped": (
        ORGANIZATIONS,
        6,
        "organizations[1].authorities[1].profile",
        "the profiles are 423, 489",
    ),
    "profiles that the shipped organization does not know": (PROFILES, 1, "profiles", "none has the id 489"),
    "authority of another": (
        changed(WHOLE, "[6]", "[6, 5]"),
        32,
        f"{USER}.authorities[2]",
        "no authority 5; it has 6",
    ),
    "organization without users": (
        PROFILES + changed(ORGANIZATIONS, ORGANIZATIONS[ORGANIZATIONS.rindex("[[organizations.users]]") :], ""),
        22,
        "organizations[2].users",
        "at least one [[organizations.users]] is wanted",
    ),
    "organization with an empty list of users": (
        "[[organizations]]\nid = 1\nname = 'x'\nusers = []\n",
        4,
        "organizations[1].users",
        "it has none",
    ),
    "parameter twice": (
        changed(WHOLE, "countryName", "commonName"),
        11,
        f"{PROFILE}.parameters[2].name",
        "parameters[1] too",
    ),
    "no common name": (
        changed(WHOLE, "commonName", "localityName"),
        8,
        f"{PROFILE}.parameters",
        "none is named commonName",
    ),
    "no parameters": (
        changed(WHOLE, 'parameters = [{ name = "commonName" }]\n', ""),
        1,
        "profiles[1].parameters",
        "none is named",
    ),
    "empty name": (changed(WHOLE, '"two"', '" "'), 24, "organizations[2].name", "it is empty"),
    "empty username": (changed(WHOLE, '"b"', '""'), 30, f"{USER}.username", "it is empty"),
    "empty password": (changed(WHOLE, '"open sesame"', '""'), 31, f"{USER}.password", "it is empty"),
    "empty name of a fault": ('[[faults]]\nfault = ""', 2, "faults[1].fault", "it is empty"),
    "control character": (changed(WHOLE, '"two"', '"t\\u0007wo"'), 24, "organizations[2].name", "control character"),
    "two lines": (changed(WHOLE, '"two"', '"""\nt\nwo"""'), 24, "organizations[2].name", "control character"),
    "first of several": (
        changed(changed(WHOLE, "id = 8", 'id = "8"'), "id = 1\n", "id = -1\n"),
        2,
        "profiles[1].id",
        "-1 is out of range",
    ),
    "first in the file, not in the data": (
        changed(
            ORGANIZATIONS, "[[organizations]]", changed(PROFILES, "first", " ") + "[[organizations]]\nordered = -1"
        ),
        13,
        "profiles[1].name",
        "it is empty",
    ),
    "CRLF": (changed(WHOLE, "id = 8", "id = -8").replace("\n", "\r\n"), 29, f"{USER}.id", "-8"),
    "byte order mark": ("\ufeff\nx = 1", 2, "x", "no such key"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_by_file_line_and_key(name: str, write: Callable[[str], Path]) -> None:
    text, line, key, words = MISTAKES[name]
    said = complaint(write(text))
    assert said.startswith(f"{line}: {key}: ")
    assert words in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("name", [name for name in MISTAKES if "first" not in name and name != "byte order mark"])
def test_in_a_mapping_it_is_named_by_key_alone(name: str) -> None:
    text, _line, key, words = MISTAKES[name]
    with pytest.raises(ConfigError, match=f"^{re.escape(key)}: .*{re.escape(words)}"):
        read_config(tomllib.loads(text))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("first_batch = 1\nfirst_order = = 2\n", "2: not valid TOML at column 15: "),
        ("\n[x]\r\n[x]\r\n", "3: not valid TOML at column 3: "),
        ("\nx = 1\nx = 2\n", "3: not valid TOML at column 6: "),
        ("a = [\n1]\nx = '''\n\n[y]\n", "3: not valid TOML: what begins here does not end: "),
        ("\nx = [\n1,\n", "2: not valid TOML: what begins here does not end: "),
        ("x = [1\n" + "#\n" * 1000, "1002: not valid TOML: the file ends within a value: "),
        ("first_batch", "1: not valid TOML: what begins here does not end: "),
        ('x = "\\ud800"', "1: not valid TOML at column 12: "),
        ("x = 1\0", "1: not valid TOML at column 6: "),
        (b"x = 1\ny = '\xff'\n", "2: the byte 0xff is not UTF-8"),
        ("x = 1".encode("utf-16"), "1: the byte 0xff is not UTF-8"),
        ("x = 1\ny = " + "[" * 5000, "2: arrays or tables are nested too deeply"),
        ("\ny = " + "9" * 5000, "2: an integer has too many digits"),
    ],
    ids=str,
)
def test_a_file_that_is_not_toml(content: str | bytes, expected: str, write: Callable[[str | bytes], Path]) -> None:
    assert complaint(write(content)).startswith(expected)


def test_a_file_that_is_too_large(write: Callable[[bytes], Path]) -> None:
    assert complaint(write(b"#" * (10 * 1024 * 1024 + 1))).startswith(
        " it is larger than 10 MiB; a configuration is wanted"
    )


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_config(tmp_path / "missing.toml")
    with pytest.raises(IsADirectoryError):
        read_config(str(tmp_path))
    with pytest.raises(ConfigError, match="NUL"):
        read_config("a\0b")


def test_a_file_name_of_two_lines_is_shown_in_one(tmp_path: Path) -> None:
    path = tmp_path / "a\nb.toml"
    path.write_text("spoon = 1")
    with pytest.raises(ConfigError, match=r"a\\nb\.toml:1: spoon: "):
        read_config(path)


def test_surrogates_in_a_mapping_are_refused() -> None:
    for table in ({"name": "x\ud800"}, {"status": "\udfff", "text": "x"}):
        life: dict[str, Any] = {"steps": [{"status": "CREATED"}], "name": "x", **table}
        if "status" in table:
            life = {"steps": [table]}
        with pytest.raises(ConfigError, match=r"lives\[1\]\..*surrogate"):
            read_config({"lives": [life]})
    with pytest.raises(ConfigError, match=r'^"\\ud800": there is no such key'):
        read_config({"\ud800": 1})


def test_keys_that_are_no_text_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^1: there is no such key"):
        read_config({1: 2})  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match=r"^behaviour: not all of its keys are strings"):
        read_config({"behaviour": {1: 2}})


def test_the_account_decides_which_profiles_are_known(write: Callable[[str], Path]) -> None:
    text = changed(ORGANIZATIONS, "profile = 1", "profile = 42").replace("profile = 2\n", "profile = 42\n")
    path = write(text)
    assert complaint(path).startswith("6: organizations[1].authorities[1].profile: ")
    config = read_config(path, account="manual")
    assert world_of(config, "manual").organizations[1].name == "two"
    assert read_config(write('account = "manual"\n' + text)).account == "manual"
    with pytest.raises(ConfigError, match=r"^profiles: none has the id 42, "):
        world_of(config, "staging")


def refuse_speed(behaviour: Mapping[str, Any]) -> None:
    if "speed" in behaviour:
        raise ValueError(f"speed {behaviour['speed']!r} is none of slow, fast")
    if behaviour.get("pace") == 0:
        raise ValueError("delay must go with pace")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('\n[behaviour]\npace = 1\nspeed = "x"', "4: behaviour.speed: 'x' is none of slow, fast"),
        ('behaviour = {pace = 1,\n speed = "x"}'.replace("\n", ""), "1: behaviour.speed: 'x' is none of slow, fast"),
        ('\nbehaviour.speed = "x"', "2: behaviour.speed: 'x' is none of slow, fast"),
        ("\n[behaviour]\npace = 0", "2: behaviour.delay: must go with pace"),
        ('[behaviour]\nspeed = "x"\n[[faults]]\nfault = ""', "2: behaviour.speed: "),
        ('[[faults]]\nfault = ""\n[behaviour]\nspeed = "x"\n', "2: faults[1].fault: "),
    ],
)
def test_the_behaviour_is_judged_by_others(text: str, expected: str, write: Callable[[str], Path]) -> None:
    assert complaint(write(text), check_behaviour=refuse_speed).startswith(expected)


def refuse_rule(rule: Rule) -> None:
    if rule.fault == "typo":
        raise ValueError("fault 'typo' is none that is known")
    if rule.nth:
        raise ValueError("percent is missing")
    if rule.times:
        raise ValueError("Nonsense")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FAULT + '[[faults]]\nfault = "typo"', "4: faults[2].fault: 'typo' is none that is known"),
        (FAULT + "nth = [1]", "1: faults[1].percent: is missing"),
        (FAULT + "times = 1", "1: faults[1]: Nonsense"),
        (FAULT + 'times = -1\n[[faults]]\nfault = "typo"', "3: faults[1].times: "),
    ],
)
def test_the_faults_are_judged_by_others(text: str, expected: str, write: Callable[[str], Path]) -> None:
    assert complaint(write(text), check_rule=refuse_rule).startswith(expected)


def test_what_the_others_find_right_is_read(write: Callable[[str], Path]) -> None:
    path = write(f"[behaviour]\npace = 1\n{FAULT}{LIFE}[[lives]]\nlike = '{KNOWN[0]}'\n")
    config = read_config(path, check_behaviour=refuse_speed, check_rule=refuse_rule)
    assert config.behaviour == {"pace": 1}
    assert config.faults == (Rule(fault="reset"),)
    assert config.lives[0].steps == (Step(status="CREATED"), Step(status="READY_FOR_DOWNLOAD", after=5.0))


def outcome(source: Path | Mapping[str, Any]) -> tuple[Config | None, str]:
    """The configuration, or what is said of it."""
    try:
        return read_config(source), ""
    except ConfigError as mistake:
        return None, str(mistake)


KEY_FORM = re.compile(r"""(?:[A-Za-z0-9_."\\-]|\[[1-9]\d*\])+: \S.*""")
FORM = re.compile(r"[^\n]*world\.toml:[1-9][0-9]*: \S[^\n]*")
LINES = {account: shipped_text(account).splitlines() for account in ACCOUNTS}
VALUES = [
    "1",
    "-1",
    "0",
    '""',
    '"x"',
    "true",
    "nan",
    "1e400",
    "[]",
    "[1]",
    "{}",
    "{ id = 1 }",
    "1979-05-27",
    "''''x'''",
    "]",
]


@st.composite
def changes_of(draw: st.DrawFn, line: str) -> str:
    key, _, value = line.partition(" = ")
    text = draw(st.text(st.characters(codec="utf-8"), max_size=8))
    lines = ["", f"{line}\n{line}", f"{key}x = {value}", line.lstrip("#"), line[:-1], f"{key} = '{text}'"]
    return draw(st.sampled_from([*lines, *(f"{key} = {each}" for each in VALUES)]))


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """A shipped file in which lines are lost, doubled, moved or cut, and values and keys exchanged."""
    lines = list(LINES[draw(st.sampled_from(ACCOUNTS))])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        lines[at] = draw(changes_of(lines[at]))
    return "\n".join(lines)


@settings(max_examples=150 * SCALE, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=mutations())
def test_any_mutation_is_a_configuration_or_one_clear_line(text: str, write: Callable[[str], Path]) -> None:
    config, mistake = outcome(write(text))
    assert FORM.fullmatch(mistake) if config is None else world_of(config, config.account or "staging").organizations
    assert "supersecret" not in mistake


KEYS = [each.name for kind in KINDS for each in structs.fields(kind)]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["USER", "pem", "x"])
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=150 * SCALE, deadline=None)
@given(changes=st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=6), st.sampled_from(KEYS), TREES), max_size=3))
def test_any_mapping_is_a_configuration_or_one_clear_line(changes: list[tuple[list[int], str, Any]]) -> None:
    data = tomllib.loads(WHOLE + LIFE + FAULT)
    for way, key, value in changes:
        replace_within(data, way, key, value)
    config, mistake = outcome(data)
    assert KEY_FORM.fullmatch(mistake) if config is None else read_config(to_builtins(config)) == config


def replace_within(holder: Any, way: list[int], key: str, value: Any) -> None:
    """Go down as the numbers say, and put a value there."""
    for number in way:
        inner = list(holder.values()) if isinstance(holder, dict) else holder
        inner = [each for each in inner if isinstance(each, dict | list) and each]
        if not inner:
            break
        holder = inner[number % len(inner)]
    if isinstance(holder, dict):
        holder[key] = value
    else:
        holder[0] = value
