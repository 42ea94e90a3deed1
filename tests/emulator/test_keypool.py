"""RSA keys for the CAs of several emulators in one process: made at the same time, and ahead from the second on."""

from __future__ import annotations

import threading

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sectigo_iot.emulator.ca.keypool import PrivateKey, make_keys


def numbers(keys: list[PrivateKey]) -> list[int]:
    return [key.private_numbers().d for key in keys if isinstance(key, rsa.RSAPrivateKey)]


def spare_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "sectigo-emulator-spare-keys"]


def test_nobody_gets_another_s_key() -> None:
    given = []
    for _ in range(4):
        given += numbers(make_keys("rsa2048", 2))
        for thread in spare_threads():
            thread.join(10)
    assert len(set(given)) == 8


def test_many_threads_at_once() -> None:
    given: list[int] = []
    threads = [threading.Thread(target=lambda: given.extend(numbers(make_keys("rsa2048", 2)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in [*threads, *spare_threads()]:
        thread.join(20)
    assert len(set(given)) == 8


def test_keys_that_cost_nothing_are_made_as_they_are_wanted() -> None:
    before = spare_threads()
    keys = make_keys("p384", 3)
    assert [isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size for key in keys] == [384] * 3
    assert set(spare_threads()) <= set(before)
