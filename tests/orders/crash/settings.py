"""What is varied: who makes the key, what may be asked about an order whose outcome is unknown, a book old or new."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """One way in which orders are placed and workers are told what they may do.

    `own_key`: a signing request is sent, else the service makes the key. `use_list`: the list of batches is asked
    for, and the emulator has one. `probe`: so many batch ids above the last known one are looked at. `fresh`: the
    book, the secrets and the log-in begin with this very order. `careless`: whoever is asked says that the service
    does not have the order, without looking.
    """

    name: str
    own_key: bool
    use_list: bool = False
    probe: int = 0
    fresh: bool = False
    careless: bool = False

    @property
    def blind(self) -> bool:
        """Whether nothing may be asked that gives a batch id."""
        return not self.use_list and not self.probe


SETTINGS = (
    Setting("service's key, list", own_key=False, use_list=True),
    Setting("service's key, probing", own_key=False, probe=20),
    Setting("service's key, neither", own_key=False),
    Setting("own key, list", own_key=True, use_list=True),
    Setting("own key, probing", own_key=True, probe=20),
    Setting("own key, neither", own_key=True),
    Setting("new book, list", own_key=False, use_list=True, fresh=True),
)
