"""Order, fetch, find and revoke X.509 certificates with the Sectigo IoT Manager.

::

    from sectigo_iot import IoTManager, Settings

    with IoTManager(Settings(username="jane", password=...)) as client:
        for authority in client.user_authorities():
            print(authority.id, authority.profile_name, authority.balance)

`sectigo_iot.pki` works on requests, bundles and chains without the network, `sectigo_iot.revocation` asks OCSP and
CRL, `sectigo_iot.emulator` is a service to try it all on. Every name is handed on when it is first asked for, so
that importing this package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sectigo_iot.client import IoTManager
    from sectigo_iot.config import Environment, Settings
    from sectigo_iot.credentials import Login, login_of
    from sectigo_iot.doctor.examination import examine
    from sectigo_iot.doctor.findings import Finding, Health
    from sectigo_iot.endpoints import ENDPOINTS, Endpoint, Repeat, find_endpoint
    from sectigo_iot.errors import (
        AmbiguousUserError,
        APIError,
        BatchError,
        BatchFailedError,
        BundleError,
        ConfigError,
        CredentialsMismatchError,
        DeadlineError,
        ForbiddenHostError,
        InvalidClaimsError,
        InvalidCredentialsError,
        InvalidInputError,
        InvalidReplyError,
        InvalidRequestError,
        LeaseLostError,
        MustUseTLSAuthError,
        NoCredentialsError,
        NotAuthenticatedError,
        NotAuthorizedError,
        NotFoundError,
        NotImplementedByServiceError,
        NotReadyError,
        OrderBookError,
        OrderConflictError,
        OrderNotFoundError,
        OutcomeUnknownError,
        PKCSPasswordRequiredError,
        RedirectError,
        SectigoError,
        TargetExistsError,
        TokensExpiredError,
        TokensMismatchError,
        TransportError,
        UnknownReasonError,
        UnreachableError,
    )
    from sectigo_iot.exchanges import Exchange
    from sectigo_iot.explaining import Explanation
    from sectigo_iot.files import private_file, private_folder, sync_filesystem, try_lock, write_private
    from sectigo_iot.har import to_har
    from sectigo_iot.in_force import check_files, proxy_in_force
    from sectigo_iot.inputs import read_first_line, read_input
    from sectigo_iot.keychain import forget_login, remember_login, remembered_user
    from sectigo_iot.models import (
        Authority,
        Batch,
        Certificate,
        CertificateSearch,
        LicensesUsed,
        Organization,
        ProcessingInfo,
        Profile,
        ProfileDetail,
        ProfileParameter,
        RawReply,
    )
    from sectigo_iot.ordering import (
        Choice,
        check_params,
        choose_authority,
        generate_password,
        order_params,
        profile_matches,
    )
    from sectigo_iot.polling import Look, Verdict, judge
    from sectigo_iot.reasons import CRLReason, revoke_reason_code
    from sectigo_iot.redaction import redacted
    from sectigo_iot.sessions import Credentials
    from sectigo_iot.statuses import BatchStatus, Param, StatusText
    from sectigo_iot.submitting import UPLOAD_CHECKS, UploadCheck, UploadFault, check_upload
    from sectigo_iot.tokencache import FileTokenStore, MemoryTokenStore
    from sectigo_iot.tokens import TokenPair, TokenStore
else:
    _HOMES = {
        "APIError": "errors",
        "AmbiguousUserError": "errors",
        "Authority": "models",
        "Batch": "models",
        "BatchError": "errors",
        "BatchFailedError": "errors",
        "BatchStatus": "statuses",
        "BundleError": "errors",
        "CRLReason": "reasons",
        "Certificate": "models",
        "CertificateSearch": "models",
        "Choice": "ordering",
        "ConfigError": "errors",
        "Credentials": "sessions",
        "CredentialsMismatchError": "errors",
        "DeadlineError": "errors",
        "ENDPOINTS": "endpoints",
        "Endpoint": "endpoints",
        "Environment": "config",
        "Exchange": "exchanges",
        "Explanation": "explaining",
        "FileTokenStore": "tokencache",
        "Finding": "doctor.findings",
        "ForbiddenHostError": "errors",
        "Health": "doctor.findings",
        "InvalidClaimsError": "errors",
        "InvalidCredentialsError": "errors",
        "InvalidInputError": "errors",
        "InvalidReplyError": "errors",
        "InvalidRequestError": "errors",
        "IoTManager": "client",
        "LeaseLostError": "errors",
        "LicensesUsed": "models",
        "Login": "credentials",
        "Look": "polling",
        "MemoryTokenStore": "tokencache",
        "MustUseTLSAuthError": "errors",
        "NoCredentialsError": "errors",
        "NotAuthenticatedError": "errors",
        "NotAuthorizedError": "errors",
        "NotFoundError": "errors",
        "NotImplementedByServiceError": "errors",
        "NotReadyError": "errors",
        "OrderBookError": "errors",
        "OrderConflictError": "errors",
        "OrderNotFoundError": "errors",
        "Organization": "models",
        "OutcomeUnknownError": "errors",
        "PKCSPasswordRequiredError": "errors",
        "Param": "statuses",
        "ProcessingInfo": "models",
        "Profile": "models",
        "ProfileDetail": "models",
        "ProfileParameter": "models",
        "RawReply": "models",
        "RedirectError": "errors",
        "Repeat": "endpoints",
        "SectigoError": "errors",
        "Settings": "config",
        "StatusText": "statuses",
        "TargetExistsError": "errors",
        "TokenPair": "tokens",
        "TokenStore": "tokens",
        "TokensExpiredError": "errors",
        "TokensMismatchError": "errors",
        "TransportError": "errors",
        "UPLOAD_CHECKS": "submitting",
        "UnknownReasonError": "errors",
        "UnreachableError": "errors",
        "UploadCheck": "submitting",
        "UploadFault": "submitting",
        "Verdict": "polling",
        "check_files": "in_force",
        "check_params": "ordering",
        "check_upload": "submitting",
        "choose_authority": "ordering",
        "examine": "doctor.examination",
        "find_endpoint": "endpoints",
        "forget_login": "keychain",
        "generate_password": "ordering",
        "judge": "polling",
        "login_of": "credentials",
        "order_params": "ordering",
        "private_file": "files",
        "private_folder": "files",
        "profile_matches": "ordering",
        "proxy_in_force": "in_force",
        "read_first_line": "inputs",
        "read_input": "inputs",
        "redacted": "redaction",
        "remember_login": "keychain",
        "remembered_user": "keychain",
        "revoke_reason_code": "reasons",
        "sync_filesystem": "files",
        "to_har": "har",
        "try_lock": "files",
        "write_private": "files",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "ENDPOINTS",
    "UPLOAD_CHECKS",
    "APIError",
    "AmbiguousUserError",
    "Authority",
    "Batch",
    "BatchError",
    "BatchFailedError",
    "BatchStatus",
    "BundleError",
    "CRLReason",
    "Certificate",
    "CertificateSearch",
    "Choice",
    "ConfigError",
    "Credentials",
    "CredentialsMismatchError",
    "DeadlineError",
    "Endpoint",
    "Environment",
    "Exchange",
    "Explanation",
    "FileTokenStore",
    "Finding",
    "ForbiddenHostError",
    "Health",
    "InvalidClaimsError",
    "InvalidCredentialsError",
    "InvalidInputError",
    "InvalidReplyError",
    "InvalidRequestError",
    "IoTManager",
    "LeaseLostError",
    "LicensesUsed",
    "Login",
    "Look",
    "MemoryTokenStore",
    "MustUseTLSAuthError",
    "NoCredentialsError",
    "NotAuthenticatedError",
    "NotAuthorizedError",
    "NotFoundError",
    "NotImplementedByServiceError",
    "NotReadyError",
    "OrderBookError",
    "OrderConflictError",
    "OrderNotFoundError",
    "Organization",
    "OutcomeUnknownError",
    "PKCSPasswordRequiredError",
    "Param",
    "ProcessingInfo",
    "Profile",
    "ProfileDetail",
    "ProfileParameter",
    "RawReply",
    "RedirectError",
    "Repeat",
    "SectigoError",
    "Settings",
    "StatusText",
    "TargetExistsError",
    "TokenPair",
    "TokenStore",
    "TokensExpiredError",
    "TokensMismatchError",
    "TransportError",
    "UnknownReasonError",
    "UnreachableError",
    "UploadCheck",
    "UploadFault",
    "Verdict",
    "__version__",
    "check_files",
    "check_params",
    "check_upload",
    "choose_authority",
    "examine",
    "find_endpoint",
    "forget_login",
    "generate_password",
    "judge",
    "login_of",
    "order_params",
    "private_file",
    "private_folder",
    "profile_matches",
    "proxy_in_force",
    "read_first_line",
    "read_input",
    "redacted",
    "remember_login",
    "remembered_user",
    "revoke_reason_code",
    "sync_filesystem",
    "to_har",
    "try_lock",
    "write_private",
]
