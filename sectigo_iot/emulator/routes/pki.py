"""What anybody may fetch without a token: CA certificates, revocation lists, OCSP answers, the status."""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import importlib.metadata
from typing import TYPE_CHECKING

from starlette.responses import Response

from sectigo_iot.emulator.ca.authority import Signer, der, pem
from sectigo_iot.emulator.ca.revocation import make_crl
from sectigo_iot.emulator.exchange.bodies import read_body
from sectigo_iot.emulator.exchange.replies import RefusalError, binary_reply, json_reply
from sectigo_iot.emulator.exchange.visit import Handler, Visit
from sectigo_iot.reasons import CRLReason

if TYPE_CHECKING:
    from sectigo_iot.emulator.service import Service


async def status(visit: Visit) -> Response:
    """That the emulator is up, for how long, and its version."""
    uptime = f"{visit.service.now - visit.service.started:.3f}s"
    return json_reply({"status": "ok", "uptime": uptime, "version": version()})


@functools.cache
def version() -> str:
    """Return the version of the package that is installed."""
    try:
        return importlib.metadata.version("sectigo-iot")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


async def crl(visit: Visit) -> Response:
    """The revocation list of one CA, in DER. That of the root is always empty."""
    service, signer = visit.service, _signer(visit)
    registry = service.state.registry
    own = registry.revoked() if signer is service.authority.issuing else []
    entries = [(each.serial, each.revoked or 0.0, each.reason or CRLReason.unspecified) for each in own]
    content = await asyncio.to_thread(make_crl, signer, registry.next_crl_number(), entries, service.now)
    return binary_reply(content, "application/pkix-crl")


async def ca_certificate(visit: Visit) -> Response:
    """The certificate of one CA, in DER."""
    name, chain = visit.request.path_params["name"], visit.service.authority.chain
    by_name = {"issuing": chain[0], "root": chain[-1]}
    if name not in by_name:
        raise RefusalError(404, "there is no such CA")
    return binary_reply(der(by_name[name]), "application/pkix-cert")


async def chain(visit: Visit) -> Response:
    """The certificates of all CAs in PEM, the issuing one first."""
    return binary_reply(pem(*visit.service.authority.chain), "application/x-pem-file")


async def ocsp_post(visit: Visit) -> Response:
    """The answer to an OCSP request."""
    return await _ocsp(visit.service, await read_body(visit.request))


async def ocsp_get(visit: Visit) -> Response:
    """The answer to an OCSP request that is given in base64 in the path."""
    try:
        asked = base64.b64decode(visit.request.path_params["asked"], validate=True)
    except (binascii.Error, ValueError):
        asked = b""
    return await _ocsp(visit.service, asked)


async def _ocsp(service: Service, asked: bytes) -> Response:
    answer = await asyncio.to_thread(
        service.responder.answer, asked, lambda signer, serial: _lookup(service, signer, serial), service.now
    )
    return binary_reply(answer, "application/ocsp-response")


def _lookup(service: Service, signer: Signer, serial: int) -> tuple[float | None, CRLReason | None] | None:
    issuing = signer is service.authority.issuing
    certificate = service.state.registry.certificate(serial) if issuing else None
    if certificate is not None:
        return certificate.revoked, certificate.reason
    below = [each for each in service.authority.chain if each.issuer == signer.certificate.subject]
    return (None, None) if serial in {each.serial_number for each in below} else None


def _signer(visit: Visit) -> Signer:
    name = visit.request.path_params["name"]
    found = next((each for each in visit.service.authority.signers if each.name == name), None)
    if found is None:
        raise RefusalError(404, "there is no such CA, or its key is not at hand")
    return found


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/status", status),
    ("GET", "/crl/{name}.crl", crl),
    ("GET", "/ca/chain.pem", chain),
    ("GET", "/ca/{name}.crt", ca_certificate),
    ("POST", "/ocsp", ocsp_post),
    ("GET", "/ocsp/{asked:path}", ocsp_get),
)
"""Method, path and handler of each."""
