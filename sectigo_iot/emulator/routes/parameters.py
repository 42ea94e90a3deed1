"""Whether the parameters of an order keep the rules of its profile."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sectigo_iot.emulator.config.world import Parameter, Profile, lines_of


def first_fault(profile: Profile, values: Mapping[str, str]) -> str | None:
    """Return what is wrong with the parameters, or None. It names the parameter, and never shows its value."""
    for parameter in profile.rules:
        value = values.get(parameter.name)
        fault = _fault(parameter, value)
        if fault:
            return f"{parameter.name}: {fault}"
    known = {parameter.name for parameter in profile.parameters}
    unknown = next((name for name in values if name not in known), None)
    return None if unknown is None else f"{unknown}: the profile {profile.name!r} has no such parameter"


def _fault(parameter: Parameter, value: str | None) -> str | None:
    if not value:
        return "the parameter is required" if parameter.required or value == "" else None
    values = lines_of(value) if parameter.lines else [value]
    if all(re.fullmatch(parameter.pattern, each) for each in values):
        return None
    return f"the value breaks the rule: {parameter.message}"
