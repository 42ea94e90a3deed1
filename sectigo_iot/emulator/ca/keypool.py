"""Private keys for the certificates that the emulator makes itself, RSA ones in advance where that is asked for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_MAKERS: dict[str, Callable[[], PrivateKey]] = {
    "rsa4096": lambda: rsa.generate_private_key(65537, 4096),
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
}

_SPARE = "sectigo-emulator-spare-keys"
_PATIENCE = 0.6
"""Seconds that the end of the thread is waited for."""


def make_key(key_type: str) -> PrivateKey:
    """Return a new private key: `rsa4096`, `rsa3072`, `rsa2048`, `p256` or `p384`."""
    return _MAKERS[key_type]()


def make_keys(key_type: str, count: int) -> list[PrivateKey]:
    """Return new private keys, RSA ones made at the same time, or ahead where this process asks again and again."""
    if not key_type.startswith("rsa"):
        return [make_key(key_type) for _ in range(count)]
    return _reserve.take(key_type, count)


class _Reserve:
    """RSA keys for the next emulator of this process. None is made ahead for the first: most have but one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, list[PrivateKey]] = {}

    def take(self, key_type: str, count: int) -> list[PrivateKey]:
        """Return keys that nobody else has; those that are missing are made now."""
        with self._lock:
            again = key_type in self._keys
            ready = self._keys.setdefault(key_type, [])
            taken = [ready.pop() for _ in range(min(count, len(ready)))]
        with ThreadPoolExecutor(count) as threads:
            taken += threads.map(make_key, [key_type] * (count - len(taken)))
        if again:
            threading.Thread(target=self._fill, args=(key_type, count), name=_SPARE, daemon=True).start()
        return taken

    def _fill(self, key_type: str, count: int) -> None:
        while len(self._keys[key_type]) < count:
            key = make_key(key_type)
            with self._lock:
                self._keys[key_type].append(key)


_reserve = _Reserve()


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
