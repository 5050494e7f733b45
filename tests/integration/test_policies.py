"""The versions of policies, as a batch looks them up."""

import json

import asyncpg
import pytest

from db import policies
from db.connect import connect
from db.policies import AppliedMeanwhile, Found
from db.requests import look_up
from tests.records import some_id

pytestmark = pytest.mark.integration

MANY = """
INSERT INTO policies (tenant_id, version, document)
SELECT 'tenant' || n % 500, 1 + n / 500, '{}' FROM generate_series(0, 9999) n
"""


@pytest.fixture
async def connection(database_url: str) -> asyncpg.Connection:
    return await connect(database_url)


async def test_the_highest_version_is_the_newest(connection: asyncpg.Connection) -> None:
    for version in (1, 2, 10):
        await policies.add(connection, "north", version, json.dumps({"version": version}))
    await policies.add(connection, "south", 1, "{}")
    found = await policies.newest(connection, ["south", "north", "west", "north"])
    assert [each[:2] for each in found] == [("north", 10), ("south", 1)]
    assert await policies.of_all_tenants(connection) == found
    assert await policies.newest(connection, []) == []
    await connection.close()


async def test_the_next_version_below_is_found(connection: asyncpg.Connection) -> None:
    for version in (1, 2, 10):
        await policies.add(connection, "north", version, json.dumps({"version": version}))
    await policies.add(connection, "south", 1, "{}")
    found = await policies.older(connection, {"north": 10, "south": 1, "west": 3})
    assert {key: each.document for key, each in found.items()} == {("north", 2): '{"version": 2}'}
    known = await policies.read(connection, {("north", 2): None})
    assert known == found
    await connection.close()


async def test_documents_are_read_by_version(connection: asyncpg.Connection) -> None:
    for version in (1, 2):
        await policies.add(connection, "north", version, json.dumps({"version": version}))
    wanted = [("north", 1), ("north", 3), ("south", 1), ("north", 2)]
    found = await policies.read(connection, dict.fromkeys(wanted))
    assert {key: json.loads(each.document or "")["version"] for key, each in found.items()} == {
        ("north", 1): 1,
        ("north", 2): 2,
    }
    assert await policies.read(connection, {}) == {}
    await connection.close()


async def test_a_document_that_is_known_is_not_read_again(connection: asyncpg.Connection) -> None:
    await policies.add(connection, "north", 1, "{}")
    key = ("north", 1)
    first = (await policies.read(connection, {key: None}))[key]
    assert first.document == "{}"
    assert (await policies.read(connection, {key: first.applied_at}))[key] == Found(
        first.applied_at, None
    )
    await connection.execute("UPDATE policies SET applied_at = applied_at + interval '1 second'")
    assert (await policies.read(connection, {key: first.applied_at}))[key].document == "{}"
    await connection.close()


async def test_it_is_told_when_a_version_was_applied_as_a_look_up_tells_it(
    connection: asyncpg.Connection,
) -> None:
    await policies.add(connection, "north", 1, "{}")
    answer = await look_up(
        connection,
        keys=[("north", some_id("request"))],
        customers=[],
        external_ids=[],
        partners=[],
        stretches=[],
    )
    found = await policies.read(connection, {("north", 1): None})
    assert [tuple(each) for each in answer.policies] == [("north", 1, found["north", 1].applied_at)]
    assert await policies.newest(connection, ["north"]) == [tuple(*answer.policies)]
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
        (policies.NEWEST, [["tenant1", "tenant2"]]),
        (policies.OLDER, [["tenant1", "tenant2"], ["9", "3"]]),
        (policies.READ, [["tenant1", "tenant2"], ["1", "2"], [None, "now"]]),
        (policies.FIND, ["tenant1", 3]),
        (policies.FIND, ["tenant1", None]),
    ):
        plan = [row[0] for row in await connection.fetch(f"EXPLAIN {question}", *arguments)]
        assert any("pk_policies" in line for line in plan), plan
        assert not any("Seq Scan" in line or "Sort" in line for line in plan), plan
    await connection.close()
