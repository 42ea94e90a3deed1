"""What an order needs from outside: the service, and somewhere to keep secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from sectigo_iot.orders.order import Bundle, Order, OrderEvent

if TYPE_CHECKING:
    from sectigo_iot.models import Authority, Batch, CertificateSearch, ProfileParameter, RawReply
    from sectigo_iot.polling import Look
    from sectigo_iot.reasons import CRLReason

Deliver = Callable[[Order, Bundle], None]
"""Hands over what was issued. It may be called again for the same order, and must then do no harm: by the order's key
it can be told. What it raises is told, and it is called again later."""
OnEvent = Callable[[OrderEvent], None]
"""Is told of what happens. What it raises is logged and passed over."""
BeforeSend = Callable[[], None]
"""Called when the connection stands and no byte of the request has left; what it raises keeps it from leaving."""


class Timeouts(Protocol):
    """How long the service is waited for, in seconds."""

    @property
    def timeout(self) -> float:
        """For one request, repetitions included."""

    @property
    def download_timeout(self) -> float:
        """For one download."""


class Service(Protocol):
    """What of `IoTManager` an order needs; it says what each does, and what it raises."""

    @property
    def settings(self) -> Timeouts:
        """Its deadlines."""

    def create_single_cert_batch(
        self, authority: int, name: str, params: Mapping[str, str], *, before_send: BeforeSend | None = None
    ) -> Batch:
        """Order one certificate, whose key the service makes."""

    def upload_csr_batch(
        self,
        profile_id: int,
        filename: str,
        csr_data: bytes,
        params: Mapping[str, str] | None = None,
        *,
        before_send: BeforeSend | None = None,
    ) -> Batch:
        """Order a certificate for a signing request."""

    def look(self, batch_id: int) -> Look:
        """Look at a batch once."""

    def batch_detail(self, batch_id: int) -> Batch:
        """Return a batch as it stands."""

    def download_bytes(self, batch: int | Batch) -> bytes:
        """Fetch the ZIP of a batch."""

    def user_authorities(self) -> tuple[Authority, ...]:
        """Return what may be ordered from."""

    def authority_available_balance(self, authority_id: int) -> int:
        """Return how many licences an authority has left."""

    def profile_params(self, profile_id: int) -> tuple[ProfileParameter, ...]:
        """Return what an order of a profile takes."""

    def find_certificate(self, common_name: str = "", serial_number: str = "") -> CertificateSearch:
        """Return certificates by name or number."""

    def revoke_certificate(self, profile_id: int, reason_code: int | str | CRLReason, serial_number: str) -> None:
        """Revoke a certificate."""

    def raw(self, name_or_path: str, *ids: int | str) -> RawReply:
        """Make any call of the service, by its name."""


class SecretStore(Protocol):
    """Keeps secrets by name: lower-case letters, digits, a dot. Safe to share between threads and processes."""

    def put(self, name: str, value: bytes) -> None:
        """Keep this under the name, in place of any other. It has to survive a power cut once this returns."""

    def get(self, name: str) -> bytes | None:
        """Return what is kept under the name, or None."""

    def remove(self, name: str) -> None:
        """Forget what is kept under the name, if anything is."""
