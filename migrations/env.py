"""Runs migrations over the connection that `db.migrate` passes in, or writes them out as SQL."""

from alembic import context

attributes = context.config.attributes

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
else:
    context.configure(
        connection=attributes["connection"],
        target_metadata=attributes.get("metadata"),
        compare_server_default=True,
    )

with context.begin_transaction():
    context.run_migrations()
