"""Alembic's entry: runs migrations on the connection that Catalog hands over."""

from alembic import context

from beholden.catalog.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=False
)
context.run_migrations()
