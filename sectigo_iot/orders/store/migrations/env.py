"""What Alembic runs: the migrations, in the transaction of whoever opened the book."""

from __future__ import annotations

from alembic import context

from sectigo_iot.orders.store.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite changes a table by making it anew.
    render_as_batch=True,
    include_name=lambda name, kind, _parents: kind != "table" or name in metadata.tables,
)
context.run_migrations()
