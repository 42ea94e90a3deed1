"""Whatever its size, a download needs no more memory than a small one."""

from __future__ import annotations

import io
import itertools
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sectigo_iot import BundleError
from sectigo_iot.pki import check_zip
from tests.packages import PYTHONPATH
from tests.reliability.figures import FULL, figure, share
from tests.reliability.streaming import StreamingService, archive, length

MIB = 1 << 20
MOST = 60 * MIB
SIZE = share(200, 40) * MIB

# What getrusage says of a child counts from before its exec, so it is to be the child of something small.
MEASURE = """
import os, resource, sys
code = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, *sys.argv[1:]])
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
COMMAND = ("-m", "sectigo_cli", "download", "-i", "24")
SCRIPT = """
from sectigo_iot import IoTManager, MemoryTokenStore, Settings
with IoTManager(Settings(token_store=MemoryTokenStore())) as client:
    client.download(24)
"""
LIBRARY = ("-c", SCRIPT)
CHECK = ("-c", "import sys; from sectigo_iot.pki import check_zip; check_zip(sys.argv[1])")


def measured(*words: str, **environ: str) -> tuple[int, int]:
    """Run Python, and return its exit code and how much memory it had at most, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *words],
        env={**os.environ, "PYTHONPATH": PYTHONPATH, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=300,
        check=True,
    )
    code, kilobytes = done.stdout.splitlines()[-1].split()
    return int(code), int(kilobytes) * 1024


SHAPES = {
    "one entry": archive(1, SIZE >> 16),
    "an entry for each 10 kB": archive(SIZE // 10_000, 1, last=9_850),
}


WAYS = {"command": COMMAND, "library": LIBRARY}
PAIRS = [*itertools.product(SHAPES, WAYS)] if FULL else [*zip(SHAPES, WAYS, strict=True)]


@pytest.mark.parametrize(("shape", "how"), PAIRS)
def test_a_large_download(shape: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with StreamingService(SHAPES[shape]) as service:
        code, most = measured(*WAYS[how], **service.environ)
    assert code == 0
    assert Path("24.zip").stat().st_size == service.length >= SIZE * 0.98
    assert most < MOST
    figure("memory", f"{how}, {service.length / MIB:.0f} MiB, {shape}: {most / MIB:.0f} MiB")


def test_the_same_download_into_memory_would_need_more(tmp_path: Path) -> None:
    made = archive(1, SIZE >> 16)
    with StreamingService(made) as service:
        code, most = measured("-c", SCRIPT.replace("download(", "download_bytes("), **service.environ)
    assert code == 0
    assert most > MOST


def directory_of(records: int) -> bytes:
    """Return a ZIP that is hardly anything but its directory."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("a", b"")
    data = file.getvalue()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    directory = data[start:end] * records
    return data[:start] + directory + data[end : end + 12] + struct.pack("<IIH", len(directory), start, 0)


@pytest.mark.parametrize("records", [200_000, 2_000_000][: share(2, 1)])
def test_a_directory_without_end_is_refused_before_it_is_read(records: int, tmp_path: Path) -> None:
    (tmp_path / "24.zip").write_bytes(directory_of(records))
    with pytest.raises(BundleError, match="holds more than the 100000 entries allowed"):
        check_zip(tmp_path / "24.zip")
    code, most = measured(*CHECK, str(tmp_path / "24.zip"))
    assert code == 1
    assert most < MOST


def test_the_archives_of_this_test_are_sound() -> None:
    data = io.BytesIO()
    made = archive(3, 2, last=100)
    made(data.write)
    assert check_zip(data) == [f"host{number}.example.com.p12" for number in range(3)]
    assert length(made) == len(data.getvalue())
