"""The Go package's errors and words, each under its name here: in one tree, and raised where it is due."""

from __future__ import annotations

import inspect

import pytest

import sectigo_iot
from sectigo_iot import (
    APIError,
    BatchStatus,
    ConfigError,
    CredentialsMismatchError,
    CRLReason,
    ForbiddenHostError,
    InvalidClaimsError,
    InvalidCredentialsError,
    IoTManager,
    MustUseTLSAuthError,
    NoCredentialsError,
    NotAuthenticatedError,
    NotAuthorizedError,
    Param,
    PKCSPasswordRequiredError,
    SectigoError,
    Settings,
    TokensExpiredError,
    TokensMismatchError,
    UnknownReasonError,
    revoke_reason_code,
)
from tests.unit.lying_server import PARAMS, answer, json_answer, jwt, lies, settings_at, token, tokens

ERRORS = {
    "ErrNotAuthenticated": NotAuthenticatedError,
    "ErrCredentialsMismatch": CredentialsMismatchError,
    "ErrTokensMismatch": TokensMismatchError,
    "ErrNoCredentials": NoCredentialsError,
    "ErrInvalidCredentials": InvalidCredentialsError,
    "ErrNotAuthorized": NotAuthorizedError,
    "ErrTokensExpired": TokensExpiredError,
    "ErrInvalidClaims": InvalidClaimsError,
    "ErrMustUseTLSAuth": MustUseTLSAuthError,
    "ErrPKCSPasswordRequired": PKCSPasswordRequiredError,
}


def test_the_errors_stand_in_one_tree_and_are_public() -> None:
    for error in ERRORS.values():
        assert issubclass(error, SectigoError)
        assert error.__name__ in sectigo_iot.__all__
    assert len(set(ERRORS.values())) == len(ERRORS)


@pytest.mark.parametrize(
    ("login", "error"),
    [
        (json_answer({}, 401), InvalidCredentialsError),
        (json_answer({}, 403), NotAuthorizedError),
        (answer(307, Location="https://login.example.com/auth/pwd"), MustUseTLSAuthError),
        (json_answer({**tokens(), "refreshToken": ""}), TokensMismatchError),
        (json_answer({"accessToken": jwt({"sub": "jane"}), "refreshToken": token()}), InvalidClaimsError),
    ],
    ids=["401", "403", "307", "half a pair", "no times"],
)
def test_a_refused_log_in_is_its_error(login: bytes, error: type[SectigoError]) -> None:
    with lies(json_answer({}), login=login) as (_, client), pytest.raises(error) as caught:
        client.authenticate()
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("username", "password", "error"),
    [
        (None, None, NoCredentialsError),
        ("jane", None, CredentialsMismatchError),
        (None, "secret", CredentialsMismatchError),
    ],
)
def test_a_log_in_that_is_incomplete_is_its_error(
    username: str | None, password: str | None, error: type[SectigoError]
) -> None:
    settings = settings_at("http://iot.example.com", username=username, password=password, environment="staging")
    with IoTManager(settings) as client, pytest.raises(error) as caught:
        client.licenses_used()
    assert type(caught.value) is error


def test_a_session_that_is_missing_is_its_error() -> None:
    with lies(json_answer({})) as (server, client):
        with pytest.raises(TokensExpiredError):
            client.refresh()
        with pytest.raises(NotAuthenticatedError) as caught:
            client.creds.dump()
        assert type(caught.value) is NotAuthenticatedError
        with pytest.raises(PKCSPasswordRequiredError):
            client.create_single_cert_batch(423, "first", {**PARAMS, "pkcs12Password": ""})
        assert server.seen == []


def test_an_api_error_has_the_fields_of_the_go_one() -> None:
    assert tuple(inspect.signature(APIError).parameters)[:4] == ("status", "message", "error_code", "timestamp")
    sent = {"status": 400, "message": "not that way", "errorCode": 17, "timestamp": 1_600_000_000}
    with lies(json_answer(sent, 400)) as (_, client), pytest.raises(APIError) as caught:
        client.licenses_used()
    error = caught.value
    assert [error.status, error.server_message, error.error_code, error.timestamp] == list(sent.values())


# Words


def test_reasons_are_those_of_the_rfc() -> None:
    assert [int(reason) for reason in CRLReason] == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]
    for reason in CRLReason:
        for spelling in (reason.name, reason.name.upper(), str(int(reason)), int(reason)):
            assert revoke_reason_code(spelling) is reason
    assert revoke_reason_code("") is revoke_reason_code(None) is CRLReason.unspecified
    for wrong in ("7", 7, "boredom"):
        with pytest.raises(UnknownReasonError):
            revoke_reason_code(wrong)


def test_statuses_and_parameters() -> None:
    assert set(BatchStatus) == {
        *("CREATED", "PENDING", "PROCESSING", "READY_FOR_DOWNLOAD", "COLLECTED", "FAILED", "REJECTED"),
        *("NOT_ACCEPTABLE", "REMOVED_AFTER_EXPIRATION", "BROKEN", "REVOKED"),
    }
    assert set(Param) == {
        *("commonName", "dNSName", "pkcs12Password"),
        *("organizationName", "localityName", "stateOrProvinceName", "countryName"),
    }


def test_validate_checks_the_settings() -> None:
    Settings(environ={}).validate()
    with pytest.raises(ConfigError):
        Settings(environment="live", environ={}).validate()
    with pytest.raises(ForbiddenHostError):
        Settings(endpoint="https://example.com", environ={}).validate()
