"""`ticketing dlq redrive` beside others: operators, the relay, and its own sudden death."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from db import outbox
from tests.integration.command import Command
from tests.integration.letter_stage import LetterStage
from tests.integration.test_cli_requests import request
from tests.integration.ticketing_process import Ended, begun, end_of

MANY = 40
SECONDS_FOR_ANYTHING = 60.0
POLL_SECONDS = 0.02
WAITING = """
SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
 WHERE NOT l.granted AND a.datname = current_database()
"""


@pytest.fixture
def stage(command: Command) -> LetterStage:
    made = LetterStage(command)
    made.know()
    return made


def outcomes(ended: Ended) -> list[str]:
    return [each["outcome"] for each in ended.json["letters"]]


async def redriving(stage: LetterStage, *words: str, cwd: Path) -> asyncio.subprocess.Process:
    arguments = ("dlq", "redrive", *words, "--yes", "--json")
    return await begun(*arguments, settings=stage.command.environment, cwd=cwd)


async def ask(stage: LetterStage, question: str) -> int:
    connection = await asyncpg.connect(stage.command.environment["DATABASE_URL"])
    number: int = await connection.fetchval(question)
    await connection.close()
    return number


async def until(stage: LetterStage, at_least: int, question: str) -> None:
    """Ask until it is so many: PostgreSQL tells nobody."""
    async with asyncio.timeout(SECONDS_FOR_ANYTHING):
        while await ask(stage, question) < at_least:  # noqa: ASYNC110  as said
            await asyncio.sleep(POLL_SECONDS)


def test_of_two_operators_one_redrives_a_letter(stage: LetterStage, tmp_path: Path) -> None:
    """Both see all letters; each letter is somebody's, and the other is told whose."""
    ids = stage.bury(*(request(request_id=f"r-{number}") for number in range(MANY)))

    async def both() -> list[Ended]:
        blocker = await asyncpg.connect(stage.command.environment["DATABASE_URL"])
        block = blocker.transaction()
        await block.start()
        await blocker.execute("SELECT FROM dead_letters FOR UPDATE")
        started = [
            await redriving(stage, *ids, "--rate", "50", "--by", name, cwd=tmp_path)
            for name in ("ann", "bob")
        ]
        await until(stage, 2, WAITING)
        await block.rollback()
        await blocker.close()
        return [await end_of(process) for process in started]

    done = asyncio.run(both())
    for ann, bob in zip(*map(outcomes, done), strict=True):
        assert sorted([ann, bob]) == ["created", "skipped"]
    reasons = {each["reason"] for ended in done for each in ended.json["letters"]}
    assert all(reason is None or reason.startswith("it was redriven by ") for reason in reasons)
    assert stage.count("tickets") == MANY
    assert stage.count("dead_letter_steps") == MANY
    assert {row[2] for row in stage.states()} == {1}


def test_killed_in_the_middle_and_begun_again_does_nothing_twice(
    stage: LetterStage, tmp_path: Path
) -> None:
    stage.bury(*(request(request_id=f"r-{number}") for number in range(MANY)))

    async def killed() -> None:
        process = await redriving(stage, "--all", "--rate", "20", cwd=tmp_path)
        await until(stage, 5, "SELECT count(*) FROM dead_letter_steps")
        process.kill()
        await process.wait()

    asyncio.run(killed())
    before = stage.count("tickets")
    assert 5 <= before < MANY
    assert stage.count("dead_letters WHERE state = 'redriven'") == before
    done = stage.redrive("--all", "--json")
    assert done.code == 0
    assert done.json["counts"] == {"created": MANY - before}
    assert stage.count("tickets") == MANY
    assert stage.count("ticket_facts") == MANY
    assert stage.count("dead_letter_steps") == MANY
    assert set(stage.states()) == {("redriven", "created", 1)}


def test_the_relay_of_another_process_is_told(stage: LetterStage, tmp_path: Path) -> None:
    stage.bury(request())

    async def heard() -> list[str]:
        told: asyncio.Queue[str] = asyncio.Queue()
        listener = await asyncpg.connect(stage.command.environment["DATABASE_URL"])
        await listener.add_listener(outbox.CHANNEL, lambda *said: told.put_nowait(str(said[2])))
        for words in (("--dry-run",), ()):
            process = await redriving(stage, "--all", *words, cwd=tmp_path)
            assert (await end_of(process)).code == 0
        async with asyncio.timeout(SECONDS_FOR_ANYTHING):
            await told.get()
        more = [] if told.empty() else [told.get_nowait()]
        await listener.close()
        return more

    assert asyncio.run(heard()) == []


def test_a_database_that_goes_away_leaves_what_was_done(stage: LetterStage, tmp_path: Path) -> None:
    """What was told stands; the rest is done by the next run."""
    stage.bury(*(request(request_id=f"r-{number}") for number in range(MANY)))

    async def cut_off() -> Ended:
        process = await redriving(stage, "--all", "--rate", "20", cwd=tmp_path)
        await until(stage, 5, "SELECT count(*) FROM dead_letter_steps")
        await ask(
            stage,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'ticketing dlq redrive' AND datname = current_database()",
        )
        return await end_of(process)

    done = asyncio.run(cut_off())
    if done.code == 1:  # it may have had no connection just then, and opened another
        assert done.err.count("can't be used") == 1
    assert set(outcomes(done)) == {"created"}
    assert stage.redrive("--all").code == 0
    assert set(stage.states()) == {("redriven", "created", 1)}
    assert stage.count("tickets") == MANY
