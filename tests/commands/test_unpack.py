"""unpack: what it prints and says, whom it asks, and that bad input leaves everything as it was."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, pkcs12

from sectigo_iot.pki import Limits
from sectigo_iot.pki.bundle import opened_zip
from tests.commands.conftest import names_in
from tests.conftest import Runner
from tests.packages import PYTHONPATH
from tests.terminals import run_at_terminal
from tests.unit.pki.downloads import issue, key_pem, store, whole_store, zipped
from tests.unit.pki.home import NOW, PASSWORD, build, ec_key, home, pem
from tests.unit.pki.pfx_making import certificate_bag, made, open_part, private_key_info, shrouded_bag
from tests.unit.pki.test_unpacking import long_lived, tree


@pytest.fixture(autouse=True)
def folder(here: Path) -> Path:
    """The current folder, with the password in a file, a ZIP of two, and a certificate that is in place."""
    Path("pw").write_text(f"{PASSWORD}\n")
    Path("24.zip").write_bytes(zipped({f"{n}.example.com.p12": whole_store(f"{n}.example.com") for n in "ab"}))
    return here


def unpack(sectigo: Runner, file: str, *words: str, password: str = "pw", **more: object) -> tuple[int, str, str]:
    done = sectigo(
        "unpack", file, "-o", "certs", *(["--password-file", password] if password else []), *words, **more
    )
    assert "Traceback" not in done.err
    assert PASSWORD not in done.out + done.err
    return done


def test_it_prints_what_is_in_place(sectigo: Runner, folder: Path) -> None:
    code, out, err = unpack(sectigo, "24.zip")
    assert (code, err) == (0, "sectigo: made the folder certs\n")
    told = json.loads(out)
    assert out == json.dumps(told, indent=2) + "\n", "as every document is printed"
    assert [each["name"] for each in told] == ["a.example.com", "b.example.com"]
    first = told[0]
    assert list(first) == [
        *("name", "path", "folder", "files", "commonName", "dnsNames", "serialNumber"),
        *("notBefore", "notAfter", "daysLeft", "privateKey"),
    ]
    assert first["path"] == str(folder / "certs/a.example.com")
    assert Path(first["folder"]) == Path(first["path"]).resolve()
    assert sorted(first["files"]) == names_in(first["path"])
    assert first["daysLeft"] in (393, 394)
    assert first["privateKey"] is True
    assert names_in("certs") == [".versions", "a.example.com", "b.example.com"]


def test_it_needs_no_settings_and_no_network(sectigo: Runner) -> None:
    env = {"SECTIGO_ENDPOINT": "https://nowhere.test", "SECTIGO_ENVIRONMENT": "no such environment"}
    assert unpack(sectigo, "24.zip", env=env)[0] == 0


def test_the_password_comes_through_a_pipe(sectigo: Runner) -> None:
    assert unpack(sectigo, "24.zip", password="-", stdin=PASSWORD)[0] == 0


def test_without_a_password_and_a_terminal_it_says_how_to_give_one(sectigo: Runner) -> None:
    code, out, err = unpack(sectigo, "24.zip", password="")
    assert (code, out) == (2, "")
    assert "a password is needed to open the PKCS#12" in err
    assert "sectigo: hint: name it with --password-file FILE; - is stdin" in err
    assert not Path("certs").exists()


def at_terminal(answers: dict[str, str], *words: str) -> tuple[int, str]:
    env = {**os.environ, "PYTHONPATH": PYTHONPATH, "TERM": "dumb"}
    return run_at_terminal([sys.executable, "-m", "sectigo_cli", "unpack", *words], answers, env=env)


def test_at_a_terminal_it_asks(folder: Path) -> None:
    code, seen = at_terminal({"PKCS#12 password: ": PASSWORD}, "24.zip", "-o", "certs")
    assert code == 0
    assert PASSWORD not in seen
    assert names_in("certs") == [".versions", "a.example.com", "b.example.com"]


def test_a_wrong_answer_is_asked_for_three_times(sectigo: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    from sectigo_cli.context import Context

    answers = ["wrong", "wrong again", PASSWORD]
    monkeypatch.setattr(Context, "ask", lambda *_, **__: answers.pop(0))
    done = sectigo("unpack", "24.zip", "-o", "certs", terminal=True)
    assert (done.code, answers) == (0, [])
    assert done.err.count("the password does not open this PKCS#12: once more") == 2
    answers[:] = ["wrong"] * 4
    done = sectigo("unpack", "24.zip", "-o", "other", terminal=True)
    assert (done.code, len(answers)) == (1, 1)
    assert not Path("other").exists()


def test_what_is_out_of_date_needs_attention(sectigo: Runner) -> None:
    root, issuing = long_lived(ca=True)
    old = issue("old.example.com", start=NOW - timedelta(days=400), days=100)
    Path("old.p12").write_bytes(store(old, ec_key("old.example.com"), issuing, root))
    code, out, err = unpack(sectigo, "old.p12")
    assert code == 3
    assert "sectigo: old: the certificate 'old.example.com' expired on" in err
    assert json.loads(out)[0]["daysLeft"] < -290
    assert Path("certs/old/privkey.pem").exists()


def test_an_incomplete_chain_is_allowed_or_completed(sectigo: Runner) -> None:
    Path("a.p12").write_bytes(store(issue("a"), ec_key("a"), home().issuing))
    Path("root.pem").write_bytes(pem(home().root))
    code, _, err = unpack(sectigo, "a.p12")
    assert "hint: name the certificate that is lacking with --root FILE, or take it as it is" in err
    assert "a.p12: the chain is incomplete: it lacks the issuer of 'TEST Issuing', 'CN=TEST Root'" in err
    assert (
        "hint: name the certificate that is lacking with --root FILE, or take it as it is with --allow-incomplete"
        in err
    )
    code, _, err = unpack(sectigo, "a.p12", "--allow-incomplete")
    assert (code, "sectigo: a: its chain does not reach a root" in err) == (0, True)
    code, _, err = unpack(sectigo, "a.p12", "--root", "root.pem")
    assert (code, err) == (0, "")
    assert Path("certs/a/chain.pem").read_bytes() == pem(home().issuing, home().root)


def test_keys_of_requests(sectigo: Runner) -> None:
    Path("keys").mkdir()
    for name in ("a.example.com", "stranger"):
        Path(f"keys/{name}.key").write_bytes(key_pem(ec_key(name)))
    entries = {f"{n}.example.com.pem": pem(issue(f"{n}.example.com"), home().issuing, home().root) for n in "ab"}
    Path("25.zip").write_bytes(zipped(entries))
    code, out, err = unpack(sectigo, "25.zip", "--key", "keys", password="")
    assert code == 0
    assert [each["privateKey"] for each in json.loads(out)] == [True, False]
    assert "sectigo: the key in keys/stranger.key fits none of them" in err
    assert "sectigo: 1 of 2 without a private key: it stayed where the request was made" in err
    for words, told in (("--key", "none"), "No such file"), (("--key", "certs"), "no file whose name ends in .key"):
        code, out, err = unpack(sectigo, "25.zip", *words, password="")
        assert (code, out, told in err) == (2, "", True)


def test_an_encrypted_key_takes_the_password(sectigo: Runner) -> None:
    locked = ec_key("a").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode()))
    Path("a.key").write_bytes(locked)
    Path("a.pem").write_bytes(pem(issue("a"), home().issuing, home().root))
    code, _, err = unpack(sectigo, "a.pem", "--key", "a.key", password="")
    assert (code, "a password is needed to open the private key in a.key" in err) == (2, True)
    assert unpack(sectigo, "a.pem", "--key", "a.key")[0] == 0
    assert Path("certs/a/privkey.pem").read_bytes() == key_pem(ec_key("a"))


def test_what_comes_through_a_pipe(sectigo_process: Runner) -> None:
    os.mkfifo("fifo")
    writer = threading.Thread(target=lambda: Path("fifo").write_bytes(Path("24.zip").read_bytes()))
    writer.start()
    done = sectigo_process("unpack", "fifo", "-o", "certs", "--password-file", "pw")
    writer.join()
    assert done.code == 0, done
    assert len(json.loads(done.out)) == 2


def test_a_hook_runs_after_it_and_its_failure_undoes_nothing(sectigo: Runner) -> None:
    hook = 'echo "$SECTIGO_INSTALLED_COUNT: $SECTIGO_INSTALLED_PATH"; cat "$SECTIGO_PASSWORD" 2>&1; exit 7'
    code, out, err = unpack(sectigo, "24.zip", "--deploy-hook", hook)
    assert (code, len(json.loads(out))) == (1, 2)
    assert f"2: {Path('certs/a.example.com').absolute()}\n" in err
    assert "sectigo: error: the deploy hook failed with exit code 7" in err
    assert "hint: the files are in place all the same" in err
    assert Path("certs/a.example.com/privkey.pem").exists()
    assert unpack(sectigo, "24.zip", "--deploy-hook", "true")[0] == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("stdout", ["/dev/full", "nobody"])
def test_the_hook_runs_although_nobody_reads_what_is_printed(folder: Path, stdout: str) -> None:
    words = ("unpack", "24.zip", "-o", "certs", "--password-file", "pw", "--deploy-hook", "touch hooked")
    if stdout == "nobody":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(stdout, os.O_WRONLY)
    command = [sys.executable, "-m", "sectigo_cli", *words]
    env = {**os.environ, "PYTHONPATH": PYTHONPATH}
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, env=env, timeout=60)
    os.close(writer)
    assert done.returncode == (-signal.SIGPIPE if stdout == "nobody" else 1)
    assert ("No space left on device" in done.stderr) is (stdout != "nobody")
    assert Path("certs/a.example.com/privkey.pem").exists()
    assert Path("hooked").exists(), "a server must not go on with the former key"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read as another user")
def test_a_grant_is_proven(sectigo: Runner, tmp_path_factory: pytest.TempPathFactory) -> None:
    code, _, err = unpack(sectigo, "24.zip", "--grant", "nobody")
    assert code == 1, "the folders of pytest are closed to others"
    assert "nobody may not enter" in err
    for parent in Path.cwd().parents:
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(0o711)
    Path.cwd().chmod(0o711)
    code, _, err = unpack(sectigo, "24.zip")
    assert code == 0, err
    assert f"nobody can read {Path('certs/b.example.com/privkey.pem').absolute()}" in err, "granted before, and now"


def with_wrong(entry: str, at: int, kind: str, value: int) -> bytes:
    """Return the ZIP with a number changed in the directory's record of an entry."""
    data = bytearray(Path("24.zip").read_bytes())
    place = data.rindex(entry.encode()) - 46
    struct.pack_into(kind, data, place + at, value)
    return bytes(data)


def linked() -> bytes:
    link = zipfile.ZipInfo("link.p12")
    link.external_attr = 0o120777 << 16
    return zipped([("a.p12", whole_store("a")), (link, b"/etc/passwd")])


def many() -> bytes:
    """Return a directory that tells of 100,001 entries: nothing behind it is looked at."""
    record = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0)
    directory = b"".join(record + b"%06d" % number for number in range(100_001))
    local = b"PK\x03\x04" + bytes(26)
    start = len(local)
    zip64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 100_001, 100_001, len(directory), start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), start, 0)
    return local + directory + zip64 + locator + end


def named(name: str) -> bytes:
    return zipped([("a.p12", whole_store("a")), (name, whole_store("b"))])


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "traversal": (lambda: named("../b.p12"), "unsafe name '../b.p12'"),
    "absolute": (lambda: named("/etc/b.p12"), "unsafe name '/etc/b.p12'"),
    "drive": (lambda: named("C:b.p12"), "unsafe name"),
    "duplicates": (lambda: named("a.p12"), "two entries with one name"),
    "twins": (lambda: named("A.P12"), "two entries with one name"),
    "symlink": (linked, "'link.p12', which is a link or a device"),
    "nul": (lambda: named("b.p12Xb").replace(b"b.p12Xb", b"b.p12\0b"), "control character"),
    "backslash": (lambda: named("b\\c.p12"), "backslash"),
    "overlapping": (lambda: with_wrong("b.example.com", 42, "<I", 0), "overlaps"),
    "too many": (many, "more than the 100000 entries allowed"),
    "too dense": (lambda: zipped({"a.p12": b"\0" * (2 << 20)}), "more than 100 times its size"),
    "one too large": (lambda: zipped({"a.p12": os.urandom(400_000) + bytes(17 << 20)}), "more than 16777216 bytes"),
    "cut": (lambda: Path("24.zip").read_bytes()[:-30], "cut short or damaged"),
    "damaged": (lambda: with_wrong("b.example.com", 16, "<I", 1), "damaged"),
    "one of two bad": (
        lambda: zipped({"a.p12": whole_store("a"), "b.p12": b"0" * 99}),
        "b.p12: the PKCS#12 is damaged",
    ),
    "empty": (lambda: b"", "bad is neither a ZIP"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_zip_changes_nothing(sectigo: Runner, folder: Path, case: str) -> None:
    make, words = BAD[case]
    unpack(sectigo, "24.zip")
    Path("bad").write_bytes(make())
    before = tree(folder)
    code, out, err = unpack(sectigo, "bad")
    assert (code, out) == (1, "")
    (line,) = (line for line in err.splitlines() if line.startswith("sectigo: error: "))
    assert words in line
    assert tree(folder) == before
    assert [name for name in names_in("certs/.versions") if name.endswith("part")] == []


def test_too_much_in_all(sectigo: Runner, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Limits().total_bytes == 1 << 30
    small = partial(opened_zip, limits=Limits(total_bytes=1500))
    monkeypatch.setattr("sectigo_iot.pki.unpacking.sources.opened_zip", small)
    before = tree(folder)
    code, _, err = unpack(sectigo, "24.zip")
    assert (code, "unpacks to more than the 1500 bytes allowed" in err) == (1, True)
    assert tree(folder) == before


def iterated() -> bytes:
    """Return a PKCS#12 that says that its MAC takes ten million iterations and one."""
    key = shrouded_bag(private_key_info(ec_key("a")))
    return made(open_part(key, certificate_bag(issue("a"))), password=PASSWORD, told=10_000_001)


def without_key() -> bytes:
    protection = BestAvailableEncryption(PASSWORD.encode())
    return pkcs12.serialize_key_and_certificates(None, None, issue("a"), [home().issuing, home().root], protection)


def of_another() -> bytes:
    """Return a PKCS#12 whose certificate is not that of its key: such a one is made of two bags."""
    protection = BestAvailableEncryption(PASSWORD.encode())
    return pkcs12.serialize_key_and_certificates(None, ec_key("b"), None, [issue("a"), home().issuing], protection)


def false_chain() -> bytes:
    false = build("TEST Issuing", ec_key("false"), "TEST Root", home().root_key, ca=True)
    return store(issue("a"), ec_key("a"), false, home().root)


STORES: dict[str, tuple[Callable[[], bytes], str]] = {
    "ten million iterations": (iterated, "asks for 10,000,002 iterations; at most 10,000,000"),
    "without a key": (without_key, "holds no private key"),
    "a key of another": (of_another, "belongs to none of its certificates"),
    "an incomplete chain": (lambda: store(issue("a"), ec_key("a"), home().issuing), "the chain is incomplete"),
    "a CA of the same name": (false_chain, "the chain is incomplete"),
    "cut": (lambda: whole_store("a")[:-9], "cut short"),
}


@pytest.mark.parametrize("case", STORES)
def test_a_bad_pkcs12_changes_nothing(sectigo: Runner, folder: Path, case: str) -> None:
    make, words = STORES[case]
    unpack(sectigo, "24.zip")
    Path("bad.p12").write_bytes(make())
    before = tree(folder)
    code, out, err = unpack(sectigo, "bad.p12")
    assert (code, out) == (1, "")
    assert re.search(rf"^sectigo: error: bad\.p12: .*{words}", err, re.MULTILINE)
    assert tree(folder) == before


def test_a_wrong_password_changes_nothing(sectigo: Runner, folder: Path) -> None:
    before = tree(folder)
    code, _, err = unpack(sectigo, "24.zip", password="-", stdin="wrong")
    assert (code, "a.example.com.p12: the password does not open this PKCS#12" in err) == (1, True)
    assert tree(folder) == before


def test_what_stands_in_the_way_is_left(sectigo: Runner, folder: Path) -> None:
    Path("certs/b.example.com").mkdir(parents=True)
    Path("certs/b.example.com/mine").write_text("mine")
    before = tree(folder)
    code, _, err = unpack(sectigo, "24.zip")
    assert code == 2
    assert "is a folder that was not installed here, and is left as it is" in err
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--modernize",), "--modernize is about a PKCS#12"),
        (("--format", "jks"), "invalid choice"),
        (("--keep", "0"), "--keep"),
        (("--processes", "none"), "--processes"),
        (("--grant", "no such user"), "there is no user 'no such user'"),
        (("--root", "pw"), "are not PEM"),
        (("--root", "none"), "none: No such file"),
    ],
)
def test_what_is_asked_for_wrongly(sectigo: Runner, words: tuple[str, ...], told: str) -> None:
    code, out, err = unpack(sectigo, "24.zip", *words)
    assert (code, out, told in err) == (2, "", True), err
    assert not Path("certs").exists()


def test_a_file_that_is_not_there(sectigo: Runner) -> None:
    code, _, err = unpack(sectigo, "none.zip")
    assert (code, "none.zip: No such file or directory" in err) == (2, True)


def test_forms(sectigo: Runner) -> None:
    assert unpack(sectigo, "24.zip", "--format", "der")[0] == 0
    assert "privkey.der" in names_in("certs/a.example.com")
    assert unpack(sectigo, "24.zip", "--format", "p12", "--modernize", "--keep", "1")[0] == 0
    assert names_in("certs/a.example.com") == ["a.example.com.p12"]
    assert len(names_in("certs/.versions/a.example.com")) == 1
