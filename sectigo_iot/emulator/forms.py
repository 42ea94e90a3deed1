"""`multipart/form-data`, read strictly: an upload whose end is missing is told from one that is complete."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from sectigo_iot.emulator.replies import RefusalError


@dataclass(slots=True)
class Part:
    """One part of a form. `filename` is None where it is no file."""

    name: str
    filename: str | None
    content: bytes


def parse_form(content_type: str, body: bytes) -> dict[str, Part]:
    """Return the parts by name, the last of each name winning.

    Refuses (400) what is no form, and (500, as the service does) a form whose closing boundary is missing.
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
    return {part.name: part for part in collector.parts}


@dataclass(slots=True)
class _Collector:
    parts: list[Part] = field(default_factory=list)
    complete: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""
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
        self._disposition = b""
        self._content = bytearray()

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header = bytearray()
        self._value = bytearray()

    def _part_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        filename = options.get(b"filename")
        text = None if filename is None else filename.decode("utf-8", "replace")
        self.parts.append(Part(name, text, bytes(self._content)))

    def _end(self) -> None:
        self.complete = True
