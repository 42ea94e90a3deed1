"""What the tests of the command share: one emulator for all that can share it, and a service that lies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sectigo_iot import IoTManager
from sectigo_iot.emulator import Emulator
from tests.commands.lying_service import LyingService
from tests.conftest import settings_for


class _WithProfile(Emulator):
    """An emulator whose variables choose one of its two authorities, which both have balance."""

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, "SECTIGO_PROFILE": "CipherTrace EE"}


@pytest.fixture(scope="session")
def shared() -> Iterator[Emulator]:
    """An emulator for every test that can live with what others have ordered."""
    with _WithProfile(balances={423: 10_000, 489: 10_000}) as service:
        yield service


@pytest.fixture
def liar() -> Iterator[LyingService]:
    """A service that answers as the test says."""
    with LyingService() as service:
        yield service


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    """A service with licences for thousands, for the tests of a file that do nothing to it but order."""
    with Emulator(balances={423: 10_000}) as emulator:
        yield emulator


@pytest.fixture
def book(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of a book of its own, beside the current folder, which is empty."""
    path = here.parent / f"{here.name}-book" / "orders.sqlite3"
    monkeypatch.setenv("SECTIGO_BOOK", str(path))
    return path


def balance(service: Emulator, authority: int = 423) -> int:
    """Return the licences left."""
    with IoTManager(settings_for(service)) as client:
        return client.authority_available_balance(authority)


@pytest.fixture
def nothing_spent(shared: Emulator) -> Iterator[None]:
    """Fail the test if a licence of the shared emulator was spent in it."""
    before = balance(shared), balance(shared, 489)
    yield
    assert (balance(shared), balance(shared, 489)) == before


def names_in(folder: str | Path = ".") -> list[str]:
    """Return what stands in a folder."""
    return sorted(path.name for path in Path(folder).iterdir())
