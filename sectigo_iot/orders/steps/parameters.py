"""What an order says, in the words of its profile, held against the profile's own rules as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sectigo_iot.errors import InvalidInputError, clean
from sectigo_iot.models import ProfileParameter
from sectigo_iot.ordering import check_params, generate_password, order_params
from sectigo_iot.orders.signing_requests import requests_in
from sectigo_iot.orders.steps.choosing import AT_ONCE, Known
from sectigo_iot.orders.steps.judging import JUDGE
from sectigo_iot.statuses import Param
from sectigo_iot.submitting import check_upload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sectigo_iot.orders.order import OrderRequest

    Rules = tuple[ProfileParameter, ...] | None


def order_parameters(
    wanted: OrderRequest, profile_id: int | None, password: str | None, known: Known
) -> dict[str, str]:
    """Return the parameters of an order whose key the service makes; nothing that was left out is made up.

    `password`: of the PKCS#12; None has one made, where the profile takes one. Raises InvalidInputError with every
    fault, but only after the rules were asked for anew, and what asking for them does.
    """
    try:
        return _checked(wanted, known.rules(profile_id), password)
    except InvalidInputError:
        return _checked(wanted, known.rules(profile_id, AT_ONCE), password)


def check_csr(wanted: OrderRequest, profile_id: int | None, known: Known) -> None:
    """Check an order's own signing request, and what is said beside it. Raises as `order_parameters` does."""
    try:
        _check_csr(wanted, known.rules(profile_id))
    except InvalidInputError:
        _check_csr(wanted, known.rules(profile_id, AT_ONCE))


def _checked(wanted: OrderRequest, rules: Rules, password: str | None) -> dict[str, str]:
    asked = dict(wanted.params)
    if password is None:
        password = generate_password(_rule(rules or (), Param.PKCS12_PASSWORD))
    else:
        # Whoever holds it counts on it.
        asked[Param.PKCS12_PASSWORD] = password
    names = "\n".join(wanted.names)
    if len(wanted.names) > 1:
        # Asked for by name, so that a profile without DNS names refuses them before they are paid for and missing.
        asked[Param.DNS_NAMES] = names
    derived: dict[str, str] = {Param.COMMON_NAME: wanted.common_name, Param.DNS_NAMES: names}
    derived[Param.PKCS12_PASSWORD] = password
    params = {str(name): value for name, value in order_params(rules, derived, asked).items()}
    if rules is not None:
        values = [each for name, value in params.items() for each in _values(name, value)]
        _refuse((*check_params(_unpatterned(rules), params), *_refused(rules, values)))
    return params


def _check_csr(wanted: OrderRequest, rules: Rules) -> None:
    assert wanted.csr is not None
    requests = requests_in(wanted.csr)
    bare = None if rules is None else _unpatterned(rules)
    faults = [fault.text for fault in check_upload(requests, bare).faults]
    if bare is not None:
        # Whatever else the profile demands stands in the request, or has a default.
        faults += check_params([each for each in bare if each.name in wanted.params], _known(bare, wanted.params))
        faults += [f"{name} is not a parameter of this profile" for name in wanted.params if not _rule(bare, name)]
    values = [_Value(name, value, value) for each in requests for name, value in each.subject]
    values += [_Value(str(Param.DNS_NAMES), name, name) for each in requests for name in each.dns_names]
    values += [each for name, value in wanted.params.items() for each in _values(name, value)]
    _refuse((*faults, *_refused(rules or (), values)))


class _Value(NamedTuple):
    """A value of a parameter; of one that is a list of lines a line, and the whole list."""

    name: str
    text: str
    whole: str


def _values(name: str, value: str) -> list[_Value]:
    lines = value.split("\n") if name == Param.DNS_NAMES else [value]
    return [_Value(name, line, value) for line in lines]


def _rule(rules: Iterable[ProfileParameter], name: str) -> ProfileParameter | None:
    return next((each for each in rules if each.name == name), None)


def _known(rules: Iterable[ProfileParameter], params: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if _rule(rules, name)}


def _unpatterned(rules: Iterable[ProfileParameter]) -> tuple[ProfileParameter, ...]:
    """Return the rules without the patterns that are tried elsewhere: all but the password's, which goes nowhere."""
    return tuple(
        each
        if each.name == Param.PKCS12_PASSWORD
        else ProfileParameter.read({**each.document, "validationPattern": None})
        for each in rules
    )


def _refused(rules: Iterable[ProfileParameter], values: Iterable[_Value]) -> tuple[str, ...]:
    """Return a fault for each value that breaks its rule; a pattern that cannot be tried here decides nothing.

    A list of lines may match as a whole, or line by line.
    """
    named = {each.name: each for each in rules if each.validation_pattern and each.name != Param.PKCS12_PASSWORD}
    tried = [(named[value.name], value) for value in values if value.name in named and value.text]
    patterns = [(rule.validation_pattern or "", value) for rule, value in tried]
    found = JUDGE.matches((pattern, text) for pattern, value in patterns for text in (value.text, value.whole))
    return tuple(
        f"{rule.name} {clean(value.text)!r} is refused by the profile: "
        f"{clean(rule.message or f'it must match {rule.validation_pattern}')}"
        for (rule, value), (pattern, _) in zip(tried, patterns, strict=True)
        if found[pattern, value.text] is False and found[pattern, value.whole] is False
    )


def _refuse(faults: tuple[str, ...]) -> None:
    if faults:
        raise InvalidInputError(faults[0], faults=faults)
