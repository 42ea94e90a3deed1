"""Which world a folder was kept for, and in what another one differs from it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from sectigo_iot.emulator.config.world import Organization, World


def without_passwords(world: World) -> World:
    """Return a world as it may be kept: whose users may have other passwords the next time."""
    return replace(world, organizations=tuple(map(_bare, world.organizations)))


def difference(kept: World, given: World) -> str | None:
    """Return in a few words where a world begins to differ from another, passwords apart; None if it does not."""
    before, now = (dict(_parts(without_passwords(each))) for each in (kept, given))
    for name, part in before.items():
        if name in now and now[name] != part:
            return f"{name} is another"
    for name in [*before, *now]:
        if name not in before or name not in now:
            return f"{name} is {'missing' if name in before else 'new'}"
    return None if list(before) == list(now) else "the order is another"


def _bare(organization: Organization) -> Organization:
    return replace(organization, users=tuple(replace(each, password="") for each in organization.users))


def _parts(world: World) -> Iterator[tuple[str, object]]:
    """Yield what a world consists of, each with its name in a refusal; what is wanted most often goes first."""
    for one in world.organizations:
        for authority in one.authorities:
            yield f"authority {authority.id}", (one.id, replace(authority, balance=0))
            yield f"the balance of authority {authority.id}", authority.balance
    yield "the first batch's number", world.first_batch
    yield "the first order's number", world.first_order
    for profile in world.profiles:
        yield f"profile {profile.id}", profile
    for one in world.organizations:
        yield f"organization {one.id}", replace(one, authorities=(), users=())
        for user in one.users:
            yield f"user {user.id}", (one.id, user)
