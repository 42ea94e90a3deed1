"""The public names: listed, there, explained, and cheap to ask for."""

import inspect
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

MODULES = ("sectigo_iot", "sectigo_iot.pki", "sectigo_iot.orders", "sectigo_iot.revocation", "sectigo_iot.emulator")


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return import_module(request.param)


def test_every_name_is_there_once(module: ModuleType) -> None:
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert hasattr(module, name)
        assert name in dir(module)


def test_an_unknown_name_is_refused(module: ModuleType) -> None:
    with pytest.raises(AttributeError):
        _ = module.no_such_name


def test_every_class_and_function_is_explained(module: ModuleType) -> None:
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), f"{name} has no docstring"
        if inspect.isclass(thing) and thing.__module__.startswith("sectigo_iot"):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                    assert inspect.getdoc(value), f"{name}.{member} has no docstring"


@pytest.mark.parametrize(
    "command",
    ["import sectigo_iot", "import sectigo_iot.pki", "import sectigo_iot.orders", "from sectigo_cli import main"],
)
def test_importing_loads_nothing_costly(command: str) -> None:
    costly = ("requests", "cryptography", "keyring", "rich", "sqlalchemy")
    check = f"import sys; print([m for m in {costly} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{command}; {check}"], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_help_loads_nothing_costly() -> None:
    script = (
        "import sys; from sectigo_cli.main import main; main(['create', '--help']); main(['--help'])\n"
        "print([m for m in ('requests', 'cryptography', 'keyring', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
