"""Patterns of somebody else's are tried in a process that can be ended, and is kept while it need not be."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from sectigo_iot.orders.steps.judging import Judge

NAMES = r"(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ENDLESS, LONG = r"([a-z0-9]+\.?)+", "a" * 60 + "!"


@pytest.fixture
def judge() -> Iterator[Judge]:
    made = Judge(seconds=30.0)
    yield made
    made.close()


def test_a_verdict_for_each(judge: Judge) -> None:
    pairs = [(NAMES, "www.example.com"), (NAMES, "*.*.example.com"), ("[a-z]+", "abc"), ("[a-z]+", "1"), ("(", "x")]
    assert judge.matches(pairs) == dict(zip(pairs, [True, False, True, False, None], strict=True))


def test_a_pattern_of_another_language_decides_nothing(judge: Judge) -> None:
    for pattern in ("/^a$/", "([a-z&&[^x]])*", "(a" * 500):
        assert judge.matches([(pattern, "a")]) == {(pattern, "a"): None}


def test_one_process_for_all_questions(judge: Judge) -> None:
    judge.matches([(NAMES, "a.example.com")])
    first = judge._child
    judge.matches([(NAMES, "b.example.com")])
    assert first is not None
    assert judge._child is first


def test_a_pattern_without_end_is_given_up_and_not_tried_again(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    assert judge.matches([(NAMES, "a.example.com")]) == {(NAMES, "a.example.com"): True}
    monkeypatch.setattr(judge, "_seconds", 1.0)
    begun = time.monotonic()
    assert judge.matches([(ENDLESS, LONG), (NAMES, "a.example.com")]) == {
        (ENDLESS, LONG): None,
        (NAMES, "a.example.com"): True,
    }
    assert time.monotonic() - begun < 3
    begun = time.monotonic()
    assert judge.matches([(ENDLESS, LONG + "!")]) == {(ENDLESS, LONG + "!"): None}
    assert time.monotonic() - begun < 0.25


def test_many_patterns_without_end_are_not_waited_for_one_after_the_other() -> None:
    judge = Judge(seconds=0.5)
    begun = time.monotonic()
    found = judge.matches([(f"([a-z0-9]+\\.?)+{number}", LONG) for number in range(12)])
    judge.close()
    assert set(found.values()) == {None}
    assert time.monotonic() - begun < 3.0


def test_a_process_that_was_killed_is_replaced(judge: Judge) -> None:
    judge.matches([(NAMES, "a.example.com")])
    assert judge._child is not None
    judge._child.kill()
    judge._child.wait()
    assert judge.matches([(NAMES, "b.example.com")]) == {(NAMES, "b.example.com"): True}


def test_a_forked_process_has_one_of_its_own(judge: Judge) -> None:
    judge.matches([(NAMES, "a.example.com")])
    mine = judge._child
    child = os.fork()
    if child == 0:
        answer = judge.matches([(NAMES, "b.example.com")])
        os._exit(0 if answer == {(NAMES, "b.example.com"): True} and judge._child is not mine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert judge.matches([(NAMES, "c.example.com")]) == {(NAMES, "c.example.com"): True}
    assert judge._child is mine
