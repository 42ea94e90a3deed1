"""The package: what importing it costs, and what it hands on."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sectigo_iot

HEAVY = ("requests", "urllib3", "cryptography", "keyring", "rich", "filelock", "platformdirs", "starlette", "logging")


def loaded(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["import sectigo_iot", "import sectigo_iot; dir(sectigo_iot)"])
def test_importing_the_package_loads_nothing_heavy(code: str) -> None:
    modules = loaded(code)
    assert modules.isdisjoint(HEAVY)
    assert [name for name in modules if name.startswith("sectigo_iot.")] == []


def test_errors_and_reasons_cost_nothing_heavy() -> None:
    assert loaded("from sectigo_iot import SectigoError, CRLReason, ENDPOINTS, Settings").isdisjoint(HEAVY)


def test_a_client_loads_neither_keyring_nor_rich() -> None:
    assert loaded("from sectigo_iot import IoTManager").isdisjoint({"keyring", "rich", "filelock", "starlette"})


def test_every_public_name_is_there_and_sorted() -> None:
    assert len(sectigo_iot.__all__) == len(set(sectigo_iot.__all__))
    for name in sectigo_iot.__all__:
        assert getattr(sectigo_iot, name) is not None
        assert name in dir(sectigo_iot)


def test_the_names_for_type_checkers_are_those_at_run_time() -> None:
    assert {*sectigo_iot._HOMES, "__version__"} == set(sectigo_iot.__all__)  # type: ignore[attr-defined]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = sectigo_iot.nothing  # type: ignore[attr-defined]


def test_every_error_of_ours_is_one_tree_and_drawn_in_it() -> None:
    from sectigo_iot import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert all(issubclass(kind, errors.SectigoError) for kind in kinds)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)
    assert all(kind.__name__ in sectigo_iot.__all__ for kind in kinds)


def test_an_error_is_its_message_and_carries_a_hint() -> None:
    error = sectigo_iot.SectigoError("what happened", hint="what to do")
    assert (str(error), error.message, error.hint) == ("what happened", "what happened", "what to do")


def test_an_api_error_is_made_as_the_go_package_makes_it() -> None:
    error = sectigo_iot.APIError(400, "commonName: required", 17, 1624470823)
    assert str(error) == "request failed with status 400: commonName: required (error code 17)"
    assert str(sectigo_iot.APIError(500)) == "request failed with status 500"
