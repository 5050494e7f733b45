"""Onboarding on Prefect: a worker dies at the worst moment, and there is one ticket."""

import asyncio
import json
import signal

from examples.workflows.lead import EXAMPLE, Onboarded
from examples.workflows.prefect_server import prefect_server
from examples.workflows.run_prefect import command, worker
from tests.scenarios.held_commit import held_commit
from tests.scenarios.onboarded import assert_onboarded_once, prepare_ledger

LONGEST_SECONDS = 300


async def test_a_worker_killed_after_the_commit_leaves_one_ticket(database_url: str) -> None:
    await prepare_ledger(database_url)
    with prefect_server() as prefect:
        async with asyncio.timeout(LONGEST_SECONDS), held_commit(database_url) as held:
            with worker(prefect, held.url) as process:
                onboarding = asyncio.create_task(asyncio.to_thread(command, prefect, "start"))
                await held.committed.wait()
                await asyncio.to_thread(process.stop, signal.SIGKILL)
                held.let_go()
                process.start()
                await asyncio.to_thread(command, prefect, "again")
                done = Onboarded(**json.loads(await onboarding))
    await assert_onboarded_once(database_url, EXAMPLE, done)
