"""A download leaves the old whole file or the new one, wherever it is cut, and nothing else."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from sectigo_iot import BundleError, InvalidReplyError, IoTManager, SectigoError, TargetExistsError, TransportError
from sectigo_iot.files import UNFINISHED
from tests.conftest import Runner
from tests.packages import PYTHONPATH
from tests.reliability.archives import BAD, NEW, of_length
from tests.reliability.figures import FULL, figure, share
from tests.reliability.places import Place
from tests.reliability.streaming import StreamingService, archive
from tests.unit.lying_server import RESET, Seen, lies

OLD = b"the old whole file"


@pytest.fixture
def places(tmp_path: Path) -> Callable[[bool], Place]:
    """Make a folder, with the old file in it or empty."""
    numbers = itertools.count()

    def make(old: bool) -> Place:
        tree = tmp_path / str(next(numbers))
        folder = tree / "inner" / "here"
        folder.mkdir(parents=True)
        (tree / "other").write_bytes(b"somebody's")
        if old:
            (folder / "24.zip").write_bytes(OLD)
        place = Place(tree, folder, {})
        return place._replace(before=place.outside())

    return make


class Teller:
    """Gives the answer that was chosen last."""

    def __init__(self, chosen: bytes = RESET) -> None:
        self.chosen = chosen

    def __call__(self, _seen: Seen) -> bytes:
        return self.chosen


SITUATIONS = [(False, False), (False, True), (True, False), (True, True)]
"""Whether the old file is there, and whether it is to be replaced."""


def attempted(client: IoTManager, place: Place, force: bool) -> SectigoError | OSError | None:
    try:
        client.download(24, place.folder, replace=force)
    except (SectigoError, OSError) as error:
        return error
    return None


def test_cut_at_every_position(places: Callable[[bool], Place]) -> None:
    count, tried, kept, teller = share(200, 16), 0, 0, Teller()
    with lies(teller) as (_, client):
        for position in (round(number * (len(NEW) - 1) / (count - 1)) for number in range(count)):
            for promised in (len(NEW), position, None):
                # In full each cut meets each situation, in a share one after the other.
                for old, force in SITUATIONS if FULL else [SITUATIONS[tried % 4]]:
                    place = places(old)
                    teller.chosen = of_length(promised, NEW[:position])
                    tried += 1
                    error = attempted(client, place, force)
                    assert isinstance(error, (BundleError, TransportError, TargetExistsError)), (position, promised)
                    assert isinstance(error, TargetExistsError) == (old and not force)
                    place.check(OLD if old else None)
                    kept += 1
        teller.chosen = of_length(len(NEW), NEW)
        place = places(True)
        assert attempted(client, place, True) is None
        place.check(NEW)
    figure("download", f"cut at {count} positions, {tried} downloads: {tried - kept} files that are not the old one")


NAMES = (
    "../24.zip",
    "../../other/24.zip",
    "/{tree}/24.zip",
    "..\\\\24.zip",
    "C:\\\\24.zip",
    "./24.zip",
    "x/../24.zip",
)


@pytest.mark.parametrize(("old", "force"), SITUATIONS)
@pytest.mark.parametrize(("reply", "error"), BAD.values(), ids=BAD)
def test_what_is_no_sound_zip(
    reply: bytes, error: type[SectigoError], old: bool, force: bool, places: Callable[[bool], Place]
) -> None:
    place = places(old)
    with lies(reply) as (_, client):
        raised = attempted(client, place, force)
    # A name that is taken is told before the body is looked at, but not before the type is.
    taken = old and not force and error is not InvalidReplyError and reply != RESET
    assert isinstance(raised, TargetExistsError if taken else error), raised
    place.check(OLD if old else None)


@pytest.mark.parametrize(("old", "force"), SITUATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_outside(name: str, old: bool, force: bool, places: Callable[[bool], Place]) -> None:
    place = places(old)
    with lies(of_length(len(NEW), NEW, name.format(tree=place.tree))) as (_, client):
        error = attempted(client, place, force)
    assert isinstance(error, TargetExistsError) if old and not force else error is None
    place.check(OLD if old and not force else NEW)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("target", ["../../other", "../../missing", "../..", "24.zip"])
@pytest.mark.parametrize("cut", [False, True])
def test_a_link_in_its_place(force: bool, target: str, cut: bool, places: Callable[[bool], Place]) -> None:
    place = places(False)
    (place.folder / "24.zip").symlink_to(target)
    with lies(of_length(len(NEW), NEW[:-5] if cut else NEW)) as (_, client):
        error = attempted(client, place, force)
    assert place.outside() == place.before
    assert [path.name for path in place.folder.iterdir()] == ["24.zip"]
    if force and not cut and target != "../..":
        assert error is None
        place.check(NEW)
    else:
        assert isinstance(error, TransportError if cut and force and target != "../.." else TargetExistsError)
        assert str((place.folder / "24.zip").readlink()) == target


# Disks that are full: a file may not grow beyond a size, and a file system has no more room.


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "sectigo_cli", *words]


def environ_of(service: StreamingService) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": PYTHONPATH, **service.environ}


@pytest.mark.parametrize(("old", "force"), SITUATIONS if FULL else SITUATIONS[1:3])
def test_a_file_that_may_not_grow(
    old: bool, force: bool, sectigo: Runner, places: Callable[[bool], Place], home: Path
) -> None:
    place = places(old)
    with StreamingService(archive(1, 4)) as service:
        # The tokens are kept before there is no room left.
        assert sectigo("download", "-i", "24", "-o", str(home), env=service.environ).code == 0
        done = subprocess.run(
            command("download", "-i", "24", "-o", str(place.folder), *["--force"] * force),
            env=environ_of(service),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, 1 << 17)),
        )
    taken = old and not force
    assert (done.returncode, done.stdout) == (2 if taken else 1, "")
    assert ("exists already" if taken else f"error: {place.folder}/24.zip: File too large\n") in done.stderr
    place.check(OLD if old else None)


ON_A_SMALL_DISK = """
import json, pathlib, subprocess, sys
folder, old, *command = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k,mode=0700", "tmpfs", folder], check=True)
target = pathlib.Path(folder, "24.zip")
if old:
    target.write_text(old)
done = subprocess.run(command, capture_output=True, text=True)
found = {path.name: path.read_bytes().decode("latin-1") for path in target.parent.iterdir()}
print(json.dumps([done.returncode, done.stdout, done.stderr, found]))
"""
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.mark.needs("unshare")
@pytest.mark.parametrize("old", [False, True])
def test_a_disk_that_is_full(old: bool, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True, timeout=30, check=False
    )
    if mount.returncode != 0:
        pytest.skip("this machine lets nobody mount a file system in a namespace of their own")
    words = command("download", "-i", "24", "-o", str(disk), "--force")
    with StreamingService(archive(1, 4)) as service:
        done = subprocess.run(
            [*UNSHARE, sys.executable, "-c", ON_A_SMALL_DISK, str(disk), OLD.decode() if old else "", *words],
            env=environ_of(service),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    code, out, err, found = json.loads(done.stdout)
    assert (code, out) == (1, "")
    assert err == f"sectigo: error: {disk}/24.zip: No space left on device\n"
    assert found == ({"24.zip": OLD.decode()} if old else {})


# Processes that are killed, and processes that are many


def whole(made: Callable[[Callable[[bytes], object]], None]) -> bytes:
    file = io.BytesIO()
    made(file.write)
    return file.getvalue()


def left_over(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob(f"*{UNFINISHED}")]


PACE = 0.02
"""Seconds between two pieces of the ZIP, so that it takes as long as the command takes to start."""


def killed(place: Place, service: StreamingService, until: Callable[[], object]) -> bool:
    """Start the command, kill it when `until` comes back, and return whether it was still there."""
    service.pause = PACE
    words = command("download", "-i", "24", "-o", str(place.folder), "--force")
    with subprocess.Popen(
        words, env=environ_of(service), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=place.tree
    ) as process:
        try:
            until()
        finally:
            process.kill()
    service.pause = 0
    return process.returncode == -signal.SIGKILL


def life_of(service: StreamingService, home: Path) -> float:
    """Return how many seconds the command takes if nobody kills it."""
    words = command("download", "-i", "24", "-o", str(home))
    service.pause = PACE
    began = time.monotonic()
    subprocess.run(words, env=environ_of(service), check=True, capture_output=True, timeout=60)
    (home / "24.zip").unlink()
    return time.monotonic() - began


MADE = archive(1, 16, last=4000)


def mended(place: Place, old: bool, service: StreamingService, sectigo: Runner, home: Path) -> Counter[str]:
    """Look at what a kill has left, run the command once more, and count what is unfinished before and after."""
    target, new = place.folder / "24.zip", whole(MADE)
    assert target.read_bytes() in (OLD, new) if target.exists() else not old
    assert place.outside() == place.before
    before = len(left_over(place.folder, home))
    done = sectigo("download", "-i", "24", "-o", str(place.folder), "--force", env=service.environ)
    assert done.code == 0, done
    after = len(left_over(place.folder, home))
    assert after == 0
    place.check(new)
    return Counter(before=before, after=after)


def test_killed_at_any_moment(sectigo: Runner, places: Callable[[bool], Place], home: Path) -> None:
    times, moments, kills, found = share(50, 4), random.Random(11), 0, Counter[str]()
    with StreamingService(MADE) as service:
        life = life_of(service, home)
        for number in range(4 * times):
            if kills == times:
                break
            if number % 3 == 0:
                # Every third one has to log in, and to keep its tokens.
                shutil.rmtree(home / ".cache" / "sectigo-iot")
            place = places(number % 2 == 0)
            # One after the other they spread over its whole life, which is not always the same.
            moment = life * (kills + moments.random()) / times
            if killed(place, service, partial(time.sleep, moment)):
                kills += 1
            else:
                life *= 0.95
            found += mended(place, number % 2 == 0, service, sectigo, home)
    assert kills == times
    noted("at any moment", kills, found)


def noted(when: str, kills: int, found: Counter[str]) -> None:
    what = f"{found['before']} unfinished files, {found['after']} of them after the next run"
    figure("download", f"{kills} processes killed {when}: {what}")


def test_killed_while_it_writes(sectigo: Runner, places: Callable[[bool], Place], home: Path) -> None:
    kills, found = 0, Counter[str]()
    with StreamingService(MADE) as service:
        for number in range(share(20, 2)):
            place = places(number % 2 == 0)
            service.halts = True
            assert killed(place, service, partial(unfinished_in, place.folder))
            service.halts = False
            kills += 1
            assert left_over(place.folder)
            found += mended(place, number % 2 == 0, service, sectigo, home)
    assert found["before"] == kills
    noted("while they wrote", kills, found)


def unfinished_in(folder: Path) -> None:
    """Wait until something is being written there."""
    until = time.monotonic() + 30
    while not any(path.stat().st_size for path in left_over(folder)):
        assert time.monotonic() < until, "nothing is written"
        time.sleep(0.01)


MANY = """
import sys, time
from pathlib import Path
from sectigo_iot import IoTManager, MemoryTokenStore, Settings
with IoTManager(Settings(token_store=MemoryTokenStore())) as client:
    for _ in range(int(sys.argv[2])):
        client.download(24, sys.argv[1], replace=True)
"""


@contextlib.contextmanager
def watched(target: Path, wanted: bytes) -> Iterator[list[bool]]:
    """Look at the file again and again; gives whether it was whole at each look."""
    looks: list[bool] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            with contextlib.suppress(FileNotFoundError):
                looks.append(target.read_bytes() == wanted)
            time.sleep(0.001)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield looks
    finally:
        over.set()
        watcher.join()


def test_many_processes_at_once(places: Callable[[bool], Place]) -> None:
    made = archive(3, 2, last=100)
    new, place, many, times = whole(made), places(False), share(8, 4), share(100, 5)
    with StreamingService(made, pause=0.001) as service, watched(place.folder / "24.zip", new) as looks:
        processes = [
            subprocess.Popen([sys.executable, "-c", MANY, str(place.folder), str(times)], env=environ_of(service))
            for _ in range(many)
        ]
        codes = [process.wait(120) for process in processes]
    assert codes == [0] * many
    assert looks
    assert all(looks)
    place.check(new)
    what = f"whole at {sum(looks)} of {len(looks)} looks"
    figure("download", f"{len(codes)} processes of {times} downloads each of one batch: {what}")


def test_of_four_processes_one_makes_the_file(places: Callable[[bool], Place], sectigo: Runner, home: Path) -> None:
    made = archive(3, 2, last=100)
    place = places(False)
    with StreamingService(made, pause=0.005) as service:
        assert sectigo("download", "-i", "24", "-o", str(home), env=service.environ).code == 0
        words = command("download", "-i", "24", "-o", str(place.folder))
        processes = [
            subprocess.Popen(words, env=environ_of(service), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(4)
        ]
        codes = [process.wait(60) for process in processes]
    assert sorted(codes) == [0] + [2] * 3
    place.check(whole(made))
