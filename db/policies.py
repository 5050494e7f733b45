"""The versions of tenants' policies. A version never changes, and the highest is the newest."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

NEWEST: Final = """
SELECT r.tenant_id, p.version, p.applied_at FROM unnest($1::text[]) AS r (tenant_id)
 CROSS JOIN LATERAL (SELECT version, to_json(applied_at) #>> '{}' AS applied_at
     FROM policies p WHERE p.tenant_id = r.tenant_id ORDER BY p.version DESC LIMIT 1) p
"""

OF_ALL_TENANTS: Final = """
SELECT DISTINCT ON (tenant_id) tenant_id, version, to_json(applied_at) #>> '{}'
  FROM policies ORDER BY tenant_id, version DESC
"""

OLDER: Final = """
SELECT r.tenant_id, p.version, p.applied_at, p.document
  FROM unnest($1::text[], $2::text[]) AS r (tenant_id, version)
 CROSS JOIN LATERAL (SELECT version, document::text, to_json(applied_at) #>> '{}' AS applied_at
     FROM policies p WHERE p.tenant_id = r.tenant_id AND p.version < r.version::int
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

Applied = tuple[str, int, str]
"""The same with when it was applied, as JSON has it: in a restored backup a version is another."""


class AppliedMeanwhile(Exception):
    """Somebody else applied version {version} of {tenant_id}'s policy meanwhile."""

    def __init__(self, tenant_id: str, version: int) -> None:
        super().__init__(
            f"Nothing was applied: somebody else applied version {version} of {tenant_id}'s policy"
            " meanwhile; look at it, and apply yours again if it should follow."
        )


async def newest(connection: asyncpg.Connection, tenants: Iterable[str]) -> list[Applied]:
    """The highest version of each of these tenants that has a policy."""
    rows = await connection.fetch(NEWEST, sorted(set(tenants)))
    return [(row[0], row[1], row[2]) for row in rows]


async def of_all_tenants(connection: asyncpg.Connection) -> list[Applied]:
    """The highest version of every tenant that has a policy. For operators."""
    return [(row[0], row[1], row[2]) for row in await connection.fetch(OF_ALL_TENANTS)]


async def older(connection: asyncpg.Connection, versions: Mapping[str, int]) -> dict[Key, Found]:
    """The next version below each of these, as far as there is one, with its document."""
    numbers = [str(number) for number in versions.values()]
    rows = await connection.fetch(OLDER, list(versions), numbers)
    return {(row[0], row[1]): Found(row[2], row[3]) for row in rows}


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
