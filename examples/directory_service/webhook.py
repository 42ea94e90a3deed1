"""Delivery: one POST of JSON to the VASP's webhook."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

import requests

from sectigo_iot.orders import Bundle, Order
from sectigo_iot.pki import IssuedCertificate, open_bundle, write_pkcs12


class WebhookError(Exception):
    """A webhook did not take a certificate. The text names its host alone, since it stands in the order's history."""


class Webhook:
    """What the worker delivers with. `timeout`: seconds to connect, and between two parts of the answer."""

    def __init__(self, timeout: float = 10.0) -> None:
        self._timeout = timeout

    def __call__(self, order: Order, bundle: Bundle) -> None:
        """Hand over a certificate. Raises WebhookError; then it is called again later.

        A receiver may get the same certificate twice, and tells it by the header `Idempotency-Key`.
        """
        (issued,) = open_bundle(bundle.archive, bundle.password)
        address = order.wanted.labels["webhook"]
        headers = {"Idempotency-Key": f"{order.key}/{issued.serial_number}"}
        self._post(address, _document(order, issued, bundle.password), headers)

    def _post(self, address: str, document: dict[str, Any], headers: dict[str, str]) -> None:
        host = urlsplit(address).hostname
        with requests.Session() as session:
            session.trust_env = False  # no ~/.netrc, no proxy that the service was not told of
            try:
                reply = session.post(
                    address, json=document, headers=headers, timeout=self._timeout, allow_redirects=False, stream=True
                )
            except requests.RequestException as error:
                raise WebhookError(f"the webhook at {host} gave no answer ({type(error).__name__})") from None
        if not 200 <= reply.status_code < 300:
            raise WebhookError(f"the webhook at {host} answered {reply.status_code}")


def _document(order: Order, issued: IssuedCertificate, password: str | None) -> dict[str, Any]:
    """Return what is sent: a private key only inside a PKCS#12, under the password that the VASP was told."""
    document = {
        "id": order.wanted.labels["vasp"],
        "serialNumber": issued.serial_number,
        "notAfter": issued.not_after.isoformat(),
        "chain": issued.fullchain_pem.decode(),
    }
    if issued.private_key is not None and password:
        # Written anew, under AES-256: the service's own PKCS#12 are under 40-bit RC2.
        pfx = write_pkcs12(issued.private_key, issued.leaf, issued.chain, password)
        document["pkcs12"] = base64.b64encode(pfx).decode()
    return document
