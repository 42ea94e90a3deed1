"""A pytest plugin: an emulator of the IoT Manager as a fixture, and markers for its bad days.

pytest finds it by itself where this package is installed. It imports nothing until a test asks for a fixture, which
needs the extra: `pip install 'sectigo-iot[emulator]'`.
"""

from __future__ import annotations

import contextlib
import functools
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from sectigo_iot.pytest_markers import MARKERS, NAMES, SCRIPTS, START, Stub, check_name, check_options, unmet

if TYPE_CHECKING:
    from sectigo_iot.config import Settings
    from sectigo_iot.emulator import Control, Emulator

T = TypeVar("T")
IotManagerFactory = Callable[..., "IotManager"]
"""Starts one more emulator; it takes the account and the keyword arguments of `Emulator`."""

_LINES = 20  # of the journal are shown of a test that has failed


class Journal:
    """The questions to the journal of one emulator. Each answers in plain dictionaries and lists."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def requests(self, *, after: int = 0, call: str | None = None, batch: int | None = None) -> list[dict[str, Any]]:
        """Return the last requests, the newest last, with all secrets masked."""
        return self._control.journal(after=after, call=call, batch=batch)

    def orders(self, batch_name: str | None = None, common_name: str | None = None) -> dict[str, Any]:
        """Return every order that was asked for, and how many were accepted and refused."""
        return self._control.orders(batch_name=batch_name, common_name=common_name)

    def logins(self, username: str | None = None) -> dict[str, Any]:
        """Return how many log-ins there were, accepted and refused."""
        return self._control.logins(username)

    def polls(self, batch: int | None = None) -> dict[str, Any]:
        """Return how often batches were looked at, in all and in a minute."""
        return self._control.polls(batch)

    def downloads(self, batch: int | None = None) -> Any:
        """Return which batches were downloaded, and when."""
        return self._control.downloads(batch)

    def doubled(self) -> list[dict[str, Any]]:
        """Return what was ordered successfully more than once."""
        return self._control.doubled()

    def simultaneous(self, within: float = 60.0) -> list[dict[str, Any]]:
        """Return what several clients ordered at the same time, or within so many seconds."""
        return self._control.simultaneous(within)

    def twins(self) -> list[dict[str, Any]]:
        """Return the names for which two batches are alive."""
        return self._control.twins()

    def unfetched(self, *, downloads: bool = False) -> list[dict[str, Any]]:
        """Return the batches that became ready and were never downloaded; with `downloads` those too that were."""
        return self._control.unfetched(downloads=downloads)

    def gaps(self) -> list[dict[str, Any]]:
        """Return the names that were without a certificate before the next one was fetched."""
        return self._control.gaps()

    def repeated(self, times: int = 3) -> list[dict[str, Any]]:
        """Return the orders that were refused with the same words more often than that."""
        return self._control.repeated(times)

    def late_polls(self) -> list[dict[str, Any]]:
        """Return the batches that were looked at after they had ended."""
        return self._control.late_polls()


class IotManager:
    """A running emulator, as a test sees it."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.url: str = emulator.url
        """Where the service is."""
        self.username: str = emulator.username
        self.password: str = emulator.password
        self.environ: Mapping[str, str] = emulator.environ
        """The variables by which a client in another process finds it."""
        self.root_certificate: bytes = emulator.root_certificate
        """What its certificates are verified against, in PEM."""
        self.seed: int = emulator.seed
        """What chance is drawn from."""

    def __repr__(self) -> str:
        return f"<IotManager {self.url}>"

    @property
    def control(self) -> Control:
        """What moves its clock and its batches. Raises RuntimeError where it was started without a control port."""
        return self._emulator.control

    @property
    def journal(self) -> Journal:
        """What was asked of it. Raises RuntimeError where it was started without a control port."""
        return Journal(self.control)

    def settings(self, **changes: Any) -> Settings:
        """Return settings of our own client that point at it, with tokens kept in memory and no variables read."""
        from sectigo_iot.config import Settings
        from sectigo_iot.tokencache import MemoryTokenStore

        values: dict[str, Any] = {
            "username": self.username,
            "password": self.password,
            "endpoint": self.url,
            "environment": "testing",
            "token_store": MemoryTokenStore(),
            "environ": {},
        }
        return Settings(**{**values, **changes})


_RUNNING = pytest.StashKey[list[IotManager]]()
_PASSED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker that would do nothing: a misspelt one, or one of a test that does not use the fixture."""
    in_use = "iot_manager" in getattr(item, "fixturenames", ())
    for marker in item.iter_markers():
        _check_marker(item, marker.name, in_use=in_use)
    idle = [each.name for each in item.own_markers if each.name in NAMES]
    if idle and not in_use:
        pytest.fail(f"{idle[0]}: the test does not use the fixture iot_manager", pytrace=False)


def _check_marker(item: pytest.Item, name: str, *, in_use: bool) -> None:
    try:
        check_name(name, item.config.getini("markers"), in_use=in_use)
    except ValueError as fault:
        said = f"{name}: {fault}"
    else:
        return
    pytest.fail(said, pytrace=False)


@pytest.fixture
def iot_manager_options() -> Mapping[str, Any]:
    """The keyword arguments of `Emulator` for the fixture `iot_manager`: to be overridden in a conftest."""
    return {}


@pytest.fixture
def iot_manager_factory(request: pytest.FixtureRequest) -> Iterator[IotManagerFactory]:
    """Starts emulators, as many as are wanted, and stops them all in the end."""
    running: list[IotManager] = []
    request.node.stash[_RUNNING] = running
    with contextlib.ExitStack() as stack:

        def start(account: str | None = None, **options: Any) -> IotManager:
            options.setdefault("seed", zlib.crc32(request.node.nodeid.encode()))
            emulator = _tried("iot_manager", lambda: _started(account, options))
            stack.callback(emulator.stop)
            manager = IotManager(emulator)
            running.append(manager)
            return manager

        yield start


@pytest.fixture
def iot_manager(
    request: pytest.FixtureRequest,
    iot_manager_factory: IotManagerFactory,
    iot_manager_options: Mapping[str, Any],
) -> Iterator[IotManager]:
    """An emulator of its own for the test, set up as its markers say."""
    manager = iot_manager_factory(**{**iot_manager_options, **_options(request.node)})
    stubs = _scripted(request.node, manager)
    yield manager
    if request.node.stash.get(_PASSED, False):
        _check_used(stubs, manager)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the seed and the end of the journal with a test that has failed."""
    report = yield
    if call.when == "call":
        item.stash[_PASSED] = report.passed and not hasattr(report, "wasxfail")
    if report.failed and call.when != "teardown":
        for manager in item.stash.get(_RUNNING, []):
            lines = list(_told_of(manager))
            if call.when == "call" or len(lines) > 1:
                report.sections.append((f"IoT Manager at {manager.url}", "\n".join(lines)))
    return report


def _tried(what: str, do: Callable[[], T]) -> T:
    """Do something about an emulator; a test fails with one line where it makes no sense, or cannot be done."""
    try:
        from sectigo_iot.emulator import ControlError

        try:
            return do()
        except ControlError as refused:
            said = f"{what}: {refused.message}"
    except ImportError as missing:
        said = str(missing)
    except (OSError, RuntimeError, TypeError, ValueError) as fault:
        said = f"{what}: {fault}"
    # Not where it was caught: pytest would show the one as the cause of the other.
    pytest.fail(said, pytrace=False)


def _started(account: str | None, options: Mapping[str, Any]) -> Emulator:
    from sectigo_iot.emulator import Emulator

    check_options(options)
    emulator = Emulator(account, **options)
    emulator.start()
    return emulator


def _options(node: pytest.Item) -> dict[str, Any]:
    """Return the arguments that the markers give; the marker that is nearest to the test wins."""
    options: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers())):
        read = START.get(marker.name)
        if read is not None:
            options |= _tried(marker.name, functools.partial(read, marker))
    return options


def _scripted(node: pytest.Item, manager: IotManager) -> list[Stub]:
    """Carry out what the markers say, from top to bottom, and return what waits then."""
    stubs: list[Stub] = []
    for name, script in SCRIPTS.items():
        for marker in reversed(list(node.iter_markers(name))):
            stubs += _tried(name, functools.partial(_script, script, marker, manager))
    return stubs


def _script(script: Callable[..., Iterator[Stub]], marker: pytest.Mark, manager: IotManager) -> list[Stub]:
    return list(script(marker, manager.control, manager._emulator.settings.delay))


def _check_used(stubs: list[Stub], manager: IotManager) -> None:
    """Fail where something waits still that a marker asked for: what the test was written for did not happen."""
    left = _tried("iot_manager", lambda: unmet(stubs, manager.control)) if stubs else []
    if left:
        pytest.fail("\n".join(left), pytrace=False)


def _told_of(manager: IotManager) -> Iterator[str]:
    yield f"seed {manager.seed}"
    try:
        requests = manager.control.journal(limit=_LINES)
    except Exception as fault:  # noqa: BLE001 - the test has failed already, and its own failure is what matters
        yield f"the journal cannot be read: {fault}"
        return
    yield from map(_line, requests)


def _line(entry: Mapping[str, Any]) -> str:
    batch = "" if entry["batch"] is None else f"batch {entry['batch']}"
    told = ", ".join(str(each) for each in (entry["status"] or "no reply", batch, entry["fault"]) if each)
    return f"{entry['number']:5} {entry['time']} {entry['method']} {entry['path']}: {told}"
