"""The CA's certificates, revocation lists and OCSP answers, as they are on the service's port."""

from __future__ import annotations

from starlette.responses import Response

from sectigo_iot.emulator.control.asking import Asked, Handler
from sectigo_iot.emulator.exchange.visit import Handler as ServiceHandler
from sectigo_iot.emulator.exchange.visit import Visit
from sectigo_iot.emulator.routes import pki as pki_routes


def _alike(handler: ServiceHandler) -> Handler:
    async def answer(asked: Asked) -> Response:
        return await handler(Visit(asked.service, asked.request, asked.request.url.path))

    return answer


crl = _alike(pki_routes.crl)
chain = _alike(pki_routes.chain)
ca_certificate = _alike(pki_routes.ca_certificate)
ocsp_post = _alike(pki_routes.ocsp_post)
ocsp_get = _alike(pki_routes.ocsp_get)
