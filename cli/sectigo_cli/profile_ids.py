"""Which profile id an upload or a revocation is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sectigo_cli.options import UsageError

if TYPE_CHECKING:
    from sectigo_cli.context import Context


def profile_id(context: Context, given: int | None) -> int:
    """Return the id given to the command, or the one of the profile that was named globally.

    Raises UsageError where neither was given, or the name fits no profile, or several.
    """
    if given is not None:
        return given
    named = context.given_profile
    if named is None:
        raise UsageError(
            "which profile?", hint="give its id with -p ID; `sectigo authorities` lists each authority's profileId"
        )
    if named.strip().isascii() and named.strip().isdigit():
        return int(named)
    return _id_of(context, named)


def _id_of(context: Context, name: str) -> int:
    from sectigo_iot import profile_matches

    authorities = context.client.user_authorities()
    ids = {a.profile_id for a in authorities if profile_matches(a, name) and a.profile_id is not None}
    if len(ids) != 1:
        what = "no authority has" if not ids else "several profiles have"
        raise UsageError(f"{what} the name {name!r}", hint="give the profile's id with -p ID")
    return ids.pop()
