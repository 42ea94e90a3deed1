"""The tables of the order book, the same in SQLite and in PostgreSQL, and the version that they are of."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

VERSION = "0001"
"""The version of the tables that this program works with: that of the last file in `migrations/versions`."""
VERSION_TABLE = "sectigo_order_version"
"""Where the version stands. All tables are named so that they can stand in a database beside those of others."""

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}
# SQLite numbers rows by itself for an INTEGER PRIMARY KEY alone (https://www.sqlite.org/rowidtable.html).
_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_HAS_ATTENTION = text("attention IS NOT NULL")
_SQLITE_LEAVES_SECRETS = text("archived = 1 AND secrets_kept = 1")
_POSTGRESQL_LEAVES_SECRETS = text("archived AND secrets_kept")

metadata = MetaData(naming_convention=_NAMES)

orders = Table(
    "sectigo_orders",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("uid", String(16), nullable=False, unique=True),
    Column("key", String(240), nullable=False, unique=True),
    Column("common_name", Text, nullable=False),
    Column("searched", Text, nullable=False, comment="what a search by text looks in: key and names, in lower case"),
    Column("wanted", Text, nullable=False, comment="JSON"),
    Column("password_given", Boolean, nullable=False),
    Column("password_number", Integer, nullable=False, comment="the lease under which it was made"),
    Column("key_given", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("next_at", Double),
    Column("attention", Text),
    Column("second_batch", Text, comment="a part of attention that stays until a human has seen to it"),
    Column("failures", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("batch_name", Text),
    Column("sent_at", Double),
    Column("sent_until", Double),
    Column("settles_at", Double, comment="sent_until by the clock of leases"),
    Column("settles_boot", Text, comment="by which that clock is told, as lease_boot"),
    Column("known_batch_id", BigInteger),
    Column("batch_id", BigInteger),
    Column("authority_id", BigInteger),
    Column("profile_id", BigInteger),
    Column("ready_at", Double),
    Column("certificate", Text, comment="JSON"),
    Column("serial_number", Text),
    Column("withdrawn", Text),
    Column("renews", String(240)),
    Column("renewed_by", String(240)),
    Column("renew_at", Double),
    Column("revoke_at", Double),
    Column("revoked_at", Double),
    Column("doubtful", Boolean, nullable=False, comment="it is over, and nobody knows whether it was accepted"),
    Column("placed_at", Double, comment="when it became known that the service has accepted it"),
    Column("urgency", Integer, nullable=False, comment="the lower, the sooner it is claimed"),
    Column("turn", Double, comment="its place among those of the same urgency; NULL for never"),
    Column("lease_number", Integer, nullable=False),
    Column("lease_worker", Text),
    Column("lease_from", Double),
    Column("lease_until", Double),
    Column("lease_boot", Text, comment="by the clock of which start of which machine; empty for the server's clock"),
    Column("events", Integer, nullable=False, comment="how many events it had, the forgotten ones included"),
    Column("archived", Boolean, nullable=False),
    Column("secrets_kept", Boolean, nullable=False, comment="whether secrets of an archived order may be left"),
    Index(None, "urgency", "turn", "id"),
    Index(None, "next_at"),
    Index(None, "archived", "state", "id"),
    Index(None, "archived", "changed_at"),
    Index(None, "common_name"),
    Index(None, "batch_id"),
    Index(None, "authority_id", "placed_at"),
    Index("ix_sectigo_orders_attention", "id", sqlite_where=_HAS_ATTENTION, postgresql_where=_HAS_ATTENTION),
    Index(
        "ix_sectigo_orders_secrets",
        "id",
        sqlite_where=_SQLITE_LEAVES_SECRETS,
        postgresql_where=_POSTGRESQL_LEAVES_SECRETS,
    ),
)

events = Table(
    "sectigo_order_events",
    metadata,
    Column("order_id", _NUMBER, ForeignKey("sectigo_orders.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("old", String(16)),
    Column("new", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("batch_id", BigInteger),
    PrimaryKeyConstraint("order_id", "number"),
)

labels = Table(
    "sectigo_order_labels",
    metadata,
    Column("order_id", _NUMBER, ForeignKey("sectigo_orders.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("order_id", "name"),
    Index(None, "name", "value", "order_id"),
)

service = Table(
    "sectigo_order_service",
    metadata,
    Column("number", Integer, nullable=False, autoincrement=False, comment="1: a book is of one service"),
    Column("endpoint", Text, nullable=False),
    PrimaryKeyConstraint("number"),
)
