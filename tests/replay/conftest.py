"""Running the real command against a recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Result, Runner
from tests.replay.cassettes import player

Replay = Callable[..., list[Result]]


@pytest.fixture
def replay(sectigo: Runner) -> Replay:
    """Type some lines while one cassette plays: `replay(path, [("auth",)], environ)`; all of it must be played.

    `after` is called after each line.
    """

    def run(
        path: Path,
        lines: list[tuple[str, ...]],
        environ: dict[str, str],
        after: Callable[[], None] = lambda: None,
    ) -> list[Result]:
        cassette: Any
        results = []
        with player().use_cassette(str(path)) as cassette:
            for words in lines:
                results.append(sectigo(*words, env=environ))
                after()
        unplayed = [
            f"{request.method} {request.path}"
            for index, request in enumerate(cassette.requests)
            if not cassette.play_counts[index]
        ]
        assert cassette.all_played and not unplayed, f"not played: {', '.join(unplayed)}; {results}"
        return results

    return run
