"""`sectigo inspect`: what it prints of files of every kind, what it asks, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sectigo_cli.commands import inspect as command
from sectigo_cli.exits import ATTENTION, DONE, FAILED, USAGE
from sectigo_cli.revocations import Answers
from sectigo_iot.emulator import Emulator
from sectigo_iot.revocation import RevocationStatus
from tests.conftest import Runner
from tests.packages import PYTHONPATH
from tests.terminals import run_at_terminal
from tests.unit.lying_server import closed_port
from tests.unit.pki.home import NOW, PASSWORD, build, ec_key, home, leaf_extensions, pem, pfx, request

HASH = "0123456789abcdef"


@pytest.fixture
def files(here: Path) -> Path:
    own = home()
    Path("cert.pem").write_bytes(pem(own.leaf))
    Path("chain.pem").write_bytes(pem(own.issuing, own.root))
    Path("fullchain.pem").write_bytes(pem(own.leaf, own.issuing, own.root))
    Path("root.pem").write_bytes(pem(own.root))
    Path("a.csr").write_bytes(request(dns=("a.example.com",)))
    Path("a.p12").write_bytes(pfx(own.leaf, [own.issuing, own.root]))
    Path("pw").write_text(f"{PASSWORD}\n")
    Path("old.pem").write_bytes(pem(own.issue(start=NOW - timedelta(days=9), days=5)))
    return here


def rows(out: str) -> list[tuple[str, str]]:
    """Return the rows of a table, label and first line of the value."""
    return [(line[2:16].strip(), line[16:]) for line in out.splitlines() if line.startswith("  ")]


@pytest.mark.usefixtures("files")
def test_a_certificate_as_a_table(sectigo: Runner) -> None:
    done = sectigo("inspect", "cert.pem")
    assert (done.code, done.err) == (DONE, "")
    assert done.out.startswith("cert.pem: PEM, 1 certificate\n\n  certificate   a.example.com\n")
    told = dict(rows(done.out))
    assert told["serial"] == "0A00000000000000000000000000BEEF"
    assert told["names"] == "a.example.com, *.b.example.com"
    assert told["chain"] == "a.example.com"
    assert set(told["SHA-256"]) <= set(HASH) and len(told["SHA-256"]) == 64
    assert "393 days left" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.usefixtures("files")
def test_json_is_a_list_with_a_document_for_each_file(sectigo: Runner) -> None:
    done = sectigo("inspect", "--json", "cert.pem", "a.csr")
    certificate, asked = json.loads(done.out)
    assert (certificate["source"], asked["source"]) == ("cert.pem", "a.csr")
    assert certificate["items"][0]["serial_number"] == "0A00000000000000000000000000BEEF"
    assert asked["items"][0]["signature_fits"] is True
    assert "revocation" not in certificate["items"][0]
    assert (done.code, done.err) == (DONE, "")


@pytest.mark.usefixtures("files")
def test_what_is_told_is_a_serial_that_revoke_takes(sectigo: Runner) -> None:
    from sectigo_iot.pki import normalise_serial

    serial = json.loads(sectigo("inspect", "--json", "cert.pem").out)[0]["items"][0]["serial_number"]
    assert normalise_serial(serial) == serial


@pytest.mark.usefixtures("files")
def test_a_pkcs12_with_its_password(sectigo: Runner) -> None:
    done = sectigo("inspect", "a.p12", "--password-file", "pw")
    assert (done.code, done.err) == (DONE, "")
    assert ("PKCS#12", "opened") in rows(done.out)
    assert ("private key", "fits: a.p12") in rows(done.out)
    assert ("MAC", "sha256, Iteration 2048") in rows(done.out)
    piped = sectigo("inspect", "a.p12", "--password-file", "-", stdin=f"{PASSWORD}\n")
    assert piped.out == done.out
    assert PASSWORD not in done.out + done.err


@pytest.mark.usefixtures("files")
def test_a_pkcs12_without_a_password_is_no_error_among_others(sectigo: Runner) -> None:
    done = sectigo("inspect", "a.p12", "cert.pem")
    assert done.code == ATTENTION
    assert ("PKCS#12", "LOCKED: needs --password-file") in rows(done.out)
    assert ("certificate", "a.example.com") in rows(done.out)
    assert done.err == (
        "sectigo: attention: a.p12: the PKCS#12 is locked: a password is needed to see what it holds\n"
        "sectigo: hint: --password-file FILE opens a PKCS#12, with the first line of FILE\n"
    )


@pytest.mark.usefixtures("files")
def test_a_wrong_password_fails(sectigo: Runner) -> None:
    Path("pw").write_text("wrong-4711\n")
    done = sectigo("inspect", "a.p12", "cert.pem", "--password-file", "pw")
    assert done.code == FAILED
    assert done.err == "sectigo: error: a.p12: the password does not open this PKCS#12\n"
    assert ("certificate", "a.example.com") in rows(done.out)
    assert "wrong-4711" not in done.out


def test_a_terminal_is_asked_for_the_password(files: Path) -> None:
    prompt = "PKCS#12 password: "
    command = [sys.executable, "-m", "sectigo_cli", "inspect", "a.p12"]
    environ = {**os.environ, "PYTHONPATH": PYTHONPATH}
    code, seen = run_at_terminal(command, {prompt: PASSWORD}, env=environ, cwd=files)
    assert (code, PASSWORD in seen, "opened" in seen) == (DONE, False, True)
    code, seen = run_at_terminal(command, {prompt: "wrong"}, env=environ, cwd=files)
    assert (code, "the password does not open this PKCS#12" in seen) == (FAILED, True)


@pytest.mark.usefixtures("files")
def test_files_of_one_run_complete_each_other(sectigo: Runner) -> None:
    done = sectigo("inspect", "cert.pem", "chain.pem")
    assert ("chain", "a.example.com < TEST Issuing < TEST Root") in rows(done.out)
    assert done.code == DONE


@pytest.mark.usefixtures("files")
def test_standard_input_is_read(sectigo: Runner) -> None:
    done = sectigo("inspect", "-", "chain.pem", "--root", "root.pem", stdin=pem(home().leaf).decode())
    assert done.out.startswith("-: PEM, 1 certificate\n")
    assert "verified: the root 'TEST Root' stands behind it" in " ".join(done.out.split())
    assert done.code == DONE


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("old.pem",), "sectigo: attention: old.pem: the certificate 'a.example.com' expired on "),
        (
            ("cert.pem", "--root", "root.pem"),
            "sectigo: attention: cert.pem: none of the given roots has issued 'a.example.com'",
        ),
    ],
)
def test_what_is_not_well_needs_attention(sectigo: Runner, words: tuple[str, ...], said: str) -> None:
    done = sectigo("inspect", *words)
    assert done.code == ATTENTION
    assert done.err.startswith(said)
    assert len(done.err.splitlines()) == 1
    assert sectigo("inspect", *words, "--json").code == ATTENTION


@pytest.mark.usefixtures("files")
def test_one_that_cannot_be_read_keeps_nothing_from_being_said_of_the_others(sectigo: Runner) -> None:
    Path("notes.txt").write_text("hello")
    done = sectigo("inspect", "notes.txt", "cert.pem", "old.pem")
    assert done.code == FAILED
    assert done.out.startswith("notes.txt: nothing that can be told\n  fault: it is neither PEM, DER nor a ZIP\n")
    assert "sectigo: error: notes.txt: it is neither PEM, DER nor a ZIP\n" in done.err
    assert [value for label, value in rows(done.out) if label == "certificate"] == ["a.example.com"] * 2
    gone = sectigo("inspect", "gone.pem", "notes.txt", "cert.pem", ".")
    assert gone.code == USAGE
    assert "sectigo: error: gone.pem: No such file or directory\nsectigo: error: .: Is a directory\n" in gone.err
    assert ("certificate", "a.example.com") in rows(gone.out)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "inspect: the following arguments are required: FILE"),
        (("",), "argument FILE: the value is empty"),
        (("-", "--password-file", "-"), "inspect: standard input can be read once"),
        (("cert.pem", "--root", "gone.pem"), "gone.pem: No such file or directory"),
        (("cert.pem", "--root", "a.csr"), "the file of roots holds no certificate that can be read"),
        (("a.p12", "--password-file", "gone"), "the password file gone cannot be read: No such file or directory"),
    ],
)
def test_what_is_used_wrongly_is_said(sectigo: Runner, words: tuple[str, ...], said: str) -> None:
    done = sectigo("inspect", *words)
    assert (done.code, done.out) == (USAGE, "")
    assert said in done.err


@pytest.mark.usefixtures("files")
def test_of_a_folder_is_said_what_to_name_in_its_place(sectigo: Runner) -> None:
    Path("my certs").mkdir()
    done = sectigo("inspect", "my certs/", "cert.pem")
    assert done.code == USAGE
    assert done.err == (
        "sectigo: error: my certs/: Is a directory\n"
        "sectigo: hint: name files, such as 'my certs/fullchain.pem'; "
        "`sectigo inventory 'my certs/'` tells what expires in a folder\n"
    )
    assert "inventory" not in sectigo("inspect", "cert.pem", "--root", "my certs").err


@pytest.mark.usefixtures("files")
def test_a_root_that_is_no_root_is_not_called_one(sectigo: Runner) -> None:
    Path("issuing.pem").write_bytes(pem(home().issuing))
    done = sectigo("inspect", "cert.pem", "--root", "issuing.pem")
    assert "verified: the given certificate 'TEST Issuing' stands behind it" in " ".join(done.out.split())
    assert done.code == DONE


def test_the_help_has_the_exit_codes(sectigo: Runner) -> None:
    for name, codes in (("inspect", "2103"), ("inventory", "3120")):
        text = " ".join(sectigo("help", name).out.split()).partition("exit code: ")[2]
        assert set(re.findall(r"\b[0-9]\b", text)) == set(codes)


@pytest.mark.usefixtures("files")
def test_all_files_have_one_limit(sectigo: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "LARGEST", 4 << 20)
    Path("big").write_bytes(b" " * (3 << 20))
    Path("more").write_bytes(b" " * (3 << 20))
    done = sectigo("inspect", "big", "more", "cert.pem")
    assert done.code == USAGE
    assert "sectigo: error: more: that is more than 4 MiB in all\n" in done.err
    assert sectigo("inspect", "-", stdin=" " * (5 << 20)).code == USAGE


@pytest.mark.usefixtures("here")
def test_names_do_a_terminal_no_harm(sectigo: Runner) -> None:
    name = "a\x1b[2J\x9b\u202e\n  certificate   b"
    Path("a.pem").write_bytes(pem(build(name, ec_key("odd"), "TEST Issuing", home().issuing_key, ca=False)))
    for words in ((), ("--json",)):
        done = sectigo("inspect", "a.pem", *words, terminal=True)
        assert not {"\x1b", "\x9b", "\u202e"} & set(done.out + done.err)
    assert [label for label, _ in rows(sectigo("inspect", "a.pem").out)].count("certificate") == 1
    assert json.loads(sectigo("inspect", "a.pem", "--json").out)[0]["items"][0]["common_name"] == name


@pytest.mark.usefixtures("files")
def test_a_zip_is_shown_entry_by_entry(sectigo: Runner) -> None:
    with zipfile.ZipFile("7.zip", "w") as archive:
        for name in ("a.p12", "a.csr"):
            archive.write(name)
    done = sectigo("inspect", "7.zip", "--password-file", "pw")
    heads = [line for line in done.out.splitlines() if line and not line.startswith(" ")]
    assert heads == [
        "7.zip: ZIP, 2 entries",
        "7.zip/a.p12: PKCS#12, 1 key, 3 certificates",
        "7.zip/a.csr: PEM, 1 certificate request",
    ]
    assert done.code == DONE


@pytest.mark.usefixtures("files")
def test_without_being_asked_to_nobody_is_asked(sectigo_process: Runner) -> None:
    for number in (1, 2):
        Path(f"{number}.pem").write_bytes(Path("cert.pem").read_bytes())
    script = "import sys; from sectigo_cli.main import main; main(sys.argv[1:]); print('requests' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script, "inspect", "1.pem", "2.pem"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("False\n")


@pytest.fixture(scope="module")
def authority() -> Iterator[Emulator]:
    with Emulator(key_type="p256") as service:
        yield service


@pytest.fixture
def issued(authority: Emulator, sectigo: Runner, here: Path) -> str:
    """Order a certificate and download it; return the ZIP."""
    Path("pw").write_text("correct-horse-1\n")
    words = ("create", "-d", "a.example.com", "--authority-id", "423", "--password-file", "pw", "--download", ".")
    done = sectigo(*words, env=authority.environ)
    assert done.code == 0, done
    (path,) = here.glob("*.zip")
    return path.name


def revocation(sectigo: Runner, path: str, *words: str) -> tuple[int, dict[str, object], str]:
    done = sectigo("inspect", path, "--password-file", "pw", "--revocation", "--json", *words)
    (entry,) = json.loads(done.out)[0]["entries"]
    (leaf,) = (item for item in entry["items"] if item["kind"] == "certificate" and item["chain"])
    return done.code, {**leaf["revocation"], "serial": leaf["serial_number"]}, done.err


def test_revocation_is_asked_of_ocsp_and_crl(sectigo: Runner, authority: Emulator, issued: str) -> None:
    code, good, err = revocation(sectigo, issued)
    assert (code, err) == (DONE, "")
    for way in ("ocsp", "crl"):
        answer = good[way]
        assert isinstance(answer, dict)
        assert (answer["status"], answer["revoked_at"]) == ("good", None)
        assert answer["source"].startswith("http://127.0.0.1:")
        assert answer["produced_at"].endswith("Z")
    revoke = ("revoke", "-p", "423", "-r", "superseded", "-s", str(good["serial"]), "--yes")
    assert sectigo(*revoke, env=authority.environ).code == 0
    code, gone, err = revocation(sectigo, issued)
    assert code == ATTENTION
    assert "the certificate 'a.example.com': it is revoked\n" in err
    for way in ("ocsp", "crl"):
        answer = gone[way]
        assert isinstance(answer, dict)
        assert (answer["status"], answer["reason"]) == ("revoked", "superseded")
    table = sectigo("inspect", issued, "--password-file", "pw", "--revocation")
    assert [value.split()[0] for label, value in rows(table.out) if label in ("OCSP", "CRL")] == ["REVOKED"] * 2
    assert table.code == ATTENTION


@pytest.mark.usefixtures("here")
def test_why_there_is_no_answer_is_told_and_nobody_is_waited_for_twice(sectigo: Runner) -> None:
    extra = leaf_extensions(f"http://127.0.0.1:{closed_port()}")
    leaves = [home().issue(f"n{number}.example.com", serial=number, extra=extra) for number in (7, 8)]
    Path("a.pem").write_bytes(pem(*leaves, home().issuing))
    done = sectigo("inspect", "a.pem", "--revocation", "--json")
    answers = [item["revocation"] for item in json.loads(done.out)[0]["items"] if item["chain"]]
    assert done.code == ATTENTION
    assert answers[0]["ocsp"]["status"] is None
    assert answers[0]["ocsp"]["why"].endswith(" cannot be reached")
    assert answers[1]["crl"]["why"].startswith("not asked again: ")
    assert done.err.count("': not known whether it is revoked: neither OCSP nor CRL could tell\n") == 2
    assert "hint" not in done.err


@pytest.mark.usefixtures("files")
def test_without_its_issuer_nobody_is_asked_about_a_certificate(sectigo: Runner) -> None:
    done = sectigo("inspect", "cert.pem", "--revocation")
    assert ("OCSP", "no answer: not asked: its issuer is not here") in rows(done.out)
    assert done.code == ATTENTION
    assert done.err == (
        "sectigo: attention: cert.pem: the certificate 'a.example.com': "
        "not known whether it is revoked: its issuer is not here\n"
        "sectigo: hint: name the issuer's certificate, too: the chain.pem or fullchain.pem beside it, or --root\n"
    )


def test_a_pipe_is_read(sectigo: Runner, files: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, (files / "cert.pem").read_bytes())
    os.close(writer)
    done = sectigo("inspect", f"/dev/fd/{reader}")
    os.close(reader)
    assert ("certificate", "a.example.com") in rows(done.out)


@pytest.mark.usefixtures("here")
def test_a_der_file_through_standard_input(sectigo_process: Runner) -> None:
    data = home().leaf.public_bytes(Encoding.DER)
    done = subprocess.run(
        [sys.executable, "-m", "sectigo_cli", "inspect", "-"], input=data, capture_output=True, check=False
    )
    assert done.returncode == DONE
    assert done.stdout.startswith(b"-: DER, 1 certificate\n")


@pytest.mark.usefixtures("here")
def test_many_faults_are_not_all_said(sectigo: Runner) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(150):
            archive.writestr(f"{number}.txt", b"hello")
    Path("7.zip").write_bytes(target.getvalue())
    done = sectigo("inspect", "7.zip")
    assert done.code == FAILED
    assert len(done.err.splitlines()) == 101
    assert done.err.endswith("sectigo: error: and 50 more\n")


@pytest.mark.usefixtures("here")
def test_names_that_would_change_a_terminal_are_made_harmless_for_people(sectigo: Runner) -> None:
    name = "a\x1b[2J\u202e\nsectigo: error.example.com"
    Path("a.pem").write_bytes(pem(build(name, ec_key("a"), "TEST Issuing", home().issuing_key, ca=False)))
    for terminal in (False, True):
        done = sectigo("inspect", "a.pem", terminal=terminal)
        assert ("certificate", "a?[2J? sectigo: error.example.com") in rows(done.out)


@pytest.mark.usefixtures("files")
def test_nobody_is_asked_about_a_root(sectigo: Runner) -> None:
    done = sectigo("inspect", "root.pem", "--revocation")
    assert (done.code, done.err) == (DONE, "")
    assert not [label for label, _ in rows(done.out) if label in ("OCSP", "CRL")]


def test_what_its_issuer_does_not_know_needs_attention() -> None:
    unknown = RevocationStatus(status="unknown", reason=None, revoked_at=None, source="ocsp", produced_at=NOW)
    good = RevocationStatus(status="good", reason=None, revoked_at=None, source="crl", produced_at=NOW)
    assert Answers(unknown, good).doubt == "it is not known to its issuer's OCSP responder"
    assert Answers("no answer", good).doubt is None
