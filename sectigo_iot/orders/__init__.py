"""Orders that are never lost and never doubled: a book that outlives a crash, and a worker that carries each through.

Every name is handed on when it is first asked for, so that importing this package does not load SQLAlchemy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sectigo_iot.orders.book import OrderBook
    from sectigo_iot.orders.lease import Lease
    from sectigo_iot.orders.order import Bundle, Order, OrderedCertificate, OrderEvent, OrderRequest, Renewal
    from sectigo_iot.orders.protocols import SecretStore, Service
    from sectigo_iot.orders.rules import WorkerRules
    from sectigo_iot.orders.secrets import FileSecretStore, KeyringSecretStore, MemorySecretStore
    from sectigo_iot.orders.states import MOVES, OrderState
    from sectigo_iot.orders.store.intents import AskedBalance
    from sectigo_iot.orders.store.placing import Placement
    from sectigo_iot.orders.worker import OrderWorker, StepReport
else:
    _HOMES = {
        "AskedBalance": "store.intents",
        "Bundle": "order",
        "FileSecretStore": "secrets",
        "KeyringSecretStore": "secrets",
        "Lease": "lease",
        "MOVES": "states",
        "MemorySecretStore": "secrets",
        "Order": "order",
        "OrderBook": "book",
        "OrderEvent": "order",
        "OrderRequest": "order",
        "OrderState": "states",
        "OrderWorker": "worker",
        "OrderedCertificate": "order",
        "Placement": "store.placing",
        "Renewal": "order",
        "SecretStore": "protocols",
        "Service": "protocols",
        "StepReport": "worker",
        "WorkerRules": "rules",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "MOVES",
    "AskedBalance",
    "Bundle",
    "FileSecretStore",
    "KeyringSecretStore",
    "Lease",
    "MemorySecretStore",
    "Order",
    "OrderBook",
    "OrderEvent",
    "OrderRequest",
    "OrderState",
    "OrderWorker",
    "OrderedCertificate",
    "Placement",
    "Renewal",
    "SecretStore",
    "Service",
    "StepReport",
    "WorkerRules",
]
