"""The table of requests: what a spreadsheet writes is read back, and every fault has its place."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectigo_iot.errors import InvalidInputError, InvalidRequestError
from sectigo_iot.pki import RequestSpec, RequestTable, TableRow, read_request_table
from sectigo_iot.pki.requesting.table import COLUMNS, MOST_ROWS

HEADER = "name,dns,organization,locality,state,country\n"
FIRST = "a.example.com,www.a.example.com,Example Inc.,Menlo Park,California,US\n"
SPEC = RequestSpec(("a.example.com", "www.a.example.com"), "Example Inc.", "Menlo Park", "California", "US")


def read(text: str, defaults: RequestSpec | None = None) -> RequestTable:
    return read_request_table(text.encode(), "requests.csv", defaults)


def specs(text: str, defaults: RequestSpec | None = None) -> list[RequestSpec]:
    table = read(text, defaults)
    assert table.faults == ()
    return [row.spec for row in table.rows]


def refusal(data: bytes) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        read_request_table(data, "requests.csv")
    return caught.value


SAME = {
    "as it is meant": HEADER + FIRST,
    "byte order mark": "\ufeff" + HEADER + FIRST,
    "carriage returns": (HEADER + FIRST).replace("\n", "\r\n"),
    "carriage returns alone": (HEADER + FIRST).replace("\n", "\r"),
    "no line end at the end": (HEADER + FIRST).rstrip(),
    "semicolons": (HEADER + FIRST).replace(",", ";"),
    "a line for spreadsheets": "\ufeffsep=;\r\n" + (HEADER + FIRST).replace(",", ";"),
    "a line for spreadsheets, quoted": '"sep=,"\n' + HEADER + FIRST,
    "a line for spreadsheets and a quoted header": "SEP=\t\n"
    + re.sub(r"[^,\n]+", r'"\g<0>"', HEADER + FIRST).replace(",", "\t"),
    "tabs": (HEADER + FIRST).replace(",", "\t"),
    "everything quoted": re.sub(r"[^,\n]+", r'"\g<0>"', HEADER + FIRST),
    "quoted with semicolons": re.sub(r"[^,\n]+", r'"\g<0>"', HEADER + FIRST).replace(",", ";"),
    "blank lines": f"\n\n{HEADER}\n{FIRST}\n \n",
    "rows without anything": f"{HEADER},,,,,\n{FIRST},,,,,\n",
    "empty columns at the end": f"{HEADER.rstrip()},,\n{FIRST.rstrip()},,\n",
    "empty cells at the end": f"{HEADER}{FIRST.rstrip()},,,\n",
    "names of the fields": "commonName,dNSName,organizationName,localityName,stateOrProvinceName,countryName\n"
    + FIRST,
    "short names": "CN,DNS,O,L,ST,C\n" + FIRST,
    "other letters": HEADER.upper() + FIRST,
    "other words": "Domain, subject alt_name ,Organisation,City,Province,Country\n" + FIRST,
    "other order": "country,state,locality,organization,dns,name\n" + ",".join(FIRST.rstrip().split(",")[::-1]),
    "names in other letters": HEADER + FIRST.replace("a.example", "A.Example").replace("US", "us"),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_what_is_written_in_other_ways_is_the_same(text: str) -> None:
    table = read(text)
    assert [row.spec for row in table.rows] == [SPEC]
    assert (table.faults, table.warnings) == ((), ())


@pytest.mark.parametrize(
    "cell",
    ["b.test c.test", "b.test;c.test", "b.test, c.test", " b.test;\tc.test; ", "b.test\nc.test", "b.test\r\nc.test"],
)
def test_further_names_are_divided_by_blanks_semicolons_commas_or_newlines(cell: str) -> None:
    assert specs(f'name,dns\na.test,"{cell}"\n') == [RequestSpec(("a.test", "b.test", "c.test"))]
    assert specs(f'name;dns\na.test;"{cell}"\n') == [RequestSpec(("a.test", "b.test", "c.test"))]


def test_one_column_is_enough() -> None:
    assert specs("name\na.test\n*.b.test\n") == [RequestSpec(("a.test",)), RequestSpec(("*.b.test",))]


def test_lines_are_those_of_the_file() -> None:
    table = read(
        '\nname,dns,organization\n"a.test","x.test\ny.test","A\r\n"\n\nb.test,,B\n,,\n"c.test","z.test\n\n",C\n'
    )
    assert [(row.line, row.spec.names[0]) for row in table.rows] == [(7, "b.test"), (9, "c.test")]
    [fault] = table.faults
    assert fault.startswith("requests.csv, line 3, column organization: 'A\\r\\n' begins or ends with a blank")


def test_an_empty_cell_and_a_missing_column_have_the_default() -> None:
    defaults = RequestSpec((), "Default Ltd", "Berlin", "Berlin", "de")
    assert specs("name,organization,state\na.test,,\nb.test,B,Bavaria\n", defaults) == [
        RequestSpec(("a.test",), "Default Ltd", "Berlin", "Berlin", "DE"),
        RequestSpec(("b.test",), "B", "Berlin", "Bavaria", "DE"),
    ]


def test_a_default_that_is_wrong_is_no_fault_of_the_rows() -> None:
    with pytest.raises(InvalidRequestError, match=r"^country: 'UK' is no country code"):
        read("name\na.test\n", RequestSpec((), country="UK"))


ROWS = {
    "address": ("10.0.0.1,,,,,", "line 3, column name: '10.0.0.1' is an IP address"),
    "no name": (",www.b.test,,,,", "line 3, column name: the name is empty"),
    "blank behind": (
        "b.test ,,,,,",
        r"line 3, column name: 'b.test ' begins or ends with a blank.* \(write 'b.test'\)",
    ),
    "non-breaking blank": ("b.test\u00a0,,,,,", r"line 3, column name: 'b.test\\xa0' begins or ends with a blank"),
    "non-breaking blank within": ("b.test,,B\u00a0C,,,", r"line 3, column organization: .* holds U\+00A0"),
    "wrong further name": ("b.test,x.test *.test,,,,", r"line 3, column dns: '\*.test' stands for every name"),
    "the same name twice": ("b.test,B.test,,,,", "line 3, column dns: the same name twice: 'b.test' and 'B.test'"),
    "country": ("b.test,,,,,UK", r"line 3, column country: 'UK' is no country code of ISO 3166 \(write GB"),
    "placeholder": ("b.test,,[organization],,,", "line 3, column organization: .* is a placeholder"),
    "long locality": (f"b.test,,,{'x' * 129},,", "line 3, column locality: .* has 129 characters, and 128"),
    "cells missing": ("b.test,,", "line 3: has 3 cells, and the header 6 columns"),
    "cell too many": ("b.test,,,,,,more", "line 3: has 7 cells, and the header 6 columns"),
    "formula": ("b.test,,=A1&B1,,,", "line 3, column organization: '=A1&B1' is a formula"),
    "formula as a name": ("=A1,,,,,", "line 3, column name: '=A1' is a formula"),
    "formula's error": ("b.test,#REF!,,,,", "line 3, column dns: '#REF!' is a spreadsheet's error"),
    "apostrophe at a name": ("'b.test,,,,,", "line 3, column name: .* is no DNS name"),
    "name of another row": (
        "A.Example.com,,,,,",
        "line 3, column name: the common name a.example.com stands on line 2",
    ),
    "control character": ("b.test,,B\x00,,,", r"line 3, column organization: .* holds U\+0000"),
}


@pytest.mark.parametrize(("row", "told"), ROWS.values(), ids=ROWS)
def test_a_bad_row_is_told_with_line_and_column_and_harms_no_other(row: str, told: str) -> None:
    table = read(f"{HEADER}{FIRST}{row}\nc.test,,,,,\n")
    [fault] = table.faults
    assert re.search(f"^requests.csv, {told}", fault), fault
    assert fault.isprintable()
    assert [(row.line, row.spec.names[0]) for row in table.rows] == [(2, "a.example.com"), (4, "c.test")]


def test_all_faults_of_all_rows_are_told() -> None:
    table = read(f"{HEADER}10.0.0.1,*.test,[x],,,UK\n{FIRST}b.test,,,\n")
    assert [fault.split(": ")[0] for fault in table.faults] == [
        "requests.csv, line 2, column name",
        "requests.csv, line 2, column dns",
        "requests.csv, line 2, column organization",
        "requests.csv, line 2, column country",
        "requests.csv, line 4",
    ]
    assert table.rows == (TableRow(3, SPEC),)


def test_a_column_is_named_as_the_header_names_it() -> None:
    [fault] = read("Domain;Country Name\na.test;UK\n").faults
    assert fault.startswith("requests.csv, line 2, column Country Name: ")


def test_a_warning_stands_for_all_rows_that_it_holds_for() -> None:
    rows = "".join(
        f"n{number}.test,,O,'x,{state},US\n" for number, state in enumerate(["CA", "NY", "CA", "CA", "Ohio"])
    )
    assert [warning.split(" an")[0] for warning in read(HEADER + rows).warnings] == [
        "requests.csv, line 2",
        "requests.csv, line 2",
        "requests.csv, line 3, column state: 'NY' is",
    ]
    first, second, _ = read(HEADER + rows).warnings
    assert first.endswith(
        "and 2 other rows, column state: 'CA' is an abbreviation, and TRISA asks for the state spelt out"
    )
    assert ' and 4 other rows, column locality: "\'x" begins with an apostrophe' in second


def test_what_trisa_asks_for_and_no_row_has_is_told_once() -> None:
    told = read("name\na.test\nb.test\n").warnings
    assert len(told) == 4
    assert told[0] == "requests.csv, line 2 and 1 other row, column organization: is missing, and TRISA asks for it"


def test_a_dutch_city_begins_with_an_apostrophe() -> None:
    assert read(f"{HEADER}a.test,,'t Hooft BV,'s-Hertogenbosch,Noord-Brabant,NL\n").warnings == ()


FILES = {
    "empty": (b"", "requests.csv: is empty"),
    "nothing in it": (b"\xef\xbb\xbf\r\n,,,\r\n", "requests.csv: is empty"),
    "header alone": (HEADER.encode(), "requests.csv: has no row after its header"),
    "no header": (FIRST.encode(), "6 faults in requests.csv, line 1"),
    "unknown column": (
        b"name,orgnization\n",
        r"line 1, column 'orgnization': is unknown \(did you mean organization",
    ),
    "strange column": (b"name,colour\n", r"column 'colour': is unknown \(there are name, dns, organization, "),
    "column twice": (b"name,dns,name\n", "column 'name': is the column 'name' once more"),
    "column twice by other words": (b"name,Common Name\n", "column 'Common Name': is the column 'name' once more"),
    "column without a name": (b"name,,dns\n", "line 1, column 2: has no name"),
    "no column of names": (b"\ndns,country\n", "line 2: there is no column name"),
    "Latin-1": (HEADER.encode() + b"\nb.test,,Caf\xe9,,,\n", "line 3: is not UTF-8: it holds the byte 0xE9"),
    "Latin-1 after a mark": (b"\xef\xbb\xbfname\r\nb\xfc.test\r\n", "line 2: is not UTF-8: it holds the byte 0xFC"),
    "UTF-16": (HEADER.encode("utf-16"), "is UTF-16, not UTF-8"),
    "UTF-16 the other way": (b"\xfe\xff" + HEADER.encode("utf-16-be"), "is UTF-16, not UTF-8"),
    "quote that stays open": (
        HEADER.encode() + b'\n"b.test,,,\nc.test,,,,,\n',
        "line 3: cannot be read as CSV: unexpected end",
    ),
    "quote in the midst": (HEADER.encode() + b'"b".test,,,,,\n', "line 2: cannot be read as CSV: ',' expected after"),
    "PEM": (b"-----BEGIN CERTIFICATE REQUEST-----\nMII\n", "line 1, column .*: is unknown"),
    "a workbook": (b"PK\x03\x04\x00\x00\xff", "is a spreadsheet's own file or a ZIP, not CSV"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a spreadsheet's own file, not CSV"),
    "a line for spreadsheets alone": (b"sep=;\n", "is empty"),
    "a line for spreadsheets that is none": (b"sep=|\nname\n", "line 1, column 'sep=.': is unknown"),
}


@pytest.mark.parametrize(("data", "told"), FILES.values(), ids=FILES)
def test_what_cannot_be_read_as_a_table_is_refused_as_a_whole(data: bytes, told: str) -> None:
    refused = refusal(data)
    assert re.search(told, refused.message), refused.message
    assert refused.message.isprintable()


def test_a_hundred_thousand_rows_are_a_table_and_one_more_is_not() -> None:
    row = b"a,b\n"
    assert MOST_ROWS == 100_000
    assert len(read_request_table(b"name\n" + row * MOST_ROWS).faults) == MOST_ROWS
    with pytest.raises(InvalidInputError, match="has more than 100,000 rows"):
        read_request_table(b"name\n" + row * (MOST_ROWS + 1))


# No blank at an end, nothing that a spreadsheet would have made, nothing unseen.
TEXT = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P"), exclude_characters="[]<>{}$%=#'\ufffd"), max_size=30
)
LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True).filter(lambda label: label[2:4] != "--")
NAME = st.builds(lambda star, *labels: ".".join([*star, *labels, "test"]), st.sampled_from([[], ["*"]]), LABEL, LABEL)
SPECS = st.builds(
    RequestSpec,
    st.lists(NAME, min_size=1, max_size=4, unique=True).map(tuple),
    TEXT,
    TEXT.map(lambda text: f'{text} , " ; {text}.' if text else ""),
    TEXT,
    st.sampled_from(["", "US", "DE", "NA"]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(SPECS, min_size=1, max_size=5, unique_by=lambda spec: spec.names[0]),
    st.permutations(list(COLUMNS)),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([" ", ";", "\n"]),
)
def test_a_table_reads_back_as_it_was_written(
    written: list[RequestSpec], columns: list[str], delimiter: str, end: str, quoted: bool, between: str
) -> None:
    target = io.StringIO()
    writer = csv.writer(
        target, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    )
    writer.writerow(columns)
    for spec in written:
        values = {"name": spec.names[0], "dns": between.join(spec.names[1:])}
        writer.writerow([values.get(column, getattr(spec, column, "")) for column in columns])
    assert specs(target.getvalue()) == written


def test_lines_are_counted_from_the_one_for_spreadsheets_on() -> None:
    table = read("sep=;\r\nname\r\n192.0.2.1\r\n")
    assert table.faults[0].startswith("requests.csv, line 3, column name: ")


def test_a_header_that_is_missing_is_told_of() -> None:
    missing = refusal(b"a.example.com,b.example.com\n")
    assert missing.hint == "its first line names the columns: name, dns, \u2026"
    assert refusal(b"name,colour\n").hint is None


def test_further_columns_are_taken_where_they_are_asked_for() -> None:
    data = b"name;Key\na.example.com; node 1 \nb.example.com;\nc.example.com;=A1\n"
    table = read_request_table(data, "t.csv", further=("key",))
    assert [(row.spec.names[0], dict(row.further)) for row in table.rows] == [
        ("a.example.com", {"key": "node 1"}),
        ("b.example.com", {"key": ""}),
    ]
    assert table.faults == ("t.csv, line 4, column Key: '=A1' is a formula (save its value)",)
    with pytest.raises(InvalidInputError, match="column 'Key': is unknown"):
        read_request_table(data, "t.csv")
