"""A real SecretService, gnome-keyring on a D-Bus of its own, all of it in one folder and gone afterwards."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

# A process that owns a name on the bus, and never answers what is asked of it.
SILENT = """
import sys
from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection
bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
connection = open_dbus_connection(sys.argv[1])
connection.send_and_get_reply(new_method_call(bus, "RequestName", "su", (sys.argv[2], 0)))
print("owned", flush=True)
while True:
    connection.receive()
"""


@contextlib.contextmanager
def session_bus(folder: Path) -> Iterator[dict[str, str]]:
    """Run a D-Bus session; gives the variables by which a process finds it, and nothing else of a desktop."""
    run, data = folder / "run", folder / "data"
    for path in (run, data):
        path.mkdir(mode=0o700)
    environ = {**_bare(), "XDG_RUNTIME_DIR": str(run), "XDG_DATA_HOME": str(data)}
    command = ["dbus-run-session", "--", "sh", "-c", 'echo "$DBUS_SESSION_BUS_ADDRESS"; exec cat']
    # It ends with what it runs, and that ends with its input.
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as session:
        assert session.stdout is not None
        yield {**environ, "DBUS_SESSION_BUS_ADDRESS": session.stdout.readline().strip()}


def _bare() -> dict[str, str]:
    shown = ("DISPLAY", "WAYLAND_DISPLAY", "PYTHON_KEYRING_BACKEND", "DBUS_SESSION_BUS_ADDRESS")
    return {name: value for name, value in os.environ.items() if name not in shown}


@contextlib.contextmanager
def _running(command: list[str], environ: Mapping[str, str], words: str = "") -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(words)
        process.stdin.close()
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def gnome_keyring(environ: Mapping[str, str]) -> Iterator[None]:
    """Run a keyring on the bus, unlocked and empty."""
    command = ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"]
    with _running(command, environ, "word-of-the-session"):
        _wait_for_collection(environ["DBUS_SESSION_BUS_ADDRESS"])
        yield


@contextlib.contextmanager
def silent(environ: Mapping[str, str], name: str) -> Iterator[None]:
    """Let a process own a name on the bus that never answers."""
    with _running([sys.executable, "-c", SILENT, environ["DBUS_SESSION_BUS_ADDRESS"], name], environ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "owned\n"
        yield


def _wait_for_collection(address: str) -> None:
    for _ in range(600):
        with contextlib.suppress(Exception):
            # Whoever asks before it is there has the bus start another one, which stays locked.
            if _is_there(address) and not is_locked(address):
                return
        time.sleep(0.05)
    raise AssertionError("the keyring does not start")


def _is_there(address: str) -> bool:
    from jeepney.bus_messages import message_bus  # type: ignore[import-untyped]
    from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]

    with contextlib.closing(open_dbus_connection(address)) as connection:
        reply = connection.send_and_get_reply(message_bus.NameHasOwner("org.freedesktop.secrets"))
        return bool(reply.body[0])


def is_locked(address: str, *, lock: bool = False) -> bool:
    """Tell whether the keyring is locked; it may be locked first."""
    import secretstorage
    from jeepney.io.blocking import open_dbus_connection

    with contextlib.closing(open_dbus_connection(address)) as connection:
        collection = secretstorage.get_default_collection(connection)
        if lock:
            collection.lock()
        return bool(collection.is_locked())
