"""Onboarding on Temporal: a worker dies at the worst moment, and there is one ticket."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from examples.workflows import onboarding_temporal
from examples.workflows.lead import EXAMPLE
from examples.workflows.sessions import sessions
from examples.workflows.temporal_server import temporal_server
from examples.workflows.worker_process import worker_process
from tests.scenarios.held_commit import held_commit
from tests.scenarios.onboarded import assert_onboarded_once, prepare_ledger

LONGEST_SECONDS = 120
UNLUCKY = replace(EXAMPLE, id="unlucky")
EAGER = replace(EXAMPLE, id="eager")


@pytest.fixture(scope="module")
def temporal() -> Iterator[str]:
    """The address of a Temporal server."""
    with temporal_server() as address:
        yield address


async def test_a_worker_killed_after_the_commit_leaves_one_ticket(
    temporal: str, database_url: str
) -> None:
    await prepare_ledger(database_url)
    client = await Client.connect(temporal)
    async with asyncio.timeout(LONGEST_SECONDS), held_commit(database_url) as held:
        program = [sys.executable, "-m", onboarding_temporal.__name__]
        worker = worker_process("Temporal's worker", *program, "worker", temporal, held.url)
        try:
            worker.start()
            onboarding = asyncio.create_task(onboarding_temporal.onboard(client, UNLUCKY))
            await held.committed.wait()
            await asyncio.to_thread(worker.stop, signal.SIGKILL)
            held.let_go()
            worker.start()
            done = await onboarding
        finally:
            worker.close()
    await assert_onboarded_once(database_url, UNLUCKY, done)
    assert await attempts_at_the_ticket(client) == 2


async def attempts_at_the_ticket(client: Client) -> int:
    """How often Temporal had the last activity started."""
    handle = client.get_workflow_handle(f"onboarding-{UNLUCKY.id}")
    started = EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
    attempts = [
        event.activity_task_started_event_attributes.attempt
        async for event in handle.fetch_history_events()
        if event.event_type == started
    ]
    assert attempts[:-1] == [1] * 5
    return attempts[-1]


async def test_a_lead_that_is_onboarded_again_keeps_its_ticket(
    temporal: str, database_url: str
) -> None:
    """A second run under the same workflow id has a run id of its own, and the same request id."""
    await prepare_ledger(database_url)
    client = await Client.connect(temporal)
    async with (
        asyncio.timeout(LONGEST_SECONDS),
        sessions(database_url) as session_of,
        onboarding_temporal.worker(client, onboarding_temporal.Steps(session_of)),
    ):
        first = await onboarding_temporal.onboard(client, EAGER)
        second = await onboarding_temporal.onboard(client, EAGER)
    assert second == first
    await assert_onboarded_once(database_url, EAGER, first)
