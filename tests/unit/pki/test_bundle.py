from __future__ import annotations

import io
import os
import struct
import warnings
import zipfile
from pathlib import Path

import pytest

from sectigo_iot.errors import BundleError
from sectigo_iot.pki import Limits, check_zip, read_entries


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in entries:
            archive.writestr(name, content, method)
    return target.getvalue()


def check(data: bytes, limits: Limits | None = None) -> list[str]:
    return check_zip(io.BytesIO(data), limits or Limits())


def test_names_and_contents_come_in_order_without_folders(tmp_path: Path) -> None:
    data = packed(("z.p12", b"one"), ("folder/", b""), ("folder/a.p12", b"two"))
    (tmp_path / "7.zip").write_bytes(data)
    assert check(data) == check_zip(tmp_path / "7.zip") == check_zip(str(tmp_path / "7.zip"))
    assert list(read_entries(data).items()) == [("z.p12", b"one"), ("folder/a.p12", b"two")]


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_zip(tmp_path / "none.zip")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a ZIP: it is empty"),
        (b"<html>sorry</html>", "not a ZIP"),
        (packed(("a", b"x" * 99))[:60], "cut short"),
        (packed(), "holds no entries"),
        (packed(("folder/", b"")), "holds no entries"),
    ],
)
def test_what_is_no_whole_zip_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        check(data)


@pytest.mark.parametrize(
    "name",
    [
        "../a",
        "a/../b",
        "/etc/passwd",
        "a//b",
        "./a",
        "C:evil",
        "c:/evil",
        "a\\b",
        "..",
        "a\nb",
        "a\x1b[31m",
        "a\u202eb",
    ],
)
def test_a_name_that_leads_astray_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match="name"):
        check(packed((name, b"x")))


def test_a_nul_in_a_name_is_refused() -> None:
    with pytest.raises(BundleError, match="control character"):
        check(packed(("a.p12Xb", b"x")).replace(b"a.p12Xb", b"a.p12\0b"))


@pytest.mark.parametrize("mode", [0o120777, 0o060644, 0o010644])
def test_links_and_devices_are_refused(mode: int) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = mode << 16
    with pytest.raises(BundleError, match="a link or a device"):
        check(packed((entry, b"/etc/passwd")))


@pytest.mark.parametrize(
    "names", [("a", "a"), ("a.p12", "A.P12"), ("\u00e9", "e\u0301"), ("stra\u00dfe", "STRASSE"), ("a", "A/b")]
)
def test_twins_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(BundleError, match=r"one name|both as a file and as a folder"):
        check(packed(*((name, b"x") for name in names)))


def test_an_encrypted_entry_is_refused() -> None:
    data = bytearray(packed(("a", b"x")))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(BundleError, match=r"^the entry 'a' is encrypted"):
        check(bytes(data))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_without_bounds_is_refused(method: int) -> None:
    with pytest.raises(BundleError, match="other than deflate"):
        check(packed(("a", b"x" * 99), method=method))


def test_a_damaged_byte_is_found() -> None:
    data = bytearray(packed(("good", b"fine"), ("bad", os.urandom(500)), method=zipfile.ZIP_STORED))
    data[data.index(b"bad") + 100] ^= 1
    with pytest.raises(BundleError, match=r"damaged.*'bad'"):
        check(bytes(data))


def test_every_single_damaged_byte_is_found_or_harmless() -> None:
    whole = packed(("a.p12", bytes(range(64)) * 3))
    for position in range(len(whole)):
        data = bytearray(whole)
        data[position] ^= 0xFF
        try:
            assert [*read_entries(bytes(data)).values()] == [bytes(range(64)) * 3]
        except BundleError:
            continue


def test_every_cut_is_found() -> None:
    whole = packed(("a", b"one"), ("b", b"two"))
    for length in range(len(whole)):
        with pytest.raises(BundleError):
            check(whole[:length])


@pytest.mark.parametrize("declared", [1, 5_000])
def test_a_false_size_is_found(declared: int) -> None:
    data = bytearray(packed(("a", b"x" * 1_000)))
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, declared)
    with pytest.raises(BundleError, match="damaged"):
        check(bytes(data))


def test_shared_bytes_are_refused() -> None:
    data = bytearray(packed(("a", b"x" * 2_000), ("b", b"x" * 2_000)))
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    first_name = data.index(b"PK\x01\x02") + 46
    struct.pack_into("<I", data, second + 42, 0)
    data[second + 46 : second + 47] = data[first_name : first_name + 1]
    with pytest.raises(BundleError, match=r"overlaps|one name"):
        check(bytes(data))


def test_an_entry_that_quotes_the_next_is_refused() -> None:
    data = bytearray(packed(("a", b"x" * 50), ("b", b"y" * 50), method=zipfile.ZIP_STORED))
    central = data.index(b"PK\x01\x02")
    for place in (central + 20, central + 24):
        struct.pack_into("<I", data, place, 100)
    with pytest.raises(BundleError, match="'a' overlaps"):
        check(bytes(data))


def test_too_many_entries_are_refused() -> None:
    data = packed(*((str(number), b"") for number in range(4)))
    assert len(check(data, Limits(entries=4))) == 4
    with pytest.raises(BundleError, match="4 entries, more than the 3"):
        check(data, Limits(entries=3))


def test_too_much_in_all_is_refused() -> None:
    data = packed(("a", os.urandom(600)), ("b", os.urandom(600)))
    assert check(data, Limits(total_bytes=1_200)) == ["a", "b"]
    with pytest.raises(BundleError, match="1199 bytes"):
        check(data, Limits(total_bytes=1_199))


def test_a_bomb_is_refused_and_a_small_regular_file_is_not() -> None:
    assert check(packed(("a", b"\0" * (1 << 20)))) == ["a"]
    with pytest.raises(BundleError, match="100 times"):
        check(packed(("a", b"\0" * (1 << 21))))
    with pytest.raises(BundleError, match="100 times"):
        check(packed(*((str(n), b"\0" * (1 << 19)) for n in range(5))))


def test_the_size_of_one_dense_entry_is_not_excused_by_others() -> None:
    with pytest.raises(BundleError, match="'bomb' unpacks"):
        check(packed(("noise", os.urandom(200_000)), ("bomb", b"\0" * (1 << 21))))
