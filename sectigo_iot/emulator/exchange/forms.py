"""`multipart/form-data`, read strictly: an upload whose end is missing is told from one that is complete."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from sectigo_iot.emulator.exchange.replies import RefusalError


@dataclass(slots=True)
class Part:
    """One part of a form. `filename` is None where it is no file; `media_type` is in lower case, bare."""

    name: str
    filename: str | None
    media_type: str
    content: bytes


def parse_form(content_type: str, body: bytes) -> dict[str, Part]:
    """Return the parts by name, in the order in which they were sent.

    Refuses (400) what is no form, or has two parts of one name, and (500, as the service does) a form whose closing
    boundary is missing.
    """
    media_type, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if media_type.lower() != b"multipart/form-data" or not boundary:
        raise RefusalError(400, "the body is not multipart/form-data with a boundary")
    collector = _Collector()
    try:
        parser = MultipartParser(boundary, collector.callbacks())  # type: ignore[arg-type]
        parser.write(body)
    except FormParserError:
        raise RefusalError(400, "the form cannot be read") from None
    if not collector.complete:
        raise RefusalError(500, "the form ends before its closing boundary")
    return _by_name(collector.parts)


def _by_name(parts: list[Part]) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for part in parts:
        if found.setdefault(part.name, part) is not part:
            raise RefusalError(400, f"{part.name}: the part is there twice")
    return found


@dataclass(slots=True)
class _Collector:
    parts: list[Part] = field(default_factory=list)
    complete: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _content: bytearray = field(default_factory=bytearray)

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._part_begin,
            "on_part_data": lambda data, start, end: self._content.extend(data[start:end]),
            "on_part_end": self._part_end,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._headers = {}
        self._content = bytearray()

    def _header_end(self) -> None:
        self._headers[bytes(self._header.lower())] = bytes(self._value)
        self._header = bytearray()
        self._value = bytearray()

    def _part_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        filename = options.get(b"filename")
        text = None if filename is None else filename.decode("utf-8", "replace")
        # RFC 7578, section 4.4: a part that tells no type is plain text.
        media_type, _ = parse_options_header(self._headers.get(b"content-type", b"text/plain"))
        self.parts.append(Part(name, text, media_type.decode("latin-1").lower(), bytes(self._content)))

    def _end(self) -> None:
        self.complete = True
