"""The versions of tenants' policies. The highest is in force; a version never changes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

CURRENT_VERSIONS: Final = """
SELECT r.tenant_id, p.version FROM unnest($1::text[]) AS r (tenant_id)
 CROSS JOIN LATERAL (SELECT version FROM policies p WHERE p.tenant_id = r.tenant_id
                      ORDER BY p.version DESC LIMIT 1) p
"""

READ: Final = """
SELECT r.tenant_id, p.version, p.applied_at,
       CASE p.applied_at WHEN r.applied_at THEN NULL ELSE p.document::text END
  FROM unnest($1::text[], $2::text[], $3::text[]) AS r (tenant_id, version, applied_at)
 CROSS JOIN LATERAL (SELECT version, document, to_json(applied_at) #>> '{}' AS applied_at
     FROM policies p
    WHERE p.tenant_id = r.tenant_id AND p.version = r.version::int LIMIT 1) p
"""
"""When each was applied is told as the look-up of a batch tells it: as JSON has it."""

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


class Found(NamedTuple):
    """A version among many. document: JSON; None where it is the one that was known."""

    applied_at: str
    document: str | None


Key = tuple[str, int]
"""A tenant, and a version of its policy."""


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
    connection: asyncpg.Connection, versions: Mapping[Key, str | None]
) -> dict[Key, Found]:
    """These versions (tenant, version), as far as they exist.

    versions: with when each was applied, where its document is known and need not be read.
    """
    tenants, numbers = [tenant for tenant, _ in versions], [str(number) for _, number in versions]
    rows = await connection.fetch(READ, tenants, numbers, list(versions.values()))
    return {(row[0], row[1]): Found(row[2], row[3]) for row in rows}


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
