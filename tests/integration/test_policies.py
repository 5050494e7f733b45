"""The versions of policies, as a batch looks them up."""

import json

import asyncpg
import pytest

from db import policies
from db.connect import connect
from db.policies import AppliedMeanwhile

pytestmark = pytest.mark.integration

MANY = """
INSERT INTO policies (tenant_id, version, document)
SELECT 'tenant' || n % 500, 1 + n / 500, '{}' FROM generate_series(0, 9999) n
"""


@pytest.fixture
async def connection(database_url: str) -> asyncpg.Connection:
    return await connect(database_url)


async def test_the_highest_version_is_in_force(connection: asyncpg.Connection) -> None:
    for version in (1, 2, 10):
        await policies.add(connection, "north", version, json.dumps({"version": version}))
    await policies.add(connection, "south", 1, "{}")
    found = await policies.current_versions(connection, ["south", "north", "west", "north"])
    assert found == {"north": 10, "south": 1}
    assert await policies.current_versions(connection, []) == {}
    await connection.close()


async def test_documents_are_read_by_version(connection: asyncpg.Connection) -> None:
    for version in (1, 2):
        await policies.add(connection, "north", version, json.dumps({"version": version}))
    wanted = [("north", 1), ("north", 3), ("south", 1), ("north", 2)]
    found = await policies.read(connection, wanted)
    assert {key: json.loads(document)["version"] for key, document in found.items()} == {
        ("north", 1): 1,
        ("north", 2): 2,
    }
    assert await policies.read(connection, []) == {}
    await connection.close()


async def test_a_version_is_there_once(connection: asyncpg.Connection) -> None:
    await policies.add(connection, "north", 1, "{}")
    with pytest.raises(AppliedMeanwhile, match="somebody else applied version 1 of north's policy"):
        await policies.add(connection, "north", 1, "{}")
    found = await policies.find(connection, "north")
    assert found is not None
    assert (found.version, found.document) == (1, "{}")
    assert await policies.find(connection, "north", 2) is None
    await connection.close()


@pytest.mark.parametrize("has_statistics", [False, True])
async def test_versions_are_found_by_index(
    connection: asyncpg.Connection, *, has_statistics: bool
) -> None:
    await connection.execute(MANY)
    if has_statistics:
        await connection.execute("ANALYZE policies")
    await connection.execute("BEGIN; SET LOCAL enable_seqscan = off")
    for question, arguments in (
        (policies.CURRENT_VERSIONS, [["tenant1", "tenant2"]]),
        (policies.READ, [["tenant1", "tenant2"], ["1", "2"]]),
        (policies.FIND, ["tenant1", 3]),
        (policies.FIND, ["tenant1", None]),
    ):
        plan = [row[0] for row in await connection.fetch(f"EXPLAIN {question}", *arguments)]
        assert any("pk_policies" in line for line in plan), plan
        assert not any("Seq Scan" in line or "Sort" in line for line in plan), plan
    await connection.close()
