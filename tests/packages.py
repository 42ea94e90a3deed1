"""Where the packages under test are: in the checkout, or, under `pytest -o pythonpath=`, where they are installed."""

import os
from pathlib import Path

import sectigo_cli
import sectigo_iot

ROOT = Path(__file__).parents[1]
FOLDERS = [str(Path(str(package.__file__)).parents[1]) for package in (sectigo_cli, sectigo_iot)]
PYTHONPATH = os.pathsep.join(dict.fromkeys(FOLDERS))
"""For a process of its own, that it may find the same."""
INSTALLED = str(ROOT) not in FOLDERS
