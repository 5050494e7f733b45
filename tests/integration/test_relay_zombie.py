"""A relay that is stopped in the middle of its work, overtaken, and then goes on."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.relay_stage import RelayStage, first_occurrences, staged, story

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[2]
LENGTH = 400


@pytest.fixture
async def stage(database_url: str, kafka: str, topic_prefix: str) -> AsyncIterator[RelayStage]:
    async with staged(database_url, kafka, topic_prefix) as ready:
        yield ready


@asynccontextmanager
async def relay_process(stage: RelayStage) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.relay_process"),
        *(stage.database_url, stage.kafka, stage.prefix),
        cwd=PROJECT,
        stdout=PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def said(process: Process, event: str) -> None:
    """Read what it logs until it says so."""
    assert process.stdout is not None
    while event not in (line := (await process.stdout.readline()).decode()):
        assert line, "the process has ended"


async def test_a_relay_that_was_stopped_and_overtaken_does_no_harm(stage: RelayStage) -> None:
    await stage.create_topic("ticket.created", partitions=3)
    for facts in story(subjects=10, length=LENGTH):
        await stage.write(*facts)
    async with relay_process(stage) as zombie:
        await said(zombie, "relay.published")
        zombie.send_signal(signal.SIGSTOP)
        left = await stage.waiting()
        assert left
        async with stage.relaying(holder="second"):
            await stage.arrived("ticket.created", 10 * LENGTH)
            before = len(await stage.everything("ticket.created"))
            zombie.send_signal(signal.SIGCONT)
            await said(zombie, "lease.lost")
        [(holder, fence)] = await stage.fetch("SELECT holder, fence FROM leases")
    records = await stage.everything("ticket.created")
    sequences = first_occurrences(records)
    assert len(sequences) == 10
    assert all(each == list(range(1, LENGTH + 1)) for each in sequences.values())
    # What the kernel still had of one request; nothing that was sent after it woke.
    assert len(records) - before <= 50
    assert (holder, fence) in {("second", 2), ("zombie", 3)}
    assert await stage.waiting() == []
