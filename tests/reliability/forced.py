"""Every error of the library's tree, forced once or more, with secrets as near to it as they come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sectigo_iot import (
    Credentials,
    Exchange,
    FileTokenStore,
    IoTManager,
    MemoryTokenStore,
    TokenPair,
    remember_login,
    write_private,
)
from sectigo_iot.orders import OrderBook, OrderRequest
from sectigo_iot.pki import read_requests
from tests.conftest import MemoryKeyring
from tests.reliability.parrots import CALLS, FROM_FILE, GIVEN, LOGIN, parrot
from tests.unit.lying_server import (
    BATCH,
    HANG,
    PARAMS,
    RESET,
    Answer,
    answer,
    closed_port,
    json_answer,
    jwt,
    lies,
    settings_at,
    token,
)

NOWHERE = "http://127.0.0.1:1"
Observer = Callable[[Exchange], None]
Force = Callable[[Path, Observer], object]
ORDERED = OrderRequest(names=("vasp.example.com",))


def asking(call: str, *answers: Answer, **changes: Any) -> Force:
    """Make one call to a server that answers so; of a log-in and a refresh it is their own answer."""

    def force(_: Path, observe: Observer) -> object:
        own = {"log in": "login", "refresh": "refresh"}.get(call)
        settings = {"password": LOGIN, "observer": observe, **({own: answers[0]} if own else {}), **changes}
        with lies(*answers, **settings) as (_server, client):
            if call == "refresh":
                client.authenticate()
            return CALLS[call](client)

    return force


def alone(act: Callable[[IoTManager], object] = CALLS["read"], **changes: Any) -> Force:
    """Have a client do what sends nothing."""

    def force(_: Path, observe: Observer) -> object:
        values = {"password": LOGIN, "observer": observe, "endpoint": NOWHERE, **changes}
        with IoTManager(settings_at(values.pop("endpoint"), **values)) as client:
            return act(client)

    return force


def ordering(**params: str) -> Callable[[IoTManager], object]:
    return lambda client: client.create_single_cert_batch(423, "first", {**PARAMS, **params})


def waiting(status: str, active: int, seconds: float) -> Force:
    """Wait for a batch whose detail names the password that opens it."""
    answers = {
        "processing_info": json_answer({"active": active, "success": 0, "failed": 0}),
        "status": answer(200, f"Not Acceptable. Status: {status}", "text/plain"),
        "24": json_answer({**BATCH, "status": status, "generatorParametersValues": {"pkcs12Password": GIVEN}}),
    }

    def force(_: Path, observe: Observer) -> object:
        with lies(lambda seen: answers[seen.path.rpartition("/")[2]], password=LOGIN, observer=observe) as (
            _server,
            client,
        ):
            return client.wait(24, timeout=seconds)

    return force


def pair(access: str, refresh: str) -> Force:
    return lambda *_: TokenPair(access, refresh, 0.0)


def credentials(username: str | None, password: str | None) -> Credentials:
    return Credentials(NOWHERE, username, password, None, MemoryTokenStore(), lambda: 0.0)


def of_two_users(folder: Path, _: Observer) -> object:
    store = FileTokenStore(folder)
    for user in ("jane", "joan"):
        store.save(NOWHERE, user, TokenPair(token(), token(), 0.0))
    with IoTManager(settings_at(NOWHERE, username=None, password=None, token_store=store)) as client:
        return client.licenses_used()


def over_another_file(folder: Path, _: Observer) -> object:
    return [write_private(folder / "there", LOGIN.encode()) for _ in range(2)]


def key_for_a_request(*_: object) -> object:
    key = ec.generate_private_key(ec.SECP256R1())
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return read_requests(pem + GIVEN.encode())


class RefusingKeyring(MemoryKeyring):
    """A keyring that says what it was given."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.PasswordSetError(f"{username}: {password}")


def with_a_book(act: Callable[[OrderBook], object]) -> Force:
    """Have an order book do something; an order with a password stands in it."""

    def force(folder: Path, _: Observer) -> object:
        with OrderBook(folder / "orders.sqlite3") as book:
            book.place("a", ORDERED, password=GIVEN)
            return act(book)

    return force


def in_no_book(folder: Path, _: Observer) -> object:
    """Open a book that is none, and holds a password."""
    (folder / "orders.sqlite3").write_text(f"{GIVEN}\n" * 999)
    return OrderBook(folder / "orders.sqlite3")


def into_a_refusing_keyring(*_: object) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(RefusingKeyring())
    try:
        remember_login(NOWHERE, "jane", LOGIN)
    finally:
        keyring.set_keyring(before)


FORCED: dict[str, Force] = {
    "SectigoError": into_a_refusing_keyring,
    "OrderBookError": in_no_book,
    "LeaseLostError": with_a_book(lambda book: book.claim("worker", seconds=0)[0].check(60)),
    "OrderNotFoundError": with_a_book(lambda book: book.get("b")),
    "OrderConflictError": with_a_book(lambda book: book.place("a", ORDERED, password=FROM_FILE)),
    "ConfigError": alone(timeout=-1.0),
    "ConfigError, a password in the endpoint": alone(endpoint=f"http://jane:{GIVEN}@127.0.0.1"),
    "ForbiddenHostError": alone(endpoint="https://iot.example.com"),
    "InvalidInputError": alone(lambda client: client.create_single_cert_batch(423, " ", {"pkcs12Password": GIVEN})),
    "UnknownReasonError": alone(lambda client: client.revoke_certificate(17, "superseeded", "AB")),
    "InvalidRequestError": key_for_a_request,
    "PKCSPasswordRequiredError": alone(ordering(pkcs12Password="", other=GIVEN)),
    "TargetExistsError": over_another_file,
    "NotAuthenticatedError": lambda *_: credentials("jane", LOGIN).dump(),
    "NoCredentialsError": lambda *_: credentials(None, None).check(),
    "CredentialsMismatchError": lambda *_: credentials(None, LOGIN).check(),
    "CredentialsMismatchError, by a client": alone(username=None),
    "TokensMismatchError": pair(FROM_FILE, ""),
    "TokensExpiredError": alone(lambda client: client.refresh()),
    "InvalidClaimsError": pair(jwt({"secret": FROM_FILE}), GIVEN),
    "InvalidClaimsError, of a log-in": asking("log in", json_answer({"accessToken": LOGIN, "refreshToken": GIVEN})),
    "AmbiguousUserError": of_two_users,
    "MustUseTLSAuthError": asking("log in", parrot("elsewhere", "as it is", 307)),
    "APIError": asking("order", parrot("message", "as it is", 400)),
    "APIError, of a page": asking("order", parrot("page", "as it is", 400)),
    "InvalidCredentialsError": asking("log in", parrot("text", "as it is", 401)),
    "InvalidCredentialsError, of a token": asking("read", parrot("message", "as it is", 401)),
    "NotAuthorizedError": asking("log in", parrot("message", "as it is", 403)),
    "NotFoundError": asking("fetch", parrot("message", "as it is", 404)),
    "NotImplementedByServiceError": asking("order", parrot("error", "as it is", 501)),
    "TransportError": asking("read", parrot("cut", "as it is", 200)),
    "UnreachableError": alone(endpoint=f"http://127.0.0.1:{closed_port()}"),
    "UnreachableError, of a proxy": alone(endpoint="http://iot.example.com", environment="staging"),
    "DeadlineError": asking("read", HANG, timeout=0.3),
    "RedirectError": asking("read", parrot("elsewhere", "as it is", 302)),
    "RedirectError, in a circle": asking("read", answer(302, Location="/again")),
    "InvalidReplyError": asking("read", parrot("type", "as it is", 200)),
    "InvalidReplyError, no HTTP": asking("log in", parrot("fields", "as it is", 200)),
    "OutcomeUnknownError": asking("order", RESET),
    "OutcomeUnknownError, of words": asking("order", parrot("message", "as it is", 500)),
    "NotReadyError": waiting("PROCESSING", 1, 3),
    "BatchFailedError": waiting("REJECTED", 0, 3),
    "BundleError": asking("fetch", parrot("disposition", "as it is", 200)),
}
"""How each is forced; what stands after a comma says how else. `home` and the proxy variables are the test's."""
