"""What becomes of a batch: the lives that have names, those of a configuration, and what time does to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.config.lives import KNOWN
from tests.emulator.api import Api, refused
from tests.emulator.csrs import make_csr

DAY = 86400.0


class Player:
    """Orders and looks, at times of its own."""

    def __init__(self, emulator: Emulator) -> None:
        self.api = Api(emulator)
        self.control = emulator.control
        self._emulator = emulator

    def later(self, seconds: float) -> None:
        self.control.advance(seconds)
        self.api.session.headers["Authorization"] = f"Bearer {self._token()}"

    def _token(self) -> str:
        token: str = self.api.login(self._emulator.username, self._emulator.password).json()["accessToken"]
        return token

    def look(self, batch: int = 10000) -> tuple[str, str, tuple[int, int, int]]:
        """Return what detail, status call and processing info say."""
        info = self.api.get(f"/api/v1/batches/{batch}/processing_info").json()
        text = self.api.get(f"/api/v1/batches/{batch}/status").text
        return self.api.batch(batch)["status"], text, (info["active"], info["success"], info["failed"])


@contextmanager
def playing(*lives: dict[str, Any], **options: Any) -> Iterator[Player]:
    with Emulator(config={"lives": list(lives)}, clock=lambda: 1_800_000_000.0, **options) as emulator:
        player = Player(emulator)
        yield player
        player.api.session.close()


LAST = {
    "ready": ("READY_FOR_DOWNLOAD", "Ready for download", (0, 1, 0)),
    "rejected": ("REJECTED", "Not Acceptable. Status: REJECTED", (0, 0, 1)),
    "failed": ("FAILED", "Failed", (0, 0, 1)),
    "broken": ("BROKEN", "Not Acceptable. Status: BROKEN", (0, 0, 1)),
    "not-acceptable": ("NOT_ACCEPTABLE", "Not Acceptable. Status: NOT_ACCEPTABLE", (0, 0, 0)),
    "partly-issued": ("FAILED", "Failed", (0, 0, 1)),
    "unknown-status": ("READY_FOR_DOWNLOAD", "Ready for download", (0, 1, 0)),
    "disagreeing": ("COLLECTED", "Ready for download", (0, 1, 0)),
    "zero-counts": ("READY_FOR_DOWNLOAD", "Ready for download", (0, 1, 0)),
    "stuck": ("PROCESSING", "Processing", (1, 0, 0)),
    "revoked": ("REVOKED", "Not Acceptable. Status: REVOKED", (0, 1, 0)),
    "removed": ("REMOVED_AFTER_EXPIRATION", "Not Acceptable. Status: REMOVED_AFTER_EXPIRATION", (0, 1, 0)),
}


def test_each_life_that_is_known_has_its_end() -> None:
    assert set(LAST) == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_where_a_life_ends(name: str) -> None:
    with playing({"like": name}, delay=10) as player:
        fresh = player.api.order().json()
        assert (fresh["status"], fresh["downloadable"], fresh["active"]) == ("CREATED", True, False)
        assert player.look()[2] == (0, 0, 0)
        player.later(100)
        assert player.look() == LAST[name]
        reason = player.api.batch(10000)["rejectReason"]
        assert bool(reason) == (name in ("rejected", "broken"))


def test_a_batch_that_is_issued_in_part() -> None:
    with playing({"like": "partly-issued"}) as player:
        names = [f"{letter}.example.com" for letter in "abc"]
        player.api.upload(b"".join(make_csr(name, name) for name in names))
        player.later(10)
        assert player.look() == ("READY_FOR_DOWNLOAD", "Ready for download", (0, 2, 1))
        assert list(player.api.files(10000)) == ["a.example.com.pem", "b.example.com.pem"]
        assert player.api.find(commonName="c.example.com").json()["totalCount"] == 0


def test_detail_text_and_counts_disagree_for_a_while() -> None:
    with playing({"like": "disagreeing"}, delay=8) as player:
        player.api.order()
        seen = []
        for _ in range(5):
            seen.append(player.look())
            player.later(2)
    assert seen == [
        ("CREATED", "Not Acceptable. Status: CREATED", (0, 0, 0)),
        ("", "Processing", (0, 0, 0)),
        ("READY_FOR_DOWNLOAD", "Processing", (1, 0, 0)),
        ("COLLECTED", "Ready for download", (1, 0, 0)),
        ("COLLECTED", "Ready for download", (0, 1, 0)),
    ]


def test_nothing_is_downloaded_before_it_is_issued() -> None:
    with playing({"like": "disagreeing"}, delay=8) as player:
        player.api.order()
        player.later(6)
        refused(player.api.get("/api/v1/batches/10000/download"), 400, "COLLECTED")
        player.later(2)
        assert player.api.files(10000)


def test_a_status_that_nobody_has_heard_of() -> None:
    steps = [
        {"status": "CREATED"},
        {"status": "ON_THE_MOON", "after": 5, "text": "One small step", "info": [7, 8, 9]},
    ]
    with playing({"steps": steps}) as player:
        player.api.order()
        player.later(5)
        assert player.look() == ("ON_THE_MOON", "One small step", (7, 8, 9))


def test_lives_are_for_the_batches_that_they_fit() -> None:
    with playing({"match": "bad*", "like": "rejected"}, {"like": "failed", "times": 1}) as player:
        for name in ("BAD one", "first", "second", "bad two"):
            player.api.order(name=name)
        player.later(10)
        assert [player.look(number)[0] for number in range(10000, 10004)] == [
            *("REJECTED", "FAILED", "READY_FOR_DOWNLOAD", "REJECTED"),
        ]


def statuses(seed: int) -> list[str]:
    with playing({"like": "failed", "percent": 40}, seed=seed) as player:
        for _ in range(40):
            player.api.order()
        player.later(10)
        return [player.look(number)[0] for number in range(10000, 10040)]


def test_chance_is_drawn_from_the_seed() -> None:
    first, again, other = statuses(1), statuses(1), statuses(2)
    assert first == again != other
    counts = Counter(first + other)
    assert 15 < counts["FAILED"] < 49 and set(counts) == {"FAILED", "READY_FOR_DOWNLOAD"}


def test_days_to_live_pass() -> None:
    with playing() as player:
        player.api.order()
        assert player.api.files(10000)
        player.later(30 * DAY - 1)
        assert player.look()[0] == "COLLECTED"
        player.later(1)
        assert player.look()[0] == "REMOVED_AFTER_EXPIRATION"
        refused(player.api.get("/api/v1/batches/10000/download"), 400, "REMOVED_AFTER_EXPIRATION")
        assert player.api.find(commonName="example.com").json()["items"][0]["status"] == "REMOVED_AFTER_EXPIRATION"


def test_an_upload_begins_as_pending() -> None:
    with playing({"like": "stuck"}) as player:
        request = make_csr("a.example.com", "a.example.com")
        assert (player.api.upload(request).json()["status"], player.api.batch(10000)["status"]) == (
            "PENDING",
            "PENDING",
        )


def test_a_broken_request_breaks_it_when_the_time_has_come() -> None:
    with playing(delay=10) as player:
        player.api.upload(make_csr("a.example.com"))
        player.later(5)
        assert player.look()[0] == "PROCESSING"
        assert player.api.get("/api/v1/authorities/423/balanceavailable").json() == 99
        player.later(6)
        end = player.look()
        assert end == ("BROKEN", "Not Acceptable. Status: BROKEN", (0, 0, 1))
        assert "dNSName" in player.api.batch(10000)["rejectReason"]
        assert player.api.get("/api/v1/authorities/423/balanceavailable").json() == 100


def test_what_is_removed_or_revoked_cannot_be_downloaded() -> None:
    for life, status in (("removed", "REMOVED_AFTER_EXPIRATION"), ("revoked", "REVOKED")):
        with playing({"like": life}, delay=10) as player:
            player.api.order()
            player.later(10)
            assert player.api.files(10000)
            player.later(10)
            refused(player.api.get("/api/v1/batches/10000/download"), 400, status)
            assert player.api.find(commonName="example.com").json()["items"][0]["status"] == status


def test_a_refused_order_leaves_the_life_to_the_next() -> None:
    with playing({"like": "failed", "times": 1}) as player:
        player.control.next_life("rejected")
        player.control.set_balance(423, 0)
        for _ in range(2):
            refused(player.api.order(), 400, "balance")
        assert len(player.control.lives()["queued"]) == 1
        player.control.set_balance(423, 2)
        player.api.order()
        player.control.set_balance(423, 0)
        refused(player.api.order(), 400, "balance")
        player.control.set_balance(423, 1)
        player.api.order()
        player.later(10)
        assert [player.look(number)[0] for number in (10000, 10001)] == ["REJECTED", "FAILED"]


def test_a_batch_that_fails_on_its_way_to_ready_is_paid_for() -> None:
    steps = [
        {"status": "CREATED"},
        {"status": "FAILED", "after": 5},
        {"status": "READY_FOR_DOWNLOAD", "after": 10},
    ]
    with playing({"steps": steps}, balances={423: 1}) as player:
        player.api.order()
        for seconds, status in ((5, "FAILED"), (5, "READY_FOR_DOWNLOAD")):
            player.later(seconds)
            assert player.look()[0] == status
            assert player.api.get("/api/v1/authorities/423/balanceavailable").json() == 0


def test_a_life_that_revokes_revokes_the_certificate() -> None:
    with playing({"like": "revoked"}, delay=10) as player:
        player.api.order()
        player.later(20)
        assert [each["status"] for each in player.control.certificates()] == ["revoked"]
