"""IoTManager: the calls of the service as flat methods, under the names of TRISA's Go package."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from sectigo_iot import polling
from sectigo_iot.api import authorities, batches, certificates, licenses, organizations, profiles, raw
from sectigo_iot.auth import Authenticator
from sectigo_iot.config import Settings
from sectigo_iot.credentials import login_of
from sectigo_iot.endpoints import find_endpoint
from sectigo_iot.errors import APIError, InvalidInputError
from sectigo_iot.sessions import Credentials
from sectigo_iot.tokencache import FileTokenStore
from sectigo_iot.transport import Transport

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sectigo_iot import models
    from sectigo_iot.explaining import Explanation
    from sectigo_iot.polling import Look
    from sectigo_iot.reasons import CRLReason
    from sectigo_iot.statuses import StatusText
    from sectigo_iot.tokens import TokenPair


class IoTManager:
    """A client of one IoT Manager, for one user. Safe to share between threads; several live side by side.

    Use it as a context manager, or call `close`. Every method may raise, beside what it names itself:
    NotAuthenticatedError and its kinds (no log-in), APIError and its kinds (the service's own error),
    TransportError and its kinds (no usable answer), ForbiddenHostError (the environment's guard).

    `clock` gives epoch seconds for the tokens' lifetimes, `monotonic` and `sleep` count seconds for waiting.
    Raises ConfigError where the settings are wrong; sends nothing before the first call.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings or Settings()
        self.settings.validate()
        self._clock, self._monotonic, self._sleep = clock, monotonic, sleep
        self._store = self.settings.token_store or FileTokenStore()
        self._transport = Transport(self.settings, clock=monotonic, sleep=sleep)
        self._login = login_of(self.settings, self._store)
        self._auth = Authenticator(self._transport, self._login, self._store, clock=clock, monotonic=monotonic)
        self._transport.authorize = self._auth.token

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<IoTManager at {self.settings.endpoint}>"

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    # Who is logged in

    @property
    def profile(self) -> str:
        """The profile, name or id, that orders are meant for."""
        return self.settings.profile

    @property
    def creds(self) -> Credentials:
        """A copy of what this client is logged in with. Raises NotAuthenticatedError where no user is known."""
        username = self._login.username()
        return Credentials(
            self.settings.endpoint, username, self.settings.password, self._auth.tokens(), self._store, self._clock
        )

    @property
    def credential_sources(self) -> tuple[str, str]:
        """Where user name and password came from: `argument`, `keyring`, `token cache`, … Never what they are."""
        return self._login.username_source, self._login.password_source

    def authenticate(self) -> TokenPair:
        """Log in with user name and password, whatever tokens there are, and keep the new tokens.

        The access token lives 600 to 900 s, the refresh token 7,200 s. Raises InvalidCredentialsError for a wrong
        user or password, which is then not tried again by itself; NotAuthorizedError for one without authority;
        MustUseTLSAuthError where the account demands a client certificate.

        API: POST /auth/pwd. Source: seen live; 307 and 403 from the vendor's guide.
        """
        return self._auth.authenticate()

    def refresh(self) -> TokenPair:
        """Exchange the refresh token for new tokens, and keep them.

        Raises TokensExpiredError where there is no refresh token that may be used, InvalidCredentialsError where
        the service refuses it. The other methods do this by themselves when it is due.

        API: POST /auth/refresh. Source: seen live.
        """
        return self._auth.refresh()

    def forget_tokens(self) -> None:
        """Forget the tokens of this user, here and in the token store."""
        self._auth.forget()

    # Ordering and fetching

    def create_single_cert_batch(
        self,
        authority: int,
        name: str,
        params: Mapping[str, str],
        *,
        before_send: batches.BeforeSend | None = None,
    ) -> models.Batch:
        """Order one certificate, whose key the service makes. **Each success spends a licence.**

        `authority`: an authority's id (not a profile's). `name`: the batch name, by which a lost order is found
        again. `params`: what the profile asks for, see `profile_params` and `check_params`; `dNSName` is a list
        of names with a newline between them, `pkcs12Password` protects the key.

        It is sent once. Raises OutcomeUnknownError, which holds the batch name, where no usable answer came: the
        order may exist and be paid for. APIError with status 400 says that a parameter is wrong and nothing was
        spent. PKCSPasswordRequiredError, InvalidInputError: nothing was sent.

        `before_send` is called when the connection stands, just before the first byte of the order leaves, and again
        should it be sent anew after a 401; what it raises comes out as it is, and says that nothing was ordered.

        API: PUT /api/v1/batches/createSingleCertBatch. Source: seen live.
        """
        return batches.create_single_cert_batch(self._transport, authority, name, params, before_send)

    def upload_csr_batch(
        self,
        profile_id: int,
        filename: str,
        csr_data: bytes,
        params: Mapping[str, str] | None = None,
        *,
        before_send: batches.BeforeSend | None = None,
    ) -> models.Batch:
        """Order a certificate for each signing request. **Each success spends as many licences.**

        `profile_id`: a profile's id (not an authority's). `csr_data`: one or many PEM requests, or a ZIP of `.csr`
        and `.pem` files. `sectigo_iot.pki.read_requests` finds faults that the service would only tell of later,
        as a batch that is BROKEN. Sent once, raises, and calls `before_send`, as `create_single_cert_batch` does.

        API: POST /api/v1/batches/upload. Source: seen live.
        """
        return batches.upload_csr_batch(self._transport, profile_id, filename, csr_data, params or {}, before_send)

    def batch_detail(self, batch_id: int) -> models.Batch:
        """Return the batch as it stands. Raises NotFoundError for an unknown one.

        API: GET /api/v1/batches/{id}. Source: seen live.
        """
        return batches.batch_detail(self._transport, batch_id)

    def batch_status(self, batch_id: int) -> StatusText:
        """Return what the status call says, which may differ from the detail's status for a while.

        Raises NotFoundError for an unknown batch, InvalidReplyError for what is no status.

        API: GET /api/v1/batches/{id}/status. Source: seen live.
        """
        return batches.batch_status(self._transport, batch_id)

    def processing_info(self, batch_id: int) -> models.ProcessingInfo:
        """Return how many certificates of the batch are in work, issued and failed; 0/0/0 right after the order.

        Raises NotFoundError for an unknown batch.

        API: GET /api/v1/batches/{id}/processing_info. Source: seen live.
        """
        return batches.processing_info(self._transport, batch_id)

    def look(self, batch_id: int) -> Look:
        """Look at a batch once, and say whether it is ready, to be waited for, or over.

        API: GET /api/v1/batches/{id}/processing_info, …/status and, where those do not decide, …/{id}.
        """
        return polling.look(self._transport, batch_id)

    def explain(self, batch_id: int) -> Explanation:
        """Return all that the service says of a batch, what of it contradicts, and what it means together.

        The verdict is that of `judge`. What a call did not answer is None there, and said why; raises its error
        only where none of detail, counts and status text came, NotFoundError for an unknown batch.

        API: GET /api/v1/batches/{id}, …/processing_info, …/status, …/auditLog. Source: seen live; the audit log is
        known by its path alone.
        """
        from sectigo_iot import explaining

        return explaining.explain(self._transport, batch_id)

    def wait(
        self,
        batch_id: int,
        *,
        timeout: float = polling.DEFAULT_TIMEOUT,
        on_progress: Callable[[Look], None] | None = None,
    ) -> models.ProcessingInfo:
        """Wait until a batch can be fetched; return how many certificates were issued and how many failed.

        It looks at once, after 1 s, then less and less often, at last every 30 s, for `timeout` seconds, and tells
        each look to `on_progress`. Once it has answered, the service may fail to for up to 120 s on end. Raises
        NotReadyError when the time is over (the order stands), BatchFailedError
        with the service's reason when the batch was rejected, failed, broken, revoked or removed.
        """
        return polling.wait(
            self._transport,
            batch_id,
            timeout=timeout,
            clock=self._monotonic,
            sleep=self._sleep,
            on_progress=on_progress,
        )

    def download(
        self,
        batch: int | models.Batch,
        directory: str | os.PathLike[str] = ".",
        *,
        replace: bool = False,
        on_progress: batches.Progress | None = None,
    ) -> Path:
        """Fetch the ZIP of a batch into a folder, and return its path; 0600, whole or not there at all.

        Its name is the server's, reduced to a plain name, commonly `<batchId>.zip`. It is checked to be a sound
        ZIP. It can be repeated until the batch's days-to-live have passed. `on_progress` is told the bytes that
        have come, and of how many. Raises NotReadyError, BatchFailedError, BundleError for what is no sound ZIP,
        TargetExistsError unless `replace`, InvalidInputError where there is no such folder, OSError where the file
        cannot be written.

        API: GET /api/v1/batches/{id}/download. Source: seen live.
        """
        from pathlib import Path

        number = _batch_id(batch)
        try:
            return batches.download(
                self._transport, number, Path(directory), replace=replace, on_progress=on_progress
            )
        except APIError as error:
            raise polling.why_not(self._transport, number, error) from None

    def download_bytes(self, batch: int | models.Batch, *, on_progress: batches.Progress | None = None) -> bytes:
        """Fetch the ZIP of a batch into memory, checked as by `download`; `pki.open_bundle` opens it.

        Raises as `download` does.

        API: GET /api/v1/batches/{id}/download. Source: seen live.
        """
        number = _batch_id(batch)
        try:
            return batches.download_bytes(self._transport, number, on_progress)
        except APIError as error:
            raise polling.why_not(self._transport, number, error) from None

    # What may be ordered

    def licenses_used(self) -> models.LicensesUsed:
        """Return how many certificates were ordered and issued, over all authorities.

        Raises what every method does; there is nothing of its own.

        API: GET /api/v1/devices. Source: seen live.
        """
        return licenses.licenses_used(self._transport)

    def user_authorities(self) -> tuple[models.Authority, ...]:
        """Return the authorities that this user may order from. Balances are counted in licences.

        Raises what every method does; there is nothing of its own.

        API: GET /api/v1/authorities/allowed. Source: seen live.
        """
        return authorities.user_authorities(self._transport)

    def authority_available_balance(self, authority_id: int) -> int:
        """Return how many licences an authority has left; it may differ from the list's `balance`.

        Raises NotFoundError for an unknown authority, InvalidReplyError for what is no number.

        API: GET /api/v1/authorities/{authorityId}/balanceavailable. Source: seen live.
        """
        return authorities.available_balance(self._transport, authority_id)

    def profiles(self) -> tuple[models.Profile, ...]:
        """Return the profiles that this user may use.

        Raises NotImplementedByServiceError where the service has no such list.

        API: GET /api/v1/profiles. Source: the vendor's guide.
        """
        return profiles.profiles(self._transport)

    def profile_params(self, profile_id: int) -> tuple[models.ProfileParameter, ...]:
        """Return the parameters that an order of this profile takes. The vendor changes them without notice.

        Raises NotFoundError for an unknown profile, NotImplementedByServiceError where the service has no such list.

        API: GET /api/v1/profiles/{id}/parameters. Source: the vendor's guide.
        """
        return profiles.profile_params(self._transport, profile_id)

    def profile_detail(self, profile_id: int) -> models.ProfileDetail:
        """Return a profile with its raw configuration, which is JSON inside a string.

        Raises NotFoundError for an unknown profile, NotImplementedByServiceError where the service has no such call.

        API: GET /api/v1/profiles/{id}. Source: the vendor's guide.
        """
        return profiles.profile_detail(self._transport, profile_id)

    def organization(self) -> models.Organization:
        """Return the organization of the user who is logged in, with its authorities.

        Raises what every method does; there is nothing of its own.

        API: GET /api/v1/organizations/user. Source: seen live.
        """
        return organizations.organization(self._transport)

    # Certificates

    def find_certificate(self, common_name: str = "", serial_number: str = "") -> models.CertificateSearch:
        """Return the certificates with this common name, this serial number, or both.

        A serial number is hex, with or without `0x`, colons and blanks; never decimal. No hit is no error. The
        answer may hold fewer items than `total_count`. Raises InvalidInputError where both are empty.

        API: POST /api/v1/certificates/find. Source: the vendor's guide.
        """
        return certificates.find_certificate(self._transport, common_name, serial_number)

    def revoke_certificate(self, profile_id: int, reason_code: int | str | CRLReason, serial_number: str) -> None:
        """Revoke a certificate. `profile_id` is a profile's id; `reason_code` an RFC 5280 code or name.

        Raises UnknownReasonError and InvalidInputError before anything is sent, OutcomeUnknownError where the
        answer was lost: `find_certificate` tells.

        API: POST /api/v1/certificates/{profileId}/revoke. Source: the vendor's guide.
        """
        certificates.revoke_certificate(self._transport, profile_id, reason_code, serial_number)

    # Everything else

    def endpoint(self, name: str, *params: int | str) -> str:
        """Return the URL of a call by the Go package's name for it. Raises InvalidInputError for an unknown one."""
        found = find_endpoint(name)
        if found is None:
            raise InvalidInputError(f"there is no call {name!r}")
        try:
            return self._transport.url(found, *params)
        except ValueError as error:
            raise InvalidInputError(str(error)) from None

    def raw(
        self,
        name_or_path: str,
        *ids: int | str,
        method: str = "GET",
        json: object = None,
        data: bytes | None = None,
    ) -> models.RawReply:
        """Make any call of the service: by its name in the table of 53, with the ids of its path, or by a path.

        `json` is sent as JSON, `data` as it is. Method and shape of 36 of the calls are not public. A GET is
        repeated on faults that pass, everything else is sent once, and raises OutcomeUnknownError where no answer
        came. Raises InvalidInputError for an unknown name or a path that leaves the endpoint.

        API: any.
        """
        return raw.raw(self._transport, name_or_path, ids, method, json, data)


def _batch_id(batch: int | models.Batch) -> int:
    return batch if isinstance(batch, int) else batch.batch_id
