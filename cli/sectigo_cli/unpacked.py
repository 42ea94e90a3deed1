"""What is told of certificates that are in place: as data on stdout, as talk on stderr."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sectigo_cli.output import print_json_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sectigo_cli.context import Context
    from sectigo_iot.pki import KeyRing, Unpacked

_OLDER = "what was in force before is newer than this, and stands in"
_MOST = 20
"""Lines that are said of one thing."""


def summary(done: Sequence[Unpacked], folder: Path) -> str:
    """Return in one line what is in place."""
    names = ", ".join(one.name for one in done[:5])
    more = f" and {len(done) - 5} more" if len(done) > 5 else ""
    return f"unpacked into {folder}: {names}{more}"


def show(context: Context, done: Sequence[Unpacked]) -> None:
    """Print what is in place as one document."""
    now = datetime.now(UTC)
    print_json_list(context, (document(one, now) for one in done))


def document(one: Unpacked, now: datetime) -> dict[str, Any]:
    """Return a certificate that is in place as JSON has it."""
    return {
        "name": one.name,
        "path": str(one.installed.path),
        "folder": str(one.installed.folder),
        "files": list(one.installed.file_names),
        "commonName": one.common_name,
        "dnsNames": list(one.dns_names),
        "serialNumber": one.serial_number,
        "notBefore": one.not_before.isoformat(),
        "notAfter": one.not_after.isoformat(),
        "daysLeft": (one.not_after - now).days,
        "privateKey": one.has_key,
    }


def tell(context: Context, done: Sequence[Unpacked], keys: KeyRing | None) -> None:
    """Say what the user should know of what is in place."""
    some(context, [f"{one.name}: {fault}" for one in done for fault in one.out_of_date])
    some(context, [f"{one.name}: its chain does not reach a root" for one in done if one.incomplete])
    some(context, [f"{one.name}: {_OLDER} {one.installed.previous}" for one in done if one.is_older])
    some(context, list(dict.fromkeys(remark for one in done for remark in one.installed.remarks)))
    unused = set() if keys is None else keys.sources - {one.key_source for one in done}
    some(context, [f"the key in {name} fits none of them" for name in sorted(unused)])
    without = sum(not one.has_key for one in done)
    if without:
        context.note(f"{without} of {len(done)} without a private key: it stayed where the request was made")


def unreadable(context: Context, done: Sequence[Unpacked]) -> list[str]:
    """Have each user that was granted read each key; say what they can read, and return what they cannot."""
    from sectigo_iot.pki import proven_readable

    read, unread = [], []
    for one in done:
        for user in one.installed.users:
            proof = proven_readable(user, one.installed.path / _secret(one))
            if proof.readable:
                read.append(f"the user {user} can read {proof.path}{f' ({proof.reason})' if proof.reason else ''}")
            else:
                unread.append(f"the user {user} cannot read {proof.path}: {proof.reason}")
    some(context, read)
    return unread


def _secret(one: Unpacked) -> str:
    """Return the name of the file with the private key, of any file where there is none."""
    names = one.installed.file_names
    return next((name for name in names if name.startswith("privkey.") or name.endswith(".p12")), names[0])


def some(context: Context, lines: Sequence[str]) -> None:
    """Say so many lines at the most, and how many more there are."""
    for line in lines[:_MOST]:
        context.note(line)
    if len(lines) > _MOST:
        context.note(f"and {len(lines) - _MOST} more")
