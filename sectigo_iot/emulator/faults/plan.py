"""Which fault strikes which call: decided by rules, one-shots and a seed, and so repeated exactly."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.faults.table import calls_of
from sectigo_iot.endpoints import ENDPOINTS

_WHOLE = 1 << 64


class Standing(Struct, kw_only=True):
    """A rule of a plan, and how often it was looked at."""

    rule: Rule
    number: int
    """Which of the rules, or of the one-shots, that the plan was ever given, counted from 0."""
    fits: int = 0
    """The calls so far that fit it."""
    strikes: int = 0
    """How many of them it struck."""
    queued: bool = False
    """Whether it is a one-shot."""


class Counts(Struct, frozen=True, kw_only=True):
    """Where a plan stands: enough to go on from there, as JSON if need be."""

    calls: dict[str, int]
    """How often each endpoint was called."""
    rules: list[Standing]
    queue: list[Standing]
    given: tuple[int, int]
    """How many rules and one-shots the plan was ever given."""


class Plan:
    """Chooses the fault for each call. The rules are taken to make sense; nothing here is for several threads.

    What strikes depends on the seed, on the number of the rule, on the endpoint and on how often that one was
    called, and so not on how calls of several endpoints are interleaved.
    """

    def __init__(self, seed: int, rules: Iterable[Rule] = ()) -> None:
        self.seed = seed
        self._calls: Counter[str] = Counter()
        self._rules: list[Standing] = []
        self._queue: list[Standing] = []
        self._given = [0, 0]
        for rule in rules:
            self.add(rule)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are asked."""
        return tuple(each.rule for each in self._rules)

    @property
    def queued(self) -> tuple[Rule, ...]:
        """The one-shots that wait for their call."""
        return tuple(each.rule for each in self._queue)

    def add(self, rule: Rule) -> None:
        """Ask one more rule, after all others."""
        self._rules.append(Standing(rule=rule, number=self._next(0)))

    def remove(self, index: int) -> None:
        """Ask the rule at this place among `rules` no more. Raises IndexError where there is none."""
        if not 0 <= index < len(self._rules):
            raise IndexError(f"there is no rule {index}")
        del self._rules[index]

    def queue(self, rule: Rule) -> None:
        """Let a rule strike once, or as often as its `times` says, before all others; then it is gone."""
        rule = replace(rule, times=1) if rule.times is None else rule
        self._queue.append(Standing(rule=rule, number=self._next(1), queued=True))

    def clear(self) -> None:
        """Forget the rules, the one-shots and every count, as if the plan were new and empty."""
        self._calls.clear()
        self._rules, self._queue, self._given = [], [], [0, 0]

    def choose(self, call: str, method: str) -> Rule | None:
        """Return the rule that strikes this call of an endpoint, or None. To be asked once for each request.

        A path that is no endpoint, and a method that the endpoint does not have, are never struck.
        """
        endpoint = ENDPOINTS.get(call)
        if endpoint is None or endpoint.method not in (None, method):
            return None
        self._calls[call] += 1
        if not (self._rules or self._queue):
            return None
        fitting = [each for each in itertools.chain(self._queue, self._rules) if call in calls_of(each.rule)]
        for each in fitting:
            each.fits += 1
        chosen = next((each for each in fitting if self._strikes(each, call)), None)
        return None if chosen is None else self._struck(chosen)

    def draws(self, call: str) -> Callable[[], float]:
        """Return what draws the numbers that the fault needs which struck an endpoint's latest call."""
        latest, numbers = self._calls[call], itertools.count()
        return lambda: self.fraction("draw", call, latest, next(numbers))

    def fraction(self, *key: object) -> float:
        """Return a number from 0 up to 1 that depends on the seed and the key alone."""
        text = repr((self.seed, *key)).encode("utf-8", "backslashreplace")
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / _WHOLE

    def counts(self) -> Counts:
        """Return where the plan stands, its rules and one-shots included."""
        return Counts(
            calls=dict(self._calls),
            rules=list(map(replace, self._rules)),
            queue=list(map(replace, self._queue)),
            given=(self._given[0], self._given[1]),
        )

    def restore(self, counts: Counts) -> None:
        """Go back to where the plan stood."""
        self._calls = Counter(counts.calls)
        self._rules = list(map(replace, counts.rules))
        self._queue = list(map(replace, counts.queue))
        self._given = list(counts.given)

    def _next(self, kind: int) -> int:
        self._given[kind] += 1
        return self._given[kind] - 1

    def _strikes(self, standing: Standing, call: str) -> bool:
        rule = standing.rule
        if rule.times is not None and standing.strikes >= rule.times:
            return False
        if rule.nth:
            return standing.fits in rule.nth
        if rule.percent is None:
            return True
        drawn = self.fraction(standing.queued, standing.number, call, self._calls[call])
        return drawn * 100 < rule.percent

    def _struck(self, standing: Standing) -> Rule:
        standing.strikes += 1
        self._queue = [each for each in self._queue if each.strikes < (each.rule.times or 1)]
        return standing.rule
