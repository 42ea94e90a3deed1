"""What whoever starts an emulator should know of it."""

from __future__ import annotations

from collections.abc import Iterator

from sectigo_iot.emulator.ca.given import says_test
from sectigo_iot.emulator.ca.legacy import legacy_form
from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.service import Service
from sectigo_iot.emulator.setup import find_scenario


def remarks_on(service: Service) -> list[str]:
    """Return a line for each thing that is out of the ordinary."""
    return list(_remarks(service))


def _remarks(service: Service) -> Iterator[str]:
    settings = service.settings
    if settings.scenario is not None:
        scenario = find_scenario(settings.scenario)
        yield f"scenario {scenario.name}: {scenario.title}"
    if service.plan.rules:
        yield f"what goes wrong: {'; '.join(map(_told, service.plan.rules))}"
    if settings.legacy_pkcs12:
        yield f"PKCS#12 in the live service's form: {legacy_form()}"
    if settings.state_path is not None:
        yield f"everything is kept in {settings.state_path}"
    top = service.authority.top
    if not says_test(top):
        yield f"the CA is {top.subject.rfc4514_string()}: keep what it signs to yourself"


def _told(rule: Rule) -> str:
    how = [f"{rule.percent:g} %"] if rule.percent is not None else []
    how += [f"call {', '.join(map(str, rule.nth))}"] if rule.nth else []
    how += [f"{rule.times} times"] if rule.times is not None else []
    where = f" at {', '.join(rule.calls)}" if rule.calls else ""
    return rule.fault + where + (f" ({', '.join(how)})" if how else "")
