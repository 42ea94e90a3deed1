"""Whether a rule makes sense, and rules written on a command line."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeGuard

from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.faults.acts import Fault, Option
from sectigo_iot.emulator.faults.table import FAULTS
from sectigo_iot.endpoints import ENDPOINTS, find_endpoint

OPTIONS = ("seconds", "status", "bytes", "value")
"""The details that a fault may take."""

_MOST = {"seconds": 86400, "status": 599, "bytes": 1 << 40}
_FIRST_STATUS = 200
# No blank at either end and nothing but printable ASCII: it may become a header.
_VALUE = re.compile(r"(?! )[ -~]{0,1000}(?<! )")


def check_rule(rule: Rule) -> None:
    """Raise ValueError that begins with the field at fault for a rule that makes no sense."""
    fault = FAULTS.get(rule.fault)
    if fault is None:
        raise ValueError(f"fault {rule.fault!r} is not known{_near(rule.fault, FAULTS)}")
    for field in ("calls", "nth"):
        if not isinstance(getattr(rule, field), tuple):
            raise ValueError(f"{field} must be a tuple")
    for name in rule.calls:
        _check_call(fault, name)
    _check_when(rule)
    for name in OPTIONS:
        value = getattr(rule, name)
        if value is not None:
            _check_option(fault, name, value)


def parse_rule(text: str) -> Rule:
    """Return the rule in a text such as `lost-reply,call=createSingleCertBatch+upload,nth=1+3`.

    Raises ValueError of one line that begins with the field at fault.
    """
    name, *details = text.split(",")
    fields: dict[str, Any] = {}
    for detail in details:
        key, equals, value = detail.partition("=")
        field = "calls" if key.strip() == "call" else key.strip()
        if field not in _READERS:
            raise ValueError(f"{field!r} is no detail of a fault{_near(field, _READERS)}")
        if not equals:
            raise ValueError(f"{field}: a value is missing: {key.strip()}=...")
        if field in fields:
            raise ValueError(f"{field} is given twice")
        fields[field] = _READERS[field](field, value.strip())
    rule = Rule(fault=name.strip(), **fields)
    check_rule(rule)
    return rule


def _check_call(fault: Fault, name: str) -> None:
    endpoint = find_endpoint(name)
    if endpoint is None:
        raise ValueError(f"calls: there is no endpoint {name!r}{_near(name, ENDPOINTS)}")
    if fault.calls and endpoint.name not in fault.calls:
        able = fault.calls if len(fault.calls) < 20 else ("those that carry a token",)
        raise ValueError(f"calls: {fault.name} cannot strike {name}, only {', '.join(able)}")


def _check_when(rule: Rule) -> None:
    if rule.percent is not None:
        _check_number("percent", rule.percent, 0, 100)
        if rule.nth:
            raise ValueError("percent: not together with nth, which says for each call whether it is struck")
    for number in rule.nth:
        _check_integer("nth", number, 1)
    if rule.times is not None:
        _check_integer("times", rule.times, 1)


def _check_option(fault: Fault, name: str, value: object) -> None:
    option = fault.options.get(name)
    if option is None:
        taken = ", ".join(fault.options) or "none"
        raise ValueError(f"{name}: {fault.name} takes no such detail; those that it takes: {taken}")
    if name == "value":
        _check_value(option, value)
    elif name == "seconds":
        _check_number(name, value, option.least, _MOST[name])
    else:
        _check_integer(name, value, _FIRST_STATUS if name == "status" else option.least, _MOST[name])


def _check_value(option: Option, value: object) -> None:
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise ValueError("value must be printable ASCII, 1000 characters at the most, no blank at either end")
    if option.choices and value not in option.choices:
        raise ValueError(f"value {value!r} is none of {', '.join(option.choices)}")
    if option.pattern and not re.fullmatch(option.pattern, value):
        raise ValueError(f"value {value!r} is not what is wanted: {option.meaning}")


def _check_integer(name: str, value: object, least: int, most: int | None = None) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} {value!r} is not an integer")
    if value < least or (most is not None and value > most):
        allowed = f"{least} or more" if most is None else f"between {least} and {most}"
        raise ValueError(f"{name} {value} is not {allowed}")


def _check_number(name: str, value: object, least: int, most: int) -> None:
    if not _is_number(value) or not least <= value <= most:
        raise ValueError(f"{name} {value!r} is not a number between {least} and {most}")


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


def _read_number(name: str, text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text):
        raise ValueError(f"{name} {text!r} is not a number")
    return float(text)


def _read_integer(name: str, text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError(f"{name} {text!r} is not an integer")
    return int(text)


def _read_integers(name: str, text: str) -> tuple[int, ...]:
    return tuple(_read_integer(name, each) for each in text.split("+"))


def _read_names(_name: str, text: str) -> tuple[str, ...]:
    return tuple(text.split("+"))


def _read_text(_name: str, text: str) -> str:
    return text


_READERS: dict[str, Callable[[str, str], Any]] = {
    "calls": _read_names,
    "percent": _read_number,
    "nth": _read_integers,
    "times": _read_integer,
    "seconds": _read_number,
    "status": _read_integer,
    "bytes": _read_integer,
    "value": _read_text,
}
