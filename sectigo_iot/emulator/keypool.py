"""Private keys for the certificates that the emulator makes itself, RSA ones in advance where that is asked for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_MAKERS: dict[str, Callable[[], PrivateKey]] = {
    "rsa4096": lambda: rsa.generate_private_key(65537, 4096),
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
}

_PATIENCE = 0.6
"""Seconds that the end of the thread is waited for."""


def make_key(key_type: str) -> PrivateKey:
    """Return a new private key: `rsa4096`, `rsa3072`, `rsa2048`, `p256` or `p384`."""
    return _MAKERS[key_type]()


class KeyPool:
    """Hands out keys of one type, each once. RSA keys are made ahead, `depth` of them, by a daemon thread."""

    def __init__(self, key_type: str, depth: int = 0) -> None:
        self._key_type = key_type
        self._keys: queue.Queue[PrivateKey] = queue.Queue(maxsize=max(depth, 1))
        self._wanted = threading.Semaphore(depth)
        self._closed = False
        self._thread: threading.Thread | None = None
        if depth and key_type.startswith("rsa"):
            self._thread = threading.Thread(target=self._fill, name="sectigo-emulator-keys", daemon=True)
            self._thread.start()

    def take(self) -> PrivateKey:
        """Return a key that nobody else has, from the pool if there is one ready."""
        try:
            key = self._keys.get_nowait()
        except queue.Empty:
            return make_key(self._key_type)
        self._wanted.release()
        return key

    def stop(self) -> None:
        """Let the thread end with the key in the making, which cannot be interrupted. Does not wait for it."""
        self._closed = True
        self._wanted.release()

    def close(self) -> None:
        """Stop, and wait for the thread, but not for long: a key of 4096 bits may take seconds."""
        self.stop()
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def _fill(self) -> None:
        while self._wanted.acquire() and not self._closed:
            self._keys.put(make_key(self._key_type))
