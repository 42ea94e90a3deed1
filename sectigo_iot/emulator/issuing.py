"""The life of a batch after it was accepted: made in threads, at once or after a delay."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from concurrent.futures import ThreadPoolExecutor

from sectigo_iot.emulator.accounts import DNS_PATTERN
from sectigo_iot.emulator.ca import CertificateAuthority
from sectigo_iot.emulator.keypool import KeyPool
from sectigo_iot.emulator.making import Made, Maker, StoppedError
from sectigo_iot.emulator.parameters import lines_of
from sectigo_iot.emulator.replies import ENDING
from sectigo_iot.emulator.signing_requests import UnusableRequestError
from sectigo_iot.emulator.state import Batch, Job, State

logger = logging.getLogger("sectigo_iot.emulator")


class Issuer:
    """Carries batches from accepted to ready, or to broken. Lives in one event loop."""

    def __init__(self, state: State, authority: CertificateAuthority, keys: KeyPool, delay: float) -> None:
        self._state = state
        self._keys = keys
        self._delay = delay
        self._stopped = threading.Event()
        self._maker = Maker(authority, keys, self._stopped.is_set)
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sectigo-emulator-issuing")
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, batch: Batch) -> None:
        """Issue a batch: without a delay it is ready on return, otherwise it goes on in the background."""
        if self._delay == 0:
            await self._issue(batch, 0)
            return
        task = asyncio.create_task(self._age(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def stopped(self) -> bool:
        """Whether no more certificates are made."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Give up what is not ready, without waiting. May be called from any thread."""
        self._stopped.set()
        self._keys.stop()

    async def close(self) -> None:
        """Stop, and end the threads; waits for the certificate in the making alone."""
        self.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._keys.close()
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _age(self, batch: Batch) -> None:
        await asyncio.sleep(self._delay / 2)
        self._state.set_status(batch.id, "PROCESSING")
        await self._issue(batch, self._delay / 2)

    async def _issue(self, batch: Batch, at_least: float) -> None:
        """Make the certificates, and say so no sooner than after `at_least` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + at_least
        made = await loop.run_in_executor(self._threads, self._make, batch.job)
        await asyncio.sleep(max(0.0, end - loop.time()))
        if isinstance(made, Made):
            self._state.finish(batch.id, made.certificates, made.archive)
        else:
            self._state.fail(batch.id, *made)

    def _make(self, job: Job) -> Made | tuple[str, str]:
        try:
            if job.requests:
                return self._maker.from_requests(job.requests)
            return self._maker.from_parameters(job.parameters, dns_names_of(job))
        except UnusableRequestError as fault:
            return "BROKEN", str(fault)
        except StoppedError:
            return "FAILED", ENDING
        except ValueError:
            return "BROKEN", "Cert subject name error: a name cannot be certified"
        except Exception:
            logger.exception("a batch could not be issued")
            return "FAILED", "internal error"


def dns_names_of(job: Job) -> list[str]:
    """Return the DNS names that an order's certificate is for: the common name, if it is one, and `dNSName`."""
    common = job.parameters["commonName"]
    listed = lines_of(job.parameters["dNSName"]) if job.parameters.get("dNSName") else []
    return [common, *listed] if re.fullmatch(DNS_PATTERN, common) else listed
