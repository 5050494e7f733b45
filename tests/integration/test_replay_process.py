"""`ticketing replay` as a process: stopped, killed, cut off, and gone on with; and its memory."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.integration.command import Command
from tests.integration.replay_stage import ReplayStage
from tests.integration.ticketing_process import begun, end_of
from tests.scenarios.messages import Message, requested
from tests.scenarios.world import PATIENCE_SECONDS, POLL_SECONDS

pytestmark = pytest.mark.integration

RECORDS: Final = 400
LONG: Final = 5 * 1024 * 1024
MOST_MEMORY: Final = 300 * 1024 * 1024
"""A process that has read nothing takes 100 MB; a hundred long records are 500 MB."""

WATCHED: Final = """
import sys
from pathlib import Path
from consumer.__main__ import main
try:
    main(sys.argv[1:])
finally:
    status = Path("/proc/self/status").read_text()
    print("VmHWM", status.split("VmHWM:")[1].split()[0], file=sys.stderr)
"""


@pytest.fixture
def stage(kafka_command: Command) -> ReplayStage:
    """Requests that the group passed over: each is new to a replay."""
    assert kafka_command("topics", "--partitions", "2").code == 0
    kafka_command.environment |= {"CUSTOMER_CHECK": "off", "BATCH_RECORDS": "10"}
    made = ReplayStage(kafka_command)
    made.publish(
        *(Message(requested(number).value, partition=number % 2) for number in range(RECORDS))
    )
    made.pass_over()
    return made


async def settled(stage: ReplayStage, at_least: int) -> None:
    """Wait until the tickets of so many records are there."""
    question = "SELECT count(*) FROM tickets"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await stage.asked(question))[0][0] < at_least:  # noqa: ASYNC110  PostgreSQL tells nobody
            await asyncio.sleep(POLL_SECONDS)


def told_id(err: str) -> str:
    found = re.search(r"this goes on: ticketing replay --resume (\S+)", err)
    assert found, err
    return found[1]


@pytest.mark.parametrize(("which", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 1)])
async def test_a_replay_that_is_stopped_says_how_to_go_on(
    stage: ReplayStage, tmp_path: Path, which: signal.Signals, code: int
) -> None:
    settings = stage.command.environment
    process = await begun(
        *("replay", "--all", "--yes", "--json", "--rate", "100"), settings=settings, cwd=tmp_path
    )
    await settled(stage, 30)
    process.send_signal(which)
    ended = await end_of(process)
    assert ended.code == code
    assert ended.json["complete"] is False
    done = ended.json["counts"]["created"]
    assert 30 <= done < RECORDS
    assert (await stage.asked("SELECT count(*) FROM tickets"))[0][0] == done
    rest = await end_of(
        await begun(
            *("replay", "--resume", told_id(ended.err), "--yes", "--json"),
            settings=settings,
            cwd=tmp_path,
        )
    )
    assert rest.code == 0
    assert rest.json["replay_id"] == ended.json["replay_id"]
    assert rest.json["counts"]["scanned"] == rest.json["counts"]["created"] == RECORDS
    assert len(rest.json["new"]) == RECORDS - done


async def test_a_replay_that_is_killed_goes_on_exactly(stage: ReplayStage, tmp_path: Path) -> None:
    settings = stage.command.environment
    words: tuple[str, ...] = ("replay", "--all", "--yes", "--rate", "100")
    for wanted in (40, 120, 200):
        process = await begun(*words, settings=settings, cwd=tmp_path)
        await settled(stage, wanted)
        process.kill()
        await process.communicate()
        ((replay_id,),) = await stage.asked("SELECT id::text FROM replays")
        words = ("replay", "--resume", replay_id, "--yes", "--json", "--rate", "100")
    ended = await end_of(await begun(*words, settings=settings, cwd=tmp_path))
    assert ended.code == 0
    counts = {name: number for name, number in ended.json["counts"].items() if number}
    assert counts == {"scanned": RECORDS, "matched": RECORDS, "created": RECORDS}
    assert await stage.asked("SELECT count(*), max(sequence) FROM tickets") == [(RECORDS, 1)]
    assert await stage.asked("SELECT count(*) FROM ticket_facts") == [(RECORDS,)]


async def test_a_database_that_goes_away_is_waited_for_and_told(
    stage: ReplayStage, tmp_path: Path
) -> None:
    settings = stage.command.environment
    place = urlsplit(settings["DATABASE_URL"])
    name = place.path.removeprefix("/")
    outside = await asyncpg.connect(urlunsplit(place._replace(path="/postgres")))
    process = await begun(
        *("replay", "--all", "--yes", "--json", "--rate", "100"), settings=settings, cwd=tmp_path
    )
    assert process.stderr is not None
    await settled(stage, 30)
    try:
        await outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await outside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while b"The database does not answer" not in await process.stderr.readline():
                assert not process.stderr.at_eof()
    finally:
        await outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await outside.close()
    ended = await end_of(process)
    assert ended.code == 0, ended.err
    assert ended.json["counts"]["created"] == RECORDS
    assert "The database answers again" in ended.err


async def test_long_records_take_little_memory(stage: ReplayStage, tmp_path: Path) -> None:
    """A batch of them is far more than fits: they are compressed to nothing on the way."""
    stage.publish_compressible(100, LONG)
    stage.command.environment["BATCH_RECORDS"] = "2000"
    await stage.passed_over()
    environment = {name: each for name, each in os.environ.items() if "TICKETING_" not in name}
    environment |= {f"TICKETING_{name}": each for name, each in stage.command.environment.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WATCHED, "replay", "--all", "--yes", "--json", "--dry-run"),
        env=environment,
        cwd=tmp_path,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    ended = await end_of(process)
    assert ended.code == 1, ended.err
    assert ended.json["counts"]["dead_lettered"] == 100
    kilobytes = int(ended.err.rpartition("VmHWM ")[2])
    assert kilobytes * 1024 < MOST_MEMORY
