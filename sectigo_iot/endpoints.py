"""The 53 calls of the IoT Manager: name, path, method, and whether a call may be sent again.

The names are those of TRISA's Go package. 17 have a public schema and a typed method of the client; of the
other 36 only path and purpose are known, so that their method is None and they are reached by the raw call alone.
Which role may use which call is not public, so the table does not say.
"""

from __future__ import annotations

import enum
from typing import NamedTuple
from urllib.parse import quote


class Repeat(enum.Enum):
    """Whether a request may be sent a second time when its answer did not arrive."""

    FREELY = "freely"
    """It changes nothing: repeat it within the budget."""
    IF_UNSENT = "if unsent"
    """Repeat it only where the first one provably never left this machine, or was answered by 401."""
    NEVER = "never"
    """It may spend a licence: send it once. A 401 is certain to have spent nothing and allows one repetition."""


class Endpoint(NamedTuple):
    """One call of the service.

    `sure` says what the row is known from: A seen live, B the vendor's guide, D method and shapes unknown.
    """

    name: str
    path: str
    method: str | None
    repeat: Repeat
    sure: str

    @property
    def typed(self) -> bool:
        """Whether the schema is public, so that the client has a method for it."""
        return self.method is not None

    @property
    def needs_token(self) -> bool:
        """Whether the call carries `Authorization: Bearer`; only the two `/auth/` ones do not."""
        return not self.path.startswith("/auth/")

    @property
    def ids(self) -> int:
        """How many ids the path takes."""
        return self.path.count("{id}")

    def path_of(self, *ids: int | str) -> str:
        """Return the path with the ids filled in, percent-encoded. Raises ValueError for another number of ids."""
        if len(ids) != self.ids:
            raise ValueError(f"{self.name} takes {self.ids} id{'s' * (self.ids != 1)}, got {len(ids)}")
        path = self.path
        for value in ids:
            path = path.replace("{id}", _segment(value), 1)
        return path


def _segment(value: int | str) -> str:
    text = str(value)
    if not text or text in (".", ".."):
        raise ValueError(f"{text!r} is no id")
    return quote(text, safe="")


ENDPOINTS: dict[str, Endpoint] = {
    row.name: row
    for row in (
        Endpoint("authenticate", "/auth/pwd", "POST", Repeat.FREELY, "A"),
        Endpoint("refresh", "/auth/refresh", "POST", Repeat.IF_UNSENT, "A"),
        Endpoint("createSingleCertBatch", "/api/v1/batches/createSingleCertBatch", "PUT", Repeat.NEVER, "A"),
        Endpoint("batchDetail", "/api/v1/batches/{id}", "GET", Repeat.FREELY, "A"),
        Endpoint("batchStatus", "/api/v1/batches/{id}/status", "GET", Repeat.FREELY, "A"),
        Endpoint("batchProcessingInfo", "/api/v1/batches/{id}/processing_info", "GET", Repeat.FREELY, "A"),
        Endpoint("download", "/api/v1/batches/{id}/download", "GET", Repeat.FREELY, "A"),
        Endpoint("upload", "/api/v1/batches/upload", "POST", Repeat.NEVER, "A"),
        Endpoint("devices", "/api/v1/devices", "GET", Repeat.FREELY, "A"),
        Endpoint("userAuthorities", "/api/v1/authorities/allowed", "GET", Repeat.FREELY, "A"),
        Endpoint(
            "authorityUserBalanceAvailable",
            "/api/v1/authorities/{id}/balanceavailable",
            "GET",
            Repeat.FREELY,
            "A",
        ),
        Endpoint("profiles", "/api/v1/profiles", "GET", Repeat.FREELY, "B"),
        Endpoint("profileDetail", "/api/v1/profiles/{id}", "GET", Repeat.FREELY, "B"),
        Endpoint("profileParameters", "/api/v1/profiles/{id}/parameters", "GET", Repeat.FREELY, "B"),
        Endpoint("currentUserOrganization", "/api/v1/organizations/user", "GET", Repeat.FREELY, "A"),
        Endpoint("findCertificate", "/api/v1/certificates/find", "POST", Repeat.FREELY, "B"),
        Endpoint("revokeCertificate", "/api/v1/certificates/{id}/revoke", "POST", Repeat.IF_UNSENT, "B"),
        Endpoint("batches", "/api/v1/batches", None, Repeat.NEVER, "D"),
        Endpoint("batchAuditLog", "/api/v1/batches/{id}/auditLog", None, Repeat.NEVER, "D"),
        Endpoint("batchDevicesAuditLog", "/api/v1/batches/{id}/devices/auditLog", None, Repeat.NEVER, "D"),
        Endpoint("batchPreview", "/api/v1/batches/preview", None, Repeat.NEVER, "D"),
        Endpoint(
            "uploadCSV",
            "/api/v2/organizations/{id}/profiles/{id}/batches/csv-upload",
            None,
            Repeat.NEVER,
            "D",
        ),
        Endpoint("generators", "/api/v1/generators", None, Repeat.NEVER, "D"),
        Endpoint("authorityBalanceUsed", "/api/v1/authorities/{id}/balanceused/{id}", None, Repeat.NEVER, "D"),
        Endpoint(
            "authorityBalanceAvailable",
            "/api/v1/authorities/{id}/balanceavailable/{id}",
            None,
            Repeat.NEVER,
            "D",
        ),
        Endpoint("users", "/api/v1/users", None, Repeat.NEVER, "D"),
        Endpoint("checkEmail", "/api/v1/users/check_email", None, Repeat.NEVER, "D"),
        Endpoint("userDetail", "/api/v1/users/{id}", None, Repeat.NEVER, "D"),
        Endpoint("userProfiles", "/api/v1/users/profiles", None, Repeat.NEVER, "D"),
        Endpoint("usersOrganizations", "/api/v1/users/organizations/{id}", None, Repeat.NEVER, "D"),
        Endpoint("removeUser", "/api/v1/users/remove_user", None, Repeat.NEVER, "D"),
        Endpoint("currentUser", "/api/v1/users/current", None, Repeat.NEVER, "D"),
        Endpoint("updateEmail", "/api/v1/users/update_email", None, Repeat.NEVER, "D"),
        Endpoint("checkUser", "/api/v1/users/check_user", None, Repeat.NEVER, "D"),
        Endpoint("userCredentials", "/api/v1/users/credentials", None, Repeat.NEVER, "D"),
        Endpoint("profileBalance", "/api/v1/profiles/{id}/balance", None, Repeat.NEVER, "D"),
        Endpoint("profileSubjectDN", "/api/v1/profiles/{id}/dn", None, Repeat.NEVER, "D"),
        Endpoint("organizations", "/api/v1/organizations", None, Repeat.NEVER, "D"),
        Endpoint("organizationDetail", "/api/v1/organizations/{id}", None, Repeat.NEVER, "D"),
        Endpoint("checkOrganization", "/api/v1/organizations/check_organization", None, Repeat.NEVER, "D"),
        Endpoint("updateAuthority", "/api/v1/organizations/{id}/authorities/{id}", None, Repeat.NEVER, "D"),
        Endpoint("organizationAuthorities", "/api/v1/organizations/{id}/all_authorities", None, Repeat.NEVER, "D"),
        Endpoint("authorityDetail", "/api/v1/organizations/{id}/authority/{id}", None, Repeat.NEVER, "D"),
        Endpoint("authorities", "/api/v1/organizations/{id}/authority", None, Repeat.NEVER, "D"),
        Endpoint("organizationListItems", "/api/v1/organizations/select/items", None, Repeat.NEVER, "D"),
        Endpoint("organizationParameters", "/api/v1/organizations/profile_parameters/{id}", None, Repeat.NEVER, "D"),
        Endpoint("ecosystems", "/api/v1/ecosystems", None, Repeat.NEVER, "D"),
        Endpoint("userEcosystem", "/api/v1/ecosystems/ecosystem", None, Repeat.NEVER, "D"),
        Endpoint("ecosystemBalance", "/api/v1/ecosystems/ecosystem/balance", None, Repeat.NEVER, "D"),
        Endpoint("ecosystemsStatistics", "/api/v1/ecosystems/statistics", None, Repeat.NEVER, "D"),
        Endpoint("ecosystemAdminDetail", "/api/v1/ecosystems/users/{id}", None, Repeat.NEVER, "D"),
        Endpoint("ecosystemAdmins", "/api/v1/ecosystems/users", None, Repeat.NEVER, "D"),
        Endpoint("revokeDeviceCertificate", "/api/v1/certificates/revoke", None, Repeat.NEVER, "D"),
    )
}

ALIASES = {"uploadCSR": "upload"}
"""Second names that the Go package has for the same call."""


def find_endpoint(name: str) -> Endpoint | None:
    """Return the endpoint of this name or alias, or None."""
    return ENDPOINTS.get(ALIASES.get(name, name))
