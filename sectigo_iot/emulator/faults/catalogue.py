"""The catalogue of faults, as the rest of the emulator and the documentation use it."""

from __future__ import annotations

from sectigo_iot.emulator.faults.acts import Fault, Option
from sectigo_iot.emulator.faults.checking import check_rule, parse_rule
from sectigo_iot.emulator.faults.hostile import HOSTILE
from sectigo_iot.emulator.faults.table import FAULTS, calls_of, strike
from sectigo_iot.endpoints import ENDPOINTS

__all__ = ["FAULTS", "HOSTILE", "calls_of", "check_rule", "docs_table", "parse_rule", "strike"]


def docs_table() -> str:
    """Return all faults as a table in Markdown: name, endpoints, details with defaults, and what happens."""
    head = ["| Fault | Strikes | Details | What happens |", "|---|---|---|---|"]
    return "\n".join([*head, *map(_row, FAULTS.values())]) + "\n"


def _row(fault: Fault) -> str:
    details = "<br>".join(_described(name, option) for name, option in fault.options.items())
    return f"| `{fault.name}` | {_struck(fault)} | {details} | {fault.summary} |"


def _struck(fault: Fault) -> str:
    if len(fault.calls) > 20:
        return "every call but " + ", ".join(f"`{name}`" for name in ENDPOINTS if name not in fault.calls)
    return ", ".join(f"`{name}`" for name in fault.calls) or "every call"


def _described(name: str, option: Option) -> str:
    default = "" if option.default is None else f"={option.default}"
    choices = f" ({', '.join(option.choices)})" if len(option.choices) > 1 else ""
    return f"`{name}{default}`: {option.meaning}{choices}"
