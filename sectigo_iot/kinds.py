"""What kind of thing each setting has to be: what is none fails late otherwise, and far from where it was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sectigo_iot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TEXTS = ("username", "password", "profile", "endpoint", "environment_name", "allowed_host", "client_key_password")
_FILES = ("password_file", "ca_file", "client_cert", "client_key")
_SECONDS = ("timeout", "download_timeout")
_CALLABLES = {
    "credentials": "a function that returns user name and password",
    "prompt": "a function of a question and of whether the answer is secret",
    "observer": "a function of an Exchange",
}
_STORE = ("load", "save", "delete", "users", "lock")


def _kinds() -> Mapping[str, tuple[Callable[[Any], bool], str]]:
    return {
        **dict.fromkeys(_TEXTS, (lambda value: isinstance(value, str), "a text")),
        **dict.fromkeys(
            _FILES, (lambda value: isinstance(value, str), "the path of a file, a str or an os.PathLike")
        ),
        **dict.fromkeys(_SECONDS, (_is_number, "a number of seconds")),
        **{name: (callable, due) for name, due in _CALLABLES.items()},
        "use_keyring": (lambda value: isinstance(value, bool), "True or False"),
    }


def check_kinds(settings: object) -> None:
    """Raise ConfigError for a setting that is of another kind than it has to be. None of them is shown."""
    for attribute, (fits, due) in _kinds().items():
        value = getattr(settings, attribute)
        if value is not None and not fits(value):
            name = attribute.removesuffix("_name")
            what = f"{name} is of type {type(value).__name__}: it is to be {due}"
            raise ConfigError(what, setting=name, hint=_hint(name, value))
    _check_store(getattr(settings, "token_store", None))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _hint(name: str, value: object) -> str | None:
    if name == "client_cert" and isinstance(value, tuple | list):
        return "client_cert= names the certificate's file, and client_key= the one of its key"
    if name in _SECONDS and isinstance(value, tuple | list):
        return "it counts for all of a request: connecting, sending and reading"
    return None


def _check_store(store: object) -> None:
    lacking = [name for name in _STORE if not callable(getattr(store, name, None))]
    if store is not None and lacking:
        what = f"token_store is of type {type(store).__name__}, which lacks {', '.join(lacking)}"
        hint = f"a token store has the methods {', '.join(_STORE)}; MemoryTokenStore() is one"
        raise ConfigError(what, setting="token_store", hint=hint)
