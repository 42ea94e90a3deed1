"""The description of the control port as an OpenAPI document, out of the table of calls and the types in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sectigo_iot.emulator.control.asking import Nothing, Refused
from sectigo_iot.emulator.control.calls import Call

_MEANINGS = {
    400: "The body is not valid JSON.",
    403: "The Host or the Origin is not that of the control port.",
    404: "There is no such thing.",
    409: "It cannot be done as things stand.",
    413: "The body is too long.",
    415: "The body is not declared as JSON.",
    422: "A value is not what is wanted.",
}

Document = dict[str, Any]


def describe(calls: Sequence[Call], version: str) -> Document:
    """Return the document, by OpenAPI 3.1."""
    schemas, components = _schemas(calls)
    paths: dict[str, Document] = {}
    for call in calls:
        paths.setdefault(call.plain_path, {})[call.method.lower()] = _operation(call, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sectigo-iot emulator, control port",
            "version": version,
            "summary": "Moves the clock and the batches of an emulated IoT Manager, and asks its journal.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _schemas(calls: Sequence[Call]) -> tuple[dict[Any, Document], Document]:
    """Return the schema of each type, and the components that they refer to."""
    types = {each for call in calls for each in (call.body, call.query, call.reply) if _is_type(each)} | {Refused}
    ordered = sorted(types, key=repr)
    schemas, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    return dict(zip(ordered, schemas, strict=True)), components


def _is_type(wanted: Any) -> bool:
    return wanted not in (bytes, Nothing) and not isinstance(wanted, str)


def _operation(call: Call, schemas: dict[Any, Document]) -> Document:
    operation: Document = {"operationId": _operation_id(call), "summary": call.summary}
    parameters = [*_path_parameters(call), *_query_parameters(call)]
    if parameters:
        operation["parameters"] = parameters
    if call.has_body:
        operation["requestBody"] = _request_body(call, schemas)
    operation["responses"] = {"200": _reply(call, schemas)} | {
        str(status): _content(_MEANINGS[status], "application/json", schemas[Refused]) for status in call.refusals()
    }
    return operation


def _operation_id(call: Call) -> str:
    words = call.plain_path.replace("{", "").replace("}", "").replace("-", "/").replace(".", "/").split("/")
    return call.method.lower() + "".join(word[:1].upper() + word[1:] for word in words)


def _path_parameters(call: Call) -> list[Document]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": kind}}
        for name, kind in call.path_parameters()
    ]


def _query_parameters(call: Call) -> list[Document]:
    if call.query is Nothing:
        return []
    schema = msgspec.json.schema(call.query)["$defs"][call.query.__name__]
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": each}
        for name, each in schema["properties"].items()
    ]


def _request_body(call: Call, schemas: dict[Any, Document]) -> Document:
    if call.body is bytes:
        return {"required": True, "content": {"application/ocsp-request": {}}}
    required = any(field.required for field in msgspec.structs.fields(call.body))
    return {"required": required, "content": {"application/json": {"schema": schemas[call.body]}}}


def _reply(call: Call, schemas: dict[Any, Document]) -> Document:
    if isinstance(call.reply, str):
        return _content("Done.", call.reply, None)
    return _content("Done.", "application/json", schemas[call.reply] if _is_type(call.reply) else {"type": "object"})


def _content(meaning: str, media_type: str, schema: Document | None) -> Document:
    return {"description": meaning, "content": {media_type: {} if schema is None else {"schema": schema}}}
