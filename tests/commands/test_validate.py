"""What `validate` says beside the settings: files that will not do, the proxy, variables that nobody reads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sectigo_iot import ConfigError, Settings, check_files, proxy_in_force
from tests.conftest import Result, Runner
from tests.reliability.authority import Authority


class Files:
    """A CA file, a client's certificate and key in one, a key apart, and one under a password."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        self.authority = str(authority.file)
        self.client = str(authority.server_files("jane.example.com"))
        self.certificate = str(self._put(folder / "certificate.pem", self._block(b"CERTIFICATE")))
        self.key = str(self._put(folder / "key.pem", self._block(b"PRIVATE KEY")))
        key = serialization.load_pem_private_key(Path(self.key).read_bytes(), None)
        self.locked = str(self._put(folder / "locked.pem", _pem(key, b"key-password")))
        self.another = str(self._put(folder / "another.pem", _pem(ec.generate_private_key(ec.SECP256R1()))))

    def _block(self, label: bytes) -> bytes:
        rest = Path(self.client).read_bytes().partition(b"-----BEGIN " + label)[2]
        return b"-----BEGIN " + label + rest.partition(b"END " + label)[0] + b"END " + label + b"-----\n"

    @staticmethod
    def _put(path: Path, data: bytes) -> Path:
        path.write_bytes(data)
        path.chmod(0o600)
        return path


def _pem(key: Any, password: bytes | None = None) -> bytes:
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    data: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    return data


@pytest.fixture
def files(here: Path) -> Files:
    return Files(here)


def faults_of(done: Result) -> list[str]:
    """The lines about what is wrong, without hints and remarks."""
    kinds = ("sectigo: error: ", "  ")
    return [line for line in done.err.splitlines() if line.startswith(kinds)]


def test_files_that_will_do_are_nothing_to_speak_of(sectigo: Runner, files: Files) -> None:
    assert x509.load_pem_x509_certificate(Path(files.certificate).read_bytes())
    Path("password").write_text("hush\n")
    words = ("--ca-file", files.authority, "--client-cert", files.certificate, "--client-key", files.key)
    done = sectigo(*words, "validate", env={"SECTIGO_PASSWORD_FILE": "password"})
    assert (done.code, faults_of(done)) == (0, []), done.err
    assert "hush" not in done.out


BROKEN = {
    "no CA file": ({"SECTIGO_CA_FILE": "none.pem"}, "the CA file none.pem cannot be read: No such file or directory"),
    "a CA file that is a key": ({"SECTIGO_CA_FILE": "{key}"}, "holds a private key, and no certificate"),
    "a CA file that is a device": ({"SECTIGO_CA_FILE": "/dev/zero"}, "the CA file /dev/zero"),
    "no certificate": ({"SECTIGO_CLIENT_CERT": "none"}, "the client certificate none cannot be read: No such file"),
    "no key": ({"SECTIGO_CLIENT_CERT": "{certificate}"}, "certificate.pem holds no private key in PEM"),
    "another key": (
        {"SECTIGO_CLIENT_CERT": "{certificate}", "SECTIGO_CLIENT_KEY": "{another}"},
        "another.pem is not the key of the certificate",
    ),
    "a password that opens no key": (
        {
            "SECTIGO_CLIENT_CERT": "{certificate}",
            "SECTIGO_CLIENT_KEY": "{locked}",
            "SECTIGO_CLIENT_KEY_PASSWORD": "hush",
        },
        "the password does not open the client key",
    ),
    "no password file": ({"SECTIGO_PASSWORD_FILE": "none"}, "the password file none cannot be read: No such file"),
    "a password file without a password": ({"SECTIGO_PASSWORD_FILE": "/dev/null"}, "has an empty first line"),
    "a password file without end": ({"SECTIGO_PASSWORD_FILE": "/dev/zero"}, "the password file /dev/zero"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_that_will_not_do_is_named(sectigo: Runner, files: Files, what: str) -> None:
    env, said = BROKEN[what]
    done = sectigo("validate", env={name: value.format(**vars(files)) for name, value in env.items()})
    assert done.code == 2
    (fault,) = faults_of(done)
    assert said in fault
    assert set(json.loads(done.out)) == {"client", "server"}
    assert "hush" not in done.out + done.err


def test_several_files_are_named_together(sectigo: Runner, files: Files) -> None:
    done = sectigo("--ca-file", "nofile.pem", "--client-cert", "nofile", "validate")
    assert done.code == 2
    first, *faults = faults_of(done)
    assert first == "sectigo: error: 2 settings are wrong:"
    assert [fault.split(" cannot")[0] for fault in faults] == [
        "  the CA file nofile.pem",
        "  the client certificate nofile",
    ]
    done = sectigo("--ca-file", "nofile.pem", "--client-cert", files.client, "validate")
    assert len(faults_of(done)) == 1


def test_nobody_is_asked_for_the_key_s_password(sectigo: Runner, files: Files) -> None:
    words = ("--client-cert", files.certificate, "--client-key", files.locked, "validate")
    done = sectigo(*words)
    assert (done.code, faults_of(done)) == (0, []), done.err
    opened = sectigo(*words, env={"SECTIGO_CLIENT_KEY_PASSWORD": "key-password"})
    assert (opened.code, faults_of(opened)) == (0, [])
    assert "key-password" not in opened.out + opened.err


def test_a_password_file_is_left_alone_that_is_a_pipe_or_not_needed(sectigo: Runner, here: Path) -> None:
    os.mkfifo("pipe")
    assert sectigo("validate", env={"SECTIGO_PASSWORD_FILE": "pipe"}).code == 0
    assert sectigo("validate", env={"SECTIGO_PASSWORD_FILE": "none", "SECTIGO_PASSWORD": "x"}).code == 0


def test_the_library_returns_what_is_wrong(files: Files) -> None:
    settings = Settings(ca_file="none.pem", client_cert=files.client, password_file="none", environ={})
    found = check_files(settings)
    assert [error.setting for error in found if isinstance(error, ConfigError)] == ["ca_file", "password_file"]
    assert check_files(Settings(ca_file=files.authority, client_cert=files.client, environ={})) == ()


# The proxy

PROXY = "http://jane:very-secret@proxy.example.com:3128"
HTTPS = {"SECTIGO_ENDPOINT": "https://iot.example.com", "SECTIGO_ENVIRONMENT": "staging"}
USED = ("proxy.example.com:3128", "environment variable {}")
PROXIES: dict[str, tuple[dict[str, str], tuple[str, str] | None]] = {
    "none": (HTTPS, None),
    "for https": ({**HTTPS, "HTTPS_PROXY": PROXY}, USED),
    "for all": ({**HTTPS, "all_proxy": PROXY}, USED),
    "for another scheme": ({**HTTPS, "HTTP_PROXY": PROXY}, None),
    "not for this host": ({**HTTPS, "https_proxy": PROXY, "NO_PROXY": "iot.example.com"}, None),
    "never in testing": (
        {"SECTIGO_ENDPOINT": "http://127.0.0.1:1", "SECTIGO_ENVIRONMENT": "testing", "http_proxy": PROXY},
        None,
    ),
}


@pytest.mark.parametrize("what", PROXIES)
def test_the_proxy_in_force_is_shown_without_its_password(
    sectigo: Runner, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    env, used = PROXIES[what]
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    done = sectigo("validate")
    assert done.code == 0, done.err
    (variable,) = [name for name in env if name.lower() in ("https_proxy", "all_proxy")] or [""]
    due = (used[0], used[1].format(variable)) if used else (None, None)
    assert json.loads(done.out)["client"]["proxy"] == dict(zip(("value", "source"), due, strict=True))
    assert "very-secret" not in done.out + done.err


def test_a_variable_that_names_no_proxy_is_a_fault(sectigo: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://jane:very-secret@proxy.example.com")
    done = sectigo("validate")
    assert (done.code, len(faults_of(done))) == (2, 1)
    assert "HTTPS_PROXY names a proxy of another kind" in done.err
    assert "very-secret" not in done.out + done.err
    with pytest.raises(ConfigError):
        proxy_in_force(Settings(environ={}))


# Variables that nobody reads

MISTYPED = {
    "SECTIGO_REQUEST_TIMEOUT": "SECTIGO_TIMEOUT",
    "SECTIGO_CA": "SECTIGO_CA_FILE",
    "SECTIGO_CLIENT_CERTIFICATE": "SECTIGO_CLIENT_CERT",
    "SECTIGO_CLIENT_KEY_PASS": "SECTIGO_CLIENT_KEY_PASSWORD",
    "SECTIGO_PASSWORDFILE": "SECTIGO_PASSWORD_FILE",
    "SECTIGO_USER": "SECTIGO_USERNAME",
    "SECTIGO_URL": "SECTIGO_ENDPOINT",
    "SECTIGO_Endpoint": "SECTIGO_ENDPOINT",
    "SECTIGO_ALLOW_HOST": "SECTIGO_ALLOWED_HOST",
    "SECTIGO_PROXY": "HTTPS_PROXY",
    "SECTIGO_TRACE": "the option --trace",
    "SECTIGO_NONSENSE": "",
}


@pytest.mark.parametrize("name", MISTYPED)
def test_a_variable_that_nobody_reads_is_mentioned(sectigo: Runner, name: str) -> None:
    done = sectigo("validate", env={name: "very-secret", "SECTIGO_PROFILE": "42"})
    asked = f": did you mean {MISTYPED[name]}?" if MISTYPED[name] else ""
    assert (done.code, done.err) == (0, f"sectigo: there is no setting {name}, which is ignored{asked}\n")
    assert "very-secret" not in done.out


def test_every_variable_that_is_read_is_known_by_its_name(sectigo: Runner) -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    names = {word.strip("`:,") for word in page.split() if word.strip("`:,").startswith("SECTIGO_")} - {"SECTIGO_"}
    done = sectigo("validate", env={f"{name}X": "1" for name in names})
    assert len(names) >= 13
    assert sorted(done.err.splitlines()) == sorted(
        f"sectigo: there is no setting {name}X, which is ignored: did you mean {name}?" for name in names
    )
