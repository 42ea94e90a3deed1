"""Start the directory service: `python examples/directory_service`; `--help` says what else there is."""

from __future__ import annotations

import argparse
import contextlib
import logging
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

# Python puts this folder itself in front of its path; the package is found beside it.
sys.path[0] = str(Path(__file__).parents[1])

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

    from sectigo_iot import Settings
    from sectigo_iot.orders import OrderEvent, OrderWorker

_log = logging.getLogger("directory_service")


def main(words: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, and return the exit code."""
    options = _parser().parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    _log.setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        return _started(options, stack)
    return 0


def _started(options: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    from sectigo_iot import SectigoError

    try:
        return _serve(options, stack)
    except (SectigoError, OSError) as error:
        hint = getattr(error, "hint", None)
        print(f"directory_service: error: {error}", *([f"hint: {hint}"] if hint else []), sep="\n", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="directory_service", description="Registers VASPs and has them certified.")
    parser.add_argument("--port", type=int, default=8080, help="on 127.0.0.1; 0 takes any free one (8080)")
    parser.add_argument("--data", metavar="FOLDER", type=Path, help="keep everything there (else it is removed)")
    parser.add_argument("--no-emulator", action="store_true", help="use the IoT Manager of the SECTIGO_ variables")
    parser.add_argument("--roots", metavar="FILE", type=Path, help="PEM of the roots that certificates lead to")
    parser.add_argument("--profile", help="name or id of the profile to order from")
    parser.add_argument("--webhook-host", action="append", default=[], metavar="HOST", help="where webhooks may lead")
    parser.add_argument("--first-wait", type=float, default=5.0, metavar="SECONDS", help="after a first failure (5)")
    parser.add_argument("--lease", type=float, metavar="SECONDS", help="how long a worker has an order for itself")
    return parser


def _serve(options: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    from directory_service.directory import Directory
    from directory_service.registration import LOOPBACK
    from directory_service.web import application
    from directory_service.webhook import Webhook
    from sectigo_iot import IoTManager, private_folder
    from sectigo_iot.orders import OrderBook, OrderWorker, WorkerRules

    data = options.data or stack.enter_context(_temporary_folder())
    private_folder(data)
    settings, roots = _iot_manager(options, data, stack)
    book = stack.enter_context(OrderBook(data / "orders.sqlite3"))
    client = stack.enter_context(IoTManager(settings))
    rules = WorkerRules(roots=roots, first_wait=options.first_wait)
    worker = OrderWorker(book, client, deliver=Webhook(), on_event=_told, rules=rules, lease_seconds=options.lease)
    token = _token(data / "api-token")
    app = application(Directory(book, options.profile), token, {*LOOPBACK, *options.webhook_host})
    listener = stack.enter_context(socket.create_server(("127.0.0.1", options.port)))
    server = _server(app)
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises it again after its own clean-up: an exception would then cut off ours.
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    print(f"http://127.0.0.1:{listener.getsockname()[1]} (its token is in {data / 'api-token'})", flush=True)
    return _run(server, listener, worker)


def _server(app: Starlette) -> uvicorn.Server:
    import uvicorn

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="off",
        limit_concurrency=100,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def _iot_manager(
    options: argparse.Namespace, data: Path, stack: contextlib.ExitStack
) -> tuple[Settings, bytes | None]:
    """Return the settings of the IoT Manager that is used, and the roots of its certificates, if they are known."""
    from sectigo_iot import MemoryTokenStore, Settings

    roots = options.roots.read_bytes() if options.roots else None
    if options.no_emulator:
        return Settings(), roots
    from sectigo_iot.emulator import Emulator

    emulator = stack.enter_context(Emulator(state_path=data / "emulator", delay=2.0))
    return Settings(environ=emulator.environ, token_store=MemoryTokenStore()), roots or emulator.root_certificate


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="directory-service-") as name:
        yield Path(name)


def _token(path: Path) -> str:
    """Return what a caller of the API has to show, drawn at the first start."""
    from sectigo_iot import write_private

    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text()


def _told(event: OrderEvent) -> None:
    level = logging.WARNING if event.kind in ("attention", "delivery") else logging.INFO
    _log.log(level, "%s: %s: %s", event.key, event.new, event.reason)


def _run(server: uvicorn.Server, listener: socket.socket, worker: OrderWorker) -> int:
    """Run worker and server side by side: where one ends, so does the other. Return the exit code."""
    failed: list[Exception] = []

    def work() -> None:
        try:
            worker.run()
        except Exception as error:  # noqa: BLE001 - told, and the service ends
            _log.exception("the worker ended")
            failed.append(error)
            server.should_exit = True

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    try:
        server.run(sockets=[listener])
    finally:
        worker.stop()
        thread.join()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
