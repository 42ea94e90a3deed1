"""Whoever uses the library sees its types, through the names that are handed on lazily as well."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packages import INSTALLED

ROOT = Path(__file__).parents[2]

RIGHT = """
from sectigo_iot import Batch, IoTManager, MemoryTokenStore, Settings, TokenStore
from sectigo_iot.pki import IssuedCertificate, open_bundle

store: TokenStore = MemoryTokenStore()
with IoTManager(Settings("jane", "x", token_store=store)) as client:
    batch: Batch = client.batch_detail(24)
    status: str = batch.status
    issued: tuple[IssuedCertificate, ...] = open_bundle(client.download_bytes(batch))
"""

WRONG = """
import sectigo_iot
from sectigo_iot import Settings, no_such_name

Settings(username=1)
sectigo_iot.neither_this()
"""


def mypy(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "consumer.py").write_text(text)
    cache = Path(os.environ.get("MYPY_CACHE_DIR", ROOT / ".mypy_cache")) / "consumer"
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, "consumer.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": "" if INSTALLED else str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_right_use_is_accepted(tmp_path: Path) -> None:
    done = mypy(RIGHT, tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("complaint", ["no_such_name", "neither_this", 'incompatible type "int"'])
def test_wrong_use_is_refused(tmp_path: Path, complaint: str) -> None:
    assert complaint in mypy(WRONG, tmp_path).stdout
