"""Reading what somebody names: a file, a pipe or a device, within a limit, and never waiting for ever."""

from __future__ import annotations

import errno
import io
import os
import pty
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sectigo_iot import inputs, read_first_line, read_input

LIMIT = 1 << 20


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "PATIENCE", 0.2)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@pytest.fixture
def pipe() -> Iterator[tuple[str, int]]:
    """The name of a pipe, as a shell has it for `<(…)`, and the end to write into."""
    reader, writer = os.pipe()
    yield f"/dev/fd/{reader}", writer
    os.close(reader)


@pytest.fixture
def terminal() -> Iterator[tuple[str, int]]:
    """The name of a terminal, and the end where somebody types."""
    typist, side = pty.openpty()
    yield os.ttyname(side), typist
    os.close(side)
    os.close(typist)


def later(seconds: float, write: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, write)
    timer.start()
    return timer


@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT])
def test_a_file_is_read_up_to_the_limit(size: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    assert read_input(path, LIMIT) == path.read_bytes()


@pytest.mark.parametrize(("limit", "said"), [(LIMIT, "it is larger than 1 MiB"), (10, "it is larger than 10 bytes")])
def test_what_is_larger_is_refused(limit: int, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(limit + 1))
    for each in (path, "/dev/zero"):
        with pytest.raises(OSError) as caught:
            read_input(each, limit)
        assert (caught.value.errno, caught.value.strerror, caught.value.filename) == (errno.EFBIG, said, str(each))


def test_a_file_whose_size_says_nothing(tmp_path: Path) -> None:
    assert read_input("/proc/self/status", LIMIT).startswith(b"Name:")
    with pytest.raises(OSError, match="larger than 5 bytes"):
        read_input("/proc/self/status", 5)


def test_a_file_that_is_far_larger_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    before = time.monotonic()
    with pytest.raises(OSError, match="larger than 64 MiB"):
        read_input(path, 64 << 20)
    assert time.monotonic() - before < 1


@pytest.mark.parametrize("read", [lambda path: read_input(path, LIMIT), read_first_line], ids=["input", "line"])
@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("missing", FileNotFoundError, "No such file or directory"),
        (".", IsADirectoryError, "Is a directory"),
        ("a\0b", OSError, "that is no name of a file"),
    ],
)
def test_what_cannot_be_opened(
    read: Callable[[str], object], name: str, kind: type[OSError], said: str, tmp_path: Path
) -> None:
    with pytest.raises(kind) as caught:
        read(f"{tmp_path}/{name}")
    assert (caught.value.strerror, caught.value.filename) == (said, f"{tmp_path}/{name}")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("read", [lambda path: read_input(path, LIMIT), read_first_line], ids=["input", "line"])
@pytest.mark.parametrize("silent", [False, True], ids=["nobody writes", "somebody is silent"])
def test_a_pipe_is_not_waited_for_for_ever(read: Callable[[Path], object], silent: bool, fifo: Path) -> None:
    writer = os.open(fifo, os.O_RDWR) if silent else None
    before = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        read(fifo)
    assert 0.2 <= time.monotonic() - before < 5
    assert (caught.value.strerror, caught.value.filename) == (
        "nothing came through it for 0.2 seconds",
        str(fifo),
    )
    if writer is not None:
        os.close(writer)


def test_a_pipe_is_read_to_its_end(pipe: tuple[str, int]) -> None:
    path, writer = pipe
    data = os.urandom(300_000)

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(data)

    timer = later(0, write)
    assert read_input(path, LIMIT) == data
    timer.join()


@pytest.mark.parametrize("data", [b"", b"all of it"])
def test_a_pipe_whose_writer_has_gone_already(data: bytes, pipe: tuple[str, int]) -> None:
    os.write(pipe[1], data)
    os.close(pipe[1])
    assert read_input(pipe[0], LIMIT) == data


@pytest.mark.usefixtures("impatient")
def test_what_comes_bit_by_bit_is_waited_for(pipe: tuple[str, int]) -> None:
    path, writer = pipe
    timers = [later(0.1 * n, lambda: os.write(writer, b"bit ")) for n in range(1, 5)]
    timers.append(later(0.5, lambda: os.close(writer)))
    assert read_input(path, LIMIT) == b"bit bit bit bit "
    for timer in timers:
        timer.join()


def test_a_fifo_whose_writer_comes_later(fifo: Path) -> None:
    timer = later(0.2, lambda: fifo.write_bytes(b"late"))
    assert read_input(fifo, LIMIT) == b"late"
    timer.join()


@pytest.mark.usefixtures("impatient")
def test_somebody_at_a_terminal_has_all_the_time(terminal: tuple[str, int]) -> None:
    path, typist = terminal
    timer = later(0.6, lambda: os.write(typist, b"typed\n"))
    assert read_first_line(path) == "typed"
    timer.join()


# The first line

LINES = {
    "a line": (b"word\n", "word"),
    "no end of line": (b"word", "word"),
    "Windows": (b"\xef\xbb\xbfword\r\nmore", "word"),
    "blanks": (b" w or\td \n\0", " w or\td "),
    "other letters": ("pässwörd 密\n".encode(), "pässwörd 密"),
    "nothing": (b"", ""),
    "an empty line": (b"\nword\n", ""),
    "the longest": (b"x" * 4096 + b"\r\n", "x" * 4096),
    "a long rest": (b"word\n" + b"x" * 100_000, "word"),
}


@pytest.mark.parametrize(("content", "line"), LINES.values(), ids=LINES)
def test_the_first_line(content: bytes, line: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert read_first_line(path) == read_first_line(io.BytesIO(content)) == line


BAD_LINES = {
    "too long": (b"x" * 4097, "its first line is longer than 4096 bytes"),
    "too long, and then an end": (b"x" * 4097 + b"\n", "its first line is longer than 4096 bytes"),
    "not UTF-8": (b"p\xe4ss\n", "its first line is not UTF-8 text"),
    "UTF-16": ("pass\n".encode("utf-16-le"), "its first line holds control characters"),
    "a NUL": (b"pass\0word\n", "its first line holds control characters"),
    "an escape": (b"pass\x1b[31m\n", "its first line holds control characters"),
    "old ends of line": (b"pass\rmore", "its first line holds control characters"),
    "a control character of Latin-1": ("pass\x9b\n".encode(), "its first line holds control characters"),
}


@pytest.mark.parametrize(("content", "said"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_first_line_that_is_no_password(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    for source in (path, io.BytesIO(content)):
        with pytest.raises(OSError) as caught:
            read_first_line(source)
        assert caught.value.strerror == said


def test_a_device_without_end_holds_no_line() -> None:
    with pytest.raises(OSError, match="longer than 4096 bytes"):
        read_first_line("/dev/zero")


def test_a_line_is_taken_when_it_is_there_though_the_pipe_stays_open(pipe: tuple[str, int]) -> None:
    os.write(pipe[1], b"word\nand mo")
    before = time.monotonic()
    assert read_first_line(pipe[0]) == "word"
    assert time.monotonic() - before < 5
    os.close(pipe[1])
