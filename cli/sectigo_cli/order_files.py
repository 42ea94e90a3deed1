"""From what was issued for an order to files in place, wherever the order is carried."""

from __future__ import annotations

import errno
import io
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sectigo_cli.order_placing import FOLDER, FORMAT, GRANT, KEEP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot import SectigoError
    from sectigo_iot.orders import Bundle, Order
    from sectigo_iot.pki import Unpacked

KEPT = 3
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM)


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
        """Put the files in place, unless an earlier attempt did, and run the hook.

        Raises SectigoError for what failed, in the same words each time: it is done again later.
        """
        with self._turn:
            done = self._unpacked(order, bundle)
            self._told(order, done)
            self._run_hook(done)

    def _unpacked(self, order: Order, bundle: Bundle) -> Sequence[Unpacked]:
        from sectigo_iot import SectigoError

        named = order.wanted.labels.get(FOLDER) or self._folder
        if named is None:
            raise SectigoError("no folder is known for its files", hint="`sectigo worker -o DIR` names one")
        try:
            return self._in_place(Path(named), order, bundle)
        except OSError as error:
            raise _refused(named, error) from None

    def _in_place(self, folder: Path, order: Order, bundle: Bundle) -> Sequence[Unpacked]:
        from sectigo_iot import private_folder
        from sectigo_iot.pki import KeyRing, unpack

        labels = order.wanted.labels
        keys = None if bundle.private_key is None else KeyRing({f"{order.key}.key": bundle.private_key})
        more: dict[str, Any] = {"format": labels.get(FORMAT, "pem"), "keep": int(labels.get(KEEP, KEPT))}
        return unpack(
            io.BytesIO(bundle.archive),
            private_folder(folder),
            password=bundle.password,
            keys=keys,
            grants=labels[GRANT].split(",") if GRANT in labels else None,
            roots=self._roots,
            # A second copy of what an earlier attempt put there would drive out a version before.
            again=False,
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
        try:
            outcome = run_deploy_hook(self._hook, [one.installed for one in done])
        except OSError as error:
            what = f"the deploy hook could not be run: {error.strerror or error}"
            raise SectigoError(f"{what}; the files are in place") from None
        for line in outcome.output.splitlines():
            self._say(line)
        if outcome.timed_out:
            raise SectigoError("the deploy hook took too long, and was ended; the files are in place")
        if not outcome.succeeded:
            raise SectigoError(f"the deploy hook failed with exit code {outcome.code}; the files are in place")


def _refused(folder: str, error: OSError) -> SectigoError:
    """Return what is said where a folder cannot be written to: without the names that are drawn anew each time."""
    from sectigo_iot import SectigoError

    why = error.strerror or str(error)
    if error.errno in _FULL:
        return SectigoError(f"the disk is full: {folder}")
    if error.errno == errno.EROFS:
        return SectigoError(f"the file system is read-only: {folder}")
    # Who it cannot be opened to stands in the words of the installer.
    if error.errno in _FORBIDDEN and why == os.strerror(error.errno):
        return SectigoError(f"there is no permission to write: {folder}")
    return SectigoError(f"{folder}: {why}")
