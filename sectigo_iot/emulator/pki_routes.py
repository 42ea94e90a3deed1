"""What anybody may fetch without a token: CA certificates, revocation lists, OCSP answers, the status."""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import importlib.metadata

from starlette.requests import Request
from starlette.responses import Response

from sectigo_iot.emulator.bodies import read_body
from sectigo_iot.emulator.ca import Signer, der, pem
from sectigo_iot.emulator.replies import RefusalError, binary_reply, json_reply
from sectigo_iot.emulator.revocation import make_crl
from sectigo_iot.emulator.service import Handler, Service
from sectigo_iot.reasons import CRLReason


async def status(service: Service, _request: Request) -> Response:
    """That the emulator is up, for how long, and its version."""
    uptime = f"{service.now - service.started:.3f}s"
    return json_reply({"status": "ok", "uptime": uptime, "version": _version()})


@functools.cache
def _version() -> str:
    try:
        return importlib.metadata.version("sectigo-iot")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


async def crl(service: Service, request: Request) -> Response:
    """The revocation list of one CA, in DER. That of the root is always empty."""
    signer = _signer(service, request)
    content = await asyncio.to_thread(_crl, service, signer)
    return binary_reply(content, "application/pkix-crl")


async def ca_certificate(service: Service, request: Request) -> Response:
    """The certificate of one CA, in DER."""
    name = request.path_params["name"]
    by_name = {"issuing": service.authority.chain[0], "root": service.authority.chain[-1]}
    if name not in by_name:
        raise RefusalError(404, "there is no such CA")
    return binary_reply(der(by_name[name]), "application/pkix-cert")


async def chain(service: Service, _request: Request) -> Response:
    """The certificates of all CAs in PEM, the issuing one first."""
    return binary_reply(pem(*service.authority.chain), "application/x-pem-file")


async def ocsp_post(service: Service, request: Request) -> Response:
    """The answer to an OCSP request."""
    return await _ocsp(service, await read_body(request))


async def ocsp_get(service: Service, request: Request) -> Response:
    """The answer to an OCSP request that is given in base64 in the path."""
    try:
        asked = base64.b64decode(request.path_params["asked"], validate=True)
    except (binascii.Error, ValueError):
        asked = b""
    return await _ocsp(service, asked)


async def _ocsp(service: Service, asked: bytes) -> Response:
    answer = await asyncio.to_thread(
        service.responder.answer, asked, lambda signer, serial: _lookup(service, signer, serial), service.now
    )
    return binary_reply(answer, "application/ocsp-response")


def _lookup(service: Service, signer: Signer, serial: int) -> tuple[float | None, CRLReason | None] | None:
    certificate = service.state.certificate(serial) if signer is service.authority.issuing else None
    if certificate is not None:
        return certificate.revoked, certificate.reason
    below = [each for each in service.authority.chain if each.issuer == signer.certificate.subject]
    return (None, None) if serial in {each.serial_number for each in below} else None


def _signer(service: Service, request: Request) -> Signer:
    name = request.path_params["name"]
    found = next((each for each in service.authority.signers if each.name == name), None)
    if found is None:
        raise RefusalError(404, "there is no such CA, or its key is not at hand")
    return found


def _crl(service: Service, signer: Signer) -> bytes:
    revoked = service.state.revocations()
    own = revoked.certificates if signer is service.authority.issuing else ()
    entries = [(each.serial, each.revoked or 0.0, each.reason or CRLReason.unspecified) for each in own]
    return make_crl(signer, revoked.number, entries, revoked.time)


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/status", status),
    ("GET", "/crl/{name}.crl", crl),
    ("GET", "/ca/chain.pem", chain),
    ("GET", "/ca/{name}.crt", ca_certificate),
    ("POST", "/ocsp", ocsp_post),
    ("GET", "/ocsp/{asked:path}", ocsp_get),
)
"""Method, path and handler of each."""
