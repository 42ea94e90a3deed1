"""Who may order what, how many licences are left, and by which rules: what is remembered of accounts."""

from __future__ import annotations

from msgspec.structs import replace

from sectigo_iot.emulator.config.world import Authority, Organization, Parameter, Profile, User, World
from sectigo_iot.emulator.memory.entities import Licences, Trust
from sectigo_iot.emulator.memory.records import Records, Tables


class NoBalanceError(Exception):
    """An order asks for more licences than are left."""


def fresh_tables(world: World) -> Tables:
    """Return the tables of a world in which nothing has happened yet."""
    organizations = world.organizations
    return {
        "balances": {each.id: each.balance for one in organizations for each in one.authorities},
        "licences": {each.id: Licences(each.ordered, each.issued) for each in organizations},
        "profiles": {each.id: each for each in world.profiles},
        "trust": {},
        "batches": {},
        "jobs": {},
        "archives": {},
        "unissued": {},
        "certificates": {},
        "numbers": {},
        "secrets": {},
    }


class Ledger:
    """Accounts, licences and rules. What changes them is to be called from one thread at a time."""

    def __init__(self, world: World, records: Records) -> None:
        self.world = world
        self._records = records

    def authorities(self, organization: Organization, user: User) -> list[Authority]:
        """Return the authorities that a user may order with."""
        allowed = user.authorities
        return [each for each in organization.authorities if allowed is None or each.id in allowed]

    def authority(self, authority_id: int) -> Authority | None:
        """Return the authority of this id, whosever it is."""
        return next((a for o in self.world.organizations for a in o.authorities if a.id == authority_id), None)

    def profile(self, profile_id: int) -> Profile:
        """Return a profile as its rules stand now."""
        profile: Profile = self._records.table("profiles")[profile_id]
        return profile

    def require_parameter(self, profile_id: int, name: str) -> None:
        """Make a parameter of a profile mandatory from now on; one that it lacks is added."""
        with self._records.change():
            self._records.put("profiles", profile_id, _with_required(self.profile(profile_id), name))

    def balance(self, authority_id: int) -> int:
        """Return the licences left. Raises KeyError for an authority that there is not."""
        left: int = self._records.table("balances")[authority_id]
        return left

    def set_balance(self, authority_id: int, balance: int) -> None:
        """Set the licences left. Raises KeyError for an authority that there is not."""
        with self._records.change():
            self.balance(authority_id)
            self._records.put("balances", authority_id, balance)

    def licences(self, organization_id: int) -> Licences:
        """Return how many licences were ordered and how many are used."""
        licences: Licences = self._records.table("licences")[organization_id]
        return licences

    def take(self, organization_id: int, authority_id: int, size: int) -> None:
        """Take licences for an order. Raises NoBalanceError, and then nothing is taken."""
        with self._records.change():
            left = self.balance(authority_id)
            if left < size:
                raise NoBalanceError
            self._records.put("balances", authority_id, left - size)
            self._count(organization_id, ordered=size)

    def give_back(self, organization_id: int, authority_id: int, size: int) -> None:
        """Give the licences of an order back."""
        with self._records.change():
            self._records.put("balances", authority_id, self.balance(authority_id) + size)
            self._count(organization_id, ordered=-size)

    def use(self, organization_id: int, size: int) -> None:
        """Count licences as used."""
        with self._records.change():
            self._count(organization_id, issued=size)

    def trust(self, username: str) -> Trust:
        """Return how a user's log-ins fared of late."""
        trust: Trust = self._records.table("trust").get(username, Trust())
        return trust

    def note_login(self, username: str, *, accepted: bool, lock_after: int) -> None:
        """Count a log-in: the last refusal of `lock_after` in a row locks the account. 0 locks none."""
        before = self.trust(username)
        refused = 0 if accepted else before.refused + 1
        after = Trust(refused, before.locked or 0 < lock_after <= refused)
        if after != before:
            with self._records.change():
                self._records.put("trust", username, after)

    def unlock(self, username: str) -> None:
        """Let a user log in again."""
        with self._records.change():
            self._records.put("trust", username, Trust())

    def _count(self, organization_id: int, ordered: int = 0, issued: int = 0) -> None:
        now = self.licences(organization_id)
        self._records.put("licences", organization_id, Licences(now.ordered + ordered, now.issued + issued))


def _with_required(profile: Profile, name: str) -> Profile:
    if any(each.name == name for each in profile.parameters):
        parameters = tuple(replace(p, required=True) if p.name == name else p for p in profile.parameters)
    else:
        parameters = (*profile.parameters, Parameter(name=name, title=name))
    return replace(profile, parameters=parameters)
