"""Policies as they are read by version: in force for a batch, and older ones for clocks."""

from collections.abc import AsyncIterator

import asyncpg
import orjson
import pytest

from db import policies
from db.connect import connect
from handlers.policies import Found, InForce, in_force, of_versions, tiers_of
from handlers.routing import CompiledPolicy, PolicyUnreadable
from tests.integration.batch_stage import WatchedConnection
from tests.records import asked
from tests.scenarios.messages import ANNA, NORTH

pytestmark = pytest.mark.integration


class Trips:
    """A connection, and what was asked over it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.asked: list[str] = []
        self.connection: asyncpg.Connection = WatchedConnection(connection, self._note)

    async def _note(self, name: str, arguments: str) -> None:
        self.asked.append(f"{name} {arguments}")


@pytest.fixture
async def trips(database_url: str) -> AsyncIterator[Trips]:
    connection = await connect(database_url)
    yield Trips(connection)
    await connection.close()


async def apply(trips: Trips, tenant_id: str, version: int, **document: object) -> None:
    text = orjson.dumps(document).decode()
    await policies.add(trips.connection, tenant_id, version, text)


def days(found: CompiledPolicy | PolicyUnreadable) -> float:
    assert isinstance(found, CompiledPolicy)
    return found.reopen_days


async def test_versions_are_found_whether_or_not_they_are_in_force(trips: Trips) -> None:
    for version in (1, 2, 3):
        await apply(trips, "north", version, settings={"reopen_days": version})
    await apply(trips, "south", 1)
    wanted = {("north", 1), ("north", 2), ("south", 1), ("north", 4), ("west", 1)}
    found = await of_versions(trips.connection, wanted)
    assert {key: days(policy) for key, policy in found.items()} == {
        ("north", 1): 1,
        ("north", 2): 2,
        ("south", 1): 7,
    }
    assert await of_versions(trips.connection, ()) == {}


async def test_a_document_is_read_once_and_compiled_once(trips: Trips) -> None:
    await apply(trips, "north", 1)
    key = ("north", 1)
    first = await of_versions(trips.connection, [key])
    trips.asked.clear()
    assert await of_versions(trips.connection, [key]) == first
    assert len(trips.asked) == 1
    newest = await policies.newest(trips.connection, ["north"])
    trips.asked.clear()
    policy = first[key]
    assert isinstance(policy, CompiledPolicy)
    assert await in_force(trips.connection, newest) == Found({"north": InForce(1, policy)}, [])
    assert trips.asked == []


async def test_a_version_that_was_applied_anew_is_read_anew(trips: Trips) -> None:
    """A backup was restored, and then another policy became version 1."""
    await apply(trips, "north", 1, settings={"reopen_days": 5})
    key = ("north", 1)
    assert days((await of_versions(trips.connection, [key]))[key]) == 5
    await trips.connection.execute("DELETE FROM policies")
    await apply(trips, "north", 1, settings={"reopen_days": 6})
    assert days((await of_versions(trips.connection, [key]))[key]) == 6


async def test_one_that_is_not_understood_leaves_the_others_alone(trips: Trips) -> None:
    await apply(trips, "north", 1, sla=[{"name": "x", "targets": {"resolution": "soon"}}])
    await apply(trips, "north", 2)
    await apply(trips, "south", 1, calendars={"x": 5}, sla=[{"name": "y", "calendar": "x"}])
    wanted = [("north", 1), ("north", 2), ("south", 1)]
    for _ in range(2):
        found = await of_versions(trips.connection, wanted)
        assert days(found["north", 2]) == 7
        for key in (("north", 1), ("south", 1)):
            assert isinstance(found[key], PolicyUnreadable)
            assert f"Version 1 of {key[0]}'s policy" in str(found[key])


async def held(trips: Trips) -> tuple[dict[str, int], list[tuple[str, int]]]:
    """The versions in force, and those that should be."""
    newest = await policies.newest(trips.connection, ["north", "south", "west"])
    trips.asked.clear()
    found = await in_force(trips.connection, newest)
    return (
        {tenant: each.version for tenant, each in found.in_force.items()},
        sorted((each.tenant_id, each.version) for each in found.unreadable),
    )


async def test_the_newest_version_that_is_understood_is_in_force(trips: Trips) -> None:
    """It is looked for once."""
    for number in (1, 2):
        await apply(trips, "north", number)
    await apply(trips, "north", 3, **UNKNOWN_FORM)
    await apply(trips, "north", 4, **UNKNOWN_ZONE)
    await apply(trips, "south", 1, **UNKNOWN_ZONE)
    await apply(trips, "south", 2, **UNKNOWN_FORM)
    await apply(trips, "west", 1)
    for round_trips in (3, 0):
        assert await held(trips) == ({"north": 2, "west": 1}, [("north", 4), ("south", 2)])
        assert len(trips.asked) == round_trips
    await apply(trips, "south", 3)
    assert await held(trips) == ({"north": 2, "south": 3, "west": 1}, [("north", 4)])
    assert len(trips.asked) == 1


async def test_what_a_restored_backup_has_instead_is_read_anew(trips: Trips) -> None:
    await apply(trips, "north", 1)
    await apply(trips, "north", 2, **UNKNOWN_FORM)
    assert await held(trips) == ({"north": 1}, [("north", 2)])
    await trips.connection.execute("DELETE FROM policies WHERE version = 2")
    assert await held(trips) == ({"north": 1}, [])
    await apply(trips, "north", 2)
    assert await held(trips) == ({"north": 2}, [])


async def test_however_many_versions_there_are_some_are_remembered(
    trips: Trips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.policies.KEPT", 1)
    for tenant in ("north", "south"):
        await apply(trips, tenant, 1)
        await apply(trips, tenant, 2, **UNKNOWN_FORM)
    expected = ({"north": 1, "south": 1}, [("north", 2), ("south", 2)])
    for _ in range(2):
        assert await held(trips) == expected


@pytest.mark.parametrize(
    "document",
    [
        {"settings": {"reopen_days": "some"}},
        {"settings": {"reopen_days": 1e300}},
        {"routing": ["x"]},
        {"routing": [{"name": "x", "when": {}, "then": {"priority": "tomorrow"}}]},
        {"routing": [{"name": "x", "when": {}, "then": {"team": "y", "assignee": "spread"}}]},
        {"sla": [{"name": "x", "targets": {"resolution": "9" * 99 + "h"}}]},
        {"sla": [{"name": "x", "targets": {}, "pauses": ["full moon"]}]},
    ],
)
async def test_whatever_is_wrong_with_a_document_stops_nobody(
    trips: Trips, document: dict[str, object]
) -> None:
    await apply(trips, "north", 1, **document)
    assert await held(trips) == ({}, [("north", 1)])


UNKNOWN_FORM = {"sla": [{"name": "x", "targets": {"resolution": "soon"}}]}
UNKNOWN_ZONE = {
    "calendars": {"x": {"timezone": "Mars/Phobos", "weekly": {}}},
    "sla": [{"name": "x", "calendar": "x", "targets": {"resolution": "1h"}}],
}
RULE = {"name": "x", "when": {"customer_tier": ["gold"]}, "then": {"team": "vip"}}
SLA = {"name": "x", "when": {"customer_tier": ["gold"]}, "targets": {"resolution": "1h"}}


@pytest.mark.parametrize(
    ("document", "asks", "asks_where_a_team_is_named"),
    [
        ({}, False, False),
        ({"routing": [RULE]}, True, False),
        ({"sla": [SLA]}, True, True),
        ({"routing": [RULE], "sla": [SLA]}, True, True),
    ],
)
async def test_tiers_are_asked_for_where_they_may_matter(
    trips: Trips, document: dict[str, object], *, asks: bool, asks_where_a_team_is_named: bool
) -> None:
    await trips.connection.execute(
        "INSERT INTO customers (id, tenant_id, status, tier, updated_at)"
        " VALUES ($1, $2, 'active', 'gold', now())",
        ANNA,
        NORTH,
    )
    await apply(trips, NORTH, 1, **document)
    policy = (await of_versions(trips.connection, [(NORTH, 1)]))[NORTH, 1]
    assert isinstance(policy, CompiledPolicy)
    for request, answered in (
        (asked(1), asks),
        (asked(2, assigned_team="sales"), asks_where_a_team_is_named),
    ):
        found = await tiers_of(trips.connection, [request], {NORTH: policy}, {})
        assert found == ({(NORTH, ANNA): "gold"} if answered else {})
