"""The whole examination, in the order in which it is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sectigo_iot.doctor.account import Account, known_user
from sectigo_iot.doctor.client_certificate import examine_client_certificate
from sectigo_iot.doctor.findings import Finding, Health, unchecked
from sectigo_iot.doctor.network import Network
from sectigo_iot.doctor.places import examine_cache, examine_keyring
from sectigo_iot.tokencache import FileTokenStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sectigo_iot.config import Settings


def examine(settings: Settings, *, clock: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Check what stands between this machine and an order, and give a finding for each step as it is taken.

    The checks are `clock`, `dns`, `tcp`, `tls`, `http`, `proxy`, `environment`, `cache`, `keyring`, `client
    certificate` (where the settings name one), `credentials`, `role` and `balance`. Nothing is sent to a host that
    the environment forbids; no password is sent where no IoT Manager seems to answer, and none that was refused. A
    log-in happens where there is no session, and nothing else changes: no order is placed, and nothing is spent. Each
    step is over within ten seconds, or `Settings.timeout` where that is less; only for another process that is just
    logging the same user in it waits longer, and for whoever is prompted.

    `clock` gives epoch seconds. It raises nothing of its own: what is wrong is a finding, with the error that the
    client would raise.
    """
    network = Network(settings, clock)
    yield from network.findings
    store = settings.token_store or FileTokenStore()
    yield examine_cache(store)
    yield examine_keyring(settings, known_user(settings, store))
    certificate = examine_client_certificate(settings, clock)
    if certificate is not None:
        yield certificate
    missing = network.missing
    if certificate is not None and certificate.health is Health.WRONG:
        missing = missing or "the client certificate is of no use"
    if missing:
        yield from (unchecked(check, missing) for check in ("credentials", "role", "balance"))
    else:
        yield from Account(settings, store, clock).examine()
