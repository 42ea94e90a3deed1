"""The mixture of faults that `--hostile` turns on."""

from __future__ import annotations

from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.faults.acts import ORDERS
from sectigo_iot.endpoints import ENDPOINTS, Repeat

_READS = tuple(
    name for name, row in ENDPOINTS.items() if row.typed and row.needs_token and row.repeat is Repeat.FREELY
)
_NULLABLE = "rejectReason+generatorParametersValues+creationDate+placeholder+value+logo+ca"

HOSTILE: tuple[Rule, ...] = (
    Rule(fault="lost-reply", calls=ORDERS, percent=5),
    Rule(fault="unavailable", calls=_READS, percent=3, seconds=1),
    Rule(fault="too-many", calls=_READS, percent=2, seconds=1, value="date"),
    Rule(fault="reset", calls=_READS, percent=3),
    Rule(fault="late-reply", calls=_READS, percent=2, seconds=1),
    Rule(fault="slow-body", calls=_READS, percent=2, bytes=4000),
    Rule(fault="token-dropped", percent=2),
    Rule(fault="refresh-refused", percent=10),
    Rule(fault="refresh-missing", percent=10),
    Rule(fault="content-type", percent=20),
    Rule(fault="unknown-fields", percent=20),
    Rule(fault="reordered-lists", percent=20),
    Rule(fault="ints-as-strings", percent=10),
    Rule(fault="nulls", percent=10, value=_NULLABLE),
)
"""What a client meets that retries reads, looks for its orders before it repeats one, and logs in again after a 401.

Such a client gets its certificate in spite of all of it.
"""
