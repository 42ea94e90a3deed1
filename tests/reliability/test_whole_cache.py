"""Readers never see half a cache: processes that write tokens again and again, beside others that look at them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from sectigo_iot import FileTokenStore, IoTManager
from sectigo_iot.emulator import Emulator
from tests.conftest import settings_for
from tests.reliability.figures import figure, share

WRITERS, READERS, CALLERS = 4, 2, 1
WRITES, READS = share(1_000, 100), share(2_000, 200)

_WRITER = """
import itertools, json, os, select, sys, time
from sectigo_iot import FileTokenStore, TokenPair
endpoint, pairs, least = json.loads(sys.stdin.readline())
store = FileTokenStore()
for number in itertools.count(1):
    store.save(endpoint, "tester", TokenPair(*pairs[number % len(pairs)], time.time()))
    if number >= least and select.select([sys.stdin], [], [], 0)[0]:
        break
print(number)
"""
_READER = """
import collections, contextlib, io, json, sys
from sectigo_cli.main import main
words, times = json.loads(sys.stdin.readline())
seen = collections.Counter()
for _ in range(times):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(words)
    seen[str(code) + " " + out.getvalue().partition(" until")[0] + ("" if words[1:] else err.getvalue())] += 1
print(json.dumps(seen))
"""


def started(script: str, work: object, service: Emulator) -> subprocess.Popen[str]:
    env = {**os.environ, **service.environ}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", script], env=env, text=True, **pipes)  # type: ignore[call-overload]
    process.stdin.write(json.dumps(work) + "\n")
    process.stdin.flush()
    assert isinstance(process, subprocess.Popen)
    return process


def result(process: subprocess.Popen[str]) -> Any:
    out, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (0, "")
    return json.loads(out)


def two_sessions(service: Emulator) -> list[tuple[str, str]]:
    """Log in twice, the first time with the store that the commands use."""
    pairs = []
    with IoTManager(settings_for(service, token_store=FileTokenStore())) as client:
        for _ in range(2):
            pair = client.authenticate()
            pairs.append((pair.access_token, pair.refresh_token))
    return pairs


def test_whoever_looks_while_others_write_sees_a_whole_session(emulator: Emulator, home: Path) -> None:
    pairs = two_sessions(emulator)
    emulator.control.clear_journal()
    writers = [started(_WRITER, [emulator.url, pairs, WRITES], emulator) for _ in range(WRITERS)]
    looks = READS // READERS
    readers = [started(_READER, [["auth", "--debug"], looks], emulator) for _ in range(READERS)]
    callers = [started(_READER, [["licenses"], READS // 10], emulator) for _ in range(CALLERS)]
    seen = sum((Counter(result(reader)) for reader in readers), Counter[str]())
    called = sum((Counter(result(caller)) for caller in callers), Counter[str]())
    written = [result(writer) for writer in writers]
    whole, answer = "0 credentials are valid", json.dumps({"ordered": 1000, "issued": 0}, indent=2)
    assert seen == {whole: looks * READERS}
    assert called == {f"0 {answer}\n": READS // 10 * CALLERS}
    assert min(written) >= WRITES
    asked = Counter(str(each["call"]) for each in emulator.control.journal())
    assert set(asked) == {"devices"}
    left = {path.suffix for path in (home / ".cache" / "sectigo-iot").iterdir()}
    assert left <= {".json", ".lock"}
    figure(
        "whole-cache",
        f"{len(written)} writers with {min(written)} writes or more, {seen.total()} looks and {called.total()} "
        f"calls: {seen.total() - seen[whole]} false, {asked['authenticate']} log-ins",
    )
