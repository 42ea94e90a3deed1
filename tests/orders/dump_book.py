"""Write the dump of a book of this version: `python -m tests.orders.dump_book > tests/orders/books/0001.sql`.

It has an order in each state, with everything that an order can have. It is done once, when the version is released.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path

from sectigo_iot.orders import FileSecretStore, OrderBook, OrderState, Renewal
from tests.orders.stages import bring


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "book")
        with OrderBook(path, secrets=FileSecretStore(Path(folder, "secrets")), clock=lambda: 1_700_000_000.0) as book:
            for number, state in enumerate(OrderState):
                wish = {"params": {"organizationName": "Example"}, "labels": {"site": "north"}, "days_to_live": 30}
                bring(book, state, state, batch_id=100 + number, renewal=Renewal(30, 14), **wish)
            book.cancel(OrderState.ISSUING, "a mistake")
            book.renew(OrderState.DELIVERED)
            bring(book, "over", OrderState.DELIVERED, batch_id=200)
            lease = book.claim("worker", seconds=0, keys=[f"{OrderState.DELIVERED}~1"])[0]
            book.change(lease, attention="look at this", failures=3)
        connection = sqlite3.connect(path)
        connection.execute("UPDATE sectigo_orders SET archived = 1, secrets_kept = 0 WHERE key = 'over'")
        sys.stdout.writelines(f"{line}\n" for line in connection.iterdump())
        connection.close()


if __name__ == "__main__":
    main()
