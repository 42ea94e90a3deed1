"""The table in docs/architecture.md, held against the imports."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text()
ARROWS = {room: set(known.split()) for room, known in re.findall(r"^(\w+) +<-(.*)$", TEXT, re.MULTILINE)}
HOUSES = ("emulator", "orders", "pki")
"""The rooms that have rooms of their own."""
INNER = {
    house: {room: set(known.split()) for room, known in re.findall(rf"^{house}/(\w+) +<-(.*)$", TEXT, re.MULTILINE)}
    for house in HOUSES
}
COSTLY = ("requests", "cryptography", "keyring", "platformdirs", "filelock", "sqlalchemy", "alembic")
PACKAGES = {
    package: set(rooms.split()) for package, rooms in re.findall(rf"^({'|'.join(COSTLY)}) {{2,}}(.*)$", TEXT, re.M)
}
PUBLIC = ("sectigo_iot", "sectigo_iot.pki", "sectigo_iot.orders", "sectigo_iot.revocation", "sectigo_iot.emulator")


@cache
def imports(path: Path) -> tuple[tuple[str, str], ...]:
    """Return each import of a module as (module, name)."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                yield str(node.module), alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "sectigo_iot").parts[0].removesuffix(".py")


def rooms_known(path: Path) -> set[str]:
    known = set()
    for module, name in imports(path):
        parts = module.split(".")
        if parts[0] == "sectigo_iot":
            known.add(parts[1] if len(parts) > 1 else name)
    return known


LIBRARY = sorted(p for p in (ROOT / "sectigo_iot").rglob("*.py") if p != ROOT / "sectigo_iot" / "__init__.py")
COMMAND = sorted((ROOT / "cli").rglob("*.py"))


def test_the_tables_are_read() -> None:
    assert len(ARROWS) > 20
    assert set(PACKAGES) == set(COSTLY)


def test_every_room_stands_in_the_table() -> None:
    assert {room_of(path) for path in LIBRARY} == set(ARROWS)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_knows_only_whom_it_may(path: Path) -> None:
    room = room_of(path)
    assert rooms_known(path) - {room} <= ARROWS[room]


@pytest.mark.parametrize("room", sorted(ARROWS))
def test_no_arrow_is_idle(room: str) -> None:
    known = set().union(*(rooms_known(path) for path in LIBRARY if room_of(path) == room))
    assert known - {room} == ARROWS[room]


def run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Each node but those that are for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from run_time_nodes(node)


def inner_rooms_known(path: Path, house: str) -> set[str]:
    known = set()
    for node in run_time_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"sectigo_iot.{house}."):
            parts = str(node.module).split(".")[2:]
            known |= {parts[0]} if parts else {alias.name for alias in node.names}
    return known


@pytest.mark.parametrize("house", HOUSES)
def test_the_rooms_inside_know_whom_they_may_and_no_arrow_is_idle(house: str) -> None:
    known: dict[str, set[str]] = {}
    folder = ROOT / "sectigo_iot" / house
    for path in folder.rglob("*.py"):
        room = path.relative_to(folder).parts[0].removesuffix(".py")
        if room != "__init__":
            known.setdefault(room, set()).update(inner_rooms_known(path, house) - {room})
    assert known == INNER[house]


@pytest.mark.parametrize("arrows", [ARROWS, *INNER.values()], ids=["library", *HOUSES])
def test_the_arrows_form_no_circle(arrows: dict[str, set[str]]) -> None:
    left = dict(arrows)
    while left:
        free = [room for room, known in left.items() if not known & set(left)]
        assert free, f"a circle among {sorted(left)}"
        for room in free:
            del left[room]


def test_resources_do_not_know_each_other() -> None:
    for path in (ROOT / "sectigo_iot" / "api").glob("*.py"):
        assert not [module for module, _ in imports(path) if module.startswith("sectigo_iot.api")]


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_costly_packages_have_their_rooms(package: str) -> None:
    users = {room_of(path) for path in LIBRARY for module, _ in imports(path) if module.split(".")[0] == package}
    assert users == PACKAGES[package]


@pytest.mark.parametrize("path", COMMAND, ids=lambda p: p.name)
def test_the_command_knows_public_names_alone(path: Path) -> None:
    for module, name in imports(path):
        if module.split(".")[0] == "sectigo_iot":
            assert module in PUBLIC, f"{module} is not public"
            assert not name or name in import_module(module).__all__, f"{module}.{name} is not public"


def test_nothing_knows_the_command() -> None:
    assert not [path for path in LIBRARY for module, _ in imports(path) if module.split(".")[0] == "sectigo_cli"]


def test_main_imports_no_command_before_it_is_chosen() -> None:
    assert not [m for m, _ in imports(ROOT / "cli/sectigo_cli/main.py") if m.startswith("sectigo_cli.commands")]
