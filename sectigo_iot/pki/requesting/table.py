"""A table of requests to make, as CSV (RFC 4180): one row each, read with the place of every fault.

Spreadsheets write it: with a byte order mark, with semicolons or tabs, with empty columns and rows at the end, with
formulas and their errors where text was meant.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.pki.requesting.spec import (
    SUBJECT_FIELDS,
    Remark,
    RequestSpec,
    examined,
    examined_subject,
    in_brackets,
    raise_faults,
    warnings,
)
from sectigo_iot.pki.requesting.typed import shown

MOST_ROWS = 100_000
COLUMNS = {
    "name": ("name", "commonname", "cn", "domain"),
    "dns": ("dns", "dnsname", "dnsnames", "san", "subjectaltname"),
    "organization": ("organization", "organisation", "organizationname", "o"),
    "locality": ("locality", "localityname", "city", "l"),
    "state": ("state", "stateorprovince", "stateorprovincename", "province", "st"),
    "country": ("country", "countryname", "c"),
}
"""What each column may be called; case, blanks, hyphens and underscores make no difference."""
_FIELDS = {spelling: field for field, spellings in COLUMNS.items() for spelling in spellings}
_DELIMITERS = ",;\t"
_LONGEST_HEADER = 10_000
_FIRST_LINE = "its first line names the columns: name, dns, …"
_NO_TABLE = (
    (b"\xff\xfe", "UTF-16, not UTF-8"),
    (b"\xfe\xff", "UTF-16, not UTF-8"),
    (b"PK\x03\x04", "a spreadsheet's own file or a ZIP, not CSV"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet's own file, not CSV"),
)
# A spreadsheet takes what divides the cells from such a line, and some write it.
_DIVIDER_LINE = re.compile(rf"\"?sep=([{_DELIMITERS}])\"?(?=\r|\n|\Z)", re.IGNORECASE)
_SPREADSHEET_ERROR = re.compile(r"#(N/A|REF!|NAME\?|VALUE!|DIV/0!|NULL!|NUM!)")
# Dutch names begin like this: 's-Hertogenbosch, 't Hooft.
_APOSTROPHE = re.compile(r"'(?![a-z][ -])")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row that is right: the line of the file on which it begins, counted from 1, and its checked spec.

    `further` has the cells of the columns that were asked for beside those of a request, without blanks at the ends.
    """

    line: int
    spec: RequestSpec
    further: Mapping[str, str] = attribute(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequestTable:
    """What a table holds: the `rows` that are right, and in words the `faults` of the others and the `warnings`.

    Each fault and warning begins with the place: `requests.csv, line 3, column country: …`. One warning stands for
    all rows that it holds for.
    """

    rows: tuple[TableRow, ...]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def read_request_table(
    data: bytes,
    source: str = "table",
    defaults: RequestSpec | None = None,
    *,
    further: Collection[str] = (),
) -> RequestTable:
    """Read a table of requests: a header, then a row for each request to make.

    `data` is CSV in UTF-8, whose header decides whether comma, semicolon or tab divides it, unless a line `sep=;`, as
    spreadsheets know it, stands before. The column `name` is the
    common name and required; `dns` holds further names, divided by blanks, semicolons, commas or newlines;
    `organization`, `locality`, `state` and `country` are the subject. `COLUMNS` has the other spellings. `source`
    names the file in messages. A cell that is empty, or whose column is missing, has the value of `defaults`, whose
    names do not matter. `further` names other columns that may stand there, in lower-case letters. Rows without
    anything in them are passed over.

    Two rows with one common name are a fault of the second. Raises `InvalidInputError` where no row can be trusted:
    the text is not UTF-8, quotes do not match, the header is missing or has a column that is unknown or there twice,
    there is no row, or there are more than 100,000; and `InvalidRequestError` for a default that is wrong.
    """
    defaults, faults = examined_subject(defaults or RequestSpec(()))
    if faults:
        raise_faults(faults)
    reader = _Reader(source, _decoded(data, source), defaults, further)
    for line, cells in reader.records():
        reader.read(line, cells)
    if not reader.count:
        raise InvalidInputError(f"{source}: has no row after its header", hint="one row makes one request")
    return RequestTable(tuple(reader.rows), tuple(reader.faults), tuple(reader.warnings()))


class _Reader:
    """Collects the rows, faults and warnings of one table."""

    def __init__(self, source: str, text: str, defaults: RequestSpec, further: Collection[str]) -> None:
        self.rows: list[TableRow] = []
        self.faults: list[str] = []
        self.count = 0
        self._source = source
        self._defaults = defaults
        self._further = further
        self._fields = {**_FIELDS, **{column: column for column in further}}
        self._lines: dict[str, int] = {}
        self._warned: dict[tuple[str, str], list[int]] = {}
        self._records = _records(text, source, self._fields)
        self._header = self._read_header()

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with something in it, and the line on which it begins."""
        for line, cells in self._records:
            if any(cell.strip() for cell in cells):
                self.count += 1
                if self.count > MOST_ROWS:
                    words = f"{self._source}: has more than {MOST_ROWS:,} rows"
                    raise InvalidInputError(words, hint="make two tables of it")
                yield line, cells

    def read(self, line: int, cells: list[str]) -> None:
        """Read one row."""
        width = len(self._header)
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) != width:
            self._fault(line, f"has {_counted(len(cells), 'cell')}, and the header {_counted(width, 'column')}")
            return
        row = dict(zip(self._header, cells, strict=True))
        spec, remarks = examined(self._spec(row))
        # What a spreadsheet did explains what is wrong with the value, and goes first.
        strange = dict(_strange(row))
        remarks = [*strange.values(), *(remark for remark in remarks if remark.field not in strange)]
        for remark in remarks:
            self._fault(line, remark.text + in_brackets(remark.hint), remark.field)
        if not remarks and self._is_new(spec.names[0], line):
            more = {column: row[column].strip() for column in self._further if column in row}
            self.rows.append(TableRow(line, spec, more))
            self._warn(line, [*warnings(spec), *_apostrophes(row)])

    def warnings(self) -> Iterator[str]:
        """Each warning once, with the first line that it holds for and how many more there are."""
        for (field, text), lines in self._warned.items():
            others = f" and {_counted(len(lines) - 1, 'other row')}" if len(lines) > 1 else ""
            yield f"{self._source}, line {lines[0]}{others}, {self._place(field)}: {text}"

    def _read_header(self) -> dict[str, str]:
        """Return the columns, in order: field to the name that the header gives it."""
        line, cells = next(((n, c) for n, c in self._records if any(cell.strip() for cell in c)), (1, []))
        while cells and not cells[-1].strip():
            cells.pop()
        where = f"{self._source}, line {line}"
        header: dict[str, str] = {}
        faults = list(_header_faults(cells, header, self._fields))
        if not cells:
            raise InvalidInputError(f"{self._source}: is empty", hint=_FIRST_LINE)
        if faults:
            told = tuple(f"{where}, {fault}" for fault in faults)
            message = told[0] if len(told) == 1 else f"{len(told)} faults in {where}"
            raise InvalidInputError(message, faults=told, hint=None if header else _FIRST_LINE)
        if "name" not in header:
            raise InvalidInputError(f"{where}: there is no column name", hint="it holds the common names")
        return header

    def _spec(self, row: dict[str, str]) -> RequestSpec:
        further = re.split(r"[\s,;]+", row.get("dns", ""))
        values = [row.get(field) or str(getattr(self._defaults, field)) for field in SUBJECT_FIELDS]
        return RequestSpec((row["name"], *filter(None, further)), *values)

    def _is_new(self, name: str, line: int) -> bool:
        first = self._lines.setdefault(name, line)
        if first != line:
            self._fault(line, f"the common name {name} stands on line {first} already", "name")
        return first == line

    def _fault(self, line: int, text: str, field: str = "") -> None:
        place = f", {self._place(field)}: " if field else ": "
        self.faults.append(f"{self._source}, line {line}{place}{text}")

    def _warn(self, line: int, remarks: Iterable[Remark]) -> None:
        for remark in remarks:
            self._warned.setdefault((remark.field, remark.text), []).append(line)

    def _place(self, field: str) -> str:
        return f"column {self._header.get(field, field)}"


def _decoded(data: bytes, source: str) -> str:
    for mark, what in _NO_TABLE:
        if data.startswith(mark):
            raise InvalidInputError(f"{source}: is {what}", hint="save it as CSV in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        start = len(data) - len(fault.object) + fault.start
        line = len(re.findall(rb"\r\n|\r|\n", data[:start])) + 1
        words = f"{source}, line {line}: is not UTF-8: it holds the byte 0x{data[start]:02X}"
        raise InvalidInputError(words, hint="save it as CSV in UTF-8") from None


def _records(text: str, source: str, columns: Collection[str]) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line on which it begins; blank lines count, and are records without cells."""
    told = _DIVIDER_LINE.match(text)
    # Its line end stays, so that lines are counted as they are.
    text, delimiter = (text[told.end() :], told[1]) if told else (text, _delimiter(text, columns))
    # Line ends inside quotes stay what they are, and a lone carriage return is one too.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            words = f"{source}, line {line}: cannot be read as CSV: {fault}"
            raise InvalidInputError(words, hint='look for a " that is missing or too many in the row') from None
        yield line, cells


def _delimiter(text: str, columns: Collection[str]) -> str:
    """Return what divides the header into the most columns that are known; a comma when in doubt."""
    lines = re.split(r"[\r\n]+", text[:_LONGEST_HEADER])
    header = next((line for line in lines if line.strip(f" {_DELIMITERS}")), "")

    def known(delimiter: str) -> int:
        return sum(_normal(cell.strip(' "')) in columns for cell in header.split(delimiter))

    def count(delimiter: str) -> int:
        return header.count(delimiter)

    return max(_DELIMITERS, key=lambda delimiter: (known(delimiter), count(delimiter)))


def _header_faults(cells: list[str], header: dict[str, str], fields: Mapping[str, str]) -> Iterator[str]:
    """Fill the header from its cells, and yield what is wrong with it."""
    for position, cell in enumerate(cells, 1):
        field = fields.get(_normal(cell))
        if not cell.strip():
            yield f"column {position}: has no name"
        elif field is None:
            yield f"column {shown(cell)}: is unknown{_did_you_mean(cell, fields)}"
        elif field in header:
            yield f"column {shown(cell)}: is the column {shown(header[field])} once more"
        else:
            header[field] = " ".join(cell.split())


def _normal(cell: str) -> str:
    return re.sub(r"[\s_-]", "", cell).casefold()


def _did_you_mean(cell: str, fields: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(_normal(cell), fields, 1, 0.7)
    return (
        f" (did you mean {fields[close[0]]}?)"
        if close
        else f" (there are {', '.join(dict.fromkeys(fields.values()))})"
    )


def _strange(row: dict[str, str]) -> Iterator[tuple[str, Remark]]:
    """What a spreadsheet left in a cell instead of a text, by field."""
    for field, cell in row.items():
        if cell.startswith("="):
            yield field, Remark(field, f"{shown(cell)} is a formula", "save its value")
        elif _SPREADSHEET_ERROR.match(cell):
            yield field, Remark(field, f"{shown(cell)} is a spreadsheet's error", "mend its formula")


def _apostrophes(row: dict[str, str]) -> Iterator[Remark]:
    for field, cell in row.items():
        if _APOSTROPHE.match(cell):
            yield Remark(field, f"{shown(cell)} begins with an apostrophe, by which a spreadsheet marks text")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
