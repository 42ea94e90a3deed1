"""An IoT Manager on the loopback with a real CA behind it: for trying, testing and developing without an account.

It needs the extra: `pip install 'sectigo-iot[emulator]'`. Importing this package works without it.
"""

from sectigo_iot.emulator.control.client import Control, ControlError
from sectigo_iot.emulator.foreground import serve
from sectigo_iot.emulator.server import Emulator
from sectigo_iot.emulator.settings import EmulatorSettings
from sectigo_iot.emulator.shipped import shipped_config, shipped_faults, shipped_scenarios

__all__ = [
    "Control",
    "ControlError",
    "Emulator",
    "EmulatorSettings",
    "serve",
    "shipped_config",
    "shipped_faults",
    "shipped_scenarios",
]
