"""Work spread over processes: in order, with its errors, and nobody left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from sectigo_iot.pki.processes import processors, spread
from tests.packages import PYTHONPATH

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def found_by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let other processes find the functions of this module, behind the packages that are under test."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])


def doubled(number: int) -> int:
    """Refuse 13."""
    if number == 13:
        raise ValueError("thirteen")
    return 2 * number


def whose(_: int) -> int:
    """Tell which process works."""
    time.sleep(0.05)
    return os.getpid()


def killed(_: int) -> None:
    """End as a process does for which there is no memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def blocked(_: int) -> bool:
    """Tell whether Ctrl-C was off already when the process began."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_ctrl_c_does_not_strike_a_process_that_begins() -> None:
    assert list(spread(blocked, range(2), processes=2)) == [True, True]
    assert not blocked(0)


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order(processes: int) -> None:
    assert list(spread(doubled, range(12), processes=processes)) == [2 * number for number in range(12)]


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_comes_at_its_place(processes: int) -> None:
    results = spread(doubled, range(12, 16), processes=processes)
    assert next(results) == 24
    with pytest.raises(ValueError, match="thirteen"):
        next(results)


def test_one_process_is_this_one_and_two_are_others() -> None:
    assert set(spread(whose, range(3), processes=1)) == {os.getpid()}
    others = set(spread(whose, range(8), processes=2))
    assert len(others) == 2
    assert os.getpid() not in others
    assert not any(map(alive, others))


def test_only_a_few_pieces_are_taken_ahead() -> None:
    taken = count(14)
    with contextlib.closing(spread(doubled, taken, processes=2)) as results:
        assert next(results) == 28
    assert next(taken) < 24


def test_a_process_that_is_killed_is_told() -> None:
    with pytest.raises(ChildProcessError, match="was killed"):
        list(spread(killed, range(3), processes=2))


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_nobody_outlives_the_parent(ending: signal.Signals, tmp_path: Path) -> None:
    script = (
        "import time\nfrom sectigo_iot.pki.processes import spread\nfrom tests.unit.pki.test_processes import whose\n"
        "if __name__ == '__main__':\n"
        "    for pid in spread(whose, range(10_000), processes=2):\n        print(pid, flush=True)\n"
    )
    (tmp_path / "program.py").write_text(script)
    environ = {**os.environ, "PYTHONPATH": f"{PYTHONPATH}{os.pathsep}{ROOT}"}
    command = [sys.executable, str(tmp_path / "program.py")]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as program:
        assert program.stdout is not None
        workers = {int(program.stdout.readline()) for _ in range(6)}
        if ending is signal.SIGINT:
            os.killpg(program.pid, ending)
        else:
            program.kill()
        program.wait(10)
    patience = time.monotonic() + 10
    while any(map(alive, workers)) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not any(map(alive, workers))


def test_there_is_a_processor() -> None:
    assert processors() >= 1
