"""How much is tried by the tests that draw lots: `make soak` has them try ten times as much as `make test`."""

import os

SCALE = int(os.environ.get("SOAK", "1"))
