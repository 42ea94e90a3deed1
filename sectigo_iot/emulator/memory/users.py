"""Who may log in, found by name and by what a token says."""

from __future__ import annotations

from typing import NamedTuple

from sectigo_iot.emulator.config.world import Organization, User, World


class Member(NamedTuple):
    """A user, and the organization that the user belongs to."""

    organization: Organization
    user: User

    @property
    def subject(self) -> str:
        """The `sub` of this user's tokens."""
        return self.user.subject_in(self.organization.id)


class Users:
    """Every user of a world. `scopes` are given to all of them in place of those of their roles."""

    def __init__(self, world: World, scopes: tuple[str, ...] | None) -> None:
        members = [Member(organization, user) for organization in world.organizations for user in organization.users]
        self._scopes = scopes
        self.by_name = {each.user.username: each for each in members}
        # Tokens of 2019 carry the name.
        self._by_subject = {each.subject: each for each in members} | self.by_name

    def of_token(self, subject: str) -> Member | None:
        """Return whom a token is of."""
        return self._by_subject.get(subject)

    def scopes(self, member: Member) -> tuple[str, ...]:
        """Return what a user's tokens say of the role."""
        return (f"ROLE_{member.user.role}",) if self._scopes is None else self._scopes
