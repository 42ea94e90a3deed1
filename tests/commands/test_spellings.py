"""Every flag of the Go tool in every spelling that Go's flag package takes, and what is refused.

Source of the spellings: https://pkg.go.dev/flag#hdr-Command_line_flag_syntax
"""

from __future__ import annotations

import argparse
import contextlib
import json

import pytest

from sectigo_cli.grammar import COMMANDS, command_parser, full_parser, global_parser, parse_command, parse_globals
from sectigo_cli.options import Parser, UsageError
from sectigo_cli.spellings import NO, YES
from sectigo_iot import CRLReason
from tests.commands.lying_service import FIND, LyingService, document
from tests.conftest import Runner

GLOBAL = {
    "username": "u username",
    "login_password": "p password",
    "profile": "P profile",
    "environment": "E environment env",
    "endpoint": "e endpoint url",
}
"""Where the value of a flag ends up, and the flag's names."""
VALUES = {
    "profiles": {"id": "i id"},
    "create": {
        "authority": "a authority",
        "domain": "d domain",
        "pkcs12_password": "p password",
        "country": "c country",
        "state": "s state",
        "locality": "l locality",
        "batch_name": "b batch-name",
    },
    "upload": {"profile_id": "p profile"},
    "batches": {"id": "i id"},
    "download": {"id": "i id", "outdir": "o outdir"},
    "find": {"common_name": "n common-name", "serial_number": "s serial-number"},
    "revoke": {"profile_id": "p profile", "reason": "r reason", "serial_number": "s serial-number"},
    "serve": {"addr": "a addr"},
}
SWITCHES = {
    "auth": {"debug": "d debug", "cache": "C cache"},
    "authorities": {"balances": "b balances"},
    "profiles": {"params": "p params"},
    "batches": {"info": "I info", "status": "s status"},
}
REQUIRED = {
    "create": {"domain": "--domain=example.com"},
    "upload": {"files": "request.csr"},
    "download": {"id": "--id=1"},
    "revoke": {"serial_number": "--serial-number=AB"},
}
NUMBER: dict[str, object] = {"42": 42}
TEXTS = {text: text for text in ("example.com", "-abc", "--abc", "-", "a=b", "-x=y", "two words", "true")}
JOINED = ("--", "-p", "--password=x")
"""What is a value only where it is joined to its option."""
READ: dict[str, dict[str, object]] = {
    **dict.fromkeys(("id", "authority", "profile_id"), NUMBER),
    "reason": {"superseded": CRLReason.superseded, "4": CRLReason.superseded},
    "revoke serial_number": {"ab:12": "AB12"},
}
"""What may be typed as a value, and what it is read as; any text is read as it stands."""


def parsed(command: str, *words: str) -> argparse.Namespace:
    options = argparse.Namespace()
    parse_command(command, words, options)
    return options


def spelt(name: str, value: str) -> list[list[str]]:
    return [[f"{dashes}{name}{equals}{value}"] if equals else [f"{dashes}{name}", value]
            for dashes in ("-", "--") for equals in ("", "=")]  # fmt: skip


def rows(table: dict[str, dict[str, str]]) -> list[tuple[str, str, str]]:
    return [
        (command, dest, name) for command, flags in table.items() for dest in flags for name in flags[dest].split()
    ]


@pytest.mark.parametrize(("command", "dest", "name"), rows(VALUES))
def test_a_flag_with_a_value(command: str, dest: str, name: str) -> None:
    needed = [word for each, word in REQUIRED.get(command, {}).items() if each != dest]
    for typed, meant in READ.get(f"{command} {dest}", READ.get(dest, TEXTS)).items():
        for words in spelt(name, typed):
            for line in ([*needed, *words], [*words, *needed]):
                assert getattr(parsed(command, *line), dest) == meant, line
    if (dest not in READ) and f"{command} {dest}" not in READ:
        for value in JOINED:
            assert getattr(parsed(command, *needed, f"-{name}={value}"), dest) == value


@pytest.mark.parametrize(("dest", "name"), [(dest, name) for dest in GLOBAL for name in GLOBAL[dest].split()])
def test_a_global_flag(dest: str, name: str) -> None:
    for value in TEXTS:
        for words in spelt(name, value):
            options = argparse.Namespace()
            assert parse_globals([*words, "find", "-n", "x"], options) == ["find", "-n", "x"]
            assert getattr(options, dest) == value, words
            assert getattr(parsed("licenses", *words), dest) == value, "behind the command too"
    for value in JOINED:
        assert getattr(parsed("licenses", f"-{name}={value}"), dest) == value
    for empty in ("", " "):
        with pytest.raises(UsageError, match="the value is empty"):
            parse_globals([f"-{name}", empty, "licenses"], argparse.Namespace())


@pytest.mark.parametrize(("command", "dest", "name"), rows(SWITCHES))
def test_a_switch(command: str, dest: str, name: str) -> None:
    for dashes in ("-", "--"):
        flag = f"{dashes}{name}"
        assert getattr(parsed(command, flag), dest) is True
        for word in YES:
            assert getattr(parsed(command, f"{flag}={word}"), dest) is True
        for word in NO:
            assert getattr(parsed(command, f"{flag}={word}"), dest) is False
            assert getattr(parsed(command, flag, f"{flag}={word}"), dest) is False, "the last one counts"
            assert getattr(parsed(command, f"{flag}={word}", flag), dest) is True
        with pytest.raises(UsageError, match=f"{command}: {flag} takes no value but true or false"):
            parsed(command, f"{flag}=maybe")


def test_a_switch_that_is_off_contradicts_nothing() -> None:
    assert parsed("batches", "-id", "24", "-info=false", "-status").status is True


def every_parser() -> list[Parser]:
    return [global_parser(), full_parser(), *map(command_parser, COMMANDS)]


def test_every_option_takes_one_value_or_none() -> None:
    """What the spellings are read by; and no two options differ in their dashes alone."""
    for parser in every_parser():
        assert {action.nargs for action in parser.by_flag.values()} <= {0, None}
        assert {len(flag) - len(flag.lstrip("-")) == 1 for flag in parser.by_flag if len(flag) == 2} <= {True}
        assert all(flag.startswith("--") for flag in parser.by_flag if len(flag) > 2)


def test_what_follows_two_dashes_is_no_option() -> None:
    assert parsed("upload", "-p", "42", "--", "-p").files == ["-p"]
    assert parsed("upload", "--", "--help").files == ["--help"]
    options = parsed("call", "-method=PUT", "--", "-x", "--data", "-")
    assert (options.call, options.ids, options.method, options.data) == ("-x", ["--data", "-"], "PUT", None)
    globals_ = argparse.Namespace()
    assert parse_globals(["-u=jim", "--", "auth", "--"], globals_) == ["auth", "--"]


def test_options_and_other_words_in_any_order() -> None:
    options = parsed("call", "batchDetail", "-verbose", "24", "-method", "GET", "25")
    assert (options.call, options.ids, options.verbose, options.method) == ("batchDetail", ["24", "25"], True, "GET")


REFUSED = {
    "a value forgotten in front of an option": (
        ("create", "-d", "example.com", "-p", "-b", "name"),
        "create: -p has no value: what follows it is the option -b",
        "if that is the value, join the two: -p=VALUE; ",
    ),
    "a value forgotten in front of an option with its value": (
        ("create", "-domain", "-password=hush"),
        "create: -domain has no value: what follows it is the option -password",
        "if that is the value, join the two: -domain=VALUE; ",
    ),
    "a value forgotten in front of two dashes": (
        ("upload", "-p", "--", "x.csr"),
        "upload: -p has no value: what follows it is --",
        "",
    ),
    "a value forgotten at the end": (("find", "-n"), "find: -n has no value", ""),
    "a value forgotten, before a file": (
        ("upload", "-p", "8", "a.csr", "b.csr", "-P"),
        "upload: -P has no value",
        "",
    ),
    "a value forgotten, before a path": (("call", "/x", "--method"), "call: --method has no value", ""),
    "a value forgotten in front of an option misspelt": (
        ("create", "-d", "example.com", "-b", "--dryrun"),
        "create: -b has no value: what follows it is nearly the option --dry-run",
        "if that is the value, join the two: -b=VALUE; ",
    ),
    "two dashes as an id": (
        ("upload", "-p=--", "x.csr"),
        "upload: argument -p/--profile: here that is a profile's id",
        "",
    ),
    "two dashes as a reason": (("revoke", "-p", "8", "-s", "AB", "-r=--"), "unknown revocation reason '--'", ""),
    "two serial numbers": (
        ("revoke", "-p", "8", "-s", "AB", "-s", "CD"),
        "revoke: -s is given twice, with different values",
        "give it once; ",
    ),
    "two domains": (
        ("create", "-d", "example.com", "-domain=example.org"),
        "create: -domain is given twice, with different values",
        "give it once; ",
    ),
    "an empty folder": (
        ("create", "-d", "example.com", "--download", ""),
        "create: argument --download: the value is",
        "",
    ),
    "an empty file": (
        ("create", "-d", "x", "--password-out="),
        "create: argument --password-out: the value is empty",
        "",
    ),
    "an empty file name": (("upload", "-p", "8", "a.csr", ""), "upload: argument FILE: the value is empty", ""),
    "an empty address": (("serve", "-a="), "serve: argument -a/--addr: the value is empty", ""),
    "a dash that is none": (
        ("find", "\N{EN DASH}p", "hush"),
        "find: a dash that is no hyphen stands in front of an option",
        "type - in its place; ",
    ),
    "a password glued to its option": (
        ("find", "-passwordhush"),
        "find: there is no option -p…",
        "did you mean --password",
    ),
    "a password glued to two dashes": (("find", "--phush"), "find: there is no option --p…", ""),
    "a password glued to letters": (
        ("auth", "-dphush"),
        "auth: there is no option -d…: something is glued to -d",
        "",
    ),
    "a password glued by a colon": (("find", "--password:hush"), "find: there is no option --p…", ""),
    "a password in capitals": (
        ("find", "-PASSWORD=hush"),
        "find: there is no option -P…",
        "did you mean --password? ",
    ),
    "a password of three words": (
        ("licenses", "-p", "correct", "horse", "hush"),
        "licenses: unrecognized arguments (2): a password with blanks in it is quoted",
        "",
    ),
    "a password of two words in front": (
        ("-p", "correct", "hush", "licenses"),
        "there is no such command: a password with blanks in it is quoted",
        "",
    ),
    "a password of two words with a dash": (
        ("-u", "jane", "-p", "correct", "-2hush", "licenses"),
        "there is an option that is none",
        "a password with blanks in it is quoted; ",
    ),
    "a password of two words with a dash, behind": (
        ("create", "-d", "x.example.com", "-p", "correct", "--hush=2"),
        "create: there is an option that is none",
        "",
    ),
    "a password like an option": (
        ("create", "-d", "x.example.com", "-p", "-passwort"),
        "create: -p has no value: what follows it is nearly an option",
        "if that is the value, join the two: -p=VALUE; ",
    ),
    "an option of another command": (
        ("--password-file", "x", "licenses"),
        "there is no option --p…",
        "the options of a",
    ),
    "a switch and its value apart": (
        ("create", "-d", "x.example.com", "--wait", "false"),
        "create: unrecognized arguments: false",
        "a switch is joined to it, as in --verbose=false; ",
    ),
    "a password where it is none": (
        ("profiles", "-i", "8", "-p", "hush"),
        "profiles: unrecognized arguments (1)",
        "",
    ),
    "a password for a switch": (("profiles", "-p=hush"), "profiles: -p takes no value but true or false", ""),
    "a password for a profile": (
        ("revoke", "-p", "hush", "-s", "AB"),
        "revoke: argument -p/--profile: here that is a profile's id, a whole number; a password to log in",
        "",
    ),
    "a variable for a command": (
        ("SECTIGO_PASSWORD=hush", "find"),
        "there is no command 'SECTIGO_PASSWORD=…'",
        "",
    ),
    "a variable for an argument": (("licenses", "password=hush"), "licenses: unrecognized arguments: password=…", ""),
    "a password as a parameter": (
        ("create", "-d", "example.com", "--param", "PKCS12password=hush"),
        "create: --param pkcs12Password=… would be seen in ps",
        "use --password-file FILE",
    ),
    "a password as no parameter": (
        ("create", "-d", "example.com", "--param", "pkcs12Password:hush"),
        "create: argument --param: that is not of the form NAME=VALUE",
        "",
    ),
    "a value glued to a letter": (
        ("create", "-d", "example.com", "-phush"),
        "create: there is no option -p…: something is glued to -p",
        "write -p VALUE or -p=VALUE; ",
    ),
    "a name without its option": (
        ("create", "vasp.example.com"),
        "create: unrecognized arguments: vasp.example.com",
        "did you mean -d vasp.example.com? ",
    ),
    "an id without its option": (("download", "24"), "download: unrecognized arguments: 24", "did you mean -i 24? "),
    "the beginning of an option": (
        ("find", "--serial", "AB"),
        "find: there is no option --serial",
        "did you mean --serial-",
    ),
    "the version as a command": (("version",), "there is no command 'version'", "did you mean --version? "),
    "letters glued together": (
        ("auth", "-dC"),
        "auth: there is no option -d…: something is glued to -d",
        "each option is a word of its own; ",
    ),
    "a name misspelt": (
        ("create", "-passwrod=hush"),
        "create: there is no option -p…",
        "did you mean --password? ",
    ),
    "three dashes": (("auth", "---debug"), "auth: there is no option ---debug", "did you mean --debug? "),
    "one dash too few letters": (("auth", "--=x"), "auth: there is no option --", ""),
    "an option of a command in front of it": (
        ("-n", "example.com", "find"),
        "there is no option -n",
        "the options of a command stand behind it; ",
    ),
    "a command misspelt": (("licences",), "there is no command 'licences'", "did you mean licenses? "),
    "help on a command misspelt": (("help", "revok"), "there is no command 'revok'", "did you mean revoke? "),
    "help on two": (("help", "auth", "find"), "help: unrecognized arguments: find", ""),
    "a shell that is none": (("completion", "sh"), "completion: argument shell: invalid choice: 'sh'", ""),
}


@pytest.mark.parametrize(("words", "said", "hint"), REFUSED.values(), ids=REFUSED)
def test_refused(sectigo: Runner, liar: LyingService, words: tuple[str, ...], said: str, hint: str) -> None:
    done = sectigo(*words, env=liar.environ)
    assert (done.code, done.out) == (2, "")
    first, second, *_ = [*done.err.splitlines(), "sectigo: hint: "]
    assert first.startswith(f"sectigo: error: {said}")
    assert second.startswith(f"sectigo: hint: {hint}")
    assert "hush" not in done.err
    assert liar.asked == []


ODD = (
    "--",
    "-",
    "---",
    "=",
    "-=",
    "--=x",
    "a=b=c",
    "\n",
    "\x00",
    "ä\u202e",
    " x ",
    "9" * 400,
    "-1",
    "1e999",
    "nan",
    "%s",
    "@x",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_whatever_the_value_there_is_a_value_or_a_usage_error(command: str) -> None:
    needed = list(REQUIRED.get(command, {}).values())
    for action in set(command_parser(command).by_flag.values()):
        for flag in action.option_strings:
            for words in ([f"{flag}={odd}"] for odd in ODD):
                with contextlib.suppress(UsageError, SystemExit):
                    got = getattr(parsed(command, *needed, *words), action.dest)
                    assert isinstance(got, str | int | float | bool | list), (words, got)
                    assert got != [], words


def test_a_whole_line_as_a_go_user_types_it(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[FIND] = document({"totalCount": 0, "items": []})
    env = {**liar.environ, "SECTIGO_ENDPOINT": "http://127.0.0.1:1"}
    done = sectigo("-url", liar.url, "-env=testing", "-u", "jim", "-p=-secret", "find", "-common-name", "-x", env=env)
    assert done.code == 0, done
    assert json.loads(liar.bodies["POST /auth/pwd"]) == {"username": "jim", "password": "-secret"}
    assert json.loads(liar.bodies[FIND]) == {"commonName": "-x"}
