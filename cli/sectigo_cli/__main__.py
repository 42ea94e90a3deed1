"""The process: `python -m sectigo_cli` is `sectigo`. Until `main` listens, Ctrl-C ends it without a traceback."""

import gc
import signal
import sys


def run() -> int:
    """Run the process's own command line, and return its exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.unraisablehook = _unraisable
    from sectigo_cli.main import main

    try:
        return main(sys.argv[1:])
    finally:
        # The exit code stands: a second signal does not change it while the interpreter ends.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        # The interpreter looks for garbage as it ends, which takes longer than the command itself.
        gc.freeze()


def _unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Say nothing of an interruption in a callback, where Python drops it: it is acted on later."""
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    sys.exit(run())
