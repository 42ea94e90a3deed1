"""One emulator for each module: they start in a tenth of a second, and there are many tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sectigo_iot.emulator import Emulator
from tests.emulator.api import Api


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def api(emulator: Emulator) -> Iterator[Api]:
    client = Api(emulator)
    yield client
    client.session.close()
