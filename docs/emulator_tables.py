"""The tables of emulator.md, made from the code: `.venv/bin/cog -r -I docs docs/emulator.md`."""

from __future__ import annotations

import ast
import itertools
import sys
from dataclasses import fields
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from sectigo_iot.emulator.config.lives import known_lives  # noqa: E402 - found by the line above
from sectigo_iot.emulator.config.rule import Rule  # noqa: E402
from sectigo_iot.emulator.faults.catalogue import FAULTS, docs_table  # noqa: E402
from sectigo_iot.emulator.faults.hostile import HOSTILE  # noqa: E402
from sectigo_iot.emulator.settings import EmulatorSettings  # noqa: E402

_MANY = 6
FIRST_GUESS, LAST_GUESS = "lock_after", "device_id"


def guesses() -> str:
    """Return the settings that are about what nobody knows, with their defaults."""
    names = [each.name for each in fields(EmulatorSettings)]
    wanted = names[names.index(FIRST_GUESS) : names.index(LAST_GUESS) + 1]
    said, defaults = _said(), {each.name: each.default for each in fields(EmulatorSettings)}
    rows = [f"| `{name}` | `{_toml(defaults[name])}` | {said[name]} |" for name in wanted]
    return "\n".join(["| Setting | Default | What it is |", "|---|---|---|", *rows])


def lives() -> str:
    """Return the lives that have names, with their statuses."""
    rows = []
    for name, life in known_lives(1.0).items():
        path = " → ".join(f"`{step.status or '(empty)'}`" for step in life.steps)
        rows.append(f"| `{name}` | {path} |")
    return "\n".join(["| Life | Statuses in the detail |", "|---|---|", *rows])


def faults() -> str:
    """Return every fault."""
    return docs_table().rstrip()


def hostile() -> str:
    """Return the mixture that `--hostile` turns on."""
    rows = [f"| `{rule.fault}` | {_calls(rule)} | {rule.percent:g} % |" for rule in HOSTILE]
    return "\n".join(["| Fault | Calls | How often |", "|---|---|---|", *rows])


def _calls(rule: Rule) -> str:
    named = rule.calls or FAULTS[rule.fault].calls
    if not named or len(named) > _MANY:
        return "every call that reads" if rule.calls else "every call with a token"
    return ", ".join(f"`{name}`" for name in named)


def _said() -> dict[str, str]:
    """Return what stands under each field."""
    tree = ast.parse((ROOT / "sectigo_iot/emulator/settings.py").read_text())
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "EmulatorSettings")
    said = {}
    for field, text in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            said[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return said


def _toml(value: object) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
