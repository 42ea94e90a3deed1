"""A PostgreSQL of its own: made in a folder, on loopback, gone with it. As root it runs as `postgres`, as it must."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Self

USER = "postgres"
# Nobody waits for the disk of a server that is thrown away.
_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "max_connections=200",
    "shared_buffers=16MB",
    "autovacuum=off",
    "max_wal_size=256MB",
)


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL that is installed, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def missing() -> str | None:
    """Return why none can be started here, or None."""
    if programs() is None:
        return "postgresql is not installed (make system-deps)"
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        return "runuser is not installed, and PostgreSQL does not run as root"
    return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Postgres:
    """A server in a temporary folder, running between `start` and `stop`; `with` does both."""

    def __init__(self) -> None:
        where = programs()
        assert where is not None
        self._programs = where
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
        self.port = free_port()
        self._number = 0
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER)
        self._run(
            "initdb", "-D", str(self._data), "-U", USER, "--auth=trust", "--no-sync", "--no-locale", "-E", "UTF8"
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        settings = (
            *_SETTINGS,
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.folder}",
        )
        options = " ".join(f"-c {each}" for each in settings)
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-w", "-t", "30", "-o", options, "start")

    def stop(self) -> None:
        """Stop at once, as a crash does; what was committed is there again after `start`."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop", check=False)

    def url(self, database: str = USER, user: str = USER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def sql(self, *statements: str, database: str = USER) -> list[tuple[object, ...]]:
        """Run statements, each in a transaction of its own; return what the last one answers."""
        import psycopg

        answer: list[tuple[object, ...]] = []
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for each in statements:
                cursor = connection.execute(each.encode())
                answer = cursor.fetchall() if cursor.description else []
        return answer

    def new_database(self, *, empty: bool = False) -> str:
        """Make a database, a copy of `template1`, or with nothing in it, and return its name."""
        self._number += 1
        name = f"book_{self._number}"
        how = " STRATEGY FILE_COPY" if int(self._programs.parts[-2]) >= 15 else ""
        self.sql(f"CREATE DATABASE {name} TEMPLATE {'template0' if empty else 'template1'}{how}")
        return name

    def drop(self, name: str) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _run(self, program: str, *words: str, check: bool = True) -> None:
        command = [str(self._programs / program), *words]
        if os.geteuid() == 0:
            command = ["runuser", "-u", USER, "--", *command]
        # A file, not a pipe: the server would keep a pipe open.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", timeout=60, check=False
            )
            said.seek(0)
            assert not check or done.returncode == 0, said.read().decode()
