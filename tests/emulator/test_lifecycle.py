"""Starting and ending: in this process, several at once, and in the foreground of another."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import requests

from sectigo_iot.emulator import Emulator, EmulatorSettings
from tests.conftest import skip_without_ipv6
from tests.emulator.api import PASSWORD, Api
from tests.emulator.csrs import make_csr

CHILD = """
from sectigo_iot.emulator import EmulatorSettings, serve
serve(EmulatorSettings({arguments}), ready=lambda e: print(e.url, flush=True))
print("ended", flush=True)
"""


def test_ready_on_enter_and_gone_on_exit() -> None:
    threads = set(threading.enumerate())
    with Emulator() as emulator:
        url = emulator.url
        assert requests.get(url + "/status", timeout=10).status_code == 200
    # No more than before; those of other tests may have ended meanwhile.
    assert set(threading.enumerate()) <= threads
    with pytest.raises(requests.ConnectionError):
        requests.get(url + "/status", timeout=10)
    with pytest.raises(RuntimeError):
        _ = emulator.url


def test_environ_finds_the_emulator(emulator: Emulator) -> None:
    assert emulator.environ == {
        "SECTIGO_USERNAME": "tester",
        "SECTIGO_PASSWORD": "supersecretsquirrel",
        "SECTIGO_ENDPOINT": emulator.url,
        "SECTIGO_ENVIRONMENT": "testing",
    }


def test_several_at_once_know_nothing_of_each_other() -> None:
    with Emulator() as one, Emulator("manual", username="me", password="mine") as two:
        apis = Api(one), Api(two)
        assert one.url != two.url
        assert one.root_certificate != two.root_certificate
        assert apis[0].order().status_code == 201
        assert apis[1].get("/api/v1/devices").json()["issued"] == 2
        header = {"Authorization": apis[0].session.headers["Authorization"]}
        assert apis[1].call("GET", "/api/v1/devices", headers=header).status_code == 401
        for api in apis:
            api.session.close()


def test_orders_at_the_same_time_have_ids_of_their_own() -> None:
    numbers: list[int] = []
    with Emulator() as emulator:
        api = Api(emulator)
        header = {"Authorization": str(api.session.headers["Authorization"])}
        document: Any = {
            "authorityId": 423,
            "batchName": "x",
            "profileParams": {"commonName": "example.com", "dNSName": "example.com", "pkcs12Password": PASSWORD},
        }

        def order() -> None:
            path = emulator.url + "/api/v1/batches/createSingleCertBatch"
            numbers.append(requests.put(path, json=document, headers=header, timeout=10).json()["batchId"])

        threads = [threading.Thread(target=order) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert api.get("/api/v1/authorities/423/balanceavailable").json() == 84
        api.session.close()
    assert sorted(numbers) == list(range(10000, 10016))


def test_a_port_that_is_taken() -> None:
    with Emulator() as emulator, pytest.raises(OSError):
        Emulator(port=int(emulator.url.rsplit(":", 1)[1])).start()


def test_it_ends_promptly_while_batches_wait() -> None:
    with Emulator(delay=60, balances={423: 200}) as emulator:
        api = Api(emulator)
        api.order()
        assert api.upload(make_csr("example.com", "example.com") * 100).json()["size"] == 100
        api.session.close()
        start = time.monotonic()
    assert time.monotonic() - start < 3


def test_ipv6() -> None:
    skip_without_ipv6()
    with Emulator(host="::1") as emulator:
        assert emulator.url.startswith("http://[::1]:")
        assert requests.get(emulator.url + "/status", timeout=10).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("arguments", ["", "key_type='rsa4096', key_pool=4"])
def test_serve_ends_cleanly_on_a_signal(number: signal.Signals, arguments: str) -> None:
    program = [sys.executable, "-W", "error", "-c", CHILD.format(arguments=arguments)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stderr is not None
        url = child.stdout.readline().strip()
        assert requests.get(url + "/status", timeout=10).status_code == 200
        child.send_signal(number)
        assert child.wait(10) == 0
        assert (child.stdout.read(), child.stderr.read()) == ("ended\n", "")


def test_serve_gives_its_signals_back() -> None:
    program = CHILD.format(arguments="").replace(
        "ready=", "ready=lambda e: __import__('os').kill(__import__('os').getpid(), 15)) or dict(x="
    )
    program += "import signal\nassert signal.getsignal(15) is signal.SIG_DFL\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


def test_serve_does_not_hide_that_the_port_is_taken(emulator: Emulator) -> None:
    port = emulator.url.rsplit(":", 1)[1]
    program = [sys.executable, "-c", CHILD.format(arguments=f"port={port}")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "OSError" in done.stderr and "in use" in done.stderr


def test_settings_make_an_emulator() -> None:
    with Emulator.from_settings(EmulatorSettings(account="manual")) as emulator:
        assert Api(emulator).get("/api/v1/devices").json() == {"ordered": 2, "issued": 2}
