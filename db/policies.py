"""The versions of tenants' policies. The highest is in force; a version never changes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

CURRENT_VERSIONS: Final = """
SELECT r.tenant_id, p.version FROM unnest($1::text[]) AS r (tenant_id)
 CROSS JOIN LATERAL (SELECT version FROM policies p WHERE p.tenant_id = r.tenant_id
                      ORDER BY p.version DESC LIMIT 1) p
"""

READ: Final = """
SELECT r.tenant_id, p.version, p.document::text
  FROM unnest($1::text[], $2::text[]) AS r (tenant_id, version)
 CROSS JOIN LATERAL (SELECT version, document FROM policies p
    WHERE p.tenant_id = r.tenant_id AND p.version = r.version::int LIMIT 1) p
"""

TIERS: Final = """
SELECT r.tenant_id, r.id, c.tier FROM unnest($1::text[], $2::text[]) AS r (tenant_id, id)
 CROSS JOIN LATERAL (SELECT tier FROM customers c
    WHERE c.tenant_id = r.tenant_id AND c.id = r.id::uuid LIMIT 1) c
 WHERE c.tier IS NOT NULL
"""

FIND: Final = """
SELECT version, document::text, applied_at FROM policies
 WHERE tenant_id = $1 AND ($2::int IS NULL OR version = $2) ORDER BY version DESC LIMIT 1
"""

ADD: Final = "INSERT INTO policies (tenant_id, version, document) VALUES ($1, $2, $3::text::json)"


class Stored(NamedTuple):
    """A version as it is kept. document: JSON."""

    version: int
    document: str
    applied_at: datetime


class AppliedMeanwhile(Exception):
    """Somebody else applied version {version} of {tenant_id}'s policy meanwhile."""

    def __init__(self, tenant_id: str, version: int) -> None:
        super().__init__(
            f"Nothing was applied: somebody else applied version {version} of {tenant_id}'s policy"
            " meanwhile; look at it, and apply yours again if it should follow."
        )


async def current_versions(
    connection: asyncpg.Connection, tenants: Iterable[str]
) -> dict[str, int]:
    """The version in force for each of these tenants that has a policy."""
    rows = await connection.fetch(CURRENT_VERSIONS, sorted(set(tenants)))
    return {row[0]: row[1] for row in rows}


async def read(
    connection: asyncpg.Connection, versions: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    """The documents of these versions (tenant, version), as JSON."""
    tenants = [tenant for tenant, _ in versions]
    rows = await connection.fetch(READ, tenants, [str(version) for _, version in versions])
    return {(row[0], row[1]): row[2] for row in rows}


async def tiers(
    connection: asyncpg.Connection, customers: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """The tiers of these customers (tenant, id), of those that have one."""
    tenants, ids = [tenant for tenant, _ in customers], [id_ for _, id_ in customers]
    return {(row[0], row[1]): row[2] for row in await connection.fetch(TIERS, tenants, ids)}


async def find(
    connection: asyncpg.Connection, tenant_id: str, version: int | None = None
) -> Stored | None:
    """A version of a tenant's policy, or the one in force; None where there is none."""
    row = await connection.fetchrow(FIND, tenant_id, version)
    return None if row is None else Stored(*row)


async def add(connection: asyncpg.Connection, tenant_id: str, version: int, document: str) -> None:
    """Put a version in force, the one after the version that its author saw.

    Raises AppliedMeanwhile; the transaction is of no use then.
    """
    try:
        await connection.execute(ADD, tenant_id, version, document)
    except asyncpg.UniqueViolationError:
        raise AppliedMeanwhile(tenant_id, version) from None
