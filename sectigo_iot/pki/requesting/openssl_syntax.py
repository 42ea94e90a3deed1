"""The syntax of OpenSSL's configuration files: config(5), as NCONF_load reads them.

The standard library's `configparser` reads another language: there an indented line goes on with the one before, `;`
begins a comment and `#` within a line does not, quotes and backslashes stay, and no line numbers are kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.pki.requesting.typed import shown

DEFAULT_SECTION = "default"
_BLANKS = " \t\r"
_QUOTED = r"""(?P<mark>['"`])(?P<quoted>(?:\\.|(?!(?P=mark)).)*)(?:(?P=mark)|\Z)"""
_UNCOMMENTED = re.compile(rf"""(?:{_QUOTED}|\\.?|[^#'"`\\])*""", re.DOTALL)
_LETTER = r"[A-Za-z0-9_!.%&*+,/;?@^~|-]|\\[ -~]"
_NAME = rf"(?:{_LETTER})*"
_SECTION = re.compile(rf"\[((?:{_LETTER}|[ \t])*)\]")
_SETTING = re.compile(rf"(?:({_NAME})::)?({_NAME})[ \t]*=(.*)", re.DOTALL)
_DIRECTIVE = re.compile(r"\.(?:include|pragma)(?![A-Za-z0-9_.])")
_PIECE = re.compile(
    rf"{_QUOTED}|\\(?P<escaped>.)|(?P<variable>\$(?:\{{[^}}$]*\}}?|\([^)$]*\)?|[\w:]*))|(?P<plain>.)",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One assignment: its section, name and value, and the line on which it begins, counted from 1.

    `variable` is the first variable in the value, as it stands there; the value has it unreplaced. `replaced` is the
    line of an earlier setting of the same name, which counts no more; 0 when there is none.
    """

    section: str
    name: str
    value: str
    line: int
    variable: str = ""
    replaced: int = 0

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        return f"line {self.line}, {place_of(self.section)}"


class Configuration:
    """Sections of settings, in the order in which OpenSSL has them."""

    def __init__(self) -> None:
        self._sections: dict[str, dict[str, Setting]] = {}

    def open(self, section: str) -> None:
        """Make a section, unless it is there: one that stands twice goes on."""
        self._sections.setdefault(section, {})

    def put(self, section: str, name: str, raw: str, line: int) -> None:
        """Add a setting. One that is set again counts from where it is set last."""
        self.open(section)
        earlier = self._sections[section].pop(name, None)
        value, variable = _value(raw)
        replaced = earlier.line if earlier else 0
        self._sections[section][name] = Setting(section, name, value, line, variable, replaced)

    def section(self, name: str) -> list[Setting] | None:
        """Return the settings of a section; None when there is no such section."""
        found = self._sections.get(name)
        return None if found is None else list(found.values())

    def get(self, section: str, name: str) -> Setting | None:
        """Return a setting, from the default section if the named one lacks it."""
        own = self._sections.get(section, {}).get(name)
        return own or self._sections.get(DEFAULT_SECTION, {}).get(name)


def place_of(section: str) -> str:
    """Return where a section is, in words: its name may have tabs in it."""
    return f"section {' '.join(section.split())}"


def read_configuration(data: bytes, source: str) -> Configuration:
    """Return the sections and settings; `source` names the file in messages.

    Raises `InvalidInputError`, which names the line: no UTF-8, a section's name without its bracket, a line that is
    neither section nor setting, `.include` and `.pragma`, which cannot be followed here.
    """
    configuration = Configuration()
    section = DEFAULT_SECTION
    configuration.open(section)
    for number, line in _logical_lines(_decoded(data, source)):
        text = _uncommented(line).strip(_BLANKS)
        if text.startswith("["):
            section = _section(text, f"{source}, line {number}")
            configuration.open(section)
        elif text:
            where, name, raw = _assignment(text, f"{source}, line {number}, {place_of(section)}")
            configuration.put(where or section, name, raw, number)
    return configuration


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        start = len(data) - len(fault.object) + fault.start
        line = data.count(b"\n", 0, start) + 1
        raise InvalidInputError(f"{source}, line {line}: is not UTF-8", hint="save it as UTF-8") from None


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Each line with its number; one that ends in a single backslash goes on in the next."""
    lines: list[tuple[int, str]] = []
    goes_on = False
    for number, physical in enumerate(text.split("\n"), 1):
        line = physical.rstrip("\r")
        if goes_on:
            number, line = lines[-1][0], lines.pop()[1] + line
        goes_on = line.endswith("\\") and not line.endswith("\\\\")
        lines.append((number, line[:-1] if goes_on else line))
    return lines


def _uncommented(line: str) -> str:
    """Return what stands before the first `#` that is neither quoted nor escaped."""
    found = _UNCOMMENTED.match(line)
    return found[0] if found else ""


def _section(text: str, where: str) -> str:
    found = _SECTION.match(text)
    if not found:
        raise InvalidInputError(f"{where}: {shown(text)} is no section's name in brackets")
    return found[1].strip(_BLANKS)


def _assignment(text: str, where: str) -> tuple[str, str, str]:
    """Return section (empty when it is not named), name and value of a line."""
    directive = _DIRECTIVE.match(text)
    if directive:
        hint = "put everything into one file" if directive[0] == ".include" else "take the line out"
        raise InvalidInputError(f"{where}: {directive[0]} cannot be followed here", hint=hint)
    found = _SETTING.match(text)
    if not found:
        raise InvalidInputError(f"{where}: {shown(text)} is no setting", hint="write it as in CN = example.com")
    return found[1] or "", found[2], found[3].strip(_BLANKS)


def _value(raw: str) -> tuple[str, str]:
    """Return a value without quotes and backslashes, and the first variable in it."""
    pieces: list[str] = []
    variable = ""
    for piece in _PIECE.finditer(raw):
        if piece["mark"]:
            pieces.append(re.sub(r"\\(.)", r"\1", piece["quoted"], flags=re.DOTALL))
        elif piece["escaped"]:
            pieces.append(_ESCAPES.get(piece["escaped"], piece["escaped"]))
        else:
            variable = variable or piece["variable"] or ""
            pieces.append(piece[0])
    return "".join(pieces), variable
