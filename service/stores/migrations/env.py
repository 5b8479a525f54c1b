"""Alembic runs this file for every migration command; the connection comes from migrations/__init__."""

from alembic import context

from service.stores.tables import metadata

# SQLite's DDL is transactional too once BEGIN is ours: a migration happens whole or not at all.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
