"""The database answers, but not as it should: everything waits, nothing is blamed on a record."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from devstack.databases import create_database, drop_database
from devstack.stack import Stack
from devstack.topics import delete_topics, random_prefix
from tests.scenarios.database_stage import DatabaseStage, database_stage
from tests.scenarios.test_outages import until_it_says
from tests.scenarios.world import World

Act = Callable[[DatabaseStage], Awaitable[None]]

REFUSALS: dict[str, tuple[Act, str, Act]] = {
    "it is read-only after a failover": (
        DatabaseStage.forbid_writing,
        "in a read-only transaction",
        DatabaseStage.allow_writing,
    ),
    "it has no connection left": (
        DatabaseStage.take_no_connections,
        "too many connections",
        DatabaseStage.take_connections,
    ),
    "our role may not log in": (
        DatabaseStage.lock_out,
        "is not permitted to log in",
        DatabaseStage.let_in,
    ),
    "a privilege is missing": (
        DatabaseStage.revoke,
        "permission denied for table tickets",
        DatabaseStage.grant,
    ),
    "its schema is not ours": (
        DatabaseStage.rename_column,
        '"subject"',
        DatabaseStage.name_column_back,
    ),
    "somebody keeps a table locked": (
        DatabaseStage.lock,
        "due to lock timeout",
        DatabaseStage.unlock,
    ),
}

ANSWERS = {
    "a serialization failure": "40001",
    "a deadlock": "40P01",
    "a lock time-out": "55P03",
    "a statement time-out": "57014",
    "a full disk": "53100",
    "no memory": "53200",
    "a failing disk": "58030",
}
"""SQLSTATEs (PostgreSQL 18, appendix A) that no test can have a server give at will."""

PLACES = {
    "the look-up": "connection.fetch",
    "COPY": "connection.copy_to_table",
    "the commit": "connection.execute ~COMMIT",
}


@pytest.fixture(scope="module")
async def stage(stack: Stack, migrated_template: str) -> AsyncIterator[DatabaseStage]:
    """One service for the whole module: what each test leaves behind has to be right."""
    url = create_database(stack.postgres.url, template=migrated_template)
    world = World(stack.kafka.bootstrap_servers, url, random_prefix())
    await world.make_topics()
    async with database_stage(world) as ready:
        yield ready
    await world.hang_up()
    delete_topics(world.kafka, prefix=world.prefix)
    drop_database(url)


async def until_all_is_well(stage: DatabaseStage) -> None:
    """Nothing was lost, and nothing was counted against a record."""
    report = await stage.world.come_to_rest()
    await stage.service.ready()
    assert (await stage.service.document("/livez"))[0] == 200
    assert report.outcomes == {"applied": 1, "created": stage.sent}
    assert await stage.world.count("dead_letters") == 0
    assert "Traceback" not in repr(stage.service.lines)


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_refused(refusal: str, stage: DatabaseStage) -> None:
    strike, problem, heal = REFUSALS[refusal]
    await strike(stage)
    await stage.send()
    await until_it_says(stage.world, stage.service, problem)
    await heal(stage)
    await until_all_is_well(stage)


@pytest.mark.parametrize("answer", ANSWERS)
async def test_answered_with(answer: str, stage: DatabaseStage) -> None:
    stage.say(f"error {ANSWERS[answer]} connection.copy_to_table #*")
    await stage.send()
    await until_it_says(stage.world, stage.service, "a fault of a scenario")
    stage.say("")
    await until_all_is_well(stage)


@pytest.mark.parametrize("place", PLACES)
async def test_failing_at(place: str, stage: DatabaseStage) -> None:
    stage.say(f"error 40001 {PLACES[place]} #*")
    await stage.send()
    await until_it_says(stage.world, stage.service, "SerializationError: a fault of a scenario")
    stage.say("")
    await until_all_is_well(stage)


HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$;
CREATE TRIGGER hold BEFORE INSERT ON tickets FOR EACH ROW WHEN (NEW.request_id = 'request-{at}')
EXECUTE FUNCTION hold();
SELECT pg_advisory_lock(7)
"""
"""COPY stands still at this row, others written before it, as long as the lock is held."""

LET_GO = "SELECT pg_advisory_unlock(7); DROP TRIGGER hold ON tickets; DROP FUNCTION hold"

IN_MID_COPY = """
SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_locks l USING (pid)
 WHERE l.locktype = 'advisory' AND NOT l.granted AND a.query LIKE 'COPY%'
"""


async def test_the_connection_ends_in_mid_copy(stage: DatabaseStage) -> None:
    world: World = stage.world
    await stage.owner.execute(HOLD.format(at=stage.sent + 60))
    await stage.send()

    async def is_ended() -> bool:
        return bool(await world.ask(IN_MID_COPY))

    await world.until(is_ended, "a COPY under way, and ended")
    await until_it_says(world, stage.service, "database does not answer")
    await stage.owner.execute(LET_GO)
    await until_all_is_well(stage)
