"""One row says who may do what only one may do at a time, until when, and under which number.

Only the database's clock counts, read as the statement's transaction began: a holder that counts
its own time from before it asked always gives up before the database does.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg

ACQUIRE: Final = """
INSERT INTO leases AS l (name, holder, fence, expires_at)
SELECT $1, $2, 1, now() + $3
 WHERE NOT EXISTS (SELECT FROM leases h WHERE h.name = $1 AND h.expires_at > now())
    ON CONFLICT (name) DO UPDATE
   SET holder = excluded.holder, fence = l.fence + 1, expires_at = excluded.expires_at
 WHERE l.expires_at <= now()
RETURNING fence
"""
"""Those who wait only read: the row is locked when it seems free, and then looked at again."""

RENEW: Final = """
UPDATE leases SET expires_at = now() + $4
 WHERE name = $1 AND holder = $2 AND fence = $3
RETURNING true
"""

RELEASE: Final = """
UPDATE leases SET expires_at = now() WHERE name = $1 AND holder = $2 AND fence = $3
"""

CONFIRM: Final = """
SELECT true FROM leases WHERE name = $1 AND holder = $2 AND fence = $3 FOR NO KEY UPDATE
"""

HOLDER: Final = """
SELECT holder, fence, extract(epoch FROM expires_at - now())::float8 FROM leases WHERE name = $1
"""


class LeaseLost(Exception):
    """The lease {name} is no longer ours under fence {fence}."""

    def __init__(self, lease: "Lease") -> None:
        super().__init__(f"The lease {lease.name} is no longer ours under fence {lease.fence}.")


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as its holder was given it. fence: rises with each new holder."""

    name: str
    holder: str
    fence: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease. expires_in: seconds, below zero when nobody holds it any more."""

    holder: str
    fence: int
    expires_in: float


async def acquire(
    connection: asyncpg.Connection, name: str, holder: str, *, seconds: float
) -> Lease | None:
    """Take the lease if it is free; None while somebody else's runs."""
    fence = await connection.fetchval(ACQUIRE, name, holder, timedelta(seconds=seconds))
    return None if fence is None else Lease(name, holder, fence)


async def renew(connection: asyncpg.Connection, lease: Lease, *, seconds: float) -> None:
    """Make it run `seconds` from now; raises LeaseLost when another has taken it."""
    renewed = await connection.fetchval(
        RENEW, lease.name, lease.holder, lease.fence, timedelta(seconds=seconds)
    )
    if renewed is None:
        raise LeaseLost(lease)


async def release(connection: asyncpg.Connection, lease: Lease) -> None:
    """Let the next one start at once; a lease that another has taken stays as it is."""
    await connection.execute(RELEASE, lease.name, lease.holder, lease.fence)


async def confirm(connection: asyncpg.Connection, lease: Lease) -> None:
    """Lock the lease until the transaction ends: what it writes then happens under the fence.

    Nobody takes the lease over before the commit. Raises LeaseLost when somebody has.
    """
    if await connection.fetchval(CONFIRM, lease.name, lease.holder, lease.fence) is None:
        raise LeaseLost(lease)


async def current(connection: asyncpg.Connection, name: str) -> Holder | None:
    """Who holds it, or held it last; None when nobody ever did."""
    row = await connection.fetchrow(HOLDER, name)
    return None if row is None else Holder(*row)
