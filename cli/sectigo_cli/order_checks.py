"""What the service would refuse is looked for before an order is placed: by profile, and by its rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from sectigo_cli.context import Context
    from sectigo_cli.order_wishes import Wish
    from sectigo_iot import Authority, ProfileParameter

SUBJECT = ("organizationName", "localityName", "stateOrProvinceName", "countryName")
UNCHECKED = "what the profile demands is not checked before ordering"


def check_at_service(
    args: argparse.Namespace, context: Context, wanted: Sequence[Wish], password: str | None
) -> None:
    """Raise InvalidInputError with everything that the profile refuses in these wishes.

    Where the service cannot be asked, that is said if nothing is sent now anyway, and raised if it is.
    """
    from sectigo_iot import NoCredentialsError, TransportError

    try:
        authority = _authority(args, context)
        rules = _rules(context, authority) if authority is not None else None
    except (NoCredentialsError, TransportError) as error:
        if not (args.no_wait or args.dry_run):
            raise
        context.note(f"{UNCHECKED}: {error}")
        return
    if rules is not None:
        _refuse(authority, [fault for wish in wanted for fault in _faults(args, wish, rules, password)])


def _authority(args: argparse.Namespace, context: Context) -> Authority | None:
    """Return an authority of the profile that is ordered from; that it has no licence left now refuses nothing."""
    from sectigo_iot import InvalidInputError, choose_authority, profile_matches

    profile = context.given_profile
    authorities = context.client.user_authorities()
    if args.authority is not None:
        return choose_authority(authorities, args.authority, profile=profile, exact=True).authority
    fitting = [a for a in authorities if a.enabled and (profile is None or profile_matches(a, profile))]
    with_balance = [a for a in fitting if (a.balance or 0) > 0]
    profiles = {a.profile_id for a in with_balance}
    if len(profiles) > 1:
        raise InvalidInputError(
            f"several profiles may be ordered from: {', '.join(map(str, sorted(filter(None, profiles))))}",
            hint="choose one with -P; `sectigo authorities` lists them",
        )
    if not fitting:
        # It says which there are.
        return choose_authority(authorities, profile=profile).authority
    # Which of several it will be where none has a licence left, nobody knows yet.
    certain = with_balance or (fitting if len({a.profile_id for a in fitting}) == 1 else [])
    return certain[0] if certain else None


def _rules(context: Context, authority: Authority) -> tuple[ProfileParameter, ...] | None:
    """Return the live profile's parameters, or None where the service has no such list."""
    from sectigo_iot import NotFoundError, NotImplementedByServiceError

    try:
        rules = context.client.profile_params(authority.profile_id or 0)
    except (NotFoundError, NotImplementedByServiceError) as error:
        context.note(f"{UNCHECKED}: the service does not list it ({error})")
        return None
    return rules or None


def _faults(
    args: argparse.Namespace, wish: Wish, rules: Sequence[ProfileParameter], password: str | None
) -> Iterator[str]:
    from sectigo_cli.order_wishes import params_of
    from sectigo_cli.pkcs12_passwords import PASSWORD, generated_password
    from sectigo_iot import check_params, check_upload, order_params

    if wish.request is not None:
        yield from (f"{wish.place}: {fault.text}" for fault in check_upload([wish.request], rules).faults)
        return
    derived = {"commonName": wish.spec.names[0], "dNSName": "\n".join(wish.spec.names)}
    if not args.own_key:
        derived[PASSWORD] = password or generated_password(rules)
    asked = params_of(args, wish.spec)
    if args.own_key:
        # The subject stands in the request then, where the profile may demand something and knows no more than that.
        rules = [rule for rule in rules if rule.name in (*derived, *SUBJECT)]
        asked = {name: value for name, value in asked.items() if name in {rule.name for rule in rules}}
    yield from (f"{wish.place}: {fault}" for fault in check_params(rules, order_params(rules, derived, asked)))


def _refuse(authority: Authority | None, faults: Sequence[str]) -> None:
    from sectigo_iot import InvalidInputError

    if faults and authority is not None:
        message = faults[0] if len(faults) == 1 else f"{len(faults)} parameters are wrong, nothing was ordered:"
        hint = f"`sectigo profiles -i {authority.profile_id} --params` lists the rules"
        raise InvalidInputError(message, faults=tuple(faults), hint=hint)
