"""An emulator in a process of its own, which ends with its stdin: `python -m tests.orders.crash.service OPTIONS`."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Self

from sectigo_iot.emulator import Control, Emulator
from tests.orders.crash.places import environment

DEFAULTS = {"batch_list": "page", "access_lifetime": 86_400, "refresh_lifetime": 604_800, "balances": {"423": 1000}}


@dataclass(frozen=True, slots=True)
class Address:
    """Where an emulator is, and who may log in."""

    url: str
    control: str
    username: str
    password: str
    root: str


class Service:
    """A process with an emulator, as a context manager; `address` says where, `control` moves it."""

    def __init__(self, **options: Any) -> None:
        command = [sys.executable, "-m", "tests.orders.crash.service", json.dumps({**DEFAULTS, **options})]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment())
        assert self._process.stdout is not None
        self.address = Address(**json.loads(self._process.stdout.readline()))
        self.control = Control(self.address.control)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def main(options: str) -> None:
    given: dict[str, Any] = json.loads(options)
    given["balances"] = {int(authority): left for authority, left in given["balances"].items()}
    if "faults" in given:
        given["faults"] = tuple(given["faults"])
    with Emulator(**given) as emulator:
        told = {
            "url": emulator.url,
            "control": emulator.control_url,
            "username": emulator.username,
            "password": emulator.password,
            "root": emulator.root_certificate.decode(),
        }
        print(json.dumps(told), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
