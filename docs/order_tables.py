"""The tables of orders.md, made from the code and its tests: `.venv/bin/cog -r -I docs docs/orders.md`."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from sectigo_iot.orders.states import FINISHED, MOVES  # noqa: E402 - found by the line above

FAILURES = {
    1: (
        "The order arrives, and its reply is lost: time is over, the connection breaks, the answer is no JSON",
        "It becomes `unknown` and is not sent again; evidence is looked for",
    ),
    2: (
        "The order is accepted, and cannot be written down, or the process dies before it is",
        "The intent is in the book before the first byte leaves; the batch id is saved as soon as that can be done",
    ),
    3: (
        "A transaction, or its time limit, spans calls of the service",
        "No transaction spans anything but SQL; a lease outlives the deadlines of its requests",
    ),
    4: (
        "Two replicas work on one store",
        "One lease for each order, with a number that rises: whoever has an older one can neither send nor write",
    ),
    5: (
        "Somebody renews by hand what is being renewed by itself",
        "A renewal has a key of its own; both ways plan the same order",
    ),
    6: (
        "Several orders race for the last licence",
        "Licences are reserved in the book, in the transaction that writes the intent",
    ),
    7: (
        "A connection hangs",
        "Every request has a deadline, and each thread its own order: the others go on",
    ),
    8: (
        "Something fails between downloading and storing",
        "Each step is in the book by itself and has a handler; what is there is not fetched again",
    ),
    9: (
        "A page with an error comes in place of the ZIP",
        "What is no bundle is never stored; it is fetched again, and a human is told",
    ),
    10: (
        "The password is wrong, the ZIP holds none or two, the PKCS#12 is damaged",
        "It is fetched again; where that does not help it comes before a human, and stays in the book",
    ),
    11: (
        "Delivery fails",
        "The order stays `fetched`, and delivery is tried again, ever more seldom, for as long as it takes",
    ),
    12: (
        "An order is withdrawn while it is being issued",
        "It goes on, is fetched and revoked, and only then is `cancelled`",
    ),
    13: (
        "The batch is rejected, fails or breaks",
        "`rejected` or `failed`, with the service's reason; `on_event` is told",
    ),
    14: (
        "A status that nobody has heard of, counts of 0/0/0, days to live that run out",
        "It is looked at ever more seldom, a human is told once, and what runs out first is fetched first",
    ),
    15: (
        "The reply has the batch id 0, or none",
        "That proves nothing: the order is `unknown`",
    ),
    16: (
        "No balance, a missing secret, a refusal for good",
        "No balance waits, and a human is told; a secret that was promised and is gone, and a refusal, end the order",
    ),
    17: (
        "An authority with balance has another profile",
        "An authority is chosen by profile first; one that could not be asked counts neither as empty nor as refused",
    ),
    18: (
        "What works is out of service while it is renewed",
        "The old order stays `delivered` until the new one is",
    ),
    19: (
        "The time for a renewal was missed",
        "A renewal that is late is made at once",
    ),
    20: (
        "A password is handed out before it is saved",
        "`place` returns when secret and order are both on the disk",
    ),
    21: (
        "A renewal lacks some names of the old certificate",
        "The names are those of the certificate that is replaced",
    ),
    22: (
        "What is missing of an address is filled in",
        "Nothing is filled in: an order that lacks what the profile demands ends before it is sent, with every fault",
    ),
    23: (
        "The password stands in clear beside the request",
        "The book holds no secret; those are in a `SecretStore`",
    ),
    24: (
        "A line in the history for each look, and a look at every order there ever was",
        "Changes alone are written down, 50 of each order; an index finds what is due; what is finished is archived",
    ),
    25: (
        "The old certificate is never revoked",
        "With `revoke_after` it is revoked as superseded once the new one is delivered",
    ),
}
"""What goes wrong in a service that embeds the API without a durable book, and what happens here instead."""


def states() -> str:
    """Return every state, what it means, and where an order may go from there."""
    said = _said()
    rows = []
    for state, moves in MOVES.items():
        name = f"**`{state}`**" if state in FINISHED else f"`{state}`"
        rows.append(
            f"| {name} | {said[state.name]} | {', '.join(f'`{move}`' for move in sorted(moves)) or 'nowhere'} |"
        )
    return "\n".join(["| State | Means | Goes to |", "|---|---|---|", *rows])


def failures() -> str:
    """Return F1 to F25, each with the tests that show what is done about it."""
    shown = tests_by_number()
    rows = [
        f"| F{number} | {trigger} | {answer} | {'<br>'.join(f'`{name}`' for name in shown.get(number, ()))} |"
        for number, (trigger, answer) in FAILURES.items()
    ]
    return "\n".join(["| | What happens | What this library does | Shown by |", "|---|---|---|---|", *rows])


def tests_by_number() -> dict[int, list[str]]:
    """Return the tests whose names begin with `test_f` and a number, by that number."""
    found: dict[int, list[str]] = {}
    for path in sorted((ROOT / "tests" / "orders").glob("test_f_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and (named := re.match(r"test_f(\d\d)_", node.name)):
                found.setdefault(int(named[1]), []).append(node.name)
    return found


def _said() -> dict[str, str]:
    """Return what stands under each state."""
    tree = ast.parse((ROOT / "sectigo_iot/orders/states.py").read_text())
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "OrderState")
    said = {}
    for member, text in itertools.pairwise(body):
        if isinstance(member, ast.Assign) and isinstance(member.targets[0], ast.Name) and isinstance(text, ast.Expr):
            said[member.targets[0].id] = " ".join(str(ast.literal_eval(text.value)).split())
    return said
