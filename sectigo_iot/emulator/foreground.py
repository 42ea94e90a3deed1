"""An emulator in the foreground: what `sectigo serve` runs."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

from sectigo_iot.emulator.server import Emulator
from sectigo_iot.emulator.settings import EmulatorSettings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    settings: EmulatorSettings | None = None,
    *,
    ready: Callable[[Emulator], None] | None = None,
    ended: Callable[[], None] | None = None,
) -> None:
    """Run an emulator until SIGINT or SIGTERM, and return when it has ended cleanly. Prints nothing.

    `ready` is called with the emulator once it answers, `ended` when it has ended and the signals are about to be as
    they were before: from then on a second one would strike whoever called. Without settings those of
    `EmulatorSettings.from_environ({})` hold. To be called in the main thread, where signals arrive. Raises what
    entering an `Emulator` raises: ImportError, OSError (an address that is taken), ValueError.
    """
    emulator = Emulator.from_settings(settings or EmulatorSettings.from_environ({}))
    with _wakeups() as (reader, writer):
        emulator.start(ended=lambda: _wake(writer))
        try:
            if ready is not None:
                ready(emulator)
            _wait(reader)
        finally:
            emulator.stop()
            if ended is not None:
                ended()


@contextlib.contextmanager
def _wakeups() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Turn signals into bytes that can be waited for, so that none is lost and none strikes in mid-work."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    with reader, writer:
        descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        handlers = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        try:
            yield reader, writer
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(descriptor)


def _wake(writer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        writer.send(b"\0")


def _wait(reader: socket.socket) -> None:
    wanted = {0, *map(int, _SIGNALS)}
    while not wanted.intersection(reader.recv(64)):
        pass
