"""A migrated database for one run of an example, on devstack's server or the one that is given."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from db.connect import engine
from db.migrate import upgrade
from devstack.databases import create_database, drop_database
from devstack.stack import running
from examples.workflows.ledger import prepare


@contextmanager
def own_database() -> Iterator[str]:
    """The URL of a new database, dropped after the block. Not for use inside an event loop."""
    with running(kafka=False) as stack:
        url = create_database(stack.postgres.url)
        try:
            asyncio.run(_migrate(url))
            yield url
        finally:
            drop_database(url)


async def _migrate(url: str) -> None:
    await upgrade(url)
    database = engine(url)
    await prepare(database)
    await database.dispose()
