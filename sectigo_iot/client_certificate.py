"""The certificate that a client shows of itself, and its key: PEM files, read when a log-in demands them."""

from __future__ import annotations

import logging
import os
import shlex
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_iot.errors import BundleError, ConfigError, NotAuthenticatedError
from sectigo_iot.pki.pem import read_blocks
from sectigo_iot.tls import CERTIFICATES, complete_context, converting, read_plain

if TYPE_CHECKING:
    from sectigo_iot.config import Settings

_log = logging.getLogger("sectigo_iot.client_certificate")

_NAME_KEY = "name the file that holds it with --client-key or SECTIGO_CLIENT_KEY"
_MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
_LONGEST_PASSWORD = 1000
"""Bytes; the ssl module takes hardly more."""


class ClientCertificate:
    """The certificate and the key that settings name. Nobody is asked for the key's password but by `ask`.

    `doubts` says, once the certificate was read, why a server may refuse it.
    """

    def __init__(self, settings: Settings) -> None:
        self.path = settings.client_cert or ""
        self.doubts: tuple[str, ...] = ()
        self._key_path = settings.client_key or self.path
        self._ca_file = settings.ca_file
        self._prompt = settings.prompt
        self._given = settings.client_key_password
        self._password = self._given
        self._lacking = False

    def __repr__(self) -> str:
        return f"<ClientCertificate {self.path!r}>"

    def context(self, at: float) -> ssl.SSLContext:
        """Return a context that shows this certificate, and trusts what the settings say, at this time (epoch).

        Raises ConfigError for files that will not do, NotAuthenticatedError where the key's password is missing or
        wrong. What may make a server refuse it, and a key that others can read, is said in the log.
        """
        self._lacking = False
        certificate = self._read()
        context = complete_context(self._ca_file)
        self._load(context)
        self._look_at(certificate, at)
        return context

    def ask(self) -> bool:
        """Ask for the key's password, if that was lacking just now, and return whether there is one."""
        if self._lacking and self._prompt is not None:
            self._password = self._prompt(f"Password of the client key {self._key_path}: ", True)
            self._lacking = not self._password
            return not self._lacking
        return False

    def _read(self) -> bytes:
        """Return the certificate, DER, having seen that its key is there."""
        what = f"the client certificate {self.path}"
        data = read_plain(self.path, what, "client_cert")
        blocks = [block for block in read_blocks(data) if block.label in CERTIFICATES]
        if not blocks:
            hint = converting(data, self.path) or "a certificate and its key are to be in PEM"
            raise ConfigError(f"{what} holds no certificate in PEM", setting="client_cert", hint=hint)
        der = blocks[0].der()
        if blocks[0].fault or der is None:
            reason = blocks[0].fault or "what stands between BEGIN and END is not base64"
            raise ConfigError(f"{what} is damaged: {reason}", setting="client_cert")
        self._check_key()
        return der

    def _check_key(self) -> None:
        what = f"the client key {self._key_path}"
        data = read_plain(self._key_path, what, "client_key")
        key = next((block for block in read_blocks(data) if block.is_private_key), None)
        if key is None:
            apart = _NAME_KEY if self._key_path == self.path else "it is to be in PEM"
            hint = _converting_key(data, self._key_path) or apart
            raise ConfigError(f"{self._key_path} holds no private key in PEM", setting="client_key", hint=hint)
        if key.fault or key.label.startswith("OPENSSH"):
            reason = f"is damaged: {key.fault}" if key.fault else "is in OpenSSH's form; PKCS#8 in PEM is wanted"
            raise ConfigError(f"{what} {reason}", setting="client_key")
        _warn_of_readers(self._key_path)

    def _load(self, context: ssl.SSLContext) -> None:
        asked: list[bytes] = []

        def password() -> bytes:
            asked.append(self._known_password())
            return asked[0]

        try:
            context.load_cert_chain(self.path, self._key_path, password)
        except (ssl.SSLError, OSError) as error:
            # The ssl module says of a wrong password no more than of a damaged key.
            reason = getattr(error, "reason", None)
            if asked and reason not in _MISMATCHES:
                self._password = self._given
                raise self._locked(f"the password does not open the client key {self._key_path}") from None
            raise self._unusable(error) from None

    def _known_password(self) -> bytes:
        password, self._password = self._password, self._given
        if not password:
            self._lacking = True
            raise self._locked(f"the client key {self._key_path} is encrypted, and there is no password for it")
        try:
            # What a variable holds in another encoding than UTF-8 is given back as it was.
            known = password.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise self._locked(f"the password of the client key {self._key_path} is no text") from None
        if len(known) > _LONGEST_PASSWORD:
            raise self._locked(f"the password of the client key {self._key_path} is too long")
        self._password = password
        return known

    def _locked(self, message: str) -> NotAuthenticatedError:
        hint = "set SECTIGO_CLIENT_KEY_PASSWORD, or run this at a terminal, where it is asked for"
        if self._given:
            hint = "is SECTIGO_CLIENT_KEY_PASSWORD right? Without it the password is asked for at a terminal"
        return NotAuthenticatedError(message, hint=hint)

    def _unusable(self, error: OSError) -> ConfigError:
        reason = getattr(error, "reason", None)
        if reason in _MISMATCHES:
            hint = "the client's own certificate is to be the first in its file, its issuers follow"
            message = f"the client key {self._key_path} is not the key of the certificate {self.path}"
            return ConfigError(message, setting="client_key", hint=hint)
        files = " and ".join(dict.fromkeys((self.path, self._key_path)))
        words = (reason or "it cannot be read").lower().replace("_", " ")
        return ConfigError(
            f"the client certificate or its key is of no use ({files}): {words}", setting="client_cert"
        )

    def _look_at(self, certificate: bytes, at: float) -> None:
        from sectigo_iot.pki.client_use import doubts_about

        try:
            self.doubts = doubts_about(certificate, datetime.fromtimestamp(at, UTC))
        except BundleError as error:
            self.doubts = (error.message,)
        except Exception:  # noqa: BLE001 - the TLS library has taken it: what else it holds is the server's business
            self.doubts = ("it cannot be read",)
        for doubt in self.doubts:
            _log.warning("the client certificate %s may be refused: %s", self.path, doubt)


def _warn_of_readers(path: str) -> None:
    state = Path(path).stat()
    # A group of its own for keys, which are root's, is a custom of some systems.
    open_to = 0o037 if state.st_uid == 0 != os.geteuid() else 0o077
    if state.st_mode & open_to:
        _log.warning("others can read the client key %s; `chmod 600 %s` keeps it private", path, shlex.quote(path))


def _converting_key(data: bytes, path: str) -> str | None:
    hint = converting(data, path)
    if hint is None or "PKCS#12" in hint:
        return hint
    quoted = shlex.quote(path)
    return f"it is DER; make PEM of it: openssl pkey -inform DER -in {quoted} -out {shlex.quote(path + '.pem')}"
