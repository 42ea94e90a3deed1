"""From what was issued for an order to files in place, wherever the order is carried."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sectigo_cli.order_placing import FOLDER, FORMAT, GRANT, KEEP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot.orders import Bundle, Order
    from sectigo_iot.pki import Unpacked

KEPT = 3


class Delivery:
    """Puts what was issued for an order into the folder that its labels name, or into `folder`."""

    def __init__(
        self,
        context: Context,
        say: Callable[[str], None],
        *,
        folder: str | None = None,
        hook: str | None = None,
        roots: bytes | None = None,
    ) -> None:
        self._context = context
        self._say = say
        self._folder = folder
        self._hook = hook
        self._roots = roots
        # One at a time: two certificates of one name may lead to one place, and a hook is run alone.
        self._turn = threading.Lock()

    def __call__(self, order: Order, bundle: Bundle) -> None:
        """Put the files in place, once more if they were there, and run the hook.

        Raises SectigoError or OSError for what failed: it is done again later.
        """
        with self._turn:
            done = self._unpacked(order, bundle)
            self._told(order, done)
            self._run_hook(done)

    def _unpacked(self, order: Order, bundle: Bundle) -> Sequence[Unpacked]:
        from sectigo_iot import SectigoError, private_folder
        from sectigo_iot.pki import KeyRing, unpack

        labels = order.wanted.labels
        named = labels.get(FOLDER) or self._folder
        if named is None:
            raise SectigoError("no folder is known for its files", hint="`sectigo worker -o DIR` names one")
        keys = None if bundle.private_key is None else KeyRing({f"{order.key}.key": bundle.private_key})
        more: dict[str, Any] = {"format": labels.get(FORMAT, "pem"), "keep": int(labels.get(KEEP, KEPT))}
        return unpack(
            io.BytesIO(bundle.archive),
            private_folder(Path(named)),
            password=bundle.password,
            keys=keys,
            grants=labels[GRANT].split(",") if GRANT in labels else None,
            roots=self._roots,
            **more,
        )

    def _told(self, order: Order, done: Sequence[Unpacked]) -> None:
        from sectigo_cli.unpacked import unreadable

        for one in done:
            self._say(f"{order.key}: its files are in {one.installed.path}")
        for line in unreadable(self._context, done):
            self._say(f"{order.key}: {line}")

    def _run_hook(self, done: Sequence[Unpacked]) -> None:
        from sectigo_iot import SectigoError
        from sectigo_iot.pki import run_deploy_hook

        if self._hook is None:
            return
        outcome = run_deploy_hook(self._hook, [one.installed for one in done])
        for line in outcome.output.splitlines():
            self._say(line)
        if outcome.timed_out:
            raise SectigoError("the deploy hook took too long, and was ended; the files are in place")
        if not outcome.succeeded:
            raise SectigoError(f"the deploy hook failed with exit code {outcome.code}; the files are in place")
