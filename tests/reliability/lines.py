"""Command lines: right ones, made of what the parsers take, and what typing makes of them."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence

from sectigo_cli.grammar import COMMANDS, command_parser, global_parser

SECRET = "Hush-Hush-77"
PLAUSIBLE = {
    "ID": ("24", "7", "8"),
    "NAME": ("example.com", "staging", "jane"),
    "NAME|ID": ("EE", "8"),
    "NAME|PATH": ("devices", "/x", "batchDetail"),
    "FILE": ("one.csr", "words.txt", "variables.env", "new"),
    "JSON|@FILE": ("{}", "@words.txt"),
    "DIR": ("certs", "."),
    "SECONDS": ("1", "0.5"),
    "HEX": ("AB", "0x0a:0b"),
    "URL": ("http://127.0.0.1:1", "http://other.test:1"),
    "HOST": ("iot.example.com",),
    "HOST:PORT": (":0",),
    "PORT": ("0", "off"),
    "CC": ("US",),
    "METHOD": ("GET", "post"),
    "REASON": ("superseded", "4"),
    "NAME=VALUE": ("organizationName=Example", "a=b"),
    "FAULT": ("hang", "unavailable,percent=5"),
    "COMMAND": ("create", "nonsense"),
    "N": ("7",),
}
"""What may be typed for a value, by the name that help has for it."""
ODD = (
    *("", " ", "-", "--", "-x", "--x=", "=", "-=", "a=b", "-1", "0", "9" * 5000, "1e400", "nan", "0x10", "1_0", "+5"),
    *("\udcff", "\u2013d", "\x1b[2J", "a\nb", "\u0661", "\U0001f642", "%s", "{0}", "@", "@-", "x" * 20_000, "\u202e"),
    *("true", "--wait", "-p", "--password=x", "create", "-h=false", "--help=no", "--no-wait", "*", "NUL"),
)
WRONG = (
    ("create",),
    ("create", "-d", ""),
    ("create", "-dexample.com"),
    ("create", "-d", "example.com", "-d", "example.org"),
    ("create", "-d", "example.com", "-b", "--dryrun"),
    ("create", "-d", "example.com", "--dry"),
    ("create", "-d", "example.com", "--wait=perhaps"),
    ("create", "-d", "example.com", "\u2013\u2013wait"),
    ("create", "-d", "example.com", "--param", "organizationName"),
    ("create", "-d", "example.com", "-p", "one", "--password-out", "two"),
    ("create", "-d", "example.com", "-a", "first"),
    ("creat", "-d", "example.com"),
    ("batches", "-i24"),
    ("batches", "-i", "0"),
    ("batches", "-i", "24", "-I", "-s"),
    ("batches", "-i", "24", "--explain", "--wait"),
    ("batches", "--wait"),
    ("download",),
    ("upload", "-p", "8"),
    ("upload", "missing.csr", "-p", "8"),
    ("revoke", "-p", "8"),
    ("revoke", "-p", "8", "-s", "XYZ"),
    ("revoke", "-p", "8", "-s", "AB", "-r", "boredom"),
    ("licenses", "all"),
    ("find",),
    ("call",),
    ("-e", "", "licenses"),
    ("-E", "moon", "licenses"),
    ("--request-timeout", "soon", "licenses"),
    ("--request-timeout", "-1", "licenses"),
)
"""What nobody can mean, chosen by hand: no parser was asked about it."""
RIGHT = (
    ("create", "-d=example.com", "-b=--dryrun", "-p", "Very-Secret-12"),
    ("batches", "-id", "24", "--info=true"),
    ("upload", "-p", "8", "one.csr"),
    ("revoke", "-s", "0x0a:0b", "--profile=8", "-reason", "superseded"),
    ("--request-timeout=5", "licenses"),
)
"""What is meant so, chosen likewise."""
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212"


def options_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the options of a parser, but for help, each once."""
    return [action for action in parser._actions if action.option_strings and action.dest != "help"]


def groups_of(parser: argparse.ArgumentParser) -> list[list[argparse.Action]]:
    """Return what excludes each other."""
    return [group._group_actions for group in parser._mutually_exclusive_groups]


def value_of(action: argparse.Action, chance: random.Random) -> str:
    """Return a value that such an option, or a word that is none, may have."""
    if "password" in action.dest and action.metavar == "TEXT":
        return SECRET
    if action.choices:
        return str(chance.choice(list(action.choices)))
    return chance.choice(PLAUSIBLE.get(str(action.metavar), ("some text",)))


def spelt(action: argparse.Action, chance: random.Random) -> list[str]:
    """Return an option with its value, in one of the spellings."""
    flag = chance.choice(action.option_strings)
    if flag.startswith("--") and chance.random() < 0.3:
        flag = flag[1:]
    if action.nargs == 0:
        return [flag if chance.random() < 0.9 else f"{flag}={chance.choice(('true', 'false'))}"]
    value = value_of(action, chance)
    return [f"{flag}={value}"] if chance.random() < 0.5 else [flag, value]


def right(chance: random.Random, command: str) -> list[str]:
    """Return a line that means something, or nearly: what excludes each other may stand in it."""
    parser = command_parser(command)
    front = [word for each in options_of(global_parser()) if chance.random() < 0.04 for word in spelt(each, chance)]
    words = [
        word for each in options_of(parser) if each.required or chance.random() < 0.12 for word in spelt(each, chance)
    ]
    named = [value_of(each, chance) for each in parser._actions if not each.option_strings]
    return [*front, command, *words, *named]


Mutation = Callable[[list[str], int, random.Random], Sequence[str]]


def _bare(word: str) -> str:
    return word.lstrip("-")


MUTATIONS: tuple[Mutation, ...] = (
    lambda words, n, _: [*words[:n], *words[n + 1 :]],
    lambda words, n, _: [*words[: n + 1], *words[n:]],
    lambda words, n, c: c.sample(words, len(words)),
    lambda words, n, _: [*words[:n], "".join(words[n : n + 2]), *words[n + 2 :]],
    lambda words, n, _: [*words[:n], *words[n].split("=", 1), *words[n + 1 :]],
    lambda words, n, _: [*words[:n], *words[n + 1 :], words[n]],
    lambda words, n, _: [words[n], *words[:n], *words[n + 1 :]],
    lambda words, n, c: [*words[:n], c.choice(DASHES) + _bare(words[n]), *words[n + 1 :]],
    lambda words, n, _: [*words[:n], words[n][:-1], *words[n + 1 :]],
    lambda words, n, _: [*words[:n], words[n].swapcase(), *words[n + 1 :]],
    lambda words, n, c: [*words[:n], words[n] + c.choice(("=", "==", "=x", "=false", " ")), *words[n + 1 :]],
    lambda words, n, _: [*words[:n], "-" + words[n], *words[n + 1 :]],
    lambda words, n, c: [*words[:n], c.choice(ODD), *words[n + 1 :]],
    lambda words, n, c: [*words[:n], c.choice(ODD), *words[n:]],
    lambda words, n, c: [*words[:n], f"{words[n].partition('=')[0]}={c.choice(ODD)}", *words[n + 1 :]],
    lambda words, n, c: [*words[:n], *_foreign(c), *words[n:]],
)
"""What a slip makes of a line, at its nth word."""


def _foreign(chance: random.Random) -> list[str]:
    """Return an option of some command."""
    options = options_of(command_parser(chance.choice(list(COMMANDS))))
    return spelt(chance.choice(options), chance)


def typed(chance: random.Random) -> list[str]:
    """Return a line as somebody may type it: with up to three slips in it."""
    weights = [1 if name == "completion" else 5 for name in COMMANDS]
    words = right(chance, chance.choices(list(COMMANDS), weights)[0])
    for _ in range(chance.randrange(4)):
        if words:
            words = list(chance.choice(MUTATIONS)(words, chance.randrange(len(words)), chance))
    return words


def needed(command: str, but: argparse.Action | None = None) -> list[str]:
    """Return what a command does not go without, but for one option."""
    chance = random.Random(command)
    parser = command_parser(command)
    words = [f"{each.option_strings[-1]}={value_of(each, chance)}" for each in options_of(parser)
             if each.required and each is not but]  # fmt: skip
    return words + [value_of(each, chance) for each in parser._actions if not each.option_strings]


def about(command: str, action: argparse.Action) -> list[list[str]]:
    """Return what can be wrong about one option: no value, an empty one, given twice, in the wrong place, …"""
    flag, words = action.option_strings[-1], needed(command, action)
    value = [] if action.nargs == 0 else [value_of(action, random.Random(flag))]
    return [
        [command, *words, flag],
        [command, *words, f"{flag}="],
        [command, *words, flag, ""],
        [command, *words, flag, *value, flag, "other"],
        [command, *words, f"{flag}=a", f"{flag}=b"],
        [flag, *value, command, *words],
        [command, *words, f"{flag[:-1]}", *value],
        [command, *words, f"{flag}{''.join(value) or 'x'}"],
        [command, *words, "--", flag, *value],
        [command, *words, flag, "--", *value],
        [command, *words, f"\u2014{flag.lstrip('-')}", *value],
    ]


def pairs(command: str) -> list[list[str]]:
    """Return a line for each two options that exclude each other."""
    chance = random.Random(command)
    return [
        [command, *needed(command), *spelt(one, chance), *spelt(other, chance)]
        for group in groups_of(command_parser(command))
        for place, one in enumerate(group)
        for other in group[place + 1 :]
    ]
