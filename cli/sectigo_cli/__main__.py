"""The process: `python -m sectigo_cli` is `sectigo`. Until `main` listens, Ctrl-C ends it without a traceback."""

import gc
import signal
import sys


def run() -> int:
    """Run the process's own command line, and return its exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sectigo_cli.main import main

    try:
        return main(sys.argv[1:])
    finally:
        # The interpreter looks for garbage as it ends, which takes longer than the command itself.
        gc.freeze()


if __name__ == "__main__":
    sys.exit(run())
