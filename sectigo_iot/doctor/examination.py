"""The whole examination, in the order in which it is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sectigo_iot.doctor.account import Account, known_user
from sectigo_iot.doctor.client_certificate import examine_client_certificate
from sectigo_iot.doctor.findings import Finding, Health, unchecked, wrong
from sectigo_iot.doctor.network import Network
from sectigo_iot.doctor.places import examine_cache, examine_keyring
from sectigo_iot.errors import CredentialsMismatchError, NoCredentialsError, NotAuthenticatedError
from sectigo_iot.tokencache import FileTokenStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sectigo_iot.config import Settings
    from sectigo_iot.errors import SectigoError

_LACKING = (NoCredentialsError, CredentialsMismatchError)


def examine(settings: Settings, *, clock: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Check what stands between this machine and an order, and give a finding for each step as it is taken.

    The checks are `clock`, `dns`, `tcp`, `tls`, `http`, `proxy`, `environment`, `cache`, `keyring`, `client
    certificate` (where the settings name one), `credentials`, `role` and `balance`. Nothing is sent to a host that
    the environment forbids; no password is sent where no IoT Manager seems to answer, and none that was refused. A
    log-in happens where there is no session, and nothing else changes: no order is placed, and nothing is spent. Each
    step spends ten seconds on the network at the most, with all its requests, or `Settings.timeout` where that is
    less. Beside that it waits two seconds for a keyring that hangs, for another process that is just logging the same
    user in, and for whoever is prompted.

    `clock` gives epoch seconds. It raises nothing of its own: what is wrong is a finding, with the error that the
    client would raise.
    """
    network = Network(settings, clock)
    yield from network.findings
    store = settings.token_store or FileTokenStore()
    yield examine_cache(store)
    user = known_user(settings, store)
    keyring = examine_keyring(settings, user if isinstance(user, str) else None)
    yield keyring
    certificate = examine_client_certificate(settings, clock)
    if certificate is not None:
        yield certificate
    missing = network.missing
    if certificate is not None and certificate.health is Health.WRONG:
        missing = missing or "the client certificate is of no use"
    if missing:
        yield _login_unseen(settings, user, missing)
        yield from (unchecked(check, missing) for check in ("role", "balance"))
    else:
        account = Account(settings, store, clock).examine()
        yield from (_minding(keyring, each) for each in account)


def _login_unseen(settings: Settings, user: str | SectigoError, missing: str) -> Finding:
    """Return what is seen of the credentials without the service: that there are none, and nobody to be asked."""
    if isinstance(user, NotAuthenticatedError) and settings.prompt is None:
        return wrong("credentials", user)
    return unchecked("credentials", missing)


def _minding(keyring: Finding, finding: Finding) -> Finding:
    """Return a finding that names the keyring, too, where a password may be in there that could not be had."""
    if keyring.health is Health.ATTENTION and isinstance(finding.error, _LACKING):
        return finding._replace(hint=f"{keyring.facts}: {keyring.hint}; or {finding.hint}")
    return finding
