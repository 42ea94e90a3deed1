"""Reading one field of a reply: known fields may be null, integers may come as text, times in several forms.

Each function raises ValueError only where the reply is of no use without the field.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sectigo_iot.statuses import BatchStatus


def integer(value: Any) -> int:
    """Ids are integers; a service that sends them as text is understood, one that sends none is not."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("no integer")
    return int(value)


def maybe_integer(value: Any) -> int | None:
    try:
        return integer(value)
    except ValueError:
        return None


def count(value: Any) -> int:
    return maybe_integer(value) or 0


def text(value: Any) -> str | None:
    """Return text as it is and whatever else as JSON: rejectReason and deviceId have been seen as other types."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def flag(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def status(value: Any) -> BatchStatus:
    return BatchStatus(text(value) or "")


def anything(value: Any) -> Any:
    return value


def texts(value: Any) -> tuple[str, ...]:
    return tuple(text(item) or "" for item in value) if isinstance(value, list) else ()


def mapping(value: Any) -> Mapping[str, str | None]:
    return MappingProxyType({str(key): text(item) for key, item in value.items()} if isinstance(value, dict) else {})


def time(value: Any) -> datetime.datetime | None:
    """Read `2021-06-23T17:53:43.484+0000`, and up to nine digits and a Z as well."""
    try:
        moment = datetime.datetime.fromisoformat(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return aware.astimezone(datetime.UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("no name")
    return value
