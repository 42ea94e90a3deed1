"""The first version of the tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_orders()
    _index_orders()
    _make_what_belongs_to_them()


def _make_orders() -> None:
    op.create_table(
        "sectigo_orders",
        *_of_the_order(),
        *_of_the_book(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sectigo_orders")),
        sa.UniqueConstraint("key", name=op.f("uq_sectigo_orders_key")),
        sa.UniqueConstraint("uid", name=op.f("uq_sectigo_orders_uid")),
    )


def _of_the_order() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("uid", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=240), nullable=False),
        sa.Column("common_name", sa.Text(), nullable=False),
        sa.Column(
            "searched",
            sa.Text(),
            nullable=False,
            comment="what a search by text looks in: key and names, in lower case",
        ),
        sa.Column("wanted", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("password_given", sa.Boolean(), nullable=False),
        sa.Column("password_number", sa.Integer(), nullable=False, comment="the lease under which it was made"),
        sa.Column("key_given", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=True),
        sa.Column("attention", sa.Text(), nullable=True),
        sa.Column(
            "second_batch",
            sa.Text(),
            nullable=True,
            comment="a part of attention that stays until a human has seen to it",
        ),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("batch_name", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.Double(), nullable=True),
        sa.Column("sent_until", sa.Double(), nullable=True),
        sa.Column("settles_at", sa.Double(), nullable=True, comment="sent_until by the clock of leases"),
        sa.Column("settles_boot", sa.Text(), nullable=True, comment="by which that clock is told, as lease_boot"),
        sa.Column("known_batch_id", sa.BigInteger(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("authority_id", sa.BigInteger(), nullable=True),
        sa.Column("profile_id", sa.BigInteger(), nullable=True),
        sa.Column("ready_at", sa.Double(), nullable=True),
        sa.Column("certificate", sa.Text(), nullable=True, comment="JSON"),
        sa.Column("serial_number", sa.Text(), nullable=True),
        sa.Column("withdrawn", sa.Text(), nullable=True),
        sa.Column("renews", sa.String(length=240), nullable=True),
        sa.Column("renewed_by", sa.String(length=240), nullable=True),
        sa.Column("renew_at", sa.Double(), nullable=True),
        sa.Column("revoke_at", sa.Double(), nullable=True),
        sa.Column("revoked_at", sa.Double(), nullable=True),
    ]


def _of_the_book() -> list[sa.Column[Any]]:
    return [
        sa.Column(
            "doubtful", sa.Boolean(), nullable=False, comment="it is over, and nobody knows whether it was accepted"
        ),
        sa.Column(
            "placed_at", sa.Double(), nullable=True, comment="when it became known that the service has accepted it"
        ),
        sa.Column("urgency", sa.Integer(), nullable=False, comment="the lower, the sooner it is claimed"),
        sa.Column(
            "turn", sa.Double(), nullable=True, comment="its place among those of the same urgency; NULL for never"
        ),
        sa.Column("lease_number", sa.Integer(), nullable=False),
        sa.Column("lease_worker", sa.Text(), nullable=True),
        sa.Column("lease_from", sa.Double(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column(
            "lease_boot",
            sa.Text(),
            nullable=True,
            comment="by the clock of which start of which machine; empty for the server's clock",
        ),
        sa.Column(
            "events", sa.Integer(), nullable=False, comment="how many events it had, the forgotten ones included"
        ),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column(
            "secrets_kept", sa.Boolean(), nullable=False, comment="whether secrets of an archived order may be left"
        ),
    ]


def _index_orders() -> None:
    op.create_index(
        op.f("ix_sectigo_orders_archived_changed_at"), "sectigo_orders", ["archived", "changed_at"], unique=False
    )
    op.create_index(
        op.f("ix_sectigo_orders_archived_state_id"), "sectigo_orders", ["archived", "state", "id"], unique=False
    )
    op.create_index(
        "ix_sectigo_orders_attention",
        "sectigo_orders",
        ["id"],
        unique=False,
        sqlite_where=sa.text("attention IS NOT NULL"),
        postgresql_where=sa.text("attention IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_sectigo_orders_authority_id_placed_at"),
        "sectigo_orders",
        ["authority_id", "placed_at"],
        unique=False,
    )
    op.create_index(op.f("ix_sectigo_orders_batch_id"), "sectigo_orders", ["batch_id"], unique=False)
    op.create_index(op.f("ix_sectigo_orders_common_name"), "sectigo_orders", ["common_name"], unique=False)
    op.create_index(op.f("ix_sectigo_orders_next_at"), "sectigo_orders", ["next_at"], unique=False)
    op.create_index(
        "ix_sectigo_orders_secrets",
        "sectigo_orders",
        ["id"],
        unique=False,
        sqlite_where=sa.text("archived = 1 AND secrets_kept = 1"),
        postgresql_where=sa.text("archived AND secrets_kept"),
    )
    op.create_index(
        op.f("ix_sectigo_orders_urgency_turn_id"), "sectigo_orders", ["urgency", "turn", "id"], unique=False
    )


def _make_what_belongs_to_them() -> None:
    op.create_table(
        "sectigo_order_events",
        sa.Column("order_id", _NUMBER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("old", sa.String(length=16), nullable=True),
        sa.Column("new", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["sectigo_orders.id"], name=op.f("fk_sectigo_order_events_order_id")),
        sa.PrimaryKeyConstraint("order_id", "number", name=op.f("pk_sectigo_order_events")),
    )
    op.create_table(
        "sectigo_order_labels",
        sa.Column("order_id", _NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["sectigo_orders.id"], name=op.f("fk_sectigo_order_labels_order_id")),
        sa.PrimaryKeyConstraint("order_id", "name", name=op.f("pk_sectigo_order_labels")),
    )
    op.create_index(
        op.f("ix_sectigo_order_labels_name_value_order_id"),
        "sectigo_order_labels",
        ["name", "value", "order_id"],
        unique=False,
    )
    op.create_table(
        "sectigo_order_service",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="1: a book is of one service"),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_sectigo_order_service")),
    )
