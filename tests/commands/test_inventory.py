"""`sectigo inventory`: what it shows in each format, where it writes, and what its exit code says."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from sectigo_iot.pki import install
from tests.conftest import Runner
from tests.unit.pki.home import NOW, PASSWORD, build, ec_key, pem, pfx
from tests.unit.pki.installed import authorities, certificate, key_pem, put


def expiring(days: int, name: str = "a.example.com", lifetime: int = 365) -> bytes:
    """A certificate that expires in so many days and some hours."""
    return pem(certificate(name, expires=NOW + timedelta(days=days, hours=6), days=lifetime))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three certificates: one has expired, one will soon, one much later."""
    put(tmp_path / "certs", certificate(expires=NOW + timedelta(days=190, hours=6), days=380))
    (tmp_path / "certs" / "old.crt").write_bytes(expiring(-4, "old.example.com"))
    (tmp_path / "certs" / "soon.crt").write_bytes(expiring(12, "soon.example.com", 14))
    return tmp_path / "certs"


@pytest.fixture
def well(tmp_path: Path) -> Path:
    """A folder in which all is well."""
    put(tmp_path / "well", certificate(expires=NOW + timedelta(days=190, hours=6)))
    return tmp_path / "well"


def test_the_table(sectigo: Runner, folder: Path) -> None:
    done = sectigo("inventory", str(folder))
    old, soon, later, blank, heading, issuing, root = done.out.splitlines()
    assert old.split()[:6] == ["!", f"{NOW + timedelta(days=-4, hours=6):%Y-%m-%d}", "expired", "3", "days", "ago"]
    assert soon.split()[:5] == ["!", f"{NOW + timedelta(days=12, hours=6):%Y-%m-%d}", "in", "12", "days"]
    assert later.split()[1:] == ["in", "190", "days", "█" * 6 + "░" * 4, "a.example.com", f"{folder}/a.example.com"]
    assert ("█" * 9 + "░" in soon, "░" * 10 in old) == (True, True)
    assert len({line.index(".example.com") - len(name) for line, name in ((old, "old"), (soon, "soon"))}) == 1
    assert (blank, heading) == ("", "certificate authorities:")
    assert ("TEST Issuing" in issuing, "TEST Root" in root) == (True, True)
    assert (done.code, done.err) == (3, "sectigo: 2 certificates have expired, or will have in 30 days\n")


def test_it_asks_for_no_settings_and_no_network(sectigo: Runner, well: Path) -> None:
    env = {"SECTIGO_ENDPOINT": "http://192.0.2.1:1", "SECTIGO_CA_FILE": "/nowhere"}
    assert sectigo("inventory", str(well), env=env).code == 0


@pytest.mark.parametrize("warn", ["0", "1", "30", "191"])
def test_what_has_expired_needs_attention_whatever_the_days(sectigo: Runner, folder: Path, warn: str) -> None:
    (folder / "soon.crt").unlink()
    assert sectigo("inventory", "--warn", warn, str(folder)).code == 3


@pytest.mark.parametrize(("warn", "code"), [("0", 0), ("30", 0), ("190", 0), ("191", 3), ("100000", 3)])
def test_the_days_that_are_warned_of(sectigo: Runner, well: Path, warn: str, code: int) -> None:
    done = sectigo("inventory", str(well), "--warn", warn)
    assert done.code == code
    assert done.out.startswith("!") is bool(code)


def test_a_ca_that_expires_needs_attention(sectigo: Runner, well: Path) -> None:
    short = build("TEST Short", ec_key("short"), "TEST Root", ec_key("root"), ca=True, days=20)
    (well / "chain.pem").write_bytes(pem(short))
    done = sectigo("inventory", str(well))
    assert (done.code, done.err) == (3, "sectigo: a certificate has expired, or will have in 30 days\n")


def test_only_what_expires_within_some_days(sectigo: Runner, folder: Path) -> None:
    done = sectigo("inventory", str(folder), "--expires-within", "20")
    assert [line.split()[-2] for line in done.out.splitlines()] == ["old.example.com", "soon.example.com"]
    assert done.code == 3
    (folder / "old.crt").unlink()
    none = sectigo("inventory", str(folder), "--expires-within", "5")
    assert (none.code, none.out, none.err) == (0, "", "sectigo: no certificate that expires so soon was found\n")


def test_quiet(sectigo: Runner, folder: Path, well: Path) -> None:
    assert sectigo("inventory", "-q", str(well)) == (0, "", "")
    done = sectigo("inventory", "--quiet", str(folder))
    assert [line.split()[-2] for line in done.out.splitlines()] == ["old.example.com", "soon.example.com"]
    assert (done.code, done.err.count("\n")) == (3, 1)


def test_what_cannot_be_read_is_said(sectigo: Runner, well: Path) -> None:
    (well / "broken.crt").write_bytes(b"-----BEGIN CERTIFICATE-----\nMIIB")
    for words in ((), ("--quiet",)):
        done = sectigo("inventory", str(well), str(well / "missing"), *words)
        assert done.code == 1
        missing, broken = done.err.splitlines()
        assert missing == f"sectigo: cannot read {well}/missing: No such file or directory"
        assert broken.startswith(
            f"sectigo: cannot read {well}/broken.crt: the block that begins on line 1 is cut short"
        )
        assert bool(done.out) is not bool(words)


def test_what_expires_counts_more_than_what_cannot_be_read(sectigo: Runner, folder: Path) -> None:
    (folder / "broken.crt").write_bytes(b"")
    done = sectigo("inventory", str(folder))
    assert done.code == 3
    assert f"cannot read {folder}/broken.crt: it holds no certificate" in done.err


def test_many_that_cannot_be_read(sectigo: Runner, well: Path) -> None:
    for number in range(103):
        (well / f"{number}.crt").write_bytes(b"")
    done = sectigo("inventory", str(well))
    assert done.err.count("\n") == 101
    assert done.err.endswith("sectigo: and 3 more cannot be read\n")


def test_an_empty_folder(sectigo: Runner, tmp_path: Path) -> None:
    assert sectigo("inventory", str(tmp_path)) == (0, "", "sectigo: no certificate was found\n")


def test_a_pkcs12(sectigo: Runner, well: Path) -> None:
    leaf = certificate("p12.example.com", expires=NOW + timedelta(days=5))
    (well / "a.p12").write_bytes(pfx(leaf, list(authorities()), ec_key("leaf")))
    done = sectigo("inventory", str(well))
    assert done.code == 0
    assert done.out.endswith(f"\nlocked:\n  {well}/a.p12: its password is needed\n")
    assert done.err == "sectigo: a PKCS#12 file was not opened: --password-file gives the password\n"
    assert sectigo("inventory", str(well), "-q") == (0, "", "")
    opened = sectigo("inventory", str(well), "--password-file", "-", stdin=f"{PASSWORD}\n")
    assert (opened.code, "locked" in opened.out, "p12.example.com" in opened.out) == (3, False, True)
    assert PASSWORD not in opened.out + opened.err


def test_a_pkcs12_that_the_given_password_does_not_open_is_a_failure(sectigo: Runner, well: Path) -> None:
    (well / "a.p12").write_bytes(pfx(certificate(), [], ec_key("leaf")))
    done = sectigo("inventory", str(well), "-q", "--password-file", "-", stdin="wrong\n")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"sectigo: cannot read {well}/a.p12: the password does not open this PKCS#12\n"


def test_authorities_alone_are_something(sectigo: Runner, tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes(pem(*authorities()))
    done = sectigo("inventory", str(tmp_path))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("certificate authorities:\n")


def test_former_versions(sectigo: Runner, tmp_path: Path) -> None:
    put(tmp_path, certificate(expires=NOW - timedelta(days=5)))
    put(tmp_path, certificate(expires=NOW + timedelta(days=200)))
    assert "expired" not in sectigo("inventory", str(tmp_path)).out
    done = sectigo("inventory", str(tmp_path), "--all")
    assert done.code == 0
    assert "(a former version)" in done.out.splitlines()[0]


def test_what_is_odd_about_one_is_said(sectigo: Runner, tmp_path: Path) -> None:
    put(tmp_path, certificate(expires=NOW + timedelta(days=400), days=390), key=ec_key("another"))
    done = sectigo("inventory", str(tmp_path))
    line = done.out.splitlines()[0]
    assert line.startswith("! ")
    assert (done.code, done.err) == (
        3,
        f"sectigo: {tmp_path}/a.example.com: a.example.com: the key beside it does not fit\n",
    )
    assert line.endswith(f"(not valid before {NOW + timedelta(days=10):%Y-%m-%d}, the key beside it does not fit)")


def test_a_key_that_is_gone_is_said(sectigo: Runner, well: Path) -> None:
    for number in range(2):
        leaf = certificate(expires=NOW + timedelta(days=200 + number))
        install(well, "a.example.com", {"cert.pem": pem(leaf), "fullchain.pem": pem(leaf, *authorities())})
    said = f"sectigo: {well}/a.example.com: a.example.com: its key is missing: an older version had one\n"
    done = sectigo("inventory", str(well))
    assert (done.code, done.err) == (3, said)
    assert done.out.splitlines()[0].startswith("! ")
    assert done.out.splitlines()[0].endswith(" (its key is missing: an older version had one)")
    quiet = sectigo("inventory", str(well), "--quiet")
    assert (quiet.code, quiet.err, len(quiet.out.splitlines())) == (3, said, 1)
    assert quiet.out.split() == done.out.splitlines()[0].split()
    row, *_ = csv.DictReader(io.StringIO(sectigo("inventory", str(well), "--format", "csv").out))
    assert row["key_beside"] == "missing; missing"
    assert "its key is missing" in sectigo("inventory", str(well), "--format", "html").out
    assert sectigo("inventory", str(well), "--expires-within", "9").code == 0


def test_many_keys_that_do_not_fit(sectigo: Runner, tmp_path: Path) -> None:
    leaf = expiring(190)
    for number in range(102):
        path = tmp_path / str(number)
        path.mkdir()
        (path / "cert.pem").write_bytes(leaf)
        (path / "privkey.pem").write_bytes(key_pem(ec_key("another")))
    done = sectigo("inventory", str(tmp_path))
    assert done.code == 3
    assert len(done.err.splitlines()) == 101
    assert done.err.endswith("sectigo: and 2 more keys are missing, or do not fit\n")


# Formats


def test_json(sectigo: Runner, folder: Path) -> None:
    done = sectigo("inventory", str(folder), "--format", "json", "--warn", "10")
    document = json.loads(done.out)
    assert done.out == json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    assert list(document) == ["warn", "at", "certificates", "authorities", "locked", "unreadable"]
    assert [each["days_left"] for each in document["certificates"]] == [-4, 12, 190]
    assert (document["warn"], done.code) == (10, 3)


def test_csv(sectigo_process: Runner, folder: Path) -> None:
    done = sectigo_process("inventory", str(folder), "--format", "csv")
    names = [row["name"] for row in csv.DictReader(io.StringIO(done.out))]
    assert names == ["old.example.com", "soon.example.com", "a.example.com", "TEST Issuing", "TEST Root"]


def test_csv_ends_its_lines_as_rfc_4180_wants(sectigo: Runner, folder: Path) -> None:
    done = sectigo("inventory", str(folder), "--format", "csv")
    assert done.out.count("\r\n") == 6
    assert "\r" not in sectigo("inventory", str(folder), "--format", "csv", terminal=True).out


def test_html(sectigo: Runner, folder: Path) -> None:
    done = sectigo("inventory", str(folder), "--format=html")
    assert (done.code, done.out[:15], done.out[-8:]) == (3, "<!DOCTYPE html>", "</html>\n")


@pytest.mark.parametrize(
    ("name", "start"), [("a.html", "<!DOC"), ("a.HTM", "<!DOC"), ("a.csv", "name,"), ("a.json", "{"), ("a", "! ")]
)
def test_a_file_is_written_in_the_format_of_its_name(
    sectigo: Runner, folder: Path, here: Path, name: str, start: str
) -> None:
    done = sectigo("inventory", str(folder), "-o", name)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"sectigo: written to {name}\n")
    assert (here / name).read_text().startswith(start)
    assert stat.S_IMODE((here / name).stat().st_mode) == 0o600


def test_the_format_that_is_asked_for_counts_more(sectigo: Runner, folder: Path, here: Path) -> None:
    sectigo("inventory", str(folder), "-o", "page.html", "--format", "json")
    assert len(json.loads((here / "page.html").read_text())["certificates"]) == 3


def test_a_file_is_replaced_only_by_force_and_keeps_its_mode(sectigo: Runner, well: Path, here: Path) -> None:
    page = here / "page.html"
    page.write_text("what stood there")
    page.chmod(0o644)
    (here / "link.html").symlink_to("page.html")
    for name in ("page.html", "link.html"):
        done = sectigo("inventory", str(well), "-o", name)
        assert (done.code, done.out) == (2, "")
        assert (
            done.err
            == f"sectigo: error: {name} exists already, and is left as it is\nsectigo: hint: --force replaces it\n"
        )
        assert page.read_text() == "what stood there"
    assert sectigo("inventory", str(well), "-o", "link.html", "--force", "-q") == (0, "", "")
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert (stat.S_IMODE(page.stat().st_mode), (here / "link.html").is_symlink()) == (0o644, True)
    assert sorted(each.name for each in here.iterdir() if each != well) == ["link.html", "page.html"]


def test_a_file_holds_everything_also_when_quiet(sectigo: Runner, folder: Path, here: Path) -> None:
    done = sectigo("inventory", str(folder), "-q", "-o", "all.json")
    assert (done.code, done.out) == (3, "")
    assert len(json.loads((here / "all.json").read_text())["certificates"]) == 3


# Names that are meant to do harm, and small terminals


def test_a_name_makes_no_lines_and_moves_no_cursor(sectigo: Runner, tmp_path: Path) -> None:
    name = "a\nsectigo: error\x1b[2J\u202e.example.com"
    (tmp_path / "a\nb.pem").write_bytes(pem(certificate(name, names=())))
    for terminal in (False, True):
        (line,) = sectigo("inventory", str(tmp_path), terminal=terminal).out.splitlines()
        assert "a sectigo: error?[2J?.example.com" in line
    (tmp_path / "c\nd.crt").write_bytes(b"")
    assert "c\\nd.crt: it holds no certificate" in sectigo("inventory", str(tmp_path)).err


@pytest.mark.parametrize(("encoding", "bar"), [("utf-8", "█████░"), ("ascii", "#####."), ("latin-1", "#####.")])
def test_a_bar_of_characters_that_stdout_knows(
    sectigo_process: Runner, tmp_path: Path, encoding: str, bar: str
) -> None:
    (tmp_path / "a.pem").write_bytes(expiring(49, lifetime=100))
    done = sectigo_process("inventory", str(tmp_path), env={"PYTHONIOENCODING": encoding})
    assert (done.code, done.err) == (0, "")
    assert f" {bar}" in done.out


def test_file_names_that_are_no_text(sectigo: Runner, sectigo_process: Runner, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.pem")).write_bytes(expiring(100))
    done = sectigo_process("inventory", str(tmp_path), "--format", "json")
    assert json.loads(done.out)["certificates"][0]["places"][0]["path"] == f"{tmp_path}/caf\udce9.pem"
    for form in ("table", "csv", "html"):
        assert sectigo("inventory", str(tmp_path), "--format", form).code == 0
        page = tmp_path / f"out-{form}"
        assert sectigo("inventory", str(tmp_path), "--format", form, "-o", str(page)).code == 0
        assert page.read_bytes().decode()


def test_progress_on_a_terminal(sectigo: Runner, well: Path) -> None:
    done = sectigo("inventory", str(well), "-q", terminal=True)
    assert (done.code, done.out) == (0, "")
    assert "files" in done.err


# What is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "the following arguments are required: DIR"),
        ((".", "--warn", "-1"), "'-1' is no number of days from 0 to 100000"),
        ((".", "--warn", "1.5"), "'1.5' is no number of days"),
        ((".", "--expires-within", "100001"), "'100001' is no number of days"),
        ((".", "--format", "xml"), "invalid choice: 'xml'"),
        ((".", "-o", "."), ". names a folder"),
        ((".", "-o", "-"), "- is no name of a file"),
        ((".", "-o", "nowhere/a.html"), "there is no folder nowhere"),
        (("",), "the value is empty"),
        ((".", "--password-file", "nowhere"), "the password file nowhere cannot be read"),
    ],
)
def test_usage(sectigo: Runner, here: Path, words: tuple[str, ...], said: str) -> None:
    done = sectigo("inventory", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not list(here.iterdir())


def test_find_says_who_knows_what_expires(sectigo: Runner) -> None:
    done = sectigo("find", "--expires-within", "30")
    assert (done.code, done.out) == (2, "")
    assert "there is no option --expires-within" in done.err
    assert "hint: when certificates expire, `sectigo inventory DIR` tells" in done.err
