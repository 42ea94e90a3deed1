"""Settings: where each value comes from, what is refused, and which hosts each environment may reach."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sectigo_iot import (
    ConfigError,
    Environment,
    FileTokenStore,
    ForbiddenHostError,
    IoTManager,
    MemoryTokenStore,
    Settings,
)

ENVIRON = {
    "SECTIGO_USERNAME": "jane",
    "SECTIGO_PASSWORD": "from-the-environment",
    "SECTIGO_PROFILE": "17",
    "SECTIGO_ENDPOINT": "https://iot.example.com",
    "SECTIGO_ENVIRONMENT": "staging",
    "SECTIGO_ALLOWED_HOST": "iot.example.org",
    "SECTIGO_PASSWORD_FILE": "/run/password",
    "SECTIGO_CA_FILE": "/ca.pem",
    "SECTIGO_CLIENT_CERT": "/cert.pem",
    "SECTIGO_CLIENT_KEY": "/key.pem",
    "SECTIGO_CLIENT_KEY_PASSWORD": "key-password",
    "SECTIGO_TIMEOUT": "2.5",
    "SECTIGO_DOWNLOAD_TIMEOUT": "300",
}


def test_without_anything_the_defaults_are_those_of_production() -> None:
    settings = Settings(environ={})
    settings.validate()
    assert (settings.endpoint, settings.environment) == ("https://iot.sectigo.com", Environment.PRODUCTION)
    assert settings.profile == "CipherTrace EE"
    assert (settings.username, settings.password, settings.allowed_host, settings.password_file) == (None,) * 4
    assert (settings.timeout, settings.download_timeout) == (60, 900)
    assert (settings.ca_file, settings.client_cert, settings.client_key, settings.client_key_password) == (None,) * 4
    with_default = ("profile", "endpoint", "environment", "timeout", "download_timeout")
    assert settings.sources == dict.fromkeys(with_default, "default")


def test_variables_win_over_defaults_and_are_named_as_the_source() -> None:
    settings = Settings(environ=ENVIRON)
    assert (settings.username, settings.password, settings.profile) == ("jane", "from-the-environment", "17")
    assert (settings.endpoint, settings.environment) == ("https://iot.example.com", Environment.STAGING)
    assert (settings.allowed_host, settings.password_file) == ("iot.example.org", "/run/password")
    assert settings.sources["password_file"] == "environment variable SECTIGO_PASSWORD_FILE"
    assert (settings.ca_file, settings.client_cert, settings.client_key) == ("/ca.pem", "/cert.pem", "/key.pem")
    assert settings.client_key_password == "key-password"
    assert (settings.timeout, settings.download_timeout) == (2.5, 300)
    assert len(settings.sources) == len(ENVIRON)


def test_arguments_win_over_variables() -> None:
    settings = Settings("joe", "given", "85", "http://localhost:1", Environment.TESTING, environ=ENVIRON)
    assert (settings.username, settings.password, settings.profile) == ("joe", "given", "85")
    assert (settings.endpoint, settings.environment) == ("http://localhost:1", Environment.TESTING)
    assert {settings.sources[name] for name in ("username", "password", "endpoint")} == {"argument"}


@pytest.mark.parametrize(
    "endpoint", ["HTTP://LOCALHOST:1/Path", "http://localhost:1/Path/", "Http://Localhost:1/Path"]
)
def test_one_service_has_one_address(endpoint: str) -> None:
    assert Settings(endpoint=endpoint, environ={}).endpoint == "http://localhost:1/Path"


def test_an_empty_variable_counts_as_absent() -> None:
    settings = Settings(environ=dict.fromkeys(ENVIRON, ""))
    assert settings.username is None
    assert settings.sources["endpoint"] == "default"


def test_an_empty_argument_counts_as_absent_and_is_not_named_as_the_source() -> None:
    settings = Settings(endpoint="", profile="", username="", environ={"SECTIGO_USERNAME": "jane"})
    assert (settings.username, settings.endpoint) == ("jane", "https://iot.sectigo.com")
    assert settings.sources["endpoint"] == "default"
    assert settings.sources["username"] == "environment variable SECTIGO_USERNAME"


def test_the_environment_of_the_process_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECTIGO_USERNAME", "jane")
    assert Settings().username == "jane"


def test_the_repr_shows_no_password() -> None:
    assert "hidden-word" not in repr(Settings("jane", "hidden-word", environ={}))


@pytest.mark.parametrize(
    "endpoint",
    [
        "iot.example.com",
        "//iot.example.com",
        "ftp://iot.example.com",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://iot.example.com\\@example.org",
        "https://iot.example.com\\.example.org",
        "https://iot.example.com /",
        " https://iot.example.com",
        "https://iot.example.com\n",
        "https://iot.example.com\tx",
        "https://iot.example.com/\x7f",
        "https://bücher.example.com",
        "https://\uff49ot.example.com",
        "https://iot。example.com",
        "https://iot.example.com:0",
        "https://iot.example.com:65536",
        "https://iot.example.com:http",
        "https://iot.example.com:-1",
        "https://[::1",
        "https://iot.example.com?debug=1",
        "https://iot.example.com#top",
        "https://iot.exa<mple.com",
        "https://*.example.com",
        "https://iot%2eexample.com",
    ],
)
def test_an_endpoint_that_is_no_plain_url_is_refused(endpoint: str) -> None:
    settings = Settings(endpoint=endpoint, environment="staging", environ={})
    with pytest.raises(ConfigError) as caught:
        settings.validate()
    assert caught.value.setting == "endpoint"
    assert type(caught.value) is ConfigError
    assert caught.value.hint
    assert "https://iot.sectigo.com" in caught.value.hint
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("endpoint", ["https://jane:hidden-word@iot.sectigo.com", "https://hidden-word@127.0.0.1"])
def test_a_user_in_the_endpoint_is_refused_and_not_repeated(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="user name") as caught:
        Settings(endpoint=endpoint, environ={}).validate()
    assert "hidden-word" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:8831/iot/v2/", "http://localhost", "http://[::1]:8831", "http://LOCALHOST.:1"]
)
def test_plain_urls_are_accepted_with_port_and_path(endpoint: str) -> None:
    Settings(endpoint=endpoint, environment="testing", environ={}).validate()


def test_the_path_prefix_is_kept() -> None:
    settings = Settings(endpoint="http://127.0.0.1:8831/iot/v2/", environment="testing", environ={})
    with IoTManager(settings) as client:
        assert client.endpoint("devices") == "http://127.0.0.1:8831/iot/v2/api/v1/devices"


def test_an_unknown_environment_names_the_four() -> None:
    with pytest.raises(ConfigError, match="'live'") as caught:
        Settings(environment="live", environ={}).validate()
    assert caught.value.setting == "environment"
    assert caught.value.hint == "it is one of: production, staging, docker, testing"


@pytest.mark.parametrize("name", ["Production", " TESTING "])
def test_an_environment_is_read_in_any_case(name: str) -> None:
    assert Settings(environment=name, environ={}).environment is Environment(name.strip().lower())


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e7, 1e-9, 0.09])
def test_a_timeout_that_makes_no_sense_is_refused(timeout: float) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(timeout=timeout, environ={}).validate()
    assert caught.value.setting == "timeout"


OF_ANOTHER_KIND: dict[str, tuple[dict[str, Any], str]] = {
    "a timeout in words": ({"timeout": "5"}, "timeout is of type str: it is to be a number of seconds"),
    "two timeouts, as requests has them": ({"timeout": (3, 5)}, "timeout is of type tuple"),
    "a yes for a timeout": ({"download_timeout": True}, "download_timeout is of type bool"),
    "files of authorities": ({"ca_file": ("a",)}, "ca_file is of type tuple: it is to be the path of a file"),
    "a path in bytes": ({"client_key": b"key.pem"}, "client_key is of type bytes"),
    "certificate and key, as requests has them": ({"client_cert": ("hush", "b")}, "client_cert is of type tuple"),
    "an observer that cannot be called": ({"observer": 3}, "observer is of type int: it is to be a function"),
    "a prompt that cannot be called": ({"prompt": "Password: "}, "prompt is of type str"),
    "credentials that cannot be called": ({"credentials": ("jane", "hush")}, "credentials is of type tuple"),
    "a password in bytes": ({"password": b"hush"}, "password is of type bytes: it is to be a text"),
    "an address that is a path": ({"endpoint": 8831}, "endpoint is of type int"),
    "an environment that is none": ({"environment": 1}, "environment is of type int"),
    "a no in words": ({"use_keyring": "no"}, "use_keyring is of type str: it is to be True or False"),
    "a dict for a token store": ({"token_store": {"a": 1}}, "token_store is of type dict, which lacks load, save"),
    "a token store without a lock": (
        {"token_store": SimpleNamespace(load=print, save=print, delete=print, users=print)},
        "token_store is of type SimpleNamespace, which lacks lock",
    ),
}


@pytest.mark.parametrize("what", OF_ANOTHER_KIND)
def test_a_setting_of_another_kind_is_named_before_anything_is_sent(what: str) -> None:
    given, said = OF_ANOTHER_KIND[what]
    with pytest.raises(ConfigError) as caught:
        IoTManager(Settings(**given, environ={}))
    assert said in caught.value.message
    assert caught.value.setting == next(iter(given))
    assert "hush" not in f"{caught.value} {caught.value.hint}"


def test_a_pair_of_certificate_and_key_is_told_where_each_belongs() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(client_cert=("a", "b"), environ={}).validate()  # type: ignore[arg-type]
    assert caught.value.hint == "client_cert= names the certificate's file, and client_key= the one of its key"


def test_a_path_is_as_good_as_its_name() -> None:
    names = ("password_file", "ca_file", "client_cert", "client_key")
    given: dict[str, Any] = {name: Path("keys") / name for name in names}
    settings = Settings(**given, environ={})
    settings.validate()
    assert [getattr(settings, name) for name in names] == [f"keys/{name}" for name in names]


@pytest.mark.parametrize("store", [MemoryTokenStore, FileTokenStore])
def test_the_stores_that_are_here_are_token_stores(store: Any) -> None:
    Settings(token_store=store(), timeout=5, download_timeout=7.5, environ={}).validate()


def test_an_empty_timeout_counts_as_absent() -> None:
    assert Settings(timeout="", environ={}).timeout == 60  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "host", ["*", "*.example.com", "iot.example.com:8443", "https://iot.example.com", ".", "é.test"]
)
def test_an_allowed_host_is_one_plain_host(host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(allowed_host=host, environ={}).validate()
    assert caught.value.setting == "allowed_host"


ALLOWED = {
    "production": ["https://iot.sectigo.com", "https://IOT.Sectigo.com", "https://iot.sectigo.com.:8443/x"],
    "staging": [
        "http://iot.example.com",
        "https://127.0.0.1:1",
        "https://sectigo.com.example.org",
        "http://xsectigo.com",
    ],
    "docker": ["http://emulator:8831", "http://localhost"],
    "testing": [
        "http://localhost:1",
        "http://127.0.0.1",
        "https://127.0.0.1",
        "http://[::1]:8831",
        "http://localhost.",
    ],
}
FORBIDDEN = {
    "production": [
        "http://iot.sectigo.com",
        "https://sectigo.com",
        "https://iot.sectigo.com.example.org",
        "https://xiot.sectigo.com",
        "https://iot.example.com",
        "https://127.0.0.1",
    ],
    "staging": [
        "https://iot.sectigo.com",
        "http://sectigo.com",
        "https://A.B.SECTIGO.COM",
        "https://iot.sectigo.com.",
    ],
    "docker": ["https://iot.sectigo.com:8443", "https://sectigo.com."],
    "testing": [
        "http://127.0.0.2",
        "http://0.0.0.0",
        "http://[::]",
        "http://[::ffff:127.0.0.1]",
        "http://localhost.example.com",
        "http://127.1",
        "http://2130706433",
        "https://iot.sectigo.com",
    ],
}


@pytest.mark.parametrize(("environment", "url"), [(e, url) for e, urls in ALLOWED.items() for url in urls])
def test_the_guard_lets_through(environment: str, url: str) -> None:
    Settings(endpoint=url, environment=environment, environ={}).validate()


@pytest.mark.parametrize(("environment", "url"), [(e, url) for e, urls in FORBIDDEN.items() for url in urls])
def test_the_guard_forbids(environment: str, url: str) -> None:
    with pytest.raises(ForbiddenHostError) as caught:
        Settings(endpoint=url, environment=environment, environ={}).validate()
    assert environment in str(caught.value)
    assert caught.value.host in url.lower()
    assert caught.value.hint


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:28831", "http://127.0.0.1:28831"),
        ("http://[::1]:28831/iot", "http://[::1]:28831"),
        ("https://iot.example.com:8443/a", "https://iot.example.com:8443"),
        ("https://iot.example.com", "https://iot.example.com"),
    ],
)
def test_what_is_forbidden_is_named_with_its_port(url: str, shown: str) -> None:
    with pytest.raises(ForbiddenHostError) as caught:
        Settings(endpoint=url, environ={}).validate()
    assert caught.value.message == f"the environment production does not allow requests to {shown}"


@pytest.mark.parametrize("allowed", ["iot.example.com", "IOT.Example.Com", "iot.example.com."])
@pytest.mark.parametrize(
    "url", ["https://iot.example.com", "https://iot.example.com.:8443", "https://IOT.EXAMPLE.COM"]
)
def test_production_may_reach_the_one_allowed_host(allowed: str, url: str) -> None:
    Settings(endpoint=url, allowed_host=allowed, environ={}).validate()


@pytest.mark.parametrize("url", ["http://iot.example.com", "https://x.iot.example.com", "https://example.com"])
def test_the_allowed_host_is_https_and_that_host_alone(url: str) -> None:
    with pytest.raises(ForbiddenHostError):
        Settings(endpoint=url, allowed_host="iot.example.com", environ={}).validate()


def test_an_allowed_host_opens_no_other_environment() -> None:
    with pytest.raises(ForbiddenHostError):
        Settings(
            endpoint="https://iot.example.com", environment="testing", allowed_host="iot.example.com", environ={}
        ).validate()


def test_a_client_with_wrong_settings_is_not_made() -> None:
    with pytest.raises(ForbiddenHostError):
        IoTManager(Settings(endpoint="https://iot.example.com", environ={}))
