"""What the form of an upload must be: its parts, their order, their names and types, and that they agree."""

from __future__ import annotations

from sectigo_iot.emulator.exchange.bodies import clean_text, integer_in, parse_object, text_in, texts_in
from sectigo_iot.emulator.exchange.forms import Part
from sectigo_iot.emulator.exchange.replies import RefusalError

_PARTS = ("profileId", "csrBatchRequest", "files")
_FILE_TYPES = ("text/plain", "application/octet-stream", "application/x-x509-ca-cert", "application/zip")


def check_upload(parts: dict[str, Part]) -> int:
    """Return the profile id of an upload. Refuses (400) a form that is not as the service wants it."""
    _check_order(parts)
    _check_types(parts)
    profile_id = _profile_id(parts["profileId"])
    document = parse_object(parts["csrBatchRequest"].content)
    if integer_in(document, "profileId") != profile_id:
        raise RefusalError(400, "csrBatchRequest: profileId differs from the part of that name")
    if text_in(document, "batchType") != "BATCH":
        raise RefusalError(400, "csrBatchRequest: batchType must be BATCH")
    texts_in(document, "profileParams")
    clean_text("files", parts["files"].filename or "")
    return profile_id


def _check_order(parts: dict[str, Part]) -> None:
    for name in _PARTS:
        if name not in parts:
            raise RefusalError(400, f"{name}: the part is missing")
    found = [name for name in parts if name in _PARTS]
    for name, expected in zip(found, _PARTS, strict=True):
        if name != expected:
            raise RefusalError(400, f"{name}: the order of the parts is {', '.join(_PARTS)}")


def _check_types(parts: dict[str, Part]) -> None:
    request = parts["csrBatchRequest"]
    if request.filename != "blob":
        raise RefusalError(400, "csrBatchRequest: the filename of the part must be blob")
    if request.media_type != "application/json":
        raise RefusalError(400, "csrBatchRequest: the type of the part must be application/json")
    if parts["files"].media_type not in _FILE_TYPES:
        raise RefusalError(400, f"files: the type of the part must be one of {', '.join(_FILE_TYPES)}")


def _profile_id(part: Part) -> int:
    text = part.content.decode("ascii", "replace").strip()
    if not text.isdecimal() or len(text) > 18:
        raise RefusalError(400, "profileId: an integer is required")
    return int(text)
