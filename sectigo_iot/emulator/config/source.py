"""A TOML file as text and as data; a mistake in its syntax is named by file and line."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from sectigo_iot.inputs import read_input

_LARGEST = 10 * 1024 * 1024
"""Bytes of a file: far more than any needs, and little enough to be read."""

_MOST_LINES = 500
"""The longest file that is searched for the beginning of a value that does not end."""
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class ConfigError(ValueError):
    """A mistake in a configuration, in one line: `FILE:LINE: KEY: what is wrong; what would be right`."""


class Source(NamedTuple):
    """What a configuration was read from."""

    data: Mapping[str, Any]
    text: str | None = None
    """The text of the file; None for a mapping."""
    place: str = ""
    """The file's name in messages; empty for a mapping."""


def read_source(source: str | os.PathLike[str] | Mapping[str, Any]) -> Source:
    """Return a file, or a mapping, as data.

    Raises OSError for a file that cannot be read, and ConfigError for one that is not TOML.
    """
    if isinstance(source, Mapping):
        return Source(source)
    place = one_line(os.fspath(source))
    text = _read(source, place)
    return Source(_parse(text, place), text, place)


def one_line(text: str) -> str:
    """Return a text with everything escaped that does not print, so that it is one line."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _read(path: str | os.PathLike[str], place: str) -> str:
    """A byte order mark, which some editors put at the beginning, is no mistake."""
    if "\0" in os.fspath(path):
        raise ConfigError(f"{place}: the name of a file cannot hold a NUL")
    try:
        raw = read_input(path, _LARGEST)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        raise ConfigError(f"{place}: {error.strerror}; a configuration is wanted") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = raw.count(b"\n", 0, fault.start) + 1
        what = f"the byte 0x{raw[fault.start]:02x} is not UTF-8; text in UTF-8 is wanted"
    raise ConfigError(f"{place}:{line}: {what}")


def _parse(text: str, place: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        line, what = _syntax_error(str(fault), text)
    except RecursionError:
        line, what = _deepest_line(text), "arrays or tables are nested too deeply; a few levels are wanted"
    except ValueError:
        # tomllib leaves it to int() to refuse thousands of digits.
        line, what = _line_of_digits(text), "an integer has too many digits; a smaller one is wanted"
    raise ConfigError(f"{place}:{line}: {what}")


def _syntax_error(message: str, text: str) -> tuple[int, str]:
    match = _TOML_PLACE.search(message)
    line, column = match.groups() if match else (None, None)
    what = one_line(_TOML_PLACE.sub("", message))
    if line is not None:
        return int(line), f"not valid TOML at column {column}: {what}"
    lines = text.split("\n")
    if len(lines) > _MOST_LINES:
        return len(lines), f"not valid TOML: the file ends within a value: {what}"
    return _unended_line(lines), f"not valid TOML: what begins here does not end: {what}"


def _unended_line(lines: Sequence[str]) -> int:
    """Return the line after the most lines that are valid without the rest."""
    for count in range(len(lines) - 1, 0, -1):
        with contextlib.suppress(ValueError):
            tomllib.loads("\n".join(lines[:count]) + "\n")
            return count + 1
    return 1


def _deepest_line(text: str) -> int:
    depths = list(accumulate((each in "[{") - (each in "]}") for each in text))
    return text.count("\n", 0, depths.index(max(depths))) + 1


def _line_of_digits(text: str) -> int:
    match = re.search(r"[0-9_]{4000,}", text)
    return text.count("\n", 0, match.start()) + 1 if match else 1
