"""The grammar: every command, flag, alias and variable, where they may stand, and what is refused."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from sectigo_cli.grammar import ALIASES, COMMANDS, command_parser, full_parser, global_parser
from sectigo_iot import __version__
from sectigo_iot.emulator import Emulator
from tests.commands.lying_service import FIND, LyingService, document
from tests.conftest import Runner

GLOBAL = {
    "username": "-u --username",
    "login_password": "-p --password",
    "profile": "-P --profile",
    "environment": "-E --environment --env",
    "endpoint": "-e --endpoint --url",
}

UNPACKING = (
    *("--key", "--root", "--format", "--modernize", "--allow-incomplete", "--keep", "--grant", "--deploy-hook"),
    "--processes",
)

FLAGS = {
    "auth": ("-d --debug", "-C --cache", "--login", "--logout"),
    "authorities": ("-b --balances",),
    "licenses": (),
    "profiles": ("-i --id", "-p --params", "--config"),
    "organization": (),
    "create": (
        "-a --authority",
        "--authority-id",
        "-d --domain",
        "--dns",
        "--organization",
        "-l --locality",
        "-s --state",
        "-c --country",
        "--param",
        "-b --batch-name",
        "-p --password",
        "--password-file",
        "--password-out",
        "--dry-run",
        "--wait",
        "--timeout",
        "--download",
        "--extract",
        *UNPACKING,
    ),
    "upload": (
        "-p --profile",
        "--allow",
        "--check-only",
        "--wait",
        "--timeout",
        "--download",
        "--extract",
        "--password-file",
        *UNPACKING,
    ),
    "batches": ("-i --id", "-I --info", "-s --status", "--explain", "--wait", "--timeout"),
    "download": (
        *("-i --id", "-o --outdir", "--wait", "--timeout", "--force", "--extract", "--password-file"),
        *UNPACKING,
    ),
    "unpack": ("-o --outdir", "--password-file", *UNPACKING),
    "find": ("-n --common-name", "-s --serial-number"),
    "revoke": ("-p --profile", "-r --reason", "-s --serial-number", "--yes"),
    "order": (
        *("--file", "--csr", "--key-file", "--key-password-file", "--key", "-a --authority", "--dns"),
        *("--organization", "-l --locality", "-s --state", "-c --country", "--param", "--own-key", "--password-file"),
        *("-o --output", "--format", "--keep", "--grant", "--root", "--deploy-hook", "--renew-before"),
        *("--revoke-replaced", "--label", "--dry-run", "--no-wait", "--timeout"),
        *("--no-list", "--probe", "--reorder", "--settle", "--book"),
    ),
    "orders": (
        *("--state", "--attention", "--match", "--label", "--archived", "--limit", "--json", "--timeout"),
        *("--password-out", "--csr", "--key-file", "--key-password-file", "--order-anew", "--reason", "--batch"),
        *("--absent", "--give-up", "--yes", "-o --output", "--format", "--keep", "--grant", "--no-grant"),
        *("--older-than", "--book"),
    ),
    "worker": (
        *("--once", "--threads", "-o --output", "--root", "--deploy-hook", "--archive-after"),
        *("--no-list", "--probe", "--reorder", "--settle", "--book"),
    ),
    "csr": (
        *("--dns", "--organization", "-l --locality", "-s --state", "-c --country", "--from", "--key-type", "--key"),
        *("--encrypt-key", "--key-password-file", "-o --outdir", "--force", "--batch", "--zip", "--pem"),
        *("--skip-bad", "--resume", "--processes"),
    ),
    "inspect": ("--password-file", "--json", "--revocation", "--root"),
    "inventory": (
        *("--warn", "--expires-within", "--format", "-o --output", "--force", "--all", "--password-file"),
        "-q --quiet",
    ),
    "call": ("--method", "--data"),
    "serve": (
        *(
            "-a --addr",
            "--control",
            "--account",
            "--config",
            "--show",
            "--scenario",
            "--fault",
            "--hostile",
            "--seed",
        ),
        *("--delay", "--state", "--allow-remote", "--key-type", "--legacy-pkcs12", "--ca", "--foreign-ca", "--tls"),
    ),
    "validate": (),
    "doctor": ("--json",),
    "completion": (),
    "help": (),
}


def flags_of(command: str) -> tuple[str, ...]:
    assert command in FLAGS, f"tests/commands/test_grammar.py: add the options of the new command {command} to FLAGS"
    return FLAGS[command]


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return {" ".join(action.option_strings) for action in parser._actions if action.option_strings}


def test_the_table_is_that_of_the_command() -> None:
    assert set(FLAGS) == set(COMMANDS), "tests/commands/test_grammar.py: FLAGS has a line for each command"
    assert ALIASES == {"profile": "profiles"}


@pytest.mark.parametrize("command", FLAGS)
def test_every_flag_is_there(command: str) -> None:
    found = options_of(command_parser(command))
    assert set(FLAGS[command]) <= found
    own = set(" ".join(FLAGS[command]).split())
    for spellings in (*GLOBAL.values(), "-h --help", "--env-file", "--verbose", "--allow-host", "--trace"):
        left = [flag for flag in spellings.split() if flag not in own]
        assert not left or " ".join(left) in found, "a global flag that clashes with none must stand"


def test_every_global_flag_is_there() -> None:
    assert {*GLOBAL.values(), "-h --help", "-v --version"} <= options_of(global_parser())


@pytest.mark.parametrize("repeat", [False, True])
def test_the_full_parser_has_every_flag_of_every_command(repeat: bool) -> None:
    full = full_parser(repeat=repeat)
    assert options_of(full) == options_of(global_parser())
    (commands,) = (action for action in full._actions if isinstance(action, argparse._SubParsersAction))
    assert set(commands.choices) == {*COMMANDS, *ALIASES}
    for name, parser in commands.choices.items():
        command = ALIASES.get(name, name)
        assert set(flags_of(command)) <= options_of(parser) <= options_of(command_parser(command))
        assert (options_of(parser) == options_of(command_parser(command))) is repeat


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_nothing(sectigo: Runner, command: str) -> None:
    done = sectigo(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: sectigo {command} ")
    for flag in " ".join(flags_of(command)).split():
        assert flag in done.out


def test_help_and_version(sectigo: Runner) -> None:
    done = sectigo("--help")
    assert (done.code, done.err) == (0, "")
    for command in COMMANDS:
        assert f"\n  {command} " in done.out
    assert sectigo("-h") == done
    for spelling in ("--version", "-v", "-version", "--v", "--version=true"):
        assert sectigo(spelling) == (0, f"sectigo {__version__}\n", "")


@pytest.mark.parametrize("word", [*COMMANDS, *ALIASES])
def test_help_on_a_command(sectigo: Runner, word: str) -> None:
    assert sectigo("help", word) == sectigo(word, "--help") == sectigo(word, "-help")
    assert sectigo("help", word).code == 0


def test_help_alone_is_help_on_all(sectigo: Runner) -> None:
    assert sectigo("help") == sectigo("--help") == sectigo("-help") == sectigo("--help=true")


LIMITS = "is no number of seconds from 0.1 to 1000000"
USAGE_ERRORS = {
    "no command": ((), "which command?"),
    "unknown command": (("issue",), "there is no command 'issue'"),
    "unknown flag before the command": (("--bogus", "auth"), "there is no option --bogus"),
    "unknown flag after it": (("auth", "--bogus"), "auth: there is no option --bogus"),
    "abbreviated flag": (("auth", "--deb"), "auth: there is no option --deb"),
    "abbreviated global flag": (("--user", "x", "auth"), "--user"),
    "abbreviated global flag after the command": (("auth", "--verb"), "auth: there is no option --verb"),
    "extra argument": (("licenses", "now"), "licenses: unrecognized arguments: now"),
    "extra argument of an alias": (("profile", "42"), "profiles: unrecognized arguments: 42"),
    "extra argument of create": (("create", "-d", "example.com", "x"), "create: unrecognized arguments: x"),
    "flag without its value": (("batches", "-i"), "batches: -i has no value"),
    "id 0": (("batches", "-i", "0"), "'0' is no id"),
    "id -1": (("batches", "-i", "-1"), "'-1' is no id"),
    "id x": (("download", "-i", "x"), "'x' is no id"),
    "id 1.5": (("profiles", "-i", "1.5"), "'1.5' is no id"),
    "id in other digits": (("profiles", "-i", "²"), "'²' is no id"),
    "id without end": (("profiles", "-i", "9" * 40), "is no id: a whole number from 1 to 9223372036854775807"),
    "id of thousands of digits": (("profiles", "-i", "9" * 5000), "is no id"),
    "call without a name": (("call",), "call: the following arguments are required: NAME|PATH"),
    "a timeout beyond all": (
        ("download", "-i", "1", "--timeout", "1e30"),
        "'1e30' is no number of seconds from 0 to 1000000000",
    ),
    "an empty reason": (("revoke", "-p", "8", "-s", "AB", "-r", ""), "the reason is empty"),
    "--env-file without a name": (("--env-file", "", "licenses"), "argument --env-file: the value is empty"),
    "authority 0": (("create", "-d", "example.com", "-a", "0"), "'0' is no id"),
    "profile x": (("upload", "r.csr", "-p", "x"), "here that is a profile's id"),
    "a flag that is needed": (("download",), "download: the following arguments are required: -i/--id"),
    "create without a domain": (("create",), "create: the following arguments are required: -d/--domain"),
    "upload without a file": (("upload", "-p", "8"), "upload: the following arguments are required: FILE"),
    "--info and --status": (("batches", "-i", "1", "--info", "--status"), "not allowed with"),
    "--info without an id": (("batches", "--info"), "about one batch"),
    "--status without an id": (("batches", "--status"), "about one batch"),
    "--wait without an id": (("batches", "--wait"), "about one batch"),
    "--params without an id": (("profiles", "--params"), "about one profile"),
    "--config without an id": (("profiles", "--config"), "about one profile"),
    "--debug and --cache": (("auth", "-d", "-C"), "not allowed with"),
    "-p and --password-file": (
        ("create", "-d", "example.com", "-p", "x", "--password-file", "-"),
        "not allowed with",
    ),
    "-a and --authority-id": (("create", "-d", "example.com", "-a", "1", "--authority-id", "1"), "not allowed with"),
    "a timeout that is none": (("download", "-i", "1", "--timeout", "soon"), "'soon' is no number of seconds"),
    "a timeout below 0": (("download", "-i", "1", "--timeout=-1"), "'-1' is no number of seconds"),
    "a timeout of nan": (("download", "-i", "1", "--timeout", "nan"), "'nan' is no number of seconds"),
    "a request's timeout that is none": (
        ("--request-timeout", "abc", "licenses"),
        f"request-timeout: 'abc' {LIMITS}",
    ),
    "a request's timeout of 0": (("--request-timeout", "0", "licenses"), f"request-timeout: '0' {LIMITS}"),
    "a request's timeout of next to nothing": (("licenses", "--request-timeout", "1e-9"), f"'1e-9' {LIMITS}"),
    "a request's timeout of weeks": (("--request-timeout", "5000000", "licenses"), f"'5000000' {LIMITS}"),
    "a download's timeout of 0": (
        ("download", "-i", "1", "--download-timeout", "0"),
        f"download-timeout: '0' {LIMITS}",
    ),
    "--data that is nested too deeply": (("call", "/x", "--data", "[" * 100_000), "--data is no JSON"),
    "--param without =": (("create", "-d", "example.com", "--param", "x"), "not of the form NAME=VALUE"),
    "find by nothing": (("find",), "find: by what?"),
    "find by blanks": (("find", "-n", " ", "-s", " "), "find: by what?"),
    "reason 7": (("revoke", "-p", "8", "-s", "AB", "-r", "7"), "unknown revocation reason '7'"),
    "unknown reason": (("revoke", "-p", "8", "-s", "AB", "-r", "boredom"), "unknown revocation reason 'boredom'"),
    "serial number in letters": (("revoke", "-p", "8", "-s", "xyz"), "'xyz' is not hexadecimal"),
    "no serial number": (("revoke", "-p", "8", "-s", " "), "the serial number is empty"),
    "--data that is no JSON": (("call", "/x", "--method", "POST", "--data", "x"), "--data is no JSON"),
    "--data from no file": (("call", "/x", "--data", "@no-such-file"), "no-such-file: No such file or directory"),
    "call by no name": (("call", "nonsense"), "neither the name of a call nor a path"),
    "call with too few ids": (("call", "batchDetail"), "batchDetail takes 1 id, got 0"),
    "call with a method that is none": (("call", "/x", "--method", "P T"), "no HTTP method"),
    "call that leaves the endpoint": (("call", "/api/../x"), "no path below the endpoint"),
    "--env-file that is missing": (("--env-file", "no-such-file", "licenses"), "No such file or directory"),
    "unknown account": (("serve", "--account", "mine"), "invalid choice: 'mine'"),
}


@pytest.mark.parametrize(("words", "said"), USAGE_ERRORS.values(), ids=USAGE_ERRORS)
def test_usage_errors_go_to_stderr_and_exit_2(
    sectigo: Runner, liar: LyingService, here: Path, words: tuple[str, ...], said: str
) -> None:
    done = sectigo(*words, env=liar.environ)
    assert (done.code, done.out) == (2, ""), done
    lines = done.err.splitlines()
    assert lines[0].startswith("sectigo: error: ")
    assert said in lines[0]
    assert all(line.startswith("sectigo: hint: ") for line in lines[1:])
    assert len(lines) <= 2
    assert liar.asked == []


def test_the_hint_of_an_unknown_reason_names_them_all(sectigo: Runner) -> None:
    done = sectigo("revoke", "-p", "8", "-s", "AB", "-r", "7")
    assert "keyCompromise (1)" in done.err
    assert "aACompromise (10)" in done.err


def test_help_of_call_lists_the_names(sectigo: Runner) -> None:
    from sectigo_iot import ENDPOINTS

    told = sectigo("call", "--help").out.partition("the calls by name:")[2]
    words = told.replace(",", " ").split()
    assert [word for word in words if word != "ID"] == list(ENDPOINTS)
    assert words[words.index("batchDetail") + 1] == "ID"
    assert max(map(len, told.splitlines())) <= 80


def test_help_of_revoke_says_when_it_asks(sectigo: Runner) -> None:
    assert "off a terminal nothing is asked" in " ".join(sectigo("revoke", "--help").out.split())


# Where a flag may stand: each line asks the liar for the same.
PLACES = (
    ("--endpoint", "{url}", "find", "-n", "example.com"),
    ("--url", "{url}", "find", "--common-name", "example.com"),
    ("-e", "{url}", "find", "--common-name=example.com"),
    ("find", "-e", "{url}", "-n", "example.com"),
    ("find", "-n", "example.com", "--endpoint={url}"),
    ("find", "-n", "example.com", "--url", "{url}", "--env", "testing"),
)


@pytest.mark.parametrize("words", PLACES)
def test_global_flags_before_and_after_the_command(
    sectigo: Runner, liar: LyingService, words: tuple[str, ...]
) -> None:
    env = {**liar.environ, "SECTIGO_ENDPOINT": "http://127.0.0.1:1"}
    liar.answers[FIND] = document({"totalCount": 0, "items": []})
    done = sectigo(*(word.format(url=liar.url) for word in words), env=env)
    assert done.code == 0, done
    assert json.loads(liar.bodies[FIND]) == {"commonName": "example.com"}


def test_the_command_s_own_password_is_not_the_log_in_s(sectigo: Runner, liar: LyingService) -> None:
    words = ("-p", "log-in-pw", "create", "-d", "example.com", "-p", "pkcs12-pw", "-u", "jim")
    assert sectigo(*words, env=liar.environ).code == 0
    assert json.loads(liar.bodies["POST /auth/pwd"]) == {"username": "jim", "password": "log-in-pw"}
    sent = json.loads(liar.bodies["PUT /api/v1/batches/createSingleCertBatch"])
    assert sent["profileParams"]["pkcs12Password"] == "pkcs12-pw"


def shown(sectigo: Runner, *words: str, env: Mapping[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """Return what `validate` says of the client's settings: value and source."""
    done = sectigo(*words, env=env)
    assert done.code == 0, done
    client = json.loads(done.out)["client"]
    return {name: (setting["value"], setting["source"]) for name, setting in client.items()}


VARIABLES = {
    "SECTIGO_USERNAME": ("username", "jane"),
    "SECTIGO_PASSWORD": ("password", "********"),
    "SECTIGO_PROFILE": ("profile", "42"),
    "SECTIGO_ENDPOINT": ("endpoint", "https://pki.example.com/iot"),
    "SECTIGO_ENVIRONMENT": ("environment", "staging"),
}


def test_every_variable_is_read_and_every_flag_wins_over_it(sectigo: Runner) -> None:
    env = {name: value for name, (_, value) in VARIABLES.items()}
    found = shown(sectigo, "validate", env=env)
    for name, (setting, value) in VARIABLES.items():
        assert found[setting] == (value, f"environment variable {name}")
    flags = ("-u", "jim", "-p", "pw", "-P", "17", "-e", "http://iot.example.net", "--env", "docker")
    wins = {"username": "jim", "password": "********", "profile": "17", "endpoint": "http://iot.example.net"}
    found = shown(sectigo, *flags, "validate", env=env)
    for setting, value in {**wins, "environment": "docker"}.items():
        assert found[setting] == (value, "argument")


def test_the_defaults(sectigo: Runner) -> None:
    found = shown(sectigo, "validate", env={})
    assert found["profile"] == ("CipherTrace EE", "default")
    assert found["environment"] == ("production", "default")
    assert found["endpoint"] == ("https://iot.sectigo.com", "default")
    assert found["username"] == (None, None)


def test_env_file_and_the_env_in_this_folder(sectigo: Runner, shared: Emulator, here: Path) -> None:
    written = "".join(f"{name}='{value}'\n" for name, value in shared.environ.items())
    Path(".env").write_text(f"{written}SIAS_MODE=nonsense\nHOME=/nowhere\n")
    done = sectigo("licenses")
    assert done.code == 4, "the file must not be read"
    mention = "sectigo: the .env in this folder names SECTIGO_ variables; it is read only with --env-file .env\n"
    assert done.err.count(mention) == 1
    assert sectigo("licenses", env=shared.environ).err == mention
    for words in (("--env-file", ".env", "licenses"), ("licenses", "--env-file", ".env")):
        done = sectigo(*words)
        assert (done.code, done.err) == (0, "")
    assert sectigo("--env-file", ".env", "validate").code == 0, "only SECTIGO_ names are taken from the file"
    Path(".env").write_text("OTHER_SECTIGO_NAME=1\n# SECTIGO_X is not here\n")
    assert sectigo("licenses", env=shared.environ).err == ""


BAD_LINES = {
    "no name": ("SECTIGO_USERNAME=jane\n\n=x\n", 3),
    "a quote without its other": ("# first\nSECTIGO_PASSWORD='hush\n", 2),
    "words": ("SECTIGO_USERNAME=jane\nSECTIGO_PASSWORD hush\n", 2),
    "a name alone": ("\n\n  SECTIGO_PASSWORD\n", 3),
}


@pytest.mark.parametrize(("content", "line"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_line_of_the_env_file_that_cannot_be_read(
    sectigo: Runner, liar: LyingService, here: Path, content: str, line: int
) -> None:
    Path("x").write_text(content)
    done = sectigo("--env-file", "x", "licenses", env=liar.environ)
    assert (done.code, done.out) == (2, "")
    first, hint = done.err.splitlines()
    assert first == f"sectigo: error: --env-file x: line {line} cannot be read"
    assert hint.startswith("sectigo: hint: write NAME=value")
    assert liar.asked == [], "the environment's credentials are not taken in its place"


def test_what_is_odd_about_an_env_file_is_said(sectigo: Runner, liar: LyingService, here: Path) -> None:
    liar.answers["GET /api/v1/devices"] = document({"ordered": 1, "issued": 0})
    Path("x").write_text("\ufeffSECTIGO_PROFILE=42\nexport SECTIGO_PASWORD='a b'\n")
    done = sectigo("--env-file", "x", "licenses", env=liar.environ)
    ignored = "there is no setting SECTIGO_PASWORD, which is ignored: did you mean SECTIGO_PASSWORD?"
    assert done.err == f"sectigo: --env-file x: {ignored}\n"
    Path("x").write_text("USERNAME=jane\n")
    done = sectigo("--env-file", "x", "licenses", env=liar.environ)
    assert (done.code, done.err) == (0, "sectigo: --env-file x names no SECTIGO_ variable\n")


def test_an_env_file_without_end(sectigo: Runner, liar: LyingService) -> None:
    done = sectigo("--env-file", "/dev/zero", "licenses", env=liar.environ)
    assert (done.code, done.out) == (2, "")
    assert (
        done.err
        == "sectigo: error: the file /dev/zero given with --env-file cannot be read: it is larger than 1 MiB\n"
    )
    assert liar.asked == []


@pytest.mark.parametrize("seconds", ["0", "0.09", "0.1", "1e6", "1000001"])
def test_option_and_variable_take_the_same_timeouts(sectigo: Runner, shared: Emulator, seconds: str) -> None:
    by_option = sectigo("--request-timeout", seconds, "auth", "--cache", env=shared.environ)
    by_variable = sectigo("auth", "--cache", env={**shared.environ, "SECTIGO_TIMEOUT": seconds})
    assert by_option.code == by_variable.code == (0 if 0.1 <= float(seconds) <= 1e6 else 2)
    for done in (by_option, by_variable):
        assert ("from 0.1 to 1000000" in done.err) == (done.code == 2)


def test_env_file_that_is_no_text(sectigo: Runner, here: Path) -> None:
    Path("x").write_bytes(b"\xff\xfe\x00")
    done = sectigo("--env-file", "x", "licenses")
    assert (done.code, done.out) == (2, "")
    assert "not UTF-8 text" in done.err


def test_verbose_names_each_request(sectigo: Runner, shared: Emulator) -> None:
    done = sectigo("--verbose", "licenses", env=shared.environ)
    lines = done.err.splitlines()
    assert [line.rsplit(" ", 2)[0] for line in lines] == [
        "sectigo: POST /auth/pwd 200",
        "sectigo: GET /api/v1/devices 200",
    ]
    assert all(line.endswith(" ms") and line.split(" ")[-2].isdigit() for line in lines)
    assert sectigo("licenses", env=shared.environ).err == ""


def test_the_library_s_log_is_left_as_it_was(sectigo: Runner, shared: Emulator) -> None:
    logger = logging.getLogger("sectigo_iot")
    before = logger.level, logger.propagate, list(logger.handlers)
    assert sectigo("--verbose", "licenses", env=shared.environ).code == 0
    assert (logger.level, logger.propagate, logger.handlers) == before
