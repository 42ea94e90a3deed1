"""What is recorded from the emulator, and replayed: the name of the cassette, and what is typed.

In what is typed `{password}` is the one of the PKCS#12, `{serial}` a serial number, `{request}` a file with a
signing request, `{folder}` an empty folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

Words = tuple[str, ...]

ORDER = ("create", "-a", "423", "-d", "example.com", "-p", "{password}", "-b", "example.com certs")


class Scenario(NamedTuple):
    """`typed` is recorded, `before` is not; `options` are the emulator's."""

    typed: tuple[Words, ...]
    before: tuple[Words, ...] = ()
    options: Mapping[str, Any] = MappingProxyType({})
    codes: tuple[int, ...] = (0,)
    wrong_password: bool = False


SCENARIOS = {
    "auth": Scenario((("auth",),)),
    "auth_refused": Scenario((("auth",),), codes=(4,), wrong_password=True),
    "auth_refresh": Scenario((("auth",), ("licenses",)), options={"access_lifetime": 1}, codes=(0, 0)),
    "authorities": Scenario((("authorities",),)),
    "authorities_balances": Scenario((("authorities", "-b"),)),
    "licenses": Scenario((("licenses",),)),
    "profiles": Scenario((("profiles",),)),
    "profile_detail": Scenario((("profiles", "-i", "423"),)),
    "profile_parameters": Scenario((("profile", "-i", "423", "--params"),)),
    "organization": Scenario((("organization",),)),
    "create": Scenario(((*ORDER, "--dns", "www.example.com"),)),
    "create_without_balance": Scenario((ORDER,), options={"balances": {423: 0}}, codes=(1,)),
    "upload": Scenario((("upload", "-p", "423", "{request}"),)),
    "batches": Scenario((("batches", "-i", "10000"),), before=(ORDER,)),
    "batches_status": Scenario((("batches", "-i", "10000", "--status"),), before=(ORDER,)),
    "batches_info": Scenario((("batches", "-i", "10000", "--info"),), before=(ORDER,)),
    "batches_missing": Scenario((("batches", "-i", "99"),), codes=(1,)),
    "download": Scenario((("download", "-i", "10000", "-o", "{folder}"),), before=(ORDER,)),
    "find": Scenario((("find", "-n", "example.com"),), before=(ORDER,)),
    "revoke": Scenario(
        (("revoke", "-p", "423", "-r", "cessation of operation", "-s", "{serial}"), ("find", "-s", "{serial}")),
        before=(ORDER,),
        codes=(0, 0),
    ),
}


def filled(words: Words, **values: str) -> Words:
    """Return what is typed with the values in their places."""
    return tuple(word.format_map(values) for word in words)
