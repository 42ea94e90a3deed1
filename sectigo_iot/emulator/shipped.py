"""What comes with the emulator, to look at: its accounts as configuration files, its scenarios, its faults."""

from __future__ import annotations

from sectigo_iot.emulator.settings import MISSING


def shipped_config(account: str = "staging") -> str:
    """Return an account as a configuration file in TOML, with every key explained: a start for one of your own.

    Raises ValueError for an unknown account, and ImportError without the extra `emulator`.
    """
    try:
        from sectigo_iot.emulator.config.file import shipped_text
    except ModuleNotFoundError as missing:
        raise ImportError(MISSING) from missing
    return shipped_text(account)


def shipped_scenarios() -> dict[str, str]:
    """Return the scenarios by name, and what each is in a line. Raises ImportError without the extra `emulator`."""
    try:
        from sectigo_iot.emulator.setup import scenarios
    except ModuleNotFoundError as missing:
        raise ImportError(MISSING) from missing
    return {name: scenario.title for name, scenario in scenarios().items()}


def shipped_faults() -> dict[str, str]:
    """Return the faults by name, and what happens. Raises ImportError without the extra `emulator`."""
    try:
        from sectigo_iot.emulator.faults.catalogue import FAULTS
    except ModuleNotFoundError as missing:
        raise ImportError(MISSING) from missing
    return {name: fault.summary for name, fault in FAULTS.items()}
