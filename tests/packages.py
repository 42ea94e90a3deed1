"""Where the packages under test are: in the checkout, or, under `pytest -o pythonpath=`, where they are installed."""

import os
import subprocess
import sys
from pathlib import Path

import sectigo_cli
import sectigo_iot

ROOT = Path(__file__).parents[1]
FOLDERS = [str(Path(str(package.__file__)).parents[1]) for package in (sectigo_cli, sectigo_iot)]
PYTHONPATH = os.pathsep.join(dict.fromkeys(FOLDERS))
"""For a process of its own, that it may find the same."""
INSTALLED = str(ROOT) not in FOLDERS


def run_program(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python of its own, which finds the packages under test."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
