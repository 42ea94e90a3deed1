"""Settings: arguments, variables, what is refused, what is shown."""

from __future__ import annotations

import base64
import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

import sectigo_iot.emulator
from sectigo_iot.emulator import Emulator, EmulatorSettings
from sectigo_iot.emulator.settings import Options

SECRET = base64.b64encode(bytes(range(32))).decode()


def test_public_names_are_sorted() -> None:
    assert sectigo_iot.emulator.__all__ == sorted(sectigo_iot.emulator.__all__)


def test_arguments_are_the_fields() -> None:
    fields = {each.name for each in dataclasses.fields(EmulatorSettings)} - {"account", "config", "scenario"}
    assert fields == set(Options.__annotations__)


def test_defaults_of_the_command() -> None:
    settings = EmulatorSettings.from_environ({})
    assert (settings.host, settings.port, settings.key_type) == ("127.0.0.1", 8831, "rsa4096")
    assert (settings.username, settings.password) == (None, None)
    assert settings.masked()["username"] == "tester"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (":8831", ("127.0.0.1", 8831)),
        (":0", ("127.0.0.1", 0)),
        ("127.0.0.1:9000", ("127.0.0.1", 9000)),
        ("[::1]:9000", ("::1", 9000)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_addresses(address: str, expected: tuple[str, int]) -> None:
    settings = EmulatorSettings.from_environ({"SIAS_BIND_ADDR": address})
    assert (settings.host, settings.port) == expected


def test_every_variable_is_read() -> None:
    settings = EmulatorSettings.from_environ(
        {
            "SIAS_AUTH_USERNAME": "me",
            "SIAS_AUTH_PASSWORD": "password of mine",
            "SIAS_AUTH_ISSUER": "https://example.com",
            "SIAS_AUTH_SUBJECT": "/account/1/user/2",
            "SIAS_AUTH_SCOPES": "ROLE_USER,ROLE_ADMIN",
            "SIAS_AUTH_SECRET": SECRET,
            "SIAS_CA_PATH": "ca.pem",
            "SIAS_LOG_LEVEL": "DEBUG",
            "SIAS_CONSOLE_LOG": "true",
            "SIAS_MODE": "test",
        },
        account="manual",
        port=0,
    )
    assert settings.account == "manual"
    assert (settings.username, settings.password) == ("me", "password of mine")
    assert (settings.issuer, settings.subject) == ("https://example.com", "/account/1/user/2")
    assert settings.scopes == ("ROLE_USER", "ROLE_ADMIN")
    assert settings.secret == bytes(range(32))
    assert (settings.ca_path, settings.log_level, settings.console_log, settings.mode) == (
        "ca.pem",
        "debug",
        True,
        "test",
    )
    assert settings.port == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SIAS_BIND_ADDR", "8831"),
        ("SIAS_BIND_ADDR", ":x"),
        ("SIAS_BIND_ADDR", ":65536"),
        ("SIAS_BIND_ADDR", "::1:80"),
        ("SIAS_BIND_ADDR", "0.0.0.0:8831"),
        ("SIAS_BIND_ADDR", "example.com:8831"),
        ("SIAS_AUTH_SECRET", "c2hvcnQ="),
        ("SIAS_AUTH_SECRET", "no base64, secretly"),
        ("SIAS_LOG_LEVEL", "loud"),
        ("SIAS_CONSOLE_LOG", "perhaps"),
        ("SIAS_MODE", "fast"),
        ("SIAS_AUTH_SCOPES", "ROLE_REFRESH_TOKEN"),
        ("SIAS_AUTH_SCOPES", "ROLE_USER,ROLE_REFRESH_TOKEN"),
    ],
)
def test_variables_that_make_no_sense(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=variable) as caught:
        EmulatorSettings.from_environ({variable: value})
    assert "secretly" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"account": "other"},
        {"key_type": "rsa1024"},
        {"port": 70000},
        {"delay": -1.0},
        {"delay": float("nan")},
        {"delay": float("inf")},
        {"jwt_claims": 2020},
        {"duplicates": "maybe"},
        {"host": "0.0.0.0"},
        {"host": "example.com"},
        {"port": "8831"},
        {"port": True},
        {"delay": "1"},
        {"key_pool": -1},
        {"no_balance_status": 200},
        {"not_ready_status": 600},
        {"not_ready_status": "400"},
        {"access_lifetime": 0},
        {"refresh_lifetime": -1},
        {"secret": b""},
        {"secret": "text"},
        {"balances": {423: -1}},
        {"balances": {423: 1.5}},
        {"balances": {423: True}},
        {"certificate_login": ""},
        {"certificate_login": "ftp://example.com/"},
        {"certificate_login": "https:///path"},
        {"certificate_login": "https://bücher.example.com/"},
        {"certificate_login": "https://example.com/\r\nX: y"},
        {"control_port": -1},
        {"tls": 1},
        {"lock_after": -1},
        {"seed": -1},
        {"faults": ("lost-reply", 1)},
        {"faults": "lost-reply"},
        {"body_limit": 0},
        {"journal_size": 0},
        {"batch_list": "maybe"},
        {"create_status": 202},
        {"find_limit": -1},
        {"jwt_claims": "2021"},
        {"scopes": "ROLE_USER"},
        {"scopes": ["ROLE_USER"]},
        {"scopes": (1,)},
        {"balances": 5},
        {"balances": {"abc": 1, 7: 1}},
        {"issuer": 5},
        {"subject": 5},
        {"ca_path": 5},
        {"state_path": 5},
        {"scopes": ("ROLE_USER", "ROLE_REFRESH_TOKEN")},
    ],
)
def test_arguments_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Emulator(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"balances": {1: 1}}, "balances: there is no authority 1 among 423, 489"),
        ({"faults": ("lost-replies",)}, "lost-reply"),
        ({"faults": ("lost-reply,nth=0",)}, "nth"),
    ],
)
def test_what_is_found_out_at_the_start(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Emulator(**options).start()


def test_another_host_needs_leave() -> None:
    with Emulator(host="0.0.0.0", allow_remote=True) as emulator:
        assert emulator.url.startswith("http://127.0.0.1:")


def test_secrets_are_not_shown() -> None:
    settings = EmulatorSettings(password="geheim", secret=b"geheimgeheimgeheimgeheimgeheimge")
    shown = [repr(settings), json.dumps(settings.masked()), repr(Emulator.from_settings(settings))]
    assert not any("geheim" in each for each in shown)
    assert settings.masked()["password"] == settings.masked()["secret"] == "********"


def test_import_without_the_extra() -> None:
    program = """
import sys
for name in ("starlette", "uvicorn", "jwt", "python_multipart"):
    sys.modules[name] = None
from sectigo_iot.emulator import Emulator, EmulatorSettings, serve
for use in (lambda: Emulator().__enter__(), lambda: serve(EmulatorSettings())):
    try:
        use()
    except ImportError as error:
        assert "pip install 'sectigo-iot[emulator]'" in str(error), error
    else:
        raise AssertionError
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_import_is_light() -> None:
    program = "import sys, sectigo_iot.emulator as e; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30)
    assert not {"starlette", "uvicorn", "jwt", "cryptography"} & set(loaded.stdout.split())


def test_the_account_of_a_configuration_cannot_be_another() -> None:
    assert Emulator(config={"account": "manual"}).settings.account == "manual"
    with pytest.raises(ValueError, match="account 'staging' is not that of the configuration, 'manual'"):
        Emulator("staging", config={"account": "manual"})


def test_what_is_not_for_files() -> None:
    with pytest.raises(ValueError, match=r"behaviour\.tls"):
        Emulator(config={"behaviour": {"tls": True}})


def test_a_private_key_is_in_no_repr() -> None:
    with Emulator(tls=True) as emulator:
        assert "PRIVATE KEY" not in repr(emulator) + repr(emulator._running)
